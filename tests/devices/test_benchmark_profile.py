"""The table of operators, in the layouts of the versions that are in use.

The tables are shortened from what users of the program have published; where such a text ended
before the line of the total, that line is made of the table's averages.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgeeff.devices.benchmark_profile import parse_profile
from edgeeff.errors import TargetUnavailable
from edgeeff.tflite.model import Model
from edgeeff.tflite.reader import read_model
from tests.devices.models import write_logistic
from tests.tflite import tiny

DATA = Path(__file__).parent / "data"
BEFORE, XNNPACK, OLD, GPU = (
    (DATA / f"profile-{name}.txt").read_text()
    for name in ("initialization", "xnnpack", "old", "gpu")
)


@pytest.fixture(scope="module")
def model() -> Model:
    return read_model(tiny.INT8)


def test_kernels_inside_the_delegate_and_operators_outside_are_read(model: Model) -> None:
    found = parse_profile(BEFORE + XNNPACK, model)
    assert found.method.startswith("averages by benchmark_model of 64 runs")
    assert [(one.operator, one.tensor) for one in found.operators] == [
        ("QUANTIZE", "tfl.quantize"),
        ("Convolution (NHWC, QC8) IGEMM", ""),
        ("Convolution (NHWC, QC8) DWConv", ""),
        ("TFLite_Detection_PostProcess", "boxes:3, boxes:2"),
    ]


@pytest.mark.parametrize("text", [XNNPACK, OLD], ids=["new", "old"])
def test_times_are_those_of_one_inference(text: str, model: Model) -> None:
    """Times called times average, which the program prints more coarsely."""
    row = re.compile(r"\t *([\d.]+)\t *[\d.]+%\t *[\d.]+%\t *[\d.]+\t *(\d+)\t")
    rows = row.findall(text.partition("Top by")[0])
    found = parse_profile(text, model)
    assert len(found.operators) == len(rows)
    for one, (average, times) in zip(found.operators, rows, strict=True):
        expected = float(average) * int(times) * 1e6
        assert one.mean_ns == pytest.approx(expected, abs=600 * int(times), rel=0.005)


def test_spaces_instead_of_tabs_are_read(model: Model) -> None:
    assert parse_profile(XNNPACK.expandtabs(), model) == parse_profile(XNNPACK, model)


def test_one_partition_in_order_names_the_layers(model: Model) -> None:
    """As on the processor here: as many kernels of weights as operators with weights."""
    heavy = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
    names = [
        model.graphs[0].tensors[operator.outputs[0]].name
        for operator in model.operators
        if operator.kind in heavy
    ]
    line = "\tConvolution (NHWC)\t 0.1\t 0.1\t 5.000%\t 5.000%\t 0.000\t 1\tDelegate/Conv:{}\n"
    head, _, tail = OLD.partition("[Name]\n")
    table = "".join(line.format(index) for index in range(len(names)))
    text = f"{head}[Name]\n{table}\n{tail[tail.index('Timings') :]}"
    assert [one.tensor for one in parse_profile(text, model).operators] == names


def test_a_delegate_that_tells_nothing_is_no_profile(model: Model) -> None:
    with pytest.raises(TargetUnavailable, match="all operators in TfLiteGpuDelegateV2 as one"):
        parse_profile(BEFORE + GPU, model)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BEFORE, "gave no figures"),
        ("ERROR: Failed to load model", "cannot read the model"),
        (XNNPACK.replace("2.658%", "nan"), "line that is not known: 'Convolution"),
    ],
)
def test_what_is_no_profile_is_said(text: str, message: str, model: Model) -> None:
    with pytest.raises(TargetUnavailable, match=message):
        parse_profile(text, model)


def test_a_model_of_one_operator_has_one_line(tmp_path: Path) -> None:
    one = read_model(write_logistic(tmp_path / "one.tflite"))
    text = XNNPACK.partition("\tConvolution")[0] + "\n" + XNNPACK[XNNPACK.index("Timings") :]
    assert len(parse_profile(text, one).operators) == 1
