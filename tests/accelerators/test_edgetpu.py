"""The Edge TPU target, on models of Google's compiler and a delegate double compiled here."""

import subprocess

import pytest

from edgeeff.accelerators import edgetpu
from edgeeff.accelerators.plan import Plan, preset
from edgeeff.accelerators.session import random_inputs
from edgeeff.devices.local import Local
from edgeeff.errors import GateFailed, InputError, TargetUnavailable
from edgeeff.prediction.edgetpu_model import CUSTOM_OPERATOR, check, require_compiled
from edgeeff.tflite.reader import read_model
from tests.accelerators.graphs import GraphWriter

pytestmark = pytest.mark.cc
IMAGE = (1, 8, 8, 8)


@pytest.fixture
def written(tmp_path):
    """Writes a model of one custom operator with these options."""

    def write(custom, name=CUSTOM_OPERATOR):
        writer = GraphWriter()
        first = writer.tensor(IMAGE)
        last = writer.add(name, [first], IMAGE, custom=custom)
        path = tmp_path / "model.tflite"
        path.write_bytes(writer.content([first], [last]))
        return path

    return write


def plan(library, **options):
    return Plan(timeout=3, options={"library": str(library), **options})


def failure(model, library):
    """The error of loading and running a model in a worker."""
    with Local().bench(model, "edgetpu", plan(library)) as bench:
        try:
            bench.load()
            bench.warm_up()
        except TargetUnavailable as error:
            return error
    raise AssertionError("it ran")


def opened(model, library, **options):
    session = edgetpu.open(model, plan(library, **options))
    session.feed(random_inputs(session.inputs, 0))
    session.invoke()
    return session


def test_models_of_googles_compiler_hold_a_program(coral_models):
    models = sorted(coral_models.glob("*.tflite"))
    assert len(models) == 3
    for model in models:
        require_compiled(read_model(model))


def test_a_model_that_is_not_compiled_is_refused_with_the_command(written, delegate):
    model = written(b"DWN1", name="another-custom-op")
    with pytest.raises(InputError, match="not compiled") as raised:
        edgetpu.open(model, plan(delegate()))
    assert "edgeeff compile" in raised.value.hint


@pytest.mark.parametrize("payload", [b"", b"\xef\xbe\xad\xde" * 16])
def test_a_placeholder_program_is_refused(written, delegate, payload):
    with pytest.raises(InputError, match="no program of Google's compiler"):
        edgetpu.open(written(payload), plan(delegate()))


def test_a_compiled_model_is_inspected_as_such(coral_detector):
    found = check(read_model(coral_detector))
    assert [verdict.taken for verdict in found.verdicts] == [True, False]
    assert "compiled already" in found.notes[0]


def test_runs_through_the_delegate_and_says_it_is_a_double(coral_classifier, delegate):
    session = opened(coral_classifier, delegate())
    facts = session.facts()
    assert (facts.nodes, facts.delegated, facts.partitions) == (1, 1, 1)
    assert facts.provenance == "test-double"
    assert session.outputs()[0].shape == (1, 1001)
    assert session.verify() == {"reference": None}


def test_operators_after_the_program_are_told(coral_detector, delegate):
    facts = opened(coral_detector, delegate()).facts()
    assert (facts.nodes, facts.delegated) == (2, 1)
    assert any(warning.startswith("1 operator") for warning in facts.warnings)


def test_outputs_that_are_not_the_references_give_no_figure(written, delegate, tmp_path):
    writer = GraphWriter()
    first = writer.tensor(IMAGE)
    last = writer.add("TANH", [first], writer.tensor(IMAGE))
    writer.tensors[last].quantization.scale = [1 / 128]
    reference = tmp_path / "reference.tflite"
    reference.write_bytes(writer.content([first], [last]))
    session = opened(written(b"DWN1"), delegate(), reference=str(reference))
    with pytest.raises(GateFailed, match="something else"):
        session.verify()


@pytest.mark.parametrize("content", [None, b"text"], ids=["missing", "no library"])
def test_a_library_that_cannot_be_loaded_says_what_to_install(written, tmp_path, content):
    library = tmp_path / "libedgetpu.so.1"
    if content is not None:
        library.write_bytes(content)
    found = failure(written(b"DWN1"), library)
    assert "cannot be loaded" in found.message
    assert "libedgetpu1-std" in found.hint


def test_a_library_that_is_no_delegate_says_so(written, tmp_path):
    source = tmp_path / "plain.c"
    source.write_text("int nothing;\n")
    library = tmp_path / "plain.so"
    subprocess.run(["cc", "-shared", "-o", library, source], check=True)
    assert "is no delegate" in failure(written(b"DWN1"), library).message


def test_a_delegate_that_returns_null_passes_its_words_on(written, delegate):
    found = failure(written(b"DWN1"), delegate("NO_DELEGATE"))
    assert "no device" in found.message
    assert "plug the accelerator in" in found.hint


@pytest.mark.slow
@pytest.mark.parametrize(
    ("macro", "words", "hint"),
    [
        ("CRASH", "crashed with SIGSEGV", "different versions of TensorFlow Lite"),
        ("HANG", "hung", "driver hangs"),
        ("GARBAGE", "not edgeeff's protocol", "writes to the protocol's stream"),
    ],
)
def test_a_delegate_that_misbehaves_is_one_clear_error(written, delegate, macro, words, hint):
    found = failure(written(b"DWN1"), delegate(macro))
    assert words in found.message
    assert hint in found.hint
    assert found.exit_status == 4


def test_what_the_double_sleeps_is_timed(coral_classifier, delegate):
    chosen = preset("quick", options={"library": str(delegate())})
    with Local().bench(coral_classifier, "edgetpu", chosen) as bench:
        bench.load()
        bench.warm_up()
        samples = bench.sample(min_runs=20, min_seconds=0.1, max_seconds=5).samples_ns
    assert min(samples) >= 5e6


def test_probing_finds_no_library(monkeypatch):
    monkeypatch.setenv(edgetpu.LIBRARY_VARIABLE, "/nowhere/libedgetpu.so.1")
    status = edgetpu.probe()
    assert (status.state, status.provenance) == ("unavailable", None)
    assert "libedgetpu1-std" in status.fix


def test_probing_tells_a_double_from_googles_library(monkeypatch, delegate):
    monkeypatch.setenv(edgetpu.LIBRARY_VARIABLE, str(delegate()))
    assert edgetpu.probe().provenance == "test-double"


def test_probing_finds_the_library_but_no_device(monkeypatch, delegate):
    monkeypatch.setenv(edgetpu.LIBRARY_VARIABLE, str(delegate("GOOGLE")))
    status = edgetpu.probe()
    assert status.state == "unavailable"
    assert "finds no Edge TPU" in status.reason
    assert "plugdev" in status.fix
