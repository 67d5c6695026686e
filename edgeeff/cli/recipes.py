"""``edgeeff recipes``: the ways to quantize, and what each is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from edgeeff.cli.command import Command
from edgeeff.cli.terminal import Terminal, common_options, echo

if TYPE_CHECKING:
    from edgeeff.quantization.recipes.measured import Figures, Measurements
    from edgeeff.quantization.recipes.recipe import Recipe

FIGURES = ("recipe", ">MB", ">SQNR dB", "same top-1", ">seconds", "time per run")


@click.command(
    "recipes", cls=Command, short_help="The ways to quantize: what each costs and gives."
)
@click.argument("name", required=False)
@common_options
def command(terminal: Terminal, name: str | None) -> None:
    """List the named recipes with what each costs and gives, or print the one called NAME in full.

    A recipe is a TOML file: change a copy and give it to --recipe.

    \b
    Example:
      edgeeff recipes
      edgeeff recipes int8 > mine.toml
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.files import document
    from edgeeff.quantization.recipes.measured import measurements
    from edgeeff.quantization.recipes.recipe import find_recipe, named_recipes

    chosen = [find_recipe(name)] if name else list(named_recipes().values())
    measured = measurements()
    basis = [
        {key: getattr(each, key) for key in ("network", "pictures", "command")} for each in measured
    ]
    listed = [_listed(recipe, measured) for recipe in chosen]
    terminal.document(document("edgeeff.recipes/1", {"measured_on": basis, "recipes": listed}))
    if name and not terminal.json:
        echo(chosen[0].text.removesuffix("\n"))
        return
    _show(terminal, chosen, measured)


def _listed(recipe: Recipe, measured: Sequence[Measurements]) -> dict[str, Any]:
    from edgeeff.quantization.recipes.measured import integer_only

    figures = {each.network: found for each in measured if (found := each.of(recipe))}
    return {
        "name": recipe.name,
        "scheme": recipe.scheme,
        "summary": recipe.summary,
        "integer_only": integer_only(recipe),
        "measured": {network: found.to_json() for network, found in figures.items()},
        "text": recipe.text,
    }


def _show(terminal: Terminal, recipes: Sequence[Recipe], measured: Sequence[Measurements]) -> None:
    from edgeeff.quantization.recipes.measured import integer_only

    terminal.table(
        ("recipe", "integer only", "what it is for"),
        [(each.name, "yes" if integer_only(each) else "no", each.summary) for each in recipes],
    )
    for each in measured:
        found = [(recipe.name, each.of(recipe)) for recipe in recipes]
        title = f"Measured on {each.network}: {each.pictures}"
        rows = [_row(name, figures) for name, figures in found if figures]
        terminal.table(FIGURES, rows, title=title)
    terminal.say("")
    terminal.say(
        "SQNR: of the median picture; same top-1: pictures whose first answer is that of the "
        "float network, with its 95% interval; time per run: as a multiple of that of int8; "
        "seconds: of the quantization"
    )
    terminal.say("more networks, and how these were measured: docs/results.md")
    terminal.say("which to take: docs/choosing.md")


def _row(name: str, found: Figures) -> list[str]:
    low, high = found.agreement_ci95
    return [
        name,
        f"{found.megabytes:.2f}",
        f"{found.median_image_sqnr_db:.1f}",
        f"{found.agreement:.1%} ({low:.1%} to {high:.1%})",
        f"{found.seconds:.1f}",
        _times(found),
    ]


def _times(found: Figures) -> str:
    if found.latency_ratio is None or found.latency_ci95 is None:
        return ""
    low, high = found.latency_ci95
    return f"{found.latency_ratio:.2f} ({low:.2f} to {high:.2f})"
