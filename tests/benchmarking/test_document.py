import json
from pathlib import Path

import jsonschema
import pytest

from edgeeff.accelerators.machine import read_machine
from edgeeff.accelerators.plan import OperatorTime, Profile
from edgeeff.benchmarking.compare import compare_session
from edgeeff.benchmarking.document import benchmark_document, read_benchmark
from edgeeff.benchmarking.environment import Environment
from edgeeff.benchmarking.measurement import Stages
from edgeeff.benchmarking.session import Failure, Subject
from edgeeff.errors import InputError, TargetUnavailable
from tests.benchmarking.makers import measurement
from tests.documents import validated

STORED = Path(__file__).parent / "data" / "benchmark-1.json"


@pytest.fixture
def text():
    machine = read_machine()
    measurements = [
        measurement(2.0, model="a.tflite", seed=1, peak_memory_bytes=5),
        measurement(
            3.0,
            model="b[1,2].tflite",
            seed=2,
            profile=Profile("by hand", (OperatorTime("CONV_2D", "stem_conv", 12),)),
            stages=Stages(3, 1.0, 2.0, 0.1),
        ),
    ]
    failure = Failure(Subject(Path("c.tflite"), "gpu"), "local", TargetUnavailable("broke", "buy"))
    return benchmark_document(
        [Environment("local", machine, machine)],
        measurements,
        [failure],
        compare_session(measurements),
    )


def test_a_document_validates(text):
    validated(text)


def test_a_document_without_a_figure_does_not_validate(text):
    content = json.loads(text)
    del content["measurements"][0]["latency_ms"]["ci95"]
    with pytest.raises(jsonschema.ValidationError, match="'ci95' is a required property"):
        validated(json.dumps(content))


def test_every_sample_is_kept_on_one_line(text):
    entry = json.loads(text)["measurements"][0]
    assert len(entry["samples_ns"]) == entry["runs"] == 600
    assert max(len(line) for line in text.splitlines()) > 600


def test_names_that_look_like_lists_stay_as_they_are(text):
    assert json.loads(text)["measurements"][1]["model"] == "b[1,2].tflite"


def test_what_was_not_measured_is_null_not_zero(text):
    entry = json.loads(text)["measurements"][1]
    assert entry["peak_memory_bytes"] is None


def test_a_document_is_read_back(text, tmp_path):
    path = tmp_path / "result.json"
    path.write_text(text)
    found = read_benchmark(path)
    assert [figure.model for figure in found.figures] == ["a.tflite", "b[1,2].tflite"]
    assert found.figures[0].median == pytest.approx(2.0, rel=0.01)
    assert found.machine("local")["processor"]


def test_a_stored_document_of_version_1_is_read():
    """Written by the first version; must stay readable as long as version 1 is."""
    validated(STORED.read_text())
    found = read_benchmark(STORED)
    assert [(figure.model, figure.target) for figure in found.figures] == [
        ("tiny-float32.tflite", "cpu"),
        ("tiny-int8.tflite", "cpu"),
    ]
    assert (
        found.figures[0].median
        == json.loads(STORED.read_text())["measurements"][0]["latency_ms"]["median"]
    )
    assert found.machine("local")["cores"] == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a JSON document"),
        ('{"schema": "edgeeff.manifest/1"}', "not an edgeeff.benchmark document"),
        ('{"schema": "edgeeff.benchmark/2"}', "edgeeff.benchmark/2"),
        ('{"schema": "edgeeff.benchmark/1"}', "not a whole benchmark"),
        (
            '{"schema": "edgeeff.benchmark/1", "environment": {"devices": []}, "measurements": []}',
            "no measurement",
        ),
        (
            '{"schema": "edgeeff.benchmark/1", "environment": {"devices": []},'
            ' "measurements": [{"model": "a"}]}',
            "not a whole benchmark",
        ),
    ],
)
def test_what_is_no_such_document_is_refused(content, words, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(InputError, match=words):
        read_benchmark(path)
