"""From pixels to an input tensor: one rule, and everything that runs a model keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgeeff.accelerators import cpu
from edgeeff.accelerators.plan import preset
from edgeeff.errors import InputError
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.layers.runs import Network
from edgeeff.pictures.preprocessing import FAMILIES, Preprocessing, of_family
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.input_grid import RAW, pixel_grid
from edgeeff.tflite.feeding import feeding
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import TensorInfo, dequantize
from edgeeff.worker.picture_times import picture_times
from tests.accelerators.graphs import GraphWriter

SIZE = 32
LITE, IMAGENET = of_family("lite", SIZE), of_family("imagenet", SIZE)
PIXELS = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
"""Every value of a pixel in every channel."""

INPUTS = {
    "float32": ("float32", None, None),
    "uint8 without a grid": ("uint8", None, None),
    "uint8 of pixel values": ("uint8", 1.0, 0),
    "uint8 of Lite's values": ("uint8", 1 / 128, 127),
    "uint8 of wider values": ("uint8", 1 / 32, 120),
    "int8 of pixel values": ("int8", 1.0, -128),
    "int8 of Lite's values": ("int8", 1 / 128, -1),
    "int8 of wider values": ("int8", 1 / 32, -8),
    "int16 of pixel values": ("int16", 1 / 128, 0),
    "int16 of wider values": ("int16", 1 / 8192, 0),
}
"""Type, scale (one that float32 holds exactly) and zero point of every kind of input."""

NARROW = {"uint8 of Lite's values", "int8 of Lite's values"}
"""Inputs that cannot hold values normalised as ImageNet's."""

FED = [
    pytest.param(*INPUTS[name], preprocessing, id=f"{name}, {family}")
    for family, preprocessing in {"lite": LITE, "imagenet": IMAGENET}.items()
    for name in INPUTS
    if preprocessing is LITE or name not in NARROW
]


def info(dtype: str, scale: float | None, zero_point: int | None) -> TensorInfo:
    return TensorInfo("image", (1, SIZE, SIZE, 3), np.dtype(dtype), scale, zero_point)


def fed(tensor: TensorInfo, preprocessing: Preprocessing) -> np.ndarray:
    """What an input takes for each value of a pixel, [256, 3]."""
    return feeding(tensor, preprocessing)(PIXELS)


class TestRule:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_a_float_input_takes_normalised_values(self, family):
        preprocessing = of_family(family, SIZE)
        values = fed(info("float32", None, None), preprocessing)
        assert values.dtype == np.float32
        assert (values == preprocessing.normalised(PIXELS)).all()

    @pytest.mark.parametrize("scale", [1 / 128, 0.99 / 128, 1.005 / 128])
    def test_a_uint8_input_of_a_lite_network_takes_the_bytes(self, scale):
        assert (fed(info("uint8", scale, 127), LITE) == PIXELS).all()

    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize(
        ("dtype", "scale", "zero_point"),
        [("uint8", 1.0, 0), ("uint8", 0.996, 0), ("int8", 1.0, -128), ("int16", 1 / 128, 0)],
    )
    def test_an_input_of_pixel_values_takes_those(self, dtype, scale, zero_point, family):
        tensor = info(dtype, scale, zero_point)
        real = dequantize(fed(tensor, of_family(family, SIZE)), tensor)
        assert abs(real - PIXELS).max() <= 1.1

    def test_a_uint8_input_without_a_grid_takes_the_bytes(self):
        assert (fed(info("uint8", None, None), IMAGENET) == PIXELS).all()

    @pytest.mark.parametrize(
        ("dtype", "scale", "zero_point"),
        [("uint8", 4.8 / 255, 113), ("int8", 4.8 / 255, -15), ("int16", 2.64 / 32767, 0)],
    )
    def test_an_input_calibrated_for_normalised_values_takes_those(self, dtype, scale, zero_point):
        tensor = info(dtype, scale, zero_point)
        real = dequantize(fed(tensor, IMAGENET), tensor)
        assert abs(real - IMAGENET.normalised(PIXELS)).max() <= scale / 2 + 0.05

    def test_a_grid_calibrated_on_pictures_without_white_takes_what_it_can(self):
        """As TFLiteConverter made it of Lite0, with 120 crops of photographs."""
        tensor = info("int8", 0.00722457, 6)
        real = dequantize(fed(tensor, LITE), tensor)
        assert abs(real - LITE.normalised(PIXELS)).max() <= 16.2 / 128

    @given(
        mean=st.lists(st.floats(0, 255), min_size=3, max_size=3),
        std=st.lists(st.floats(0.5, 255), min_size=3, max_size=3),
        dtype=st.sampled_from(["uint8", "int8"]),
    )
    def test_what_edgeeff_writes_stands_for_the_picture(self, mean, std, dtype):
        """On RAW the graph normalises pixel values, on another grid it takes normalised ones."""
        preprocessing = Preprocessing(SIZE, tuple(mean), tuple(std), "bilinear", 1.0)
        self.check(preprocessing, RAW, dtype)

    @given(
        mean=st.integers(0, 255), std=st.floats(0.5, 255), dtype=st.sampled_from(["uint8", "int8"])
    )
    def test_what_edgeeff_writes_for_equal_channels(self, mean, std, dtype):
        preprocessing = Preprocessing(SIZE, (mean,) * 3, (std,) * 3, "bilinear", 1.0)
        grid = pixel_grid(preprocessing)
        assert grid
        self.check(preprocessing, grid, dtype)

    @staticmethod
    def check(preprocessing: Preprocessing, grid: Grid, dtype: str) -> None:
        shift = 128 if dtype == "uint8" else 0
        values = fed(info(dtype, grid.scale, grid.zero_point + shift), preprocessing)
        assert (values.astype(int) - shift + 128 == PIXELS).all()

    def test_an_integer_input_without_a_grid_is_refused(self):
        with pytest.raises(InputError, match="int8 without a scale"):
            feeding(info("int8", None, None), LITE)

    @pytest.mark.parametrize(
        ("dtype", "scale", "zero_point"),
        [("int8", 1.0, 0), ("uint8", 1 / 255, 0), ("uint8", 1 / 128, 127), ("int16", 1 / 50000, 0)],
    )
    def test_an_input_that_can_hold_neither_is_refused(self, dtype, scale, zero_point):
        with pytest.raises(InputError, match=r"neither pixel values nor normalised ones.*-2\.12"):
            feeding(info(dtype, scale, zero_point), IMAGENET)


