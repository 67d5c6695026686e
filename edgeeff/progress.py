"""How long work tells where it is, without knowing who listens."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Advance = Callable[[int], None]
"""Called with how many more of a stage's steps are done."""


@dataclass
class Progress:
    """Times the stages of a job; the command line's subclass also draws them.

    Attributes:
        seconds: wall seconds of every stage so far, in order.
    """

    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def stage(self, name: str, steps: int | None = None) -> Iterator[Advance]:
        """Run one stage of ``steps`` steps (``None``: not known); yields ``advance(n)``."""
        start = time.perf_counter()
        with self.shown(name, steps) as advance:
            yield advance
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    @contextlib.contextmanager
    def shown(self, name: str, steps: int | None) -> Iterator[Advance]:
        """Draw one stage; here: nothing."""
        yield lambda count: None
