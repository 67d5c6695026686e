"""`edgeeff variants`: the networks there are and what they cost."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from edgeeff.architectures.variants import (
    PAPER_FACTORS,
    VARIANTS,
    Variant,
    counts,
    description,
    find_variant,
    parts,
    scaled,
)
from edgeeff.cli.command import Command
from edgeeff.cli.numbers import FINITE
from edgeeff.cli.plots import check_plot, write_plot
from edgeeff.cli.terminal import Terminal, common_options
from edgeeff.errors import UsageError


@click.command("variants", cls=Command, short_help="List the networks, or show one part by part.")
@common_options
@click.argument("name", required=False)
@click.option("--phi", type=FINITE, help="Scale NAME (default b0) by this compound coefficient.")
@click.option(
    "--alpha", type=FINITE, default=PAPER_FACTORS[0], show_default=True, help="Depth per phi."
)
@click.option(
    "--beta", type=FINITE, default=PAPER_FACTORS[1], show_default=True, help="Width per phi."
)
@click.option(
    "--gamma", type=FINITE, default=PAPER_FACTORS[2], show_default=True, help="Resolution per phi."
)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw them all: .svg or .html.")
@click.option("--force", is_flag=True, help="Replace an existing plot.")
def command(
    terminal: Terminal,
    name: str | None,
    phi: float | None,
    alpha: float,
    beta: float,
    gamma: float,
    plot: Path | None,
    force: bool,
) -> None:
    """List the networks, or show one part by part.

    --plot draws published accuracy against parameters and work, other families beside them.
    A network made with --phi has a name, such as b0-phi1.5, that every command takes.

    \b
    Example:
      edgeeff variants
      edgeeff variants b3
      edgeeff variants --phi 1.5
      edgeeff variants --plot variants.svg
    """  # noqa: D301 - click needs the character, not its escape
    if phi is None and (alpha, beta, gamma) != PAPER_FACTORS:
        raise UsageError("--alpha, --beta and --gamma scale nothing without --phi", "add --phi 1")
    if plot is not None:
        if name is not None or phi is not None:
            raise UsageError("--plot draws all networks", "leave out NAME and --phi")
        check_plot(plot, force=force)
    if phi is not None:
        _show_one(terminal, scaled(phi, alpha, beta, gamma, base=find_variant(name or "b0")))
    elif name is not None:
        _show_one(terminal, find_variant(name))
    else:
        _show_all(terminal)
    if plot is not None:
        from edgeeff.architectures.plot import variants_plot

        write_plot(variants_plot(), plot, force=force)
        terminal.say(f"plot: {plot}")


def _show_all(terminal: Terminal) -> None:
    if terminal.json:
        terminal.document(json.dumps([description(each) for each in VARIANTS.values()], indent=2))
        return
    headings = ("name", ">pixels", ">parameters", ">MACs", "activation", ">top-1 %", ">int8 %")
    rows = []
    for variant in VARIANTS.values():
        cost = counts(variant)
        rows.append(
            (
                variant.name,
                variant.resolution,
                f"{cost.parameters:,}",
                _giga(cost.macs),
                variant.activation,
                _percent(variant.top1),
                _percent(variant.top1_int8),
            )
        )
    terminal.table(headings, rows)
    terminal.say(
        "\npixels: side of the input; MACs: multiply-accumulates for one picture; top-1, int8: "
        "published for ImageNet by the networks' authors, not measured here"
    )
    terminal.say("one network part by part, with its preprocessing: edgeeff variants NAME")


def _show_one(terminal: Terminal, variant: Variant) -> None:
    if terminal.json:
        fields = description(variant) | {"parts": [asdict(part) for part in parts(variant)]}
        terminal.document(json.dumps([fields], indent=2))
        return
    cost, side = counts(variant), variant.resolution
    terminal.pairs(
        [
            ("scaling", f"width {variant.width:.4g}, depth {variant.depth:.4g}"),
            ("input", f"{side}x{side} pixels, {variant.preprocessing} preprocessing"),
            ("size", f"{cost.parameters:,} parameters ({cost.trainable:,} trainable)"),
            ("work", f"{_giga(cost.macs)} MACs"),
            ("activation", variant.activation),
            ("dropout", f"{variant.dropout:.3g}"),
            ("classes", str(variant.classes)),
            ("top-1", _published(variant.top1)),
        ],
        title=variant.name,
    )
    terminal.table(
        ("part", "work", ">output", ">parameters", ">MACs"),
        (
            (
                part.name,
                part.work,
                f"{part.side}x{part.side}x{part.filters}",
                f"{part.counts.parameters:,}",
                _mega(part.counts.macs),
            )
            for part in parts(variant)
        ),
    )


def _giga(count: int) -> str:
    return f"{count / 1e9:.3f} G"


def _mega(count: int) -> str:
    return f"{count / 1e6:,.2f} M"


def _published(top1: float | None) -> str:
    if top1 is None:
        return "none was published"
    return f"{top1:.1f} % for ImageNet, as its authors published"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
