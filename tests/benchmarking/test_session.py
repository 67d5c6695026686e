"""Real measurements, and models that break down among others that do not."""

import dataclasses
import math

import pytest

from edgeeff.accelerators.plan import preset
from edgeeff.benchmarking.run import benchmark, too_slow
from edgeeff.benchmarking.session import Subject, measure, operator_profile, peak_memory
from edgeeff.devices.local import Local
from edgeeff.errors import InputError, UsageError
from tests.accelerators.graphs import GraphWriter
from tests.recorded import Recorded
from tests.tflite import tiny

PLAN = preset("quick", warmup_seconds=0, min_runs=12, min_seconds=0, max_seconds=5, timeout=20)


@pytest.fixture
def compiled(tmp_path):
    """A model of one Edge TPU program, for delegates that break down."""
    writer = GraphWriter()
    first = writer.tensor((1, 8, 8, 8))
    last = writer.add("edgetpu-custom-op", [first], (1, 8, 8, 8), custom=b"DWN1 program")
    path = tmp_path / "compiled.tflite"
    path.write_bytes(writer.content([first], [last]))
    return path


def test_a_model_is_timed_in_as_many_processes_as_asked():
    result = benchmark([tiny.FLOAT32], plan=dataclasses.replace(PLAN, repeats=2))
    (found,) = result.measurements
    assert [len(run.samples_ns) for run in found.runs] == [12, 12]
    assert found.to_json()["stopped_by"] == "runs"
    assert found.facts.provenance == "hardware"
    assert result.status == 0


def test_models_take_turns_in_blocks():
    progress = Recorded()
    models = [tiny.FLOAT32, tiny.INT8]
    result = benchmark(models, plan=PLAN, progress=progress)
    names = [stage.split()[-1] for stage in progress.stages if stage.startswith("time")]
    a, b = (model.name for model in models)
    assert names == [a, b, b, a, a, b, b, a]
    assert [run.blocks for which in result.measurements for run in which.runs] == [(3,) * 4] * 2
    for which in result.measurements:
        assert [sum(run.per_second) for run in which.runs] == [12]
    (comparison,) = result.comparisons
    assert comparison.how == "interleaved"


def test_how_much_is_left_is_known_from_the_warm_up():
    progress = Recorded()
    benchmark([tiny.FLOAT32], plan=PLAN, progress=progress)
    assert progress.announced["repeats"] == PLAN.repeats
    assert progress.announced[f"time {tiny.FLOAT32.name}"] >= PLAN.min_runs


def test_memory_and_operators_are_passes_of_their_own():
    passes = {"peak_memory_bytes": peak_memory, "profile": operator_profile}
    (found,) = benchmark([tiny.FLOAT32], plan=PLAN, passes=passes).measurements
    assert found.peak_memory_bytes > 100_000
    assert found.profile.operators


def test_a_pass_that_fails_leaves_the_latency_and_a_warning():
    def broken(bench):
        raise InputError("no such thing")

    (found,) = benchmark([tiny.FLOAT32], plan=PLAN, passes={"profile": broken}).measurements
    assert found.latency.median > 0
    assert "no profile: no such thing" in found.warnings


def test_the_environment_is_read_before_and_after():
    (environment,) = benchmark([tiny.FLOAT32], plan=PLAN).environments
    assert environment.before["time"] <= environment.after["time"]
    assert environment.before["processor"]


@pytest.mark.cc
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("CRASH", "crashed with SIGSEGV"),
        ("HANG", "hung"),
        ("NO_DELEGATE", "did not start"),
        ("GARBAGE", "not edgeeff's protocol"),
    ],
)
@pytest.mark.slow
def test_a_delegate_that_breaks_down_leaves_the_others_measured(
    fault,
    words,
    compiled,
    delegate,
):
    plan = dataclasses.replace(PLAN, timeout=5, options={"library": str(delegate(fault))})
    subjects = [Subject(compiled, "edgetpu"), Subject(tiny.FLOAT32, "cpu")]
    outcome = measure(Local(), subjects, plan)
    (failed,) = outcome.failures
    assert words in failed.error.message
    assert failed.error.exit_status == 4
    assert failed.to_json()["exit"] == 4
    (found,) = outcome.measurements
    assert len(found.samples_ns) == 12


@pytest.mark.slow
@pytest.mark.cc
def test_an_accelerator_for_one_process_is_shared_by_taking_turns(compiled, delegate):
    other = compiled.with_name("other.tflite")
    other.write_bytes(compiled.read_bytes())
    progress = Recorded()
    plan = dataclasses.replace(PLAN, repeats=2, options={"library": str(delegate())})
    result = benchmark([compiled, other], targets=["edgetpu"], plan=plan, progress=progress)
    stages = [stage for stage in progress.stages if stage != "repeats"]
    turns = [stage.split()[-1] for stage in stages]
    a, b = compiled.name, other.name
    assert turns == [a, a, b, b, b, b, a, a]
    assert [stage.split()[0] for stage in stages] == ["load", "time"] * 4
    assert "test-double" in result.comparisons[0].verdict


def test_a_file_that_is_not_there_leaves_the_others_measured(tmp_path):
    result = benchmark([tmp_path / "none.tflite", tiny.FLOAT32], plan=PLAN)
    assert result.status == 2
    assert [failure.subject.model.name for failure in result.failures] == ["none.tflite"]
    assert len(result.measurements) == 1


def test_the_only_models_error_is_raised(tmp_path):
    with pytest.raises(InputError, match=r"none\.tflite"):
        benchmark([tmp_path / "none.tflite"], plan=PLAN)


def test_an_unknown_target_or_device_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match="target 'npu'"):
        benchmark([tiny.FLOAT32], targets=["npu"], plan=PLAN)
    with pytest.raises(UsageError, match="device 'remote'"):
        benchmark([tiny.FLOAT32], device="remote", plan=PLAN)


def test_slow_models_are_named():
    result = benchmark([tiny.FLOAT32], plan=PLAN)
    assert tiny.FLOAT32.name in too_slow(result, 1e-6)
    assert too_slow(result, 1e6) == ""
    with pytest.raises(UsageError, match="finite"):
        too_slow(result, math.nan)
