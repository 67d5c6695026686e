"""A picture becomes the input that the reference code would have made of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgeeff.architectures.variants import VARIANTS, find_variant
from edgeeff.errors import EdgeeffError, InputError, UsageError
from edgeeff.pictures.preprocessing import (
    FAMILIES,
    Preprocessing,
    centred,
    from_options,
    of_family,
    resize,
)

SIDES = st.integers(1, 5000)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def tf():
    return pytest.importorskip("tensorflow", reason="compares with tf.image")


@pytest.mark.slow
class TestAgainstTensorFlow:
    @pytest.mark.parametrize("size", [32, 224, 260, 600])
    @pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
    @pytest.mark.parametrize("shape", [(500, 500), (224, 224), (37, 91), (1, 1), (2, 300)])
    def test_resizing_is_that_of_the_reference_code_but_for_rounding(
        self, tf, shape, interpolation, size
    ):
        picture = noise(*shape)
        ours = resize(picture, (size, size), interpolation)
        kernel = getattr(tf.compat.v1.image, f"resize_{interpolation}")
        theirs = kernel([picture], [size, size]).numpy()[0]
        # Half a step is the rounding to bytes, the rest is the order of float32 sums.
        assert abs(ours - np.clip(theirs, 0, 255)).max() <= 0.5 + 1e-3

    @pytest.mark.parametrize("size", [32, 224])
    @pytest.mark.parametrize("shape", [(500, 300), (37, 91), (1, 1), (120, 240)])
    def test_squash_is_what_keras_reads_folders_with(self, tf, shape, size):
        how = from_options(size, "0", "1", "squash")
        picture = noise(*shape)
        theirs = tf.image.resize(picture, [size, size]).numpy()
        ours = how.pixels(Image.fromarray(picture))
        assert abs(ours - theirs).max() <= 0.5 + 2e-3

    @pytest.mark.parametrize(("height", "width"), [(375, 500), (500, 375), (113, 1000), (224, 224)])
    @pytest.mark.parametrize("name", ["b0", "b3", "lite0", "lite4"])
    def test_crop_and_resize_are_the_official_evaluation(self, tf, name, height, width):
        preprocessing = Preprocessing.of(find_variant(name))
        picture = noise(height, width)
        ours = preprocessing.pixels(Image.fromarray(picture))
        theirs = official(tf, picture, preprocessing.resolution, preprocessing.interpolation)
        assert abs(ours - np.clip(theirs, 0, 255)).max() <= 0.5 + 1e-3


def official(tf, picture: np.ndarray, size: int, interpolation: str) -> np.ndarray:
    """The reference's rule, on a decoded picture, in the words of TensorFlow 1."""
    height, width = picture.shape[:2]
    share = size / (size + 32)
    side = tf.cast(share * tf.cast(tf.minimum(height, width), tf.float32), tf.int32)
    top, left = ((height - side) + 1) // 2, ((width - side) + 1) // 2
    cropped = tf.slice(picture, [top, left, 0], [side, side, 3])
    kernel = getattr(tf.compat.v1.image, f"resize_{interpolation}")
    return kernel([cropped], [size, size]).numpy()[0]


class TestCrop:
    @given(SIDES, SIDES, st.floats(0.001, 1))
    def test_square_lies_in_the_picture_and_in_its_middle(self, width, height, crop):
        left, top, side, other = centred((width, height), (1, 1), crop)
        assert side == other
        assert 1 <= side <= min(width, height)
        assert left >= 0
        assert top >= 0
        right, bottom = width - left - side, height - top - side
        assert left - right in (0, 1)
        assert top - bottom in (0, 1)

    def test_published_crop_of_a_224_network_on_a_375_x_500_photograph(self):
        assert centred((500, 375), (1, 1), 224 / 256) == (86, 24, 328, 328)

    @given(SIDES, SIDES, st.integers(1, 300), st.integers(1, 300))
    def test_other_shapes_keep_the_largest_part_of_their_ratio(self, width, height, across, down):
        left, top, kept_width, kept_height = centred((width, height), (across, down), 1)
        assert kept_width == width or kept_height == height
        assert abs(kept_width - kept_height * across / down) <= max(1, across / down)
        assert min(left, top) >= 0
        assert left + kept_width <= width
        assert top + kept_height <= height

    @pytest.mark.parametrize(("name", "kept"), [("b0", 224 / 256), ("b7", 600 / 632)])
    def test_default_leaves_out_32_pixels_of_the_networks_own_size(self, name, kept):
        assert Preprocessing.of(find_variant(name)).crop == pytest.approx(kept)


class TestResize:
    @given(st.integers(0, 255), SIDES.map(lambda n: n % 90 + 1), st.integers(1, 70))
    @pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
    def test_flat_picture_stays_flat(self, interpolation, level, side, size):
        picture = np.full((side, side, 3), level, np.uint8)
        assert (resize(picture, (size, size), interpolation) == level).all()

    @given(st.integers(0, 1000))
    @pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
    def test_same_size_changes_nothing(self, interpolation, seed):
        picture = noise(24, 24, seed)
        assert (resize(picture, (24, 24), interpolation) == picture).all()

    @given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
    def test_bilinear_stays_within_the_pictures_values(self, height, width, size):
        picture = noise(height, width)
        made = resize(picture, (size, 7), "bilinear")
        assert made.shape == (size, 7, 3)
        assert picture.min() <= made.min()
        assert made.max() <= picture.max()


