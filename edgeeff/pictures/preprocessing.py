"""From a picture to what a network takes: crop, resize, mean and std, as data.

The rule is that of the code which trained the networks and made their published figures
(tensorflow/tpu, models/official/efficientnet/preprocessing.py, evaluation): a centre square
of ``size / (size + 32)`` of the short side, resized with TensorFlow's first resize kernels.
Those put output pixel ``i`` at input position ``i * scale`` (no half-pixel centres), take two
(bilinear) or four (bicubic, a = -0.75) taps whatever the scale (no antialiasing), and clamp at
the border. Following them to the pixel keeps published accuracies comparable; Pillow's and
``tf.image.resize``'s own kernels differ. The one difference: the result is rounded to bytes,
because bytes are what an app gives an integer network.

``squash`` is the other usual rule, of ``keras.utils.image_dataset_from_directory``: the whole
picture, whatever its sides, by ``tf.image.resize`` with half-pixel centres.

A network that takes pictures which are not square gets the largest part of their sides' ratio in
place of the centre square; one that takes a single channel gets grey, made before the resizing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeeff import foreign
from edgeeff.errors import InputError, UsageError, unknown_name
from edgeeff.pictures.shapes import Shape, grey

if TYPE_CHECKING:
    from PIL import Image

CROP_PADDING = 32
"""Published figures leave out a border of 16 pixels of the network's size on each side."""

FLAT_CROP = 0.875
"""The share of the short side that the reference code keeps since 2021, for every size. Small
networks keep no less: a border of 16 pixels would leave a third of a picture of 32."""

MOST_RESOLUTION = 4096
"""Pixels on a side; no EfficientNet takes more than 800."""

SQUASH = "squash"
"""The interpolation that keeps the whole picture."""

ROWS = 256
"""How many rows of a large picture are copied at a time."""

# (mean, std) on 0..255 and the interpolation, by the key that a variant names.
FAMILIES: dict[str, tuple[tuple[float, ...], tuple[float, ...], str]] = {
    "imagenet": (
        tuple(255 * value for value in (0.485, 0.456, 0.406)),
        tuple(255 * value for value in (0.229, 0.224, 0.225)),
        "bicubic",
    ),
    "advprop": ((127.5,) * 3, (127.5,) * 3, "bicubic"),
    "lite": ((127.0,) * 3, (128.0,) * 3, "bilinear"),
}

LEAST_STD, MOST_LEVEL = 1e-6, 1e6
"""Between these lie the standard deviations of pixels, and the mean does not lie beyond."""


