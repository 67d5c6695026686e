"""A recipe as a TOML file of its own."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from edgeeff.quantization.recipes.idle import idle_values
from edgeeff.quantization.recipes.recipe import CORRECTIONS, Recipe


def spelled(recipe: Recipe) -> Recipe:
    """The same recipe, its text saying all that it does, as a file that can be used again.

    What has no effect becomes the default, as a file that says otherwise is refused.
    """
    recipe = _without_idle(recipe)
    kinds = {type_: kind for kind, type_ in CORRECTIONS.items()}
    lines = [*_fields({"summary": recipe.summary, "scheme": recipe.scheme})]
    lines += ["", "[ranges]", *_fields(vars(recipe.ranges))]
    for correction in recipe.corrections:
        fields = {"kind": kinds[type(correction)], **vars(correction)}
        lines += ["", "[[corrections]]", *_fields(fields)]
    for kept in recipe.exceptions:
        lines += ["", "[[exceptions]]", *_fields(dataclasses.asdict(kept))]
    return replace(recipe, text="\n".join(lines) + "\n")


def _without_idle(recipe: Recipe) -> Recipe:
    usual: dict[str, dict[str, Any]] = {}
    for idle in idle_values(recipe.parts):
        usual.setdefault(idle.part, {})[idle.key] = idle.default
    corrections = tuple(
        replace(correction, **usual.get(kind, {}))
        for correction in recipe.corrections
        for kind, type_ in CORRECTIONS.items()
        if isinstance(correction, type_)
    )
    ranges = replace(recipe.ranges, **usual.get("ranges", {}))
    return replace(recipe, ranges=ranges, corrections=corrections)


def _fields(values: dict[str, Any]) -> Iterator[str]:
    # What JSON writes for text, numbers and lists of them is TOML too.
    yield from (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())
