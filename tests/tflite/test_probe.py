import contextlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeeff.errors import InputError, TargetUnavailable
from edgeeff.tflite.probe import probe
from edgeeff.tflite.reader import parse_model
from tests.tflite import tiny

STAND_IN = """
import enum, os, signal, sys, time
class OpResolverType(enum.Enum):
    AUTO = 0
    BUILTIN_WITHOUT_DEFAULT_DELEGATES = 3
def Interpreter(**options):
    {action}
"""


@pytest.fixture
def runtime_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the child find a runtime that does this instead of loading the model."""

    def prepare(action: str) -> None:
        package = tmp_path / "ai_edge_litert"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "interpreter.py").write_text(STAND_IN.format(action=action))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return prepare


@pytest.mark.parametrize("path", tiny.ALL, ids=lambda path: path.stem)
def test_passes_a_model_that_runs(path: Path) -> None:
    probe(path)


def test_passes_one_without_xnnpack() -> None:
    probe(tiny.INT8, xnnpack=False)


def test_shapes_are_as_the_kernels_work_them_out(tmp_path: Path) -> None:
    def misstate(model: Any) -> None:
        model.subgraphs[0].tensors[30].shape = np.array([3], np.int32)

    path = tmp_path / "misstated.tflite"
    path.write_bytes(tiny.changed(tiny.INT8, misstate))
    right = parse_model(tiny.INT8.read_bytes()).tensors[30].shape
    assert probe(path, kernels=True) == {30: right}
    assert probe(tiny.INT8, kernels=True) == {}


def test_what_xnnpack_takes_and_the_kernels_refuse_is_an_error(tmp_path: Path) -> None:
    def dilate(model: Any) -> None:
        model.subgraphs[0].operators[0].builtinOptions.dilationHFactor = 2**31 - 1

    path = tmp_path / "dilated.tflite"
    path.write_bytes(tiny.changed(tiny.FLOAT32, dilate))
    probe(path)
    with pytest.raises(InputError, match=r"cannot be loaded: .*dilation"):
        probe(path, kernels=True)


def test_a_native_crash_is_an_error_that_blames_the_file_or_the_machine(runtime_that: Any) -> None:
    runtime_that("os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(InputError, match=r"crashed on .*tiny-int8.tflite \(SIGSEGV\)") as crashed:
        probe(tiny.INT8)
    assert "the file is damaged" in crashed.value.hint
    assert "this processor or emulator" in crashed.value.hint


def test_a_failed_assertion_of_the_runtime_is_quoted(runtime_that: Any) -> None:
    runtime_that("os.write(2, b'Check failed: size > 0\\n'); os.abort()")
    with pytest.raises(InputError, match=r"\(SIGABRT\): Check failed: size > 0"):
        probe(tiny.INT8)


@pytest.mark.slow
def test_a_runtime_that_does_not_end_is_stopped(runtime_that: Any) -> None:
    runtime_that("time.sleep(60)")
    with pytest.raises(InputError, match="did not run to its end in 2 s"):
        probe(tiny.INT8, seconds=2)


def test_a_runtime_that_leaves_is_an_error(runtime_that: Any) -> None:
    runtime_that("sys.exit(7)")
    with pytest.raises(InputError, match="breaks the runtime"):
        probe(tiny.INT8)


def test_a_damaged_file_is_refused_before_the_runtime_sees_it(
    tmp_path: Path, runtime_that: Any
) -> None:
    runtime_that("os.kill(os.getpid(), signal.SIGSEGV)")
    path = tmp_path / "cut.tflite"
    path.write_bytes(tiny.INT8.read_bytes()[:4000])
    with pytest.raises(InputError, match="damaged"):
        probe(path)


def test_what_the_runtime_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    def stand_still(model: Any) -> None:
        model.subgraphs[0].operators[1].builtinOptions.strideW = 0

    path = tmp_path / "still.tflite"
    path.write_bytes(tiny.changed(tiny.INT8, stand_still))
    with pytest.raises(InputError, match=r"cannot be loaded: .*stride"):
        probe(path)


def test_a_tensor_larger_than_the_machine_is_an_error(tmp_path: Path) -> None:
    def grow(model: Any) -> None:
        model.subgraphs[0].tensors[0].shape = np.array([1, 2**20, 2**20, 3], np.int32)

    path = tmp_path / "huge.tflite"
    path.write_bytes(tiny.changed(tiny.INT8, grow))
    with pytest.raises(InputError, match=r"huge\.tflite cannot be loaded"):
        probe(path)


@pytest.mark.slow
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    path=st.sampled_from(tiny.ALL),
    edits=st.lists(
        st.tuples(st.integers(8, 7000), st.integers(0, 2**32 - 1)), min_size=1, max_size=3
    ),
)
def test_files_that_only_the_runtime_finds_fault_with_never_crash_us(
    path: Path, edits: list[tuple[int, int]], tmp_path: Path
) -> None:
    content = bytearray(path.read_bytes())
    for place, word in edits:
        at = min(place, len(content) - 4)
        content[at : at + 4] = struct.pack("<I", word)
    try:
        parse_model(bytes(content))
    except InputError:
        return
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(content)
    with contextlib.suppress(InputError):
        probe(damaged, seconds=30)


def test_a_missing_runtime_is_not_the_file_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ai_edge_litert", "tflite_runtime"):
        absent = f"raise ModuleNotFoundError('not here', name={name!r})"
        (tmp_path / f"{name}.py").write_text(absent)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(TargetUnavailable, match="no LiteRT runtime"):
        probe(tiny.INT8)
