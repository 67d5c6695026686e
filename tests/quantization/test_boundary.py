"""Raw bytes, int8 and normalised values of one picture give the same answer."""

from __future__ import annotations

import numpy as np
import pytest

from edgeeff.litert.runner import Runner
from edgeeff.preprocessing import of_family
from edgeeff.quantization.boundary import add_normalization, pixel_grid
from edgeeff.quantization.calibration import synthetic_set
from edgeeff.quantization.quantize import Ends, quantize_model
from edgeeff.quantization.recipe import find_recipe

LITE = of_family("lite", 32)
IMAGENET = of_family("imagenet", 32)


def test_lite_pixels_lie_on_an_int8_grid_exactly() -> None:
    pixels = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    grid = pixel_grid(LITE)
    assert grid is not None
    raw = (pixels.astype(int) - 128).astype(np.int8)
    np.testing.assert_array_equal(grid.dequantize(raw), LITE.normalised(pixels))


@pytest.mark.parametrize("family", ["imagenet", "advprop"])
def test_other_families_have_no_such_grid(family: str) -> None:
    assert pixel_grid(of_family(family, 32)) is None


def test_the_normalization_operator_normalises(tiny_float) -> None:
    picture = synthetic_set(1, IMAGENET).pictures
    content = tiny_float.read_bytes()
    (expected,) = Runner(content).run(IMAGENET.normalised(picture))
    extended = Runner(add_normalization(content, IMAGENET))
    (found,) = extended.run(picture.astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_every_type_of_input_gives_the_same_output(tiny_float) -> None:
    calibration = synthetic_set(2, LITE)
    picture = calibration.pictures[:1]
    fed = {
        "uint8": picture,
        "int8": (picture.astype(int) - 128).astype(np.int8),
        "float32": LITE.normalised(picture),
    }
    plain = find_recipe("int8-plain")
    outputs = [
        Runner(
            quantize_model(
                tiny_float.read_bytes(), plain, LITE, calibration, ends=Ends(kind, "uint8")
            )
        ).run(values)[0]
        for kind, values in fed.items()
    ]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[0], outputs[2])
