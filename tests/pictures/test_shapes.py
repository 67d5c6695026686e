"""What is a picture to a network."""

from __future__ import annotations

import pytest

from edgeeff.errors import InputError
from edgeeff.pictures.shapes import check_ends, picture_shape


@pytest.mark.parametrize("sides", [(-1, -1), (-1, 32), (32, None)])
def test_a_network_of_any_size_is_told_to_be_exported_for_one(sides):
    with pytest.raises(InputError, match="takes pictures of any size") as raised:
        picture_shape((1, *sides, 3), "net.tflite")
    assert "one height and width" in (raised.value.hint or "")


@pytest.mark.parametrize("dimensions", [(1, 32, 32, 4), (1, 0, 32, 3), (1, 32, 32), (0, 32, 32, 3)])
def test_what_is_no_picture_is_told_how_pictures_are(dimensions):
    with pytest.raises(InputError, match="has an input of shape") as raised:
        picture_shape(dimensions, "net.tflite")
    assert "[batch, height, width, 3]" in (raised.value.hint or "")


@pytest.mark.parametrize("batch", [1, 8, -1, None])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_have_a_height_a_width_and_one_or_three_channels(batch, channels):
    assert picture_shape((batch, 24, 32, channels), "net.tflite") == (24, 32, channels)


@pytest.mark.parametrize(
    ("inputs", "outputs", "found"),
    [(2, 1, "2 inputs and 1 output"), (1, 2, "1 input and 2 outputs"), (0, 0, "0 inputs and 0")],
)
def test_a_classifier_has_one_input_and_one_output(inputs, outputs, found):
    check_ends(1, 1, "net.tflite")
    with pytest.raises(InputError, match=f"^net.tflite has {found}"):
        check_ends(inputs, outputs, "net.tflite")