class Preprocessed(Protocol):
    """What has a preprocessing and a resolution: a ``Variant``."""

    @property
    def preprocessing(self) -> str:
        """A key of ``FAMILIES``."""

    @property
    def resolution(self) -> int:
        """Height and width of the network's input in pixels."""


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes a network's input.

    Attributes:
        resolution: height and width of the input in pixels.
        mean: per channel (R, G, B; or one of grey), on the scale 0..255.
        std: per channel, on the same scale; ``(pixel - mean) / std`` is the input.
        interpolation: a key of ``KERNELS``.
        crop: the share of the short side that the centre square keeps, in (0, 1]; 1 for ``squash``,
            which keeps the whole picture.
        width: of the input in pixels where it is not square; ``resolution`` is then its height.
    """

    resolution: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    crop: float
    width: int | None = None

    def __post_init__(self) -> None:
        if self.interpolation not in KERNELS:
            raise unknown_name("interpolation", self.interpolation, KERNELS)
        for pixels in self.shape[:2]:
            if not 1 <= pixels <= MOST_RESOLUTION:
                raise UsageError(
                    f"a resolution of {pixels} pixels", f"it lies in 1..{MOST_RESOLUTION}"
                )
        if not 0 < self.crop <= 1:
            raise UsageError(f"a crop of {self.crop:g} of the short side", "it lies in 0..1")
        if len(self.mean) not in (1, 3) or not all(abs(it) <= MOST_LEVEL for it in self.mean):
            hint = f"it has 3 numbers of at most {MOST_LEVEL:g}, or 1 of grey pictures"
            raise UsageError(f"mean {self.mean}", hint)
        fits = all(LEAST_STD <= it <= MOST_LEVEL for it in self.std)
        if len(self.std) != len(self.mean) or not fits:
            hint = f"it has as many numbers as the mean, in {LEAST_STD:g}..{MOST_LEVEL:g}"
            raise UsageError(f"std {self.std}", hint)

    @staticmethod
    def of(variant: Preprocessed, resolution: int | None = None) -> Preprocessing:
        """The preprocessing a variant was trained with, at its or another resolution."""
        return of_family(variant.preprocessing, resolution or variant.resolution)

    @property
    def channels(self) -> int:
        """3 of RGB, 1 of grey pictures."""
        return len(self.mean)

    @property
    def shape(self) -> Shape:
        """Height, width and channels of the input."""
        width = self.resolution if self.width is None else self.width
        return self.resolution, width, self.channels

    @property
    def usual(self) -> bool:
        """Whether its pictures are square and RGB."""
        return self.shape == (self.resolution, self.resolution, 3)

    def resized(self, text: str) -> Preprocessing:
        """The same with another ``--resize``: ``bilinear``, ``bicubic:0.875``, ``squash``.

        Raises:
            UsageError: not such a text.
        """
        interpolation, _, share = text.partition(":")
        if interpolation == SQUASH:
            if share:
                raise UsageError(f"--resize {text}", f"{SQUASH} keeps the whole picture")
            return replace(self, interpolation=SQUASH, crop=1.0)
        crop = _number("--resize", share, 0, 1) if share else usual_crop(min(self.shape[:2]))
        return replace(self, interpolation=interpolation, crop=crop)

    def scaled(self, mean: str, std: str) -> Preprocessing:
        """The same with another ``--mean`` and ``--std``, as ``from_options`` reads them."""
        return replace(
            self,
            mean=_numbers("--mean", mean, self.channels, -MOST_LEVEL),
            std=_numbers("--std", std, self.channels, LEAST_STD),
        )

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Crop and resize an RGB picture.

        Returns:
            uint8 [height, width, channels], the raw bytes a uint8 network takes.

        Raises:
            InputError: the picture is not RGB (``images.rgb`` makes it so) or not readable.
        """
        if image.mode != "RGB":
            raise InputError(f"a picture of mode {image.mode}", "images.rgb(picture) makes it RGB")
        *size, channels = self.shape
        left, top, width, height = centred(image.size, (size[1], size[0]), self.crop)
        if self.interpolation == SQUASH:
            left, top, width, height = 0, 0, image.width, image.height
        kept = np.empty((height, width, channels), np.uint8)
        for first in range(0, height, ROWS):  # a whole copy beside the picture would be large
            last = min(first + ROWS, height)
            rows = np.asarray(image.crop((left, top + first, left + width, top + last)))
            kept[first:last] = grey(rows) if channels == 1 else rows
        return resize(kept, (size[0], size[1]), self.interpolation)

    def normalised(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What a float network takes: ``(pixels - mean) / std``, float32 of the same shape."""
        mean, std = (np.asarray(value, np.float32) for value in (self.mean, self.std))
        return (pixels.astype(np.float32) - mean) / std

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        fields = asdict(self) | {"mean": list(self.mean), "std": list(self.std)}
        if self.width is None:
            del fields["width"]
        return fields

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> Preprocessing:
        """Read what ``to_json`` gave. Raises ``InputError`` that names the field."""
        try:
            return Preprocessing(
                resolution=int(fields["resolution"]),
                mean=tuple(float(value) for value in fields["mean"]),
                std=tuple(float(value) for value in fields["std"]),
                interpolation=str(fields["interpolation"]),
                crop=float(fields["crop"]),
                width=int(fields["width"]) if fields.get("width") is not None else None,
            )
        except KeyError as missing:
            raise InputError(f"a preprocessing without {missing.args[0]}") from missing
        except foreign.MALFORMED as error:
            reason = foreign.reason(error)
            raise InputError(f"a preprocessing that is malformed: {reason}") from error


def of_family(key: str, resolution: int) -> Preprocessing:
    """The preprocessing of a key of ``FAMILIES`` with the default crop. ``UsageError``."""
    if key not in FAMILIES:
        raise unknown_name("preprocessing", key, FAMILIES)
    mean, std, interpolation = FAMILIES[key]
    crop = usual_crop(resolution)
    return Preprocessing(resolution, mean, std, interpolation, crop)


def usual_crop(resolution: int) -> float:
    """The share of the short side that is kept where nothing else is said."""
    return max(FLAT_CROP, resolution / (resolution + CROP_PADDING))


def from_options(
    shape: int | Shape, mean: str, std: str, resize: str = "bilinear"
) -> Preprocessing:
    """Read ``--mean``, ``--std`` and ``--resize`` of a model that does not say itself.

    Args:
        shape: of the model's pictures: the side of square RGB ones, or height, width, channels.
        mean: one number, or three separated by commas (R,G,B), on the scale 0..255.
        std: the same.
        resize: ``bilinear`` or ``bicubic``, or with a crop such as ``bicubic:0.875``; ``squash``.

    Raises:
        UsageError: not such values.
    """
    whole = of_shape((shape, shape, 3) if isinstance(shape, int) else shape)
    return whole.scaled(mean, std).resized(resize)


def of_shape(shape: Shape) -> Preprocessing:
    """That of pixels as they are, of whole pictures: height, width and channels of an input."""
    height, width, channels = shape
    other = None if width == height else width
    return Preprocessing(height, (0.0,) * channels, (1.0,) * channels, "bilinear", 1.0, other)


def centred(size: tuple[int, int], ratio: tuple[int, int], crop: float) -> tuple[int, ...]:
    """What the rule keeps of a picture: left, top, width and height in pixels.

    Args:
        size: width and height of the picture.
        ratio: of which width to height the kept part is.
        crop: the share that is kept of the largest such part.
    """
    # The reference multiplies in float32: in float64 some sizes come out one pixel different.
    largest = (min(size[i], size[1 - i] * ratio[i] / ratio[1 - i]) for i in (0, 1))
    width, height = (max(1, int(np.float32(crop) * np.float32(side))) for side in largest)
    return (size[0] - width + 1) // 2, (size[1] - height + 1) // 2, width, height


def resize(
    image: NDArray[np.uint8], size: tuple[int, int], interpolation: str
) -> NDArray[np.uint8]:
    """Resize [height, width, channels] to the size [rows, columns], rounded to bytes."""
    rows, row_weights = _taps(image.shape[0], size[0], interpolation)
    columns, column_weights = _taps(image.shape[1], size[1], interpolation)
    # Across first, on the rows that any output needs: the rest is never made float.
    needed, places = np.unique(rows, return_inverse=True)
    picked = image[needed]
    narrow = _weighted(picked, columns, column_weights, axis=1)
    resized = _weighted(narrow, places.reshape(rows.shape), row_weights, axis=0)
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8)


def _weighted(
    values: NDArray[Any], indices: NDArray[np.int64], weights: NDArray[np.float32], axis: int
) -> NDArray[np.float32]:
    """Sum of taps along an axis of [height, width, channels]; float32."""
    shape = (1, -1, 1) if axis == 1 else (-1, 1, 1)
    total = np.take(values, indices[:, 0], axis) * weights[:, 0].reshape(shape)
    for tap in range(1, indices.shape[1]):
        total += np.take(values, indices[:, tap], axis) * weights[:, tap].reshape(shape)
    return total


def _linear(offset: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([1 - offset, offset], axis=-1)


def _cubic(offset: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keys' cubic kernel, a = -0.75, at distances 1 + t, t, 1 - t, 2 - t."""
    a = np.float32(-0.75)
    t = np.rint(offset * 1024) / np.float32(1024)  # TensorFlow reads it off a table of 1024 steps
    near, far = [], []
    for x in (t, 1 - t):
        near.append(((a + 2) * x - (a + 3)) * x * x + 1)
        far.append(((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a)
    return np.stack([far[0], near[0], near[1], far[1]], axis=-1)


KERNELS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "bilinear": _linear,
    "bicubic": _cubic,
    SQUASH: _linear,
}
"""Interpolation to the weights of its taps, given the offset from the pixel before, in 0..1."""


def _taps(
    length: int, size: int, interpolation: str
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Input indices [size, taps] and their weights for one axis."""
    kernel, centre = KERNELS[interpolation], np.float32(0.5 if interpolation == SQUASH else 0.0)
    position = (np.arange(size, dtype=np.float32) + centre) * np.float32(length / size) - centre
    before = np.floor(position).astype(np.int64)
    weights = kernel(position - before.astype(np.float32))
    first = 1 - weights.shape[-1] // 2
    indices = before[:, None] + np.arange(first, first + weights.shape[-1])
    return np.clip(indices, 0, length - 1), weights.astype(np.float32)


def _numbers(option: str, text: str, channels: int, least: float) -> tuple[float, ...]:
    values = tuple(_number(option, word, least, MOST_LEVEL) for word in text.split(","))
    if len(values) not in (1, channels):
        hint = "give one number" + (", or three as R,G,B" if channels == 3 else ": it is of grey")
        raise UsageError(f"{option} {text}: {len(values)} numbers", hint)
    return values * channels if len(values) == 1 else values


def _number(option: str, text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise UsageError(f"{option}: {text!r} is not a number", "such as 127.5") from error
    if not least <= value <= most:  # Neither does nan lie there.
        raise UsageError(f"{option}: {text!r} is out of bounds", f"it lies in {least:g}..{most:g}")
    return value
