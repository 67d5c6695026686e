"""``edgeeff recipes``: the ways to quantize, and what each is for."""

from __future__ import annotations

import click

from edgeeff.cli.terminal import Terminal, common_options


@click.command("recipes")
@click.argument("name", required=False)
@common_options
def command(terminal: Terminal, name: str | None) -> None:
    r"""List the named recipes, or print the one called NAME in full.

    A recipe is a TOML file: change a copy and give it to --recipe.

    \b
    Example:
      edgeeff recipes
      edgeeff recipes int8 > mine.toml
    """
    from edgeeff.files import document
    from edgeeff.quantization.recipe import find_recipe, named_recipes

    chosen = [find_recipe(name)] if name else list(named_recipes().values())
    listed = [
        {"name": r.name, "scheme": r.scheme, "summary": r.summary, "text": r.text} for r in chosen
    ]
    terminal.document(document("edgeeff.recipes/1", {"recipes": listed}))
    if name and not terminal.json:
        click.echo(chosen[0].text, nl=False)
        return
    terminal.table(
        ["recipe", "scheme", "what for"], ([r.name, r.scheme, r.summary] for r in chosen)
    )
