"""Tensors that have to be treated alike, because operators tie them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def tied(pairs: Iterable[tuple[int, int]]) -> Callable[[int], int]:
    """Names the set of every tensor by one of its members (union-find).

    Args:
        pairs: tensors that belong into one set, by index.
    """
    parent: dict[int, int] = {}

    def root(tensor: int) -> int:
        while parent.get(tensor, tensor) != tensor:
            tensor = parent[tensor]
        return tensor

    for one, other in pairs:
        parent[root(one)] = root(other)
    return root
