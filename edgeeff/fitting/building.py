"""Files of candidates, built one after the other in a process that imports TensorFlow once.

The weights are random and the calibration is as short as it can be: only the operators and their
shapes decide how long a run takes. Run as a module, this file is the child.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edgeeff import files
from edgeeff.architectures.variants import find_variant
from edgeeff.errors import InputError
from edgeeff.pipeline.network_process import portable
from edgeeff.quantization.calibration.pictures import synthetic_pair
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.tflite.child_process import Child, started
from edgeeff.tflite.float_model import FloatModel

RECIPES: Mapping[str, str] = {"int8": "int8-bias"}
"""What stands for a precision's own recipe: the same operators in a tenth of the time."""


@dataclass(frozen=True)
class Order:
    """A network, and the files to make of it.

    Attributes:
        variant: its name.
        resolution: side of its pictures in pixels.
        classes: outputs; ``None``: the variant's.
        paths: of the files, by precision.
    """

    variant: str
    resolution: int
    classes: int | None
    paths: Mapping[str, Path]

    def make(self) -> None:
        """Build the network and write its files, in this process."""
        from edgeeff.network.untrained import untrained

        network = untrained(find_variant(self.variant), self.resolution, self.classes)
        for precision, path in self.paths.items():
            files.write_bytes(path, _content(network, precision), force=True)


def _content(network: FloatModel, precision: str) -> bytes:
    recipe = find_recipe(RECIPES.get(precision, precision))
    pictures = synthetic_pair(1, network.preprocessing, 0).used if recipe.calibrated else None
    return quantize_model(network, recipe, pictures)


class Builder:
    """Has a child process build what is ordered; use as a context, which ends the child."""

    def __init__(self) -> None:
        self._opened = contextlib.ExitStack()
        self._child: Child | None = None

    def __enter__(self) -> Builder:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def build(self, order: Order) -> None:
        """Write the files of an order.

        Raises:
            InputError: the child crashed.
            EdgeeffError: what is wrong with the order.
        """
        if self._child is None:
            self._child = self._opened.enter_context(started(__name__))
        try:
            said = _answer(self._child, order)
        except (BrokenPipeError, EOFError, pickle.UnpicklingError):
            crashed, self._child = self._child, None
            raise InputError(
                f"the process that builds {order.variant} {crashed.ended()}",
                "not enough memory, or a processor that TensorFlow is not made for",
            ) from None
        if isinstance(said, BaseException):
            raise said


def _answer(child: Child, order: Order) -> Any:
    """What a child says when an order is done: an error, or nothing."""
    pickle.dump(order, child.orders)
    child.orders.flush()
    return pickle.load(child.answers)  # noqa: S301 - of our own process


def _orders(stream: IO[bytes]) -> Iterator[Any]:
    while True:
        try:
            yield pickle.load(stream)  # noqa: S301 - of our own process
        except EOFError:
            return


def main() -> None:
    """The child: make every order of the standard input, and say when it is made."""
    # What native code prints goes to standard error: the parent reads this stream.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        for order in _orders(sys.stdin.buffer):
            try:
                order.make()
            except Exception as error:
                answers.write(pickle.dumps(portable(error)))
            else:
                answers.write(pickle.dumps(None))
            answers.flush()


if __name__ == "__main__":
    # By its name, so that what it reads is of classes that the parent knows too.
    from edgeeff.fitting import building

    building.main()
