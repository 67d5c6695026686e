"""The page in real headless Chromium: on a phone and a desk, light and dark, for everybody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgeeff
from tests import chromium
from tests.chromium import Page

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

AXE = "axe-core@4.14.1"
PHONE, DESK = 390, 1280
NAMES = "[...document.querySelectorAll('#models tbody tr')].filter(r => !r.hidden)"
NAMES += ".map(r => r.cells[0].querySelector('a').textContent)"


@pytest.fixture(scope="module")
def path(full_folder: Path, photos: Path, tmp_path_factory) -> Path:
    page = tmp_path_factory.mktemp("page") / "report.html"
    edgeeff.report(full_folder, page, pictures=[photos])
    return page


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Page]:
    with chromium.browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(running: Page) -> Iterator[Page]:
    """The browser as it is at first: a desk, light, with JavaScript."""
    running.size(DESK, 900)
    running.media("light")
    running.ask("Emulation.setScriptExecutionDisabled", value=False)
    running.errors.clear()
    running.requests.clear()
    return running


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> str:
    modules = chromium.npm(AXE, tmp_path_factory.mktemp("axe"))
    return (modules / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_nothing_is_wider_than_the_window(page: Page, path: Path, width: int) -> None:
    page.size(width, 900)
    page.open(path)
    page.run("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.run("document.documentElement.scrollWidth") <= width


def test_the_console_stays_empty_and_nothing_is_asked_of_others(page: Page, path: Path) -> None:
    page.open(path)
    page.run("document.querySelector('#models th button').click()")
    assert page.errors == []
    asked = [address for address in page.requests if not address.startswith("data:")]
    assert asked == [path.as_uri()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_axe_finds_nothing(page: Page, path: Path, axe: str, width: int, scheme: str) -> None:
    page.size(width, 900)
    page.media(scheme)
    page.open(path)
    page.run("document.querySelectorAll('details').forEach(part => part.open = true)")
    page.run(axe)
    found = json.loads(page.run("axe.run().then(found => JSON.stringify(found.violations))"))
    said = [
        (each["impact"], each["id"], [node["html"][:200] for node in each["nodes"][:3]])
        for each in found
    ]
    assert said == []


def test_a_column_is_sorted_both_ways(page: Page, path: Path) -> None:
    page.open(path)
    sizes = "[...document.querySelectorAll('#models tbody tr')].map(r => +r.cells[1].dataset.value)"
    up, down = (
        (page.run("document.querySelectorAll('#models th button')[1].click()"), page.run(sizes))[1]
        for _ in range(2)
    )
    assert up == sorted(up)
    assert down == up[::-1]
    assert page.run("document.querySelectorAll('#models th')[1].ariaSort") == "descending"


def test_a_filter_leaves_the_models_of_a_name(page: Page, path: Path) -> None:
    page.open(path)
    page.run(
        "const f = document.getElementById('filter'); f.value = 'FLOAT16';"
        "f.dispatchEvent(new Event('input'))"
    )
    assert page.run(NAMES) == ["tiny-float16.tflite"]
    assert page.run("document.getElementById('filter-said').textContent") == "1 of 5 models"


def test_without_javascript_all_is_there_but_sorting_and_filtering(page: Page, path: Path) -> None:
    page.ask("Emulation.setScriptExecutionDisabled", value=True)
    page.open(path)
    text = page.run("document.body.innerText")
    assert "tiny-int8.tflite" in text
    assert "Filter models" not in text
    assert page.run("document.querySelectorAll('th button').length") == 0
    page.run("document.querySelector('details').open = true")
    assert "multiply-accumulates" in page.run("document.body.innerText")


def test_everything_that_works_can_be_reached_by_keyboard(page: Page, path: Path) -> None:
    page.open(path)
    reached = set()
    for _ in range(60):
        for kind in ("keyDown", "keyUp"):
            page.ask("Input.dispatchKeyEvent", type=kind, key="Tab", windowsVirtualKeyCode=9)
        reached.add(page.run("document.activeElement.tagName"))
    assert {"A", "BUTTON", "INPUT", "SUMMARY"} <= reached


def test_a_link_to_a_model_opens_it(page: Page, path: Path) -> None:
    page.open(path)
    page.run("document.querySelector('#models tbody a').click()")
    page.run("new Promise(done => setTimeout(done, 100))")
    assert page.run("document.querySelector(location.hash).open") is True


def test_paper_shows_what_is_folded_and_is_light(page: Page, path: Path) -> None:
    page.media("dark", "print")
    page.open(path)
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run("document.querySelectorAll('details:not([open])').length") == 0
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.run("document.querySelectorAll('details:not([open])').length") > 0


def test_dark_turns_the_plots_too(page: Page, path: Path) -> None:
    fill = "getComputedStyle(document.querySelector('figure svg rect')).fill"
    page.open(path)
    assert page.run(fill) == "rgb(255, 255, 255)"
    page.media("dark")
    assert page.run(fill) != "rgb(255, 255, 255)"


def test_hostile_names_are_words(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    name = "<img src=x onerror=alert(1)>\"'&{{7*7}}.tflite"
    (folder / name).write_bytes(b"no model")
    made = tmp_path / "report.html"
    edgeeff.report(folder, made, title="<script>alert(2)</script>")
    page.open(made)
    assert name in page.run("document.getElementById('files').innerText")
    assert page.run("document.querySelectorAll('img').length") == 0
    assert page.run("document.title") == "<script>alert(2)</script>"
    assert page.errors == []


def test_a_notebook_shows_the_page_in_its_frame(
    page: Page, full_folder: Path, tmp_path: Path
) -> None:
    notebook = tmp_path / "cell.html"
    shown = edgeeff.report(full_folder)._repr_html_()
    notebook.write_text(f'<!doctype html><meta charset="utf-8">{shown}', "utf-8")
    page.open(notebook)
    rows = "document.querySelector('iframe').contentDocument.querySelectorAll('#models tbody tr')"
    assert page.run(f"{rows}.length") == 5
    assert page.errors == []
