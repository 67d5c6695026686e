"""Numbers as options take them."""

from __future__ import annotations

import math
from typing import Any

import click


class FiniteNumber(click.FloatRange):
    """A number in a range; neither ``nan``, which no comparison ever refuses, nor ``inf``."""

    name = "number"

    def _describe_range(self) -> str:
        """For ``--help``, where a range without ends is none."""
        return "" if self.min is None and self.max is None else super()._describe_range()

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number, or click's usage error."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


FINITE = FiniteNumber()
POSITIVE = FiniteNumber(0, min_open=True)
PERCENT = FiniteNumber(0, 100)
