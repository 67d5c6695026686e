import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.errors import InputError, TargetUnavailable
from edgeeff.tflite.model import Tensor
from edgeeff.tflite.reader import parse_model
from edgeeff.tflite.runner import Runner, TensorInfo, dequantize, quantize, runtime_version
from tests.accelerators.graphs import GraphWriter
from tests.tflite import tiny

UINT8 = TensorInfo("image", (4,), np.dtype(np.uint8), 1 / 128, 127)
FLOAT = TensorInfo("image", (4,), np.dtype(np.float32))


def picture() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)


class TestRunner:
    def test_tells_what_goes_in_and_comes_out(self) -> None:
        runner = Runner(tiny.INT8)
        (image,), (probabilities,) = runner.inputs, runner.outputs
        assert (image.shape, image.dtype, image.zero_point) == ((1, 32, 32, 3), np.uint8, 127)
        assert image.scale == pytest.approx(2 / 255, rel=1e-3)
        assert (probabilities.shape, probabilities.scale) == ((1, 10), 1 / 256)

    def test_a_float_tensor_has_no_scale(self) -> None:
        (image,) = Runner(tiny.FLOAT32).inputs
        assert (image.scale, image.zero_point) == (None, None)

    def test_a_scale_that_a_file_gives_a_float_tensor_means_nothing(self) -> None:
        writer = GraphWriter()
        image = writer.tensor((1, 4), "float32")
        output = writer.add("LOGISTIC", (image,), (1, 4), dtype="float32")
        quantization = schema.QuantizationParametersT(scale=[0.5], zeroPoint=[3])
        writer.tensors[output].quantization = quantization
        content = writer.content([image], [output])
        (read,), (run,) = parse_model(content).outputs, Runner(content).outputs
        values = np.arange(4, dtype=np.float32)
        for info in (TensorInfo.of(read), run):
            assert dequantize(values, info).tolist() == [0.0, 1.0, 2.0, 3.0]

    @pytest.mark.parametrize("dtype", ["string", "bfloat16", "int4"])
    def test_a_type_without_numbers_is_refused(self, dtype: str) -> None:
        with pytest.raises(InputError, match=f"holds {dtype}"):
            TensorInfo.of(Tensor(0, "words", (1, 4), dtype))

    @pytest.mark.parametrize("path", tiny.ALL, ids=lambda path: path.stem)
    @pytest.mark.parametrize("xnnpack", [True, False])
    def test_every_precision_computes_nearly_the_same(self, path: Path, xnnpack: bool) -> None:
        reference = Runner(tiny.FLOAT32, xnnpack=False)
        (expected,) = reference.run(picture())
        runner = Runner(path, xnnpack=xnnpack)
        (raw,) = runner.run(quantize(picture(), runner.inputs[0]))
        assert raw.dtype == runner.outputs[0].dtype
        assert dequantize(raw, runner.outputs[0]) == pytest.approx(expected, abs=0.01)

    @pytest.mark.parametrize("batch", [1, 4])
    @pytest.mark.parametrize("count", [1, 4, 6])
    def test_answers_any_number_of_pictures(self, batch: int, count: int) -> None:
        writer = GraphWriter()
        image = writer.tensor((batch, 8, 8, 3), "float32")
        output = writer.add("LOGISTIC", (image,), (batch, 8, 8, 3), dtype="float32")
        pictures = np.random.default_rng(1).uniform(-1, 1, (count, 8, 8, 3)).astype(np.float32)
        (found,) = Runner(writer.content([image], [output])).run_all(pictures)
        assert found == pytest.approx(1 / (1 + np.exp(-pictures)), abs=1e-6)

    def test_gives_copies(self) -> None:
        runner = Runner(tiny.FLOAT32)
        (first,) = runner.run(picture())
        kept = first.copy()
        runner.run(-picture())
        assert np.array_equal(first, kept)

    def test_views_are_the_outputs_and_let_go_before_the_next_run(self) -> None:
        runner = Runner(tiny.FLOAT32)
        (copy,) = runner.run(picture())
        (view,) = runner.run(picture(), views=True)
        assert np.array_equal(view, copy)
        with pytest.raises(InputError, match="cannot run"):
            runner.run(picture())
        del view
        runner.run(picture())

    def test_content_runs_as_its_file_does(self) -> None:
        raw = quantize(picture(), Runner(tiny.INT8).inputs[0])
        from_file, from_content = Runner(tiny.INT8), Runner(tiny.INT8.read_bytes())
        assert np.array_equal(from_file.run(raw)[0], from_content.run(raw)[0])

    @pytest.mark.parametrize("threads", [1, 3])
    def test_uses_the_threads_it_is_given(self, threads: int) -> None:
        assert Runner(tiny.INT8, threads=threads).threads == threads

    def test_says_nothing_on_standard_error(self) -> None:
        code = (
            "from pathlib import Path; from edgeeff.tflite.runner import Runner; "
            f"Runner(Path({str(tiny.INT8)!r}))"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert ran.stderr == b""

    def test_feeding_and_running_are_apart_for_those_who_time_it(self) -> None:
        runner = Runner(tiny.FLOAT32)
        expected = runner.run(picture())
        runner.feed([np.zeros_like(picture())])
        runner.invoke()
        runner.feed([picture()])
        runner.invoke()
        assert np.array_equal(runner.read()[0], expected[0])


class TestRefuses:
    @pytest.mark.parametrize(
        "array",
        [
            np.zeros((1, 32, 32, 3), np.float32),
            np.zeros((1, 32, 32, 3), np.int8),
            np.zeros((32, 32, 3), np.uint8),
            np.zeros((2, 32, 32, 3), np.uint8),
        ],
        ids=lambda array: f"{array.dtype}{array.shape}",
    )
    def test_arrays_of_another_type_or_shape(self, array: Any) -> None:
        with pytest.raises(InputError, match=r"takes uint8\[1, 32, 32, 3\], not"):
            Runner(tiny.INT8).run(array)

    def test_another_number_of_arrays(self) -> None:
        with pytest.raises(InputError, match="takes 1 arrays, 0"):
            Runner(tiny.INT8).run()

    @pytest.mark.parametrize("content", [b"", b"hello" * 100, tiny.INT8.read_bytes()[:4000]])
    def test_what_is_no_model(self, content: bytes) -> None:
        with pytest.raises(InputError, match="the model"):
            Runner(content)

    def test_an_empty_file(self, tmp_path: Path) -> None:
        path = tmp_path / "empty.tflite"
        path.touch()
        with pytest.raises(InputError, match="is empty"):
            Runner(path)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="absent"):
            Runner(tmp_path / "absent.tflite")


