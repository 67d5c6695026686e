"""Take the figures that `edgeeff recipes` shows from the table of docs/quantization.md.

    python benchmarks/recipe_figures.py

Run it when the output of the command below is new in that page; a test holds the two together.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "quantization.md"
FIGURES = ROOT / "calibration" / "measured.toml"
COMMAND = "python benchmarks/quantization.py --held-out"
NETWORK = "lite0"
ROW = re.compile(
    rf"^\| {NETWORK} \| edgeeff (?P<recipe>\S+) \| none \| (?P<sqnr>[\d.]+) \| (?P<median>[\d.]+) "
    r"\| (?P<same>[\d.]+)% of (?P<count>\d+) [^|]*\| (?P<kl>[\d.]+) \| (?P<seconds>[\d.]+) "
    r"\| (?P<megabytes>[\d.]+) \|",
    re.MULTILINE,
)


def figures(page: str) -> str:
    """The content of calibration/measured.toml."""
    table = re.search(r"(^\|.*\n)+", page[page.index(f"`{COMMAND}") :], re.MULTILINE)
    assert table, f"no table after `{COMMAND}`"
    rows = list(ROW.finditer(table[0]))
    counts = {row["count"] for row in rows}
    assert len(counts) == 1, f"rows of {sorted(counts)} pictures"
    tables = [
        f"[recipes.{row['recipe']}]\n"
        f"sqnr_db = {row['sqnr']}\n"
        f"median_image_sqnr_db = {row['median']}\n"
        f"agreement = {float(row['same']) / 100:.3f}\n"
        f"kl = {row['kl']}\n"
        f"seconds = {row['seconds']}\n"
        f"megabytes = {row['megabytes']}\n"
        for row in rows
    ]
    head = (
        f'network = "{NETWORK}"\n'
        f'pictures = "{counts.pop()} crops of photographs, no data given"\n'
        f'command = "{COMMAND} {NETWORK}"\n'
    )
    return "\n".join([head, *tables])


if __name__ == "__main__":
    FIGURES.write_text(figures(PAGE.read_text("utf-8")), "utf-8")
    print(FIGURES.relative_to(ROOT))
