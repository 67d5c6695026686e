"""Write the tables of the documentation and calibration/measured.toml from benchmarks/results/.

    python benchmarks/publish.py

Run it when a document in benchmarks/results/ is new; a test holds all of them together. A page has
a table between ``<!-- table NAME -->`` and ``<!-- end -->``; ``TABLES`` says what NAME shows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results import FOLDER, Results, Row, read

from edgeeff.evaluation.accuracy import wilson

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "calibration" / "measured.toml"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

MARKED = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _fixed(name: str, digits: int) -> Callable[[Row], str]:
    return lambda row: f"{row[name]:.{digits}f}"


def _share(name: str, digits: int = 1) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        found = row[name]
        images = f" of {found['images']}" if "images" in found else ""
        return f"{found['value']:.{digits}%}{images}{_ends(found, '{:.1%}')}"

    return cell


def _answers(row: Row) -> str:
    """Behind a random head where the network has none."""
    return "agreement" if "agreement" in row else "agreement_random_head"


def _points_lost(row: Row) -> str:
    return f"{row['points_lost']['value']:.2f}{_ends(row['points_lost'], '{:.2f}')}"


def _latency(row: Row) -> str:
    if "latency" not in row:
        return "not measured"
    ends = _ends(row["latency"], "{:.2f}")
    return f"{row['latency']['ratio']:.2f}{ends}" if ends else "1"


def _ends(found: Mapping[str, Any], form: str) -> str:
    if "ci95" not in found:
        return ""
    low, high = (form.format(end) for end in found["ci95"])
    return f" ({low} to {high})"


def _seconds_range(row: Row) -> str:
    return f"{row['seconds_from']} to {row['seconds_to']}"


COLUMNS: Mapping[str, Callable[[Row], str]] = {
    "network": lambda row: str(row["network"]),
    "method": lambda row: str(row["method"]),
    "recipe": lambda row: f"`{row['recipe']}`",
    "calibration": lambda row: str(row["calibration"]),
    "SQNR, dB": _fixed("sqnr_db", 1),
    "median picture, dB": _fixed("median_image_sqnr_db", 1),
    "KL, nats": _fixed("kl", 4),
    "agreement": _share("agreement"),
    "agreement where float is sure": _share("agreement_where_sure"),
    "float top-1": _share("float_top1", 2),
    "top-1": _share("top1", 2),
    "points lost": _points_lost,
    "seconds": lambda row: f"{row['seconds']:.1f}" if "seconds" in row else "",
    "processor seconds": lambda row: (
        f"{row['processor_seconds']:.0f}" if "processor_seconds" in row else "not measured"
    ),
    "MB": _fixed("megabytes", 2),
    "peak MB": _fixed("peak_megabytes", 0),
    "time per run, ratio": _latency,
    "judged": lambda row: str(row["judged"]),
    "worst picture, dB": _fixed("worst_image_sqnr_db", 1),
    "same answer behind a random head": _share("agreement_random_head"),
    "same answer": lambda row: _share(_answers(row))(row),
    "what changes": lambda row: str(row["method"]),
    "operators": lambda row: str(row["operators"]),
    "integer only": lambda row: "yes" if row["integer_only"] else "no",
    "pictures": lambda row: str(row["method"]),
    "number": lambda row: str(row["given"]),
    "widened by the last half": lambda row: "{:.1%} to {:.1%}".format(*row["widened"]),
    "enough": lambda row: f"{row['enough']} of {row['draws']}",
    "KL of each draw": lambda row: ", ".join(f"{kl:.3f}" for kl in row["kl_of_draws"]),
    "a channel's mean is off by, in its deviations": _fixed("mean_off", 2),
    "its deviation, times BatchNorm's": _fixed("deviation_ratio", 2),
    "largest value, times the photographs'": _fixed("largest_ratio", 2),
    "command": lambda row: f"`edgeeff convert {row['arguments']}`",
    "seconds, quiet to busy": _seconds_range,
    "peak memory, GB": _fixed("peak_gigabytes", 2),
}
"""What a column shows of a row, by its heading."""

WHO = ("network", "method", "calibration")
FIDELITY = ("SQNR, dB", "median picture, dB", "KL, nats", "agreement")
COST = ("seconds", "MB")
OWN_MODELS = (
    *("network", "method", "integer only", *FIDELITY, "operators"),
    *("processor seconds", "MB", "peak MB", "time per run, ratio"),
)
ACCURACY = ("float top-1", "top-1", "points lost")


@dataclass(frozen=True)
class Table:
    """A table of the documentation.

    Attributes:
        results: name of the document in benchmarks/results/.
        columns: headings.
        networks: only these; all if empty.
        methods: only these, with their calibration; all if empty.
        judged: only rows that say which pictures judged, or only those that do not; all if None.
        provenance: whether command, machine, pictures and notes follow the table.
    """

    results: str
    columns: tuple[str, ...]
    networks: tuple[str, ...] = ()
    methods: tuple[tuple[str, str], ...] = ()
    judged: bool | None = None
    provenance: bool = True

    def shows(self, row: Row) -> bool:
        """Whether a row belongs in the table."""
        return (
            (not self.networks or row["network"] in self.networks)
            and (not self.methods or (row["method"], row["calibration"]) in self.methods)
            and self.judged in (None, "judged" in row)
        )


HEADLINE = Table(
    "labelled-nips2017",
    ("method", "calibration", "median picture, dB", "agreement", *ACCURACY),
    networks=("lite0",),
    methods=(("TFLiteConverter int8", "photographs"), ("edgeeff int8", "none")),
    provenance=False,
)
RECIPES = (
    *("int8", "int8-split", "int8-mixed", "int8-bias", "int8-plain", "int16x8", "dynamic"),
    "int8-swish",
)

TABLES: Mapping[str, Table] = {
    "headline": HEADLINE,
    "recipes-lite0": Table(
        "held-out",
        ("recipe", "median picture, dB", "KL, nats", "agreement", *COST),
        networks=("lite0",),
        methods=tuple((f"edgeeff {recipe}", "none") for recipe in RECIPES),
        provenance=False,
    ),
    "labelled-nips2017": Table("labelled-nips2017", (*WHO, *FIDELITY, *ACCURACY)),
    "labelled-imagenet-sample-images": Table(
        "labelled-imagenet-sample-images", (*WHO, *FIDELITY, *ACCURACY)
    ),
    "held-out": Table("held-out", (*WHO, *FIDELITY, "agreement where float is sure", *COST)),
    "seeds": Table("seeds", ("network", "calibration", *FIDELITY)),
    "outliers": Table("outliers", (*WHO, *FIDELITY, "agreement where float is sure", *COST)),
    "side-by-side": Table(
        "side-by-side", (*WHO, *FIDELITY, *COST, "peak MB", "time per run, ratio")
    ),
    "keras-applications": Table("keras-applications", OWN_MODELS),
    "keras-applications-photographs": Table("keras-applications-photographs", OWN_MODELS),
    "trained-networks": Table("trained-networks", OWN_MODELS),
    "contributions": Table("contributions", (*WHO, *FIDELITY, *COST)),
    "fashion-mnist": Table(
        "fashion-mnist",
        (*WHO, *FIDELITY, "top-1", "points lost", *COST, "peak MB", "time per run, ratio"),
    ),
    "real-b0": Table(
        "real-b0",
        (
            "method",
            "calibration",
            "judged",
            "median picture, dB",
            "SQNR, dB",
            "worst picture, dB",
            "same answer behind a random head",
        ),
        judged=True,
    ),
    "real-b0-cost": Table(
        "real-b0",
        ("method", "calibration", "operators", "MB", "seconds", "time per run, ratio"),
        judged=False,
        provenance=False,
    ),
    "picture-noise": Table(
        "picture-noise",
        (
            "network",
            "what changes",
            "judged",
            "median picture, dB",
            "SQNR, dB",
            "worst picture, dB",
            "same answer",
        ),
    ),
    "calibration-coverage": Table(
        "calibration-coverage",
        (
            "calibration",
            "number",
            "widened by the last half",
            "enough",
            "SQNR, dB",
            "KL of each draw",
        ),
    ),
    "synthetic-statistics": Table(
        "synthetic-statistics",
        (
            "network",
            "pictures",
            "a channel's mean is off by, in its deviations",
            "its deviation, times BatchNorm's",
            "largest value, times the photographs'",
        ),
    ),
    "latency": Table("latency", ("network", "method", "time per run, ratio")),
    "convert-time": Table("convert-time", ("command", "seconds, quiet to busy", "peak memory, GB")),
}
"""The tables of the documentation by the name in their marker."""


def filled(page: str) -> str:
    """A page with its tables written anew. Raises ``KeyError`` for a table that is not known."""
    return MARKED.sub(lambda found: f"{found[1]}{markdown(TABLES[found[2]])}{found[3]}", page)


def markdown(table: Table) -> str:
    """The table, and what it is of."""
    found = read(FOLDER / f"{table.results}.json")
    lines = [f"| {' | '.join(table.columns)} |", f"|{'-|' * len(table.columns)}"]
    for rows in _together([row for row in found.rows if table.shows(row)]):
        lines.append(f"| {' | '.join(_cells(table.columns, rows))} |")
    if table.provenance:
        lines += ["", *_provenance(found)]
    return "\n".join(lines) + "\n"


def _together(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Each row alone; those that differ by the seed only, together."""
    groups: dict[object, list[Row]] = {}
    for number, row in enumerate(rows):
        key = (row["network"], row["method"], row["calibration"]) if "seed" in row else number
        groups.setdefault(key, []).append(row)
    yield from groups.values()


