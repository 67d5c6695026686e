"""A progress that remembers what it was told."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

from edgeeff.progress import Advance, Progress


class Recorded(Progress):
    """The stages in order, their steps announced and done, and the threads that told them."""

    def __init__(self) -> None:
        super().__init__()
        self.stages: list[str] = []
        self.announced: dict[str, int | None] = {}
        self.done: Counter[str] = Counter()
        self.threads: set[int] = set()

    @contextlib.contextmanager
    def shown(self, name: str, steps: int | None) -> Iterator[Advance]:
        self.stages.append(name)
        self.announced[name] = steps
        self.threads.add(threading.get_ident())
        yield lambda count: self.done.update({name: count})
