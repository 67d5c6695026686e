"""The page: what it shows, what it refuses, and that it is the same again."""

from __future__ import annotations

import html.parser
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import edgeeff
from edgeeff import files
from edgeeff.benchmarking.comparison import Comparison
from edgeeff.benchmarking.document import benchmark_document, comparison_document
from edgeeff.benchmarking.environment import Environment
from edgeeff.benchmarking.session import Failure, Subject
from edgeeff.errors import InputError, OutputError, TargetUnavailable
from edgeeff.reporting import advice
from tests.benchmarking import makers
from tests.commands import said
from tests.documents import validated
from tests.fitting.searches import a_search, a_search_on_pictures
from tests.reporting import folders
from tests.tflite import tiny

PROMISED_SECONDS, PROMISED_BYTES = 3.0, 3_000_000


class Reader(html.parser.HTMLParser):
    """Takes a page apart: its words, and the attributes of each kind of element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.found: dict[str, list[dict[str, str | None]]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.setdefault(tag, []).append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def made(full_folder: Path, photos: Path) -> edgeeff.Report:
    return edgeeff.report(full_folder, pictures=[photos])


@pytest.fixture(scope="module")
def read(made: edgeeff.Report) -> Reader:
    return Reader(made.html)


@pytest.mark.parametrize("name", folders.MODELS)
def test_every_model_is_there_with_its_size_and_hash(name, read: Reader, full_folder: Path) -> None:
    assert name in read.text
    assert f"{(full_folder / name).stat().st_size / 1e3:,.1f} kB" in read.text
    assert edgeeff.inspect(full_folder / name).model.sha256 in read.text


@pytest.mark.parametrize(
    "title",
    [
        "Quality and cost",
        "Latency",
        "Trainings",
        "Accuracy and fidelity",
        "Changed predictions",
        "Error of each layer",
        "Where operators run",
        "Calibration",
        "Make it again",
        "Bundles",
        "Golden vectors computed again",
    ],
)
def test_all_that_is_in_the_folder_has_its_place(title: str, read: Reader) -> None:
    assert title in read.text


def test_figures_are_those_of_the_documents(read: Reader, full_folder: Path) -> None:
    found = json.loads((full_folder / "evaluation-tiny-int8.json").read_text("utf-8"))
    top1 = found["top1"]
    assert f"{100 * top1['value']:.1f}%" in read.text
    assert f"{100 * top1['ci95'][0]:.1f}% to {100 * top1['ci95'][1]:.1f}%" in read.text
    latency = json.loads((full_folder / "latency-2.json").read_text("utf-8"))["measurements"][0]
    assert f"{latency['latency_ms']['median']:.3f}" in read.text


def test_each_figure_says_what_makes_it_again(read: Reader, full_folder: Path) -> None:
    assert files.sha256(full_folder / "latency-1.json")[:12] in read.text
    assert "edgeeff benchmark tiny-float32.tflite --target cpu" in read.text
    assert "edgeeff evaluate" in read.text


def test_what_is_not_hardware_has_a_sign(made: edgeeff.Report) -> None:
    assert made.html.count('<span class="sign">emulated</span>') == 1


def test_a_ruined_file_is_said_to_be_one_and_gets_no_mark(made: edgeeff.Report) -> None:
    subjects = {one.name: one for one in made.gathered.subjects}
    assert subjects["tiny-int8-metadata.tflite"].marks == ()
    assert "does not answer as float" in made.html


def test_changed_predictions_have_their_pictures(read: Reader) -> None:
    images = read.found["img"]
    assert images
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in images)


def test_pictures_outside_of_the_named_folders_are_not_read(full_folder: Path) -> None:
    assert "img" not in Reader(edgeeff.report(full_folder).html).found


def test_nothing_comes_from_elsewhere(made: edgeeff.Report, read: Reader) -> None:
    assert made.html.replace("http://www.w3.org/2000/svg", "").count("http://") == 0
    assert "https://" not in made.html
    assert not {"link", "iframe", "object", "embed", "base"} & read.found.keys()
    assert all("src" not in script for script in read.found["script"])
    assert "default-src 'none'" in str(read.found["meta"])


def test_the_same_files_give_the_same_page(made: edgeeff.Report, full_folder: Path, photos) -> None:
    assert edgeeff.report(full_folder, pictures=[photos]).html == made.html


def test_a_notebook_shows_it_in_a_frame(made: edgeeff.Report) -> None:
    frame = Reader(made._repr_html_()).found["iframe"][0]
    assert frame["srcdoc"] == made.html


def test_the_document_is_as_its_schema_says(made: edgeeff.Report) -> None:
    found = validated(made.document())
    assert {model["name"] for model in found["models"]} == set(folders.MODELS)
    assert found["trainings"] == ["first", "second"]
    assert found["refused"] == []


def test_an_empty_folder_says_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    text = Reader(edgeeff.report(tmp_path).html).text
    for command in ("convert", "evaluate", "benchmark", "train", "bundle", "inspect"):
        assert f"edgeeff {command}" in text


def test_what_is_missing_is_told_of_each_model_once_and_with_its_float_file(
    tmp_path: Path, capsys
) -> None:
    folders.with_models(tmp_path)
    named = tmp_path / "tiny-float16.tflite"
    status, out, _ = said(capsys, "report", tmp_path)
    assert status == 0
    lines = [line.strip() for line in out.splitlines() if line.startswith("  edgeeff")]
    assert len(set(lines)) == len(lines)
    assert (
        f"edgeeff evaluate {named} --data PICTURES --reference {tmp_path / 'tiny-float32.tflite'} "
        f"--json > {tmp_path / 'tiny-float16-evaluation.json'}"
    ) in lines
    assert sum(line.startswith("edgeeff evaluate") for line in lines) == advice.SHOWN
    assert "An example, of 3 of the 4 models:" in out


def test_commands_that_get_what_is_missing_fit_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    folder = folders.with_models(Path("artifacts/flowers-networks"))
    status, out, _ = said(capsys, "report", folder)
    assert status == 0
    assert f"      --reference {folder / 'tiny-float32.tflite'} \\\n" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_float_file_elsewhere_is_named_as_the_manifest_has_it(tmp_path: Path) -> None:
    folders.with_models(tmp_path)
    for path in tmp_path.glob("tiny-*.json"):
        if path.stem != "tiny-int8":
            path.unlink()
            path.with_suffix(".tflite").unlink()
    manifest = tmp_path / "tiny-int8.json"
    fields = json.loads(manifest.read_text("utf-8"))
    fields["command"] = "edgeeff quantize 'my nets/-a.tflite' --mean 0"
    manifest.write_text(json.dumps(fields), "utf-8")
    commands = [command for one in edgeeff.report(tmp_path).lacking for command in one.commands]
    assert sum("--reference 'my nets/-a.tflite'" in command for command in commands) == 2


def test_comparisons_and_failures_without_a_measurement_are_shown(tmp_path: Path) -> None:
    ratio = Comparison("a", "b", "cpu", "local", 1.5, (1.4, 1.6), "slower", "apart")
    (tmp_path / "comparison.json").write_text(comparison_document([ratio]))
    lost = Failure(Subject(Path("c.tflite"), "gpu"), "local", TargetUnavailable("no GPU"))
    (tmp_path / "benchmark.json").write_text(benchmark_document([], [], [lost]))
    text = Reader(edgeeff.report(tmp_path).html).text
    assert ratio.sentence() in text
    assert "c.tflite on gpu, local: no GPU" in text


def test_a_bundle_is_checked_by_a_command_that_runs_from_here(
    full_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "with space"
    shutil.copytree(full_folder, folder)
    (bundle,) = edgeeff.report(folder).found.bundles
    text = Reader(edgeeff.report(folder).html).text
    assert f"edgeeff verify '{folder / bundle.path}'" in text


def test_a_command_of_a_benchmark_says_how_often_it_was_repeated(tmp_path: Path) -> None:
    machine = {"cores": 1}
    document = benchmark_document(
        [Environment("local", machine, machine)], [makers.measurement(2.0, processes=5)]
    )
    (tmp_path / "benchmark.json").write_text(document)
    assert "--threads 1 --repeats 5" in Reader(edgeeff.report(tmp_path).html).text


def test_documents_without_their_models_are_shown(full_folder: Path, tmp_path: Path) -> None:
    for name in ("latency-1.json", "tiny-int8.json", "evaluation-tiny-int8.json"):
        (tmp_path / name).write_bytes((full_folder / name).read_bytes())
    made = edgeeff.report(tmp_path)
    names = {one.name for one in made.gathered.subjects}
    assert names == {"tiny-float32.tflite", "tiny-float16.tflite", "tiny-int8.tflite"}
    assert made.html.count("file not here") == 3


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        edgeeff.report(tmp_path / "nowhere")


def test_no_folder_of_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        edgeeff.report(tmp_path, pictures=[tmp_path / "nowhere"])


def test_the_command_writes_it_once(full_folder: Path, tmp_path: Path, capsys) -> None:
    page = tmp_path / "page.html"
    status, out, _ = said(capsys, "report", full_folder, "--output", page, "--json")
    assert status == 0
    assert validated(out)["output"] == str(page)
    assert page.read_text("utf-8").startswith("<!doctype html>")
    status, _, err = said(capsys, "report", full_folder, "--output", page)
    assert status == 2
    assert "exists already" in err


def test_a_folder_is_no_page(full_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        edgeeff.report(full_folder, tmp_path, force=True)


def test_an_existing_page_is_refused_before_any_work(full_folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        edgeeff.report(full_folder, page)
    assert page.read_text() == "mine"


def test_a_search_shows_its_frontier_and_what_was_chosen(tmp_path: Path) -> None:
    a_search(tmp_path / "phone").write()
    made = edgeeff.report(tmp_path)
    read = Reader(made.html)
    assert made.refused == ()
    assert "lite2 at 260 pixels, int8" in read.text
    assert "77.0% of ImageNet, predicted (published)" in read.text
    assert "accuracy is predicted from published networks, not measured" in read.text
    assert "Predicted accuracy by measured cost" in read.text
    assert "edgeeff convert --variant lite2" in read.text


def test_a_search_on_pictures_shows_what_became_of_every_candidate(tmp_path: Path) -> None:
    found = a_search_on_pictures(tmp_path)
    found.write()
    made = edgeeff.report(tmp_path)
    read = Reader(made.html)
    assert (made.refused, made.found.others) == ((), [])
    for one in found.pool:
        assert "alpha {:g}, beta {:g}, gamma {:g}".format(*one.factors) in read.text
    assert "50.00% of val after 1 epoch" in read.text
    assert "no number" in read.text
    assert "72.00% of test, measured after 9 epochs" in read.text
    (subject,) = made.gathered.subjects
    assert [one.figure.median for one in subject.latencies] == [7.5]


def test_it_is_small_and_made_without_tensorflow(full_folder: Path, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom edgeeff.cli import main\n"
        f"try: main(['report', {str(full_folder)!r}, '-q', '--output', {str(tmp_path / 'a')!r}])\n"
        "finally: print(sorted({'tensorflow', 'tf_keras', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    assert (tmp_path / "a").stat().st_size < PROMISED_BYTES


@pytest.mark.clock
def test_it_is_made_in_the_promised_time(full_folder: Path, photos: Path) -> None:
    start = time.process_time()
    edgeeff.report(full_folder, pictures=[photos])
    assert time.process_time() - start < PROMISED_SECONDS


@pytest.fixture(scope="module")
def two_hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for number in range(200):
        path = folder / f"network-{number:03}-int8.tflite"
        path.write_bytes(tiny.INT8.read_bytes() + number.to_bytes(2, "little"))
        folders.add_manifest(path, "int8", 20 + number / 20)
    return folder


@pytest.mark.slow
def test_two_hundred_models_are_a_page_of_bearable_size(two_hundred: Path) -> None:
    made = edgeeff.report(two_hundred)
    assert len(Reader(made.html).found["details"]) >= 200
    assert len(made.html.encode()) < PROMISED_BYTES
    assert sum(one.marks != () for one in made.gathered.subjects) in (1, 2, 3)


@pytest.mark.clock
def test_two_hundred_models_are_shown_in_the_promised_time(two_hundred: Path) -> None:
    start = time.process_time()
    edgeeff.report(two_hundred)
    assert time.process_time() - start < 10
