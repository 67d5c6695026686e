"""The pages for people: links lead somewhere, and every page can be found."""

import dataclasses
import re
from pathlib import Path

import pytest

from edgeeff.quantization.recipes.recipe import CORRECTIONS, ORDER, Ranges

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "artifacts/README.md"])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def prose(page: Path) -> str:
    """A page without its code, where brackets mean other things."""
    return re.sub(
        r"^```.*?^```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
    )


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    broken = []
    for link in LINK.findall(prose(page)):
        if link.startswith(("https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    names = [path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md"]
    assert [name for name in names if f"({name}" not in index] == []


def row_of(page: str, name: str) -> str:
    """The row of a table whose first cell names something in code."""
    rows = (line for line in page.splitlines() if line.startswith("| "))
    return next(row for row in rows if f"`{name}`" in row.split("|")[1])


@pytest.mark.parametrize("field", dataclasses.fields(Ranges), ids=lambda field: field.name)
def test_the_page_of_recipes_has_the_default_of_each_key_of_ranges(field):
    row = row_of((ROOT / "docs" / "quantization.md").read_text("utf-8"), field.name)
    default = field.default if isinstance(field.default, str) else f"{field.default:g}"
    assert default in re.findall(r"[\w.]+", row.split("|")[2])


@pytest.mark.parametrize("kind", CORRECTIONS)
def test_the_page_of_recipes_has_the_keys_and_defaults_of_each_correction(kind):
    page = (ROOT / "docs" / "quantization.md").read_text("utf-8")
    table = page[page.index("| `[[corrections]]`") :]
    said = row_of(table, kind).split("|")[2]
    for field in dataclasses.fields(CORRECTIONS[kind]):
        default = field.default if isinstance(field.default, str) else f"{field.default:g}"
        assert f"`{field.name}` {default}" in said


def test_the_page_of_recipes_has_the_corrections_in_their_order():
    page = (ROOT / "docs" / "quantization.md").read_text("utf-8")
    table = page[page.index("| `[[corrections]]`") :].split("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == ORDER