def mirror(dtype: str, scale: float | None, zero_point: int | None) -> bytes:
    """A "classifier" whose answer is what it was fed."""
    writer = GraphWriter()
    image = writer.tensor([1, SIZE, SIZE, 3], dtype)
    shape = writer.tensor([2], "int32", [1, SIZE * SIZE * 3])
    flat = writer.add("RESHAPE", [image, shape], [1, SIZE * SIZE * 3], dtype=dtype)
    for tensor in (image, flat):
        grid: Any = schema.QuantizationParametersT()
        if scale is not None:
            grid.scale, grid.zeroPoint = [scale], [zero_point]
        writer.tensors[tensor].quantization = grid
    return writer.content([image], [flat])


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A file of exactly the networks' size, so that resizing leaves it as it is."""
    path = tmp_path / "picture.png"
    Image.fromarray(next(synthetic_pictures(1, SIZE, seed=3))).save(path)
    return path


@pytest.mark.parametrize(("dtype", "scale", "zero_point", "preprocessing"), FED)
class TestEverythingThatRunsAModelFeedsTheSame:
    @pytest.fixture
    def tensor(self, dtype: str, scale: float | None, zero_point: int | None) -> TensorInfo:
        return info(dtype, scale, zero_point)

    @pytest.fixture
    def content(self, dtype: str, scale: float | None, zero_point: int | None) -> bytes:
        return mirror(dtype, scale, zero_point)

    @pytest.fixture
    def pixels(self, picture: Path) -> np.ndarray:
        return np.asarray(Image.open(picture))

    @pytest.fixture
    def wanted(self, tensor, preprocessing, pixels) -> np.ndarray:
        return feeding(tensor, preprocessing)(pixels).reshape(1, -1)

    def test_evaluate(self, content, preprocessing, pixels, wanted):
        found = Classifier(content, preprocessing)(pixels[None]).outputs
        assert found.dtype == wanted.dtype
        assert (found == wanted).all()

    def test_the_layer_report(self, content, tensor, preprocessing, pixels, wanted):
        found = Network(Graph.of(content), ["t2"], preprocessing).activations(pixels)["t2"]
        assert found == pytest.approx(dequantize(wanted, tensor))

    def test_picture_times(self, content, preprocessing, picture, wanted, tmp_path):
        model = tmp_path / "model.tflite"
        model.write_bytes(content)
        session = cpu.open(model, preset("quick"))
        how = Preprocessing(SIZE, preprocessing.mean, preprocessing.std, "bilinear", 1.0)
        picture_times(session, [picture], how, report=lambda done: None)
        assert (session.outputs()[0] == wanted).all()
