"""The making of a float network in a process of its own.

TensorFlow needs seconds to be imported and most of a conversion's memory, and where it aborts it
takes its process along. Apart, its memory is free again before the quantization starts, what needs
no TensorFlow is done meanwhile, and a crash is one line. Run as a module, this file is the child.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeeff.errors import InputError
from edgeeff.pipeline import own_models, sources
from edgeeff.pipeline.settings import Settings
from edgeeff.progress import Advance, Progress
from edgeeff.tflite.child_process import Child, started
from edgeeff.tflite.float_model import FloatModel

Waiting = Callable[[Progress], FloatModel]
"""Waits for a network, tells of its stages, and raises what its maker raised."""


@dataclass(frozen=True)
class Order:
    """What is to be made.

    Attributes:
        source: a variant with its weights, the path of a user's model, or one in memory.
        settings: as of the makers in ``sources`` and ``own_models``.
        labels: of its classes, if given.
    """

    source: sources.WeightedVariant | Path | Any
    settings: Settings
    labels: tuple[str, ...] | None

    def make(self, progress: Progress) -> FloatModel:
        """Make it in this process. Raises what the makers raise."""
        if isinstance(self.source, sources.WeightedVariant):
            return sources.from_variant(self.source, self.settings, self.labels, progress)
        return own_models.from_keras(self.source, self.settings, self.labels, progress)


@dataclass(frozen=True)
class _Begun:
    stage: str


@dataclass(frozen=True)
class _Done:
    stage: str
    seconds: float


@dataclass(frozen=True)
class _Failed:
    error: BaseException
    trace: str


class _ChildError(Exception):
    """The traceback of a child, shown as the cause of its error."""


@contextlib.contextmanager
def begun(order: Order) -> Iterator[Waiting]:
    """Begin to make a network; the block gets a function that waits for it.

    A network in memory, and any where TensorFlow is imported already, is made in this process,
    and only when it is waited for.

    Args:
        order: what is to be made.
    """
    in_memory = not isinstance(order.source, (sources.WeightedVariant, Path))
    if in_memory or "tensorflow" in sys.modules:
        yield order.make
        return
    with started(__name__) as child:
        with contextlib.suppress(BrokenPipeError), child.orders as orders:
            pickle.dump(order, orders)
        yield functools.partial(_wait, child)


def _wait(child: Child, progress: Progress) -> FloatModel:
    with contextlib.ExitStack() as shown:
        while True:
            said = _next(child)
            if isinstance(said, FloatModel):
                return said
            if isinstance(said, _Failed):
                raise said.error from _ChildError(said.trace)
            if isinstance(said, _Begun):
                shown.enter_context(progress.shown(said.stage, None))
            else:
                shown.close()
                progress.seconds[said.stage] = said.seconds


def _next(child: Child) -> Any:
    """The next thing that the child says. Raises ``InputError`` if it ended without a last one."""
    try:
        return pickle.load(child.answers)  # noqa: S301 - of our own process
    except (EOFError, pickle.UnpicklingError):
        raise InputError(
            f"TensorFlow, which makes the network, {child.ended()}",
            "not enough memory, a processor that TensorFlow is not made for, or weights that "
            "break it",
        ) from None


class _Told(Progress):
    """Tells the parent of every stage."""

    def __init__(self, say: Callable[[Any], None]) -> None:
        super().__init__()
        self._say = say

    @contextlib.contextmanager
    def stage(self, name: str, steps: int | None = None) -> Iterator[Advance]:
        """As of ``Progress``; the parent sees no steps."""
        self._say(_Begun(name))
        with super().stage(name, steps) as advance:
            yield advance
        self._say(_Done(name, self.seconds[name]))


def main() -> None:
    """The child: make what the parent orders, and say how it goes on the standard output."""
    # What native code prints goes to standard error: the parent reads this stream.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)

        def say(message: Any) -> None:
            answers.write(pickle.dumps(message))
            answers.flush()

        try:
            order: Order = pickle.load(sys.stdin.buffer)  # noqa: S301 - of our own process
            say(order.make(_Told(say)))
        except Exception as error:
            say(_Failed(portable(error), traceback.format_exc()))


def portable(error: Exception) -> Exception:
    """The error, or its words if it holds what cannot go to another process."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - of this process
    except (pickle.PickleError, AttributeError, RecursionError, TypeError, ValueError):
        # What pickle raises for what it cannot take, or cannot make again of its arguments.
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    # By its name, so that what it says is of classes that the parent knows too.
    from edgeeff.pipeline import network_process

    network_process.main()
