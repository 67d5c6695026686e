import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeeff.tflite.graph import Graph
from tests.commands import said
from tests.tflite import tiny


def words_of(text: str) -> str:
    """A text with single spaces, however its lines are laid out."""
    return " ".join(text.split())


def test_sums_a_model_up(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = said(capsys, "inspect", tiny.INT8)
    assert (status, err) == (0, "")
    assert "7,144 bytes" in out
    assert "uint8[1, 32, 32, 3], scale 0.00784285646, zero point 127" in out
    assert "integer-only yes, inputs and outputs too" in words_of(out)
    assert "serving_default(image) -> probabilities" in out
    assert "DEPTHWISE_CONV_2D" in out


def test_a_float_file_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "inspect", tiny.FLOAT32)
    assert "integer-only no: all float32" in words_of(out)
    assert "float tensors" not in out


@pytest.fixture
def partly_float(tmp_path: Path) -> Path:
    """A file with float tensors of long names beside an integer one."""
    graph = Graph.of(tiny.FLOAT32.read_bytes())
    for operator in graph.operators:
        graph.rename(operator.output, f"{operator.kind}/" + "part/" * 40)
    graph.add_constant("quantized", np.zeros(3, np.int8))
    path = tmp_path / "partly.tflite"
    path.write_bytes(graph.content())
    return path


def test_says_which_tensors_are_float(
    partly_float: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = said(capsys, "inspect", partly_float)
    assert "integer-only no: 27 float tensors: serving_default_image:0, " in words_of(out)
    assert "and 19 more (-v)" in words_of(out)


def test_long_names_are_folded_in_the_summary(
    partly_float: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = said(capsys, "inspect", partly_float)
    summary = out[out.index("size ") : out.index("parameters ")]
    assert "part/part/" in summary
    assert [line for line in summary.splitlines() if len(line) > 80] == []


def test_says_that_only_the_ends_are_float(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "inspect", tiny.INT8_FLOAT_ENDS)
    assert (
        "integer-only yes, but for 2 float inputs and outputs, converted at the ends"
        in words_of(out)
    )


@pytest.mark.parametrize("option", ["-v", "--tensors"])
def test_lists_every_layer_and_tensor_on_request(
    capsys: pytest.CaptureFixture[str], option: str
) -> None:
    _, brief, _ = said(capsys, "inspect", tiny.INT8)
    _, out, _ = said(capsys, "inspect", tiny.INT8, option)
    assert "model/depthwise/depthwise1" not in brief
    assert "model/depthwise/depthwise1" in out
    assert "int8[1, 3, 3, 8]" in out
    assert "(8)" in out


def test_tells_what_the_file_says_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "inspect", tiny.INT8_METADATA)
    assert "image: RGB, mean [127.0], std [128.0]" in out
    assert "labels.txt: 80 bytes" in out


def test_json_is_one_document_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = said(capsys, "inspect", tiny.INT8, "--json")
    fields = json.loads(out)
    assert status == 0
    assert fields["schema"] == "edgeeff.inspection/1"
    assert fields["integer_only"] is True
    assert "integer-only yes" in words_of(err)


def test_a_reference_without_layers_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, error = said(capsys, "inspect", tiny.INT8, "--reference", tiny.FLOAT32)
    assert status == 2
    assert "add --layers" in error


def test_quiet_prints_nothing_of_a_good_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "inspect", tiny.INT8, "-q") == (0, "", "")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", tiny.INT8.read_bytes()[:5000]])
def test_a_file_that_is_no_model_is_an_error_of_status_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    status, out, err = said(capsys, "inspect", path)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {path}")
    assert "\nhint: " in err


def test_names_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def paint(model: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            tensor.name = "\x1b[31mred\x1b]0;title\x07"
        model.signatureDefs[0].signatureKey = "\x1b[2J"

    path = tmp_path / "model.tflite"
    path.write_bytes(tiny.changed(tiny.FLOAT32, paint))
    _, out, err = said(capsys, "inspect", path, "-v")
    assert "\x1b" not in out + err
    assert "red" in out


def test_names_cannot_flood_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def lengthen(model: Any) -> None:
        model.subgraphs[0].tensors[0].name = "x" * 1_000_000

    path = tmp_path / "model.tflite"
    path.write_bytes(tiny.changed(tiny.INT8, lengthen))
    _, out, _ = said(capsys, "inspect", path)
    assert "x… uint8[1, 32, 32, 3]" in out
    assert len(out) < 5_000


def test_imports_neither_tensorflow_nor_the_runtime() -> None:
    code = (
        "import sys; from edgeeff.cli import main\n"
        f"try: main(['inspect', '-v', {str(tiny.INT8)!r}])\n"
        "except SystemExit: pass\n"
        "sys.exit(any(n.split('.')[0] in ('tensorflow', 'ai_edge_litert') for n in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ran.returncode == 0
