"""The command line that makes a model again, from what it was made with."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator
from pathlib import Path

from edgeeff.pictures.preprocessing import SQUASH, Preprocessing
from edgeeff.pipeline.settings import Settings
from edgeeff.shell import argument

NO_PART_OF_IT = frozenset({"output", "force", "threads"})
"""Settings that say where a result goes, or how fast: not what it is."""

OTHERWISE = frozenset({"precision", "limits", "mixed"})
"""Settings that are no option of their name."""

USUAL = Settings()


def command(
    verb: str, *source: str | Path, settings: Settings, preprocessing: Preprocessing | None = None
) -> str:
    """The line, for a shell in the same folder.

    Args:
        verb: ``convert`` or ``quantize``.
        source: what it is made of, as words of the command.
        settings: what is not as usual becomes an option.
        preprocessing: as given to ``quantize`` beside them.
    """
    words = ["edgeeff", verb, *(argument(it) if isinstance(it, Path) else it for it in source)]
    if settings.precision != USUAL.precision and verb == "convert":
        words.append(f"--{settings.precision}")
    elif settings.precision != USUAL.precision and settings.recipe is None:
        # "quantize" has no option for it; each precision has a recipe of its name.
        words += ["--recipe", settings.precision]
    return shlex.join([*words, *_options(settings), *_preprocessing(preprocessing)])


def _options(settings: Settings) -> Iterator[str]:
    for field in dataclasses.fields(Settings):
        value = getattr(settings, field.name)
        if field.name not in NO_PART_OF_IT | OTHERWISE and value != getattr(USUAL, field.name):
            yield _option(field.name)
            if value is not True:
                yield str(value)
    limits = dataclasses.asdict(settings.limits)
    budget = settings.mixed
    if budget is not None:
        yield "--mixed"
        limits |= {"budget_bytes": budget.bytes, "budget_latency": budget.latency_percent}
    for name, value in limits.items():
        if value is not None:
            yield from (_option(name), repr(value))


def _preprocessing(given: Preprocessing | None) -> Iterator[str]:
    if given is None:
        return
    for name, values in (("mean", given.mean), ("std", given.std)):
        yield from (_option(name), ",".join(map(repr, values)))
    whole = given.interpolation == SQUASH
    yield from ("--resize", SQUASH if whole else f"{given.interpolation}:{given.crop!r}")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
