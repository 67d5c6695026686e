"""Values of a recipe that change nothing beside what else it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Way = tuple[str, str, Collection[Any]]
"""A part of a recipe, a key in it, and the values of it that give another key something to do."""

SCHEME: Way = ("recipe", "scheme", ("int8", "int16x8"))
GPTQ: Way = ("round", "method", ("gptq",))
OUTPUTS: Way = ("round", "target", ("outputs",))
MEASURED: Way = ("bias", "means", ("measured",))
UNMEASURED: Way = ("bias", "means", ("batchnorm", "pictures"))
SEVERAL: Way = ("group", "most", range(2, 17))
PERCENTILE: Way = ("ranges", "estimator", ("percentile",))

NEEDS: tuple[tuple[str, str, tuple[Way, ...]], ...] = (
    ("ranges", "*", (SCHEME,)),
    ("ranges", "percentile", (PERCENTILE,)),
    ("group", "unit", (SEVERAL,)),
    ("round", "pictures", (GPTQ, OUTPUTS, MEASURED)),
    ("round", "synthetic", (GPTQ, OUTPUTS)),
    ("round", "synthetic", (UNMEASURED,)),
    ("round", "damping", (GPTQ,)),
    ("round", "ridge", (OUTPUTS,)),
)
"""A part, a key of it (``*``: each), and the ways of which one gives it something to do."""


@dataclass(frozen=True)
class Idle:
    """A value that changes nothing.

    Attributes:
        part: of the recipe.
        key: in it.
        value: that is given.
        default: the usual one, which may be said anywhere.
        beside: what the recipe says in place of what would give it something to do.
        wanted: what that would be.
    """

    part: str
    key: str
    value: object
    default: object
    beside: str
    wanted: str


def idle_values(parts: Mapping[str, Any]) -> Iterator[Idle]:
    """The values of a recipe that differ from the usual ones to no effect.

    Args:
        parts: dataclasses by their names; a part that the recipe has not, with its defaults.
    """
    for part, wanted, ways in NEEDS:
        if any(getattr(parts[other], key) in values for other, key, values in ways):
            continue
        for field in dataclasses.fields(parts[part]):
            value = getattr(parts[part], field.name)
            if wanted in ("*", field.name) and value != field.default:
                beside = " and ".join(
                    f"{_name(other, key)} = {getattr(parts[other], key)}" for other, key, _ in ways
                )
                needed = " or ".join(_said(*way) for way in ways)
                yield Idle(part, field.name, value, field.default, beside, needed)


def _name(part: str, key: str) -> str:
    return key if part == "recipe" else f"{part}.{key}"


def _said(part: str, key: str, values: Collection[Any]) -> str:
    told = f"{min(values)} or more" if isinstance(values, range) else " or ".join(values)
    return f"{_name(part, key)} = {told}"
