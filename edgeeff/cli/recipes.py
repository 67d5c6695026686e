"""``edgeeff recipes``: the ways to quantize, and what each is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edgeeff.cli.terminal import Terminal, common_options, echo

if TYPE_CHECKING:
    from edgeeff.quantization.recipes.measured import Measurements
    from edgeeff.quantization.recipes.recipe import Recipe

COLUMNS = (
    "recipe",
    ">MB",
    ">SQNR dB",
    ">same top-1",
    ">seconds",
    "integer only",
    "what for",
)


@click.command("recipes")
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
    listed = [_listed(recipe, measured) for recipe in chosen]
    basis = {key: getattr(measured, key) for key in ("network", "pictures", "command")}
    terminal.document(document("edgeeff.recipes/1", {"measured_on": basis, "recipes": listed}))
    if name and not terminal.json:
        echo(chosen[0].text.removesuffix("\n"))
        return
    title = f"cost and gain on {measured.network}, {measured.pictures} (- was not measured)"
    terminal.table(COLUMNS, map(_row, listed), title=title)
    terminal.say(f"figures of: {measured.command}")
    terminal.say("more networks, and when to take which: docs/quantization.md")


def _listed(recipe: Recipe, measured: Measurements) -> dict[str, Any]:
    from edgeeff.quantization.recipes.measured import integer_only

    figures = measured.of(recipe)
    return {
        "name": recipe.name,
        "scheme": recipe.scheme,
        "summary": recipe.summary,
        "integer_only": integer_only(recipe),
        "measured": figures.to_json() if figures else None,
        "text": recipe.text,
    }


def _row(listed: dict[str, Any]) -> list[str]:
    found = listed["measured"]
    figures = ["-"] * 4
    if found:
        figures = [
            f"{found['megabytes']:.2f}",
            f"{found['sqnr_db']:.1f}",
            f"{found['agreement']:.1%}",
            f"{found['seconds']:.1f}",
        ]
    integer = "yes" if listed["integer_only"] else "no"
    return [listed["name"], *figures, integer, listed["summary"]]