def _cells(columns: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    for column in columns:
        cells = [COLUMNS[column](row) for row in rows]
        same = len(set(cells)) == 1 and column in ("network", "method", "calibration")
        yield cells[0] if same else ", ".join(cells)


def _provenance(found: Results) -> Iterator[str]:
    """Where the figures come from, as a list."""
    yield f"- Command: `{found.command}`"
    if found.pictures:
        given = found.pictures["calibration"]
        yield f"- Pictures: {found.pictures['count']:,} {found.pictures['kind']}."
        yield f"- Calibration, where it is `photographs`: {given}."
    machines = dict.fromkeys(row.get("machine", found.machine) for row in found.rows)
    yield f"- Machine: {'; '.join(machines)}."
    dates = sorted({row["date"] for row in found.rows})
    yield f"- Date: {' to '.join(dict.fromkeys((dates[0], dates[-1])))}."
    if found.latency_to:
        yield f"- The time per run is a multiple of that of {found.latency_to}."
    yield from (f"- {note}" for note in found.notes)


@dataclass(frozen=True)
class Shown:
    """What ``edgeeff recipes`` shows of one network.

    Attributes:
        network: as in the rows.
        called: what the user reads.
        results: the document of its figures.
        calibration: which of its rows count: those without data, or those with.
        latency: the document that compares the recipes' times, if there is one.
    """

    network: str
    called: str
    results: str
    calibration: str = "none"
    latency: str | None = None


SHOWN = (
    Shown("lite0", "lite0", "held-out", latency="latency"),
    Shown("b0", "b0 trained on Fashion-MNIST", "fashion-mnist"),
)
"""In the order of the output."""

ROUNDED = {
    "sqnr_db": 1,
    "median_image_sqnr_db": 1,
    "kl": 4,
    "seconds": 1,
    "megabytes": 2,
}


def figures() -> str:
    """The content of calibration/measured.toml."""
    head = "# Made by `python benchmarks/publish.py` from benchmarks/results/: change those.\n"
    return "\n".join([head, *(_measured(shown) for shown in SHOWN)])


def _measured(shown: Shown) -> str:
    found = read(FOLDER / f"{shown.results}.json")
    assert found.pictures, f"{shown.results} has no pictures"
    rows = {
        row["recipe"]: row
        for row in found.rows
        if row["network"] == shown.network
        and "recipe" in row
        and row["calibration"] == shown.calibration
    }
    times = read(FOLDER / f"{shown.latency}.json").rows if shown.latency else ()
    ratios = {row["recipe"]: row["latency"] for row in times if row["network"] == shown.network}
    given = found.pictures["calibration"] if shown.calibration != "none" else "no data"
    pictures = f"{found.pictures['count']:,} {found.pictures['kind']}; calibrated with {given}"
    tables = [
        "[[measured]]",
        *_fields(network=shown.called, pictures=pictures, command=found.command),
    ]
    for recipe, row in rows.items():
        values = {name: round(row[name], digits) for name, digits in ROUNDED.items()}
        values["agreement"] = round(row["agreement"]["value"], 3)
        ends = row["agreement"].get("ci95") or _wilson(row, found)
        values["agreement_ci95"] = [round(end, 3) for end in ends]
        if recipe in ratios:
            values["latency_ratio"] = ratios[recipe]["ratio"]
            values["latency_ci95"] = ratios[recipe]["ci95"]
        tables += ["", f"[measured.recipes.{recipe}]", *_fields(**values)]
    return "\n".join(tables) + "\n"


def _wilson(row: Row, found: Results) -> tuple[float, float]:
    """The interval of a share that was published without one, if each picture counts for itself."""
    assert found.pictures
    images = found.pictures["count"]
    share = wilson(round(row["agreement"]["value"] * images), images)
    return share.low, share.high


def _fields(**values: Any) -> Iterator[str]:
    # What JSON writes for text, numbers and lists of them is TOML too.
    yield from (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())


def main() -> None:
    FIGURES.write_text(figures(), "utf-8")
    for page in PAGES:
        before = page.read_text("utf-8")
        after = filled(before)
        if after != before:
            page.write_text(after, "utf-8")
            print(page.relative_to(ROOT))
    print(FIGURES.relative_to(ROOT))


if __name__ == "__main__":
    main()
