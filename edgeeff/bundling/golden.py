"""Golden vectors: what a model gave for an input, and how far another run of it is off."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.bundling.document import Vector
from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.tflite.feeding import feeding
from edgeeff.tflite.model import Model
from edgeeff.tflite.runner import Runner, TensorInfo, dequantize

FLOAT_TOLERANCE = 1e-4
"""How far a float result may be off, as a share of the largest expected value or of 1: kernels of
other processors sum in another order."""

DTYPES = ("float32", "uint8", "int8", "int16")
"""What inputs and outputs of classifiers are made of."""

THREADS = 1
"""Other numbers of threads may sum in another order."""


@dataclass(frozen=True)
class Difference:
    """How far an output is from the golden one.

    Attributes:
        tensor: the output's name.
        picture: what the vector is of.
        differing: how many values are not equal.
        values: how many there are.
        steps: the largest difference in quantization steps; ``None`` for float.
        absolute: the largest difference in real values.
        allowed: the largest that passes, in steps, or in real values for a float output and
            for other chips than a CPU.
        within: whether it is no larger.
    """

    tensor: str
    picture: str
    differing: int
    values: int
    steps: int | None
    absolute: float
    allowed: float
    within: bool

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; what is not a number is null."""
        finite = math.isfinite(self.absolute)
        return {**asdict(self), "absolute": self.absolute if finite else None}

    def sentence(self) -> str:
        """Which tensor differs, by how much."""
        size = f"{self.absolute:.3g}" if self.steps is None else f"{self.steps} quantization steps"
        many = f"in {self.differing:,} of {self.values:,} values"
        return f"output {self.tensor!r} for {self.picture} is off by up to {size} {many}"


def check_ends(model: Model) -> None:
    """Refuse what is no classifier. Raises ``InputError``."""
    ends = (*model.inputs, *model.outputs)
    one_each = len(model.inputs) == 1 and len(model.outputs) == 1
    if not one_each or any(not end.shape or end.dtype not in DTYPES for end in ends):
        found = ", ".join(f"{end.dtype}{list(end.shape)}" for end in ends) or "none"
        hint = "a classifier has one input of pictures and one output of classes"
        raise InputError(f"{model.name} has these inputs and outputs: {found}", hint)


def make(
    model: Path, folder: str, preprocessing: Preprocessing, pictures: Iterable[tuple[str, Any]]
) -> tuple[tuple[Vector, ...], dict[str, bytes]]:
    """Run a model on pictures.

    Args:
        model: a classifier that ``probe`` has run.
        folder: of the vectors in the bundle.
        preprocessing: of its pictures.
        pictures: names, and uint8 [resolution, resolution, 3].

    Returns:
        The vectors and the contents of their files.

    Raises:
        InputError: an answer that is not a number.
    """
    runner = Runner(model, threads=THREADS)
    info, result = runner.inputs[0], runner.outputs[0]
    feed = feeding(info, preprocessing)
    vectors, contents = [], {}
    for number, (name, pixels) in enumerate(pictures):
        raw = feed(np.broadcast_to(pixels, info.shape))
        (output, *_) = runner.run(np.ascontiguousarray(raw))
        start = f"{folder}/{number:02}"
        real = dequantize(output, result)
        if not np.isfinite(real).all():
            raise InputError(
                f"{model.name} answers {name} with values that are no numbers", "make it again"
            )
        scores = f"{start}.output" if result.scale is None else f"{start}.scores"
        vectors.append(Vector(name, f"{start}.input", f"{start}.output", scores))
        contents[scores] = _stored(real)
        contents[f"{start}.output"] = _stored(output)
        contents[f"{start}.input"] = _stored(raw)
    return tuple(vectors), contents


@dataclass(frozen=True)
class Allowed:
    """How far an answer may be off.

    Attributes:
        steps: of a quantized output.
        absolute: of real values, instead of steps and of what is usual for float.
    """

    steps: int = 0
    absolute: float | None = None


def compare(
    run: Callable[[NDArray[Any]], NDArray[Any]],
    ends: tuple[TensorInfo, TensorInfo],
    vector: Vector,
    read: Callable[[str], bytes],
    allowed: Allowed,
) -> Difference:
    """Run a model on a golden input and hold its answer against the golden one.

    Args:
        run: gives the raw output for a raw input.
        ends: the model's input and output.
        vector: of the same model.
        read: gives the content of a file of the bundle.
        allowed: how far off passes.

    Raises:
        InputError: a vector that is not of this model, whose scores are not its output's, or whose
            output is not a number.
    """
    info, result = ends
    raw = _loaded(read(vector.input), info, vector.input)
    expected = _loaded(read(vector.output), result, vector.output)
    real = dequantize(expected, result)
    if not np.isfinite(real).all():
        raise InputError(f"{vector.output} holds values that are no numbers")
    if read(vector.scores) != _stored(real):
        raise InputError(f"{vector.scores} does not hold the real values of {vector.output}")
    found = run(raw)
    gap = np.abs(dequantize(found, result).astype(np.float64) - real)
    absolute = float(gap.max()) if np.isfinite(gap).all() else math.inf
    off = None
    if not np.issubdtype(result.dtype, np.floating):
        off = int(np.abs(found.astype(np.int64) - expected.astype(np.int64)).max())
    if allowed.absolute is not None:
        measured, limit = absolute, allowed.absolute
    elif off is None:
        measured, limit = absolute, FLOAT_TOLERANCE * max(1.0, float(np.abs(real).max()))
    else:
        measured, limit = off, float(allowed.steps)
    return Difference(
        result.name,
        vector.picture,
        int(np.count_nonzero(found != expected)),
        found.size,
        off,
        absolute,
        limit,
        measured <= limit,
    )


ALIKE = 0.2
"""Scores of two files of one network are correlated by more than this. A chip's rounding leaves
0.9 and more, two networks have 0."""


def alike(
    one: Sequence[Vector], other: Sequence[Vector], read: Callable[[str], bytes]
) -> float | None:
    """How far two models answer the same pictures alike: the median correlation of their scores.

    Args:
        one: golden vectors of a model.
        other: of another, of the same pictures in the same order.
        read: gives the content of a file of the bundle.

    Returns:
        -1 to 1, or ``None`` where scores are the same for all classes, which tells nothing.
    """
    found = []
    for pair in zip(one, other, strict=True):
        first, second = (np.frombuffer(read(vector.scores), "<f4") for vector in pair)
        if len(first) == len(second) and np.ptp(first) > 0 and np.ptp(second) > 0:
            found.append(float(np.corrcoef(first, second)[0, 1]))
    return float(np.median(found)) if found else None


def _stored(values: NDArray[Any]) -> bytes:
    return values.astype(values.dtype.newbyteorder("<")).tobytes()


def _loaded(content: bytes, info: TensorInfo, name: str) -> NDArray[Any]:
    size = math.prod(info.shape) * info.dtype.itemsize
    if len(content) != size:
        raise InputError(
            f"{name} has {len(content):,} bytes, tensor {info.name!r} takes {size:,}",
            "it is a vector of another model",
        )
    stored = np.frombuffer(content, info.dtype.newbyteorder("<"))
    return stored.astype(info.dtype).reshape(info.shape)