class TestQuantize:
    def test_rounds_to_the_nearest_step_and_ties_to_even(self) -> None:
        steps = np.array([0.5, 1.5, 2.5, 0.49, -0.5])
        raw = quantize(steps / 128, UINT8)
        assert raw.tolist() == [127, 129, 129, 127, 127]
        assert raw.dtype == np.uint8

    def test_saturates(self) -> None:
        assert quantize(np.array([-100.0, 100.0]), UINT8).tolist() == [0, 255]

    def test_only_casts_for_a_float_tensor(self) -> None:
        raw = quantize(np.array([0.1, 300.0]), FLOAT)
        assert raw.dtype == np.float32
        assert raw.tolist() == np.array([0.1, 300.0], np.float32).tolist()

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_refuses_what_is_no_number(self, value: float) -> None:
        with pytest.raises(InputError, match="finite"):
            quantize(np.array([value]), UINT8)

    @given(
        raw=st.integers(-(2**15), 2**15 - 1),
        zero_point=st.integers(-(2**15), 2**15 - 1),
        scale=st.floats(1e-6, 1e6),
    )
    def test_undoes_dequantize(self, raw: int, zero_point: int, scale: float) -> None:
        info = TensorInfo("any", (1,), np.dtype(np.int16), scale, zero_point)
        assert quantize(dequantize(np.array([raw], np.int16), info), info).tolist() == [raw]

    def test_raw_pixels_are_their_own_quantization(self) -> None:
        """Lite's input: (x - 127) / 128 of every byte is that byte."""
        pixels = np.arange(256)
        assert quantize((pixels - 127) / 128, UINT8).tolist() == pixels.tolist()


class TestRuntime:
    def test_tells_its_version(self) -> None:
        assert runtime_version().startswith("ai-edge-litert 2.")

    def test_is_asked_for_if_there_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        hide(monkeypatch, "ai_edge_litert", "tflite_runtime")
        with pytest.raises(TargetUnavailable, match="no LiteRT runtime") as missing:
            Runner(tiny.INT8)
        assert "pip install" in missing.value.hint


def hide(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Let imports of these packages fail as if they were not installed."""

    class NotInstalled:
        def find_spec(self, name: str, *_: Any) -> None:
            if name in packages:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    for name in list(sys.modules):
        if name.partition(".")[0] in packages:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NotInstalled(), *sys.meta_path])


OLD_RUNTIME = """
from pathlib import Path
import numpy as np
from edgeeff.tflite.probe import probe
from edgeeff.tflite.runner import Runner, dequantize, quantize, runtime_version
path = Path({path!r})
probe(path)
runner = Runner(path)
(raw,) = runner.run(quantize(np.zeros((1, 32, 32, 3)), runner.inputs[0]))
print(runtime_version(), abs(dequantize(raw, runner.outputs[0]).sum() - 1) < 0.05)
"""


@pytest.mark.tflite_runtime
def test_runs_on_tflite_runtime_where_that_is_all_there_is(
    tflite_runtime_python: Path,
) -> None:
    code = OLD_RUNTIME.format(path=str(tiny.INT8))
    words = [str(tflite_runtime_python), "-c", code]
    root = str(Path(__file__).parents[2])
    ran = subprocess.run(
        words, capture_output=True, text=True, check=False, env={"PYTHONPATH": root}
    )
    assert ran.stdout.startswith("tflite-runtime 2."), ran.stderr
    assert ran.stdout.split()[-1] == "True"
