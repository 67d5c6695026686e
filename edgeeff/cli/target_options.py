"""What ``--option`` says to a target or a device."""

from __future__ import annotations

from collections.abc import Iterable

from edgeeff.errors import UsageError


def target_options(given: Iterable[str]) -> dict[str, str]:
    """``KEY=VALUE`` words by their keys; ``Plan.options`` says which there are.

    Raises:
        UsageError: a word without a key or a value, or a key twice.
    """
    found: dict[str, str] = {}
    for word in given:
        key, there, value = word.partition("=")
        if not there or not key:
            raise UsageError(f"--option {word!r} is no KEY=VALUE", "such as --option xnnpack=off")
        if key in found:
            raise UsageError(f"--option {key} comes twice", "give it once")
        found[key] = value
    return found
