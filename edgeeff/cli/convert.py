"""``edgeeff convert``: from a variant's name to a model that can be shipped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeeff.cli.command import Command
from edgeeff.cli.quantize import settings_options
from edgeeff.cli.summary import summary, trials_shown
from edgeeff.cli.terminal import Terminal, common_options
from edgeeff.errors import UsageError

if TYPE_CHECKING:
    from edgeeff.pipeline.settings import Settings
    from edgeeff.quantization.recipes.recipe import Recipe


@click.command(
    "convert", cls=Command, short_help="From a network's name to a verified int8 .tflite."
)
@click.option("--variant", help="Such as b0 or lite0: edgeeff variants lists them.")
@click.option("--model", type=click.Path(path_type=Path), help="Your own: .keras, .h5, SavedModel.")
@click.option("--allow-code", is_flag=True, help="Run code in the model's file (Lambda layers).")
@click.option(
    "--int8", "precisions", flag_value="int8", multiple=True, help="Full integer; the default."
)
@click.option(
    "--int16x8", "precisions", flag_value="int16x8", multiple=True, help="16-bit activations."
)
@click.option("--dynamic", "precisions", flag_value="dynamic", multiple=True, help="8-bit weights.")
@click.option("--float16", "precisions", flag_value="float16", multiple=True, help="For GPUs.")
@click.option("--float32", "precisions", flag_value="float32", multiple=True, help="As trained.")
@click.option(
    "--weights",
    default="auto",
    show_default=True,
    help="auto, imagenet, none, a FILE of Keras or PyTorch, or RUN: a training's folder.",
)
@click.option(
    "--weights-from",
    metavar="LIBRARY",
    help="Which saved a PyTorch file, if the file does not tell; such as timm.",
)
@click.option("--recipe", help="Name (edgeeff recipes) or FILE.toml, in place of the default.")
@click.option("--classes", type=click.IntRange(1), help="Outputs, if not the variant's.")
@click.option("--labels", type=click.Path(path_type=Path), help="Class names, one per line.")
@click.option("--resolution", type=click.IntRange(8), help="Side of the input in pixels.")
@click.option("--mean", help="Of the pixels (0..255) in training: R,G,B; default: the network's.")
@click.option("--std", help="Likewise; the network was trained on (pixel - mean) / std.")
@click.option(
    "--resize", help="bilinear or bicubic, perhaps with a crop: bicubic:0.875; or squash."
)
@click.option(
    "--batch", type=click.IntRange(1), default=1, show_default=True, help="Pictures of one run."
)
@click.option("--logits", is_flag=True, help="Leave out the softmax at the end.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@settings_options
@common_options
def command(
    terminal: Terminal,
    variant: str | None,
    model: Path | None,
    precisions: tuple[str, ...],
    dry_run: bool,
    **options: Any,
) -> None:
    """Build a network, load its weights, export, calibrate, quantize and verify it.

    The network is a --variant, or a Keras classifier of your own: --model.
    Without --calibration no data is needed: the network's own BatchNorm statistics and
    synthetic pictures say what its activations do.

    \b
    Example:
      edgeeff convert --variant lite0 --int8
      edgeeff convert --variant b0 --weights flowers.pth \\
          --labels flowers.txt --calibration photos/
      edgeeff convert --model flowers.keras --labels flowers.txt
      edgeeff convert --variant b0 --weights flowers.pth --qat --data photos/
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.architectures.variants import find_variant
    from edgeeff.pipeline import conversion, policy
    from edgeeff.quantization.recipes.recipe import find_recipe

    if len(set(precisions)) > 1:
        raise UsageError(f"--{' and --'.join(precisions)} contradict", "choose one precision")
    precision = precisions[0] if precisions else "int8"
    if policy.USUAL in precisions and options["recipe"] is not None:
        # Of the others settings know that they were asked for.
        policy.check_precision(precision, find_recipe(options["recipe"]))
    settings = conversion.Settings(precision=precision, **options)
    if variant is not None and model is not None:
        raise UsageError("--variant and --model contradict", "choose one")
    if model is not None:
        if dry_run:
            raise UsageError("--dry-run goes with --variant", "a model has to be loaded to know it")
        with trials_shown(terminal):
            made = conversion.convert_model(model, settings, terminal.progress())
        summary(terminal, made)
        return
    if settings.allow_code:
        raise UsageError("--allow-code goes with --model", "weights have no code: leave it out")
    if variant is None and not conversion.is_run(Path(settings.weights)):
        raise UsageError("one of --variant and --model is needed", "such as --variant b0")
    if dry_run:
        _describe(terminal, variant, settings)
        return
    if variant is not None:
        find_variant(variant)
    told: list[str] = []

    def warn(why: str) -> None:
        told.append(why)
        terminal.warn(f"warning: {why}")

    with trials_shown(terminal):
        made = conversion.convert(variant, settings, terminal.progress(), warn=warn)
    summary(terminal, made, told=told)


def _describe(terminal: Terminal, name: str | None, settings: Settings) -> None:
    """What ``convert`` would do with these settings."""
    from edgeeff.files import document
    from edgeeff.pipeline import conversion, early

    prepared = conversion.prepare(name, settings)
    settings = prepared.settings
    weighted, recipe = prepared.weighted, prepared.recipe
    variant = weighted.variant
    fields = {
        "variant": variant.name,
        "resolution": weighted.preprocessing.resolution,
        "classes": settings.classes or variant.classes,
        "weights": settings.weights,
        "calibration": _calibration(recipe, settings),
        "recipe": recipe.name,
        "model": str(prepared.model),
    }
    terminal.document(document("edgeeff.plan/1", fields))
    if prepared.untrained:
        why = early.stays_untrained(prepared.untrained, variant.name)
        terminal.warn(f"warning: {why}")
    rows = [(name, str(value)) for name, value in fields.items()]
    terminal.pairs(rows, title="would use, and write nothing now:")
    if isinstance(weighted.weights, Path) and weighted.run is None:
        terminal.note(f"only TensorFlow reads {weighted.weights}: it was not looked into")


def _calibration(recipe: Recipe, settings: Settings) -> str:
    if not recipe.calibrated:
        return "not needed"
    return str(settings.calibration or settings.data or "none: BatchNorm and synthetic pictures")