class TestNormalisation:
    @pytest.mark.parametrize(
        ("key", "pixel", "values"),
        [
            ("lite", (127, 255, 0), (0, 1, -127 / 128)),
            ("advprop", (0, 255, 51), (-1, 1, -0.6)),
            ("imagenet", (0, 0, 0), (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225)),
            ("imagenet", (255, 255, 255), (0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225)),
        ],
    )
    def test_values_are_normalised_as_was_published(self, key, pixel, values):
        made = of_family(key, 224).normalised(np.array([pixel], np.uint8))
        assert made.dtype == np.float32
        np.testing.assert_allclose(made, [values], rtol=1e-6, atol=1e-7)

    @pytest.mark.parametrize("name", VARIANTS)
    def test_every_variant_has_a_preprocessing_of_its_own_resolution(self, name):
        variant = find_variant(name)
        preprocessing = Preprocessing.of(variant)
        assert preprocessing.resolution == variant.resolution
        bicubic = variant.family == "b"
        assert preprocessing.interpolation == ("bicubic" if bicubic else "bilinear")

    @pytest.mark.parametrize(("resolution", "crop"), [(480, 0.9375), (96, 0.875), (32, 0.875)])
    def test_another_resolution_gets_its_own_crop(self, resolution, crop):
        made = Preprocessing.of(find_variant("b0"), resolution=resolution)
        assert (made.resolution, made.crop) == (resolution, crop)

    def test_another_resize_changes_kernel_and_crop_alone(self):
        before = Preprocessing.of(find_variant("b0"))
        made = before.resized("bilinear:1")
        assert (made.interpolation, made.crop) == ("bilinear", 1.0)
        assert (made.mean, made.std, made.resolution) == (before.mean, before.std, 224)


class TestAsJson:
    @pytest.mark.parametrize("key", FAMILIES)
    def test_comes_back_the_same(self, key):
        made = of_family(key, 240)
        assert Preprocessing.from_json(json.loads(json.dumps(made.to_json()))) == made

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"mean": None}, "malformed"),
            ({"mean": [1, 2]}, "mean"),
            ({"std": [1, 2, 0]}, "std"),
            ({"std": [1, 2, 1e-320]}, "std"),
            ({"mean": [1, 2, 1e300]}, "mean"),
            ({"mean": [1, 2, float("nan")]}, "mean"),
            ({"resolution": "x"}, "malformed"),
            ({"resolution": 0}, "resolution"),
            ({"width": 0}, "resolution"),
            ({"mean": [1]}, "std"),
            ({"interpolation": "bilinar"}, "bilinar"),
            ({"crop": 1.5}, "crop"),
        ],
    )
    def test_nonsense_is_named(self, change, word):
        with pytest.raises(EdgeeffError) as caught:
            Preprocessing.from_json(of_family("lite", 224).to_json() | change)
        assert word in caught.value.message

    def test_missing_field_is_named(self):
        with pytest.raises(InputError, match="std"):
            Preprocessing.from_json({"resolution": 224, "mean": [0, 0, 0]})


class TestFromOptions:
    def test_one_number_holds_for_all_channels(self):
        made = from_options(224, "127", "128")
        assert made == of_family("lite", 224)

    def test_three_numbers_and_a_crop(self):
        made = from_options(300, "1,2,3", "4,5,6", "bicubic:0.875")
        assert made == Preprocessing(300, (1, 2, 3), (4, 5, 6), "bicubic", 0.875)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("x", "1"), "--mean: 'x' is not a number"),
            (("1,2", "1"), "--mean 1,2: 2 numbers"),
            (("1", "0"), "--std: '0' is out of bounds"),
            (("1", "1", "nearest"), "'nearest'"),
            (("1", "1", "bicubic:2"), "--resize: '2' is out of bounds"),
        ],
    )
    def test_nonsense_is_wrong_usage(self, words, said):
        with pytest.raises(UsageError, match=said):
            from_options(224, *words)


def test_picture_that_is_not_rgb_is_refused():
    with pytest.raises(InputError, match="mode L"):
        of_family("lite", 32).pixels(Image.new("L", (40, 40)))


def test_squash_keeps_what_lies_at_the_ends_of_a_wide_picture():
    picture = np.zeros((20, 80, 3), np.uint8)
    picture[:, :10], picture[:, -10:] = 100, 200
    kept = from_options(20, "0", "1", "squash").pixels(Image.fromarray(picture))
    assert (kept[:, 0] == 100).all()
    assert (kept[:, -1] == 200).all()
    cropped = from_options(20, "0", "1", "bilinear:1").pixels(Image.fromarray(picture))
    assert not cropped.any()


def test_squash_has_no_crop():
    with pytest.raises(UsageError, match=r"squash:0\.9"):
        from_options(20, "0", "1", "squash:0.9")
    how = from_options(20, "0", "1", "squash")
    assert Preprocessing.from_json(json.loads(json.dumps(how.to_json()))) == how
