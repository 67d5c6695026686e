"""``edgeeff quantize``: the same quantization for any float .tflite classifier."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edgeeff.cli.command import Command
from edgeeff.cli.numbers import FINITE, PERCENT
from edgeeff.cli.summary import summary, trials_shown
from edgeeff.cli.terminal import Terminal, common_options
from edgeeff.errors import UsageError

ENDS = click.Choice(["uint8", "int8", "float32"])


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that ``convert`` and ``quantize`` share."""

    @click.option(
        "--calibration",
        type=click.Path(path_type=Path),
        help="Pictures that tell the ranges: DIR, CSV or synthetic.",
    )
    @click.option("--calibration-count", type=click.IntRange(1), help="At most so many of them.")
    @click.option("--input-type", type=ENDS, help="Default: uint8, raw RGB bytes.")
    @click.option("--output-type", type=ENDS, help="Default: uint8.")
    @click.option(
        "--eval-data",
        type=click.Path(path_type=Path),
        help="Labelled pictures: DIR with a folder per class, or CSV.",
    )
    @click.option("--max-drop", type=FINITE, help="Gate: top-1 points below float (exit 3).")
    @click.option(
        "--min-agreement", type=PERCENT, help="Gate: percent of pictures answered as by float."
    )
    @click.option("--min-sqnr", type=FINITE, help="Gate: dB at the logits.")
    @click.option("--mixed", is_flag=True, help="Keep a few layers in float: those that help most.")
    @click.option(
        "--budget-bytes", type=int, help="Of --mixed: bytes more than int8 has (2% of it)."
    )
    @click.option("--budget-latency", type=FINITE, help="Of --mixed: instead, percent more time.")
    @click.option("--qat", is_flag=True, help="Train the integer network to answer as float.")
    @click.option("--data", type=click.Path(path_type=Path), help="Of --qat: pictures, unlabelled.")
    @click.option("--qat-steps", type=click.IntRange(1), help="Of --qat: 16 pictures each (300).")
    @click.option("--seed", type=int, default=0, show_default=True, help="Of all that is random.")
    @click.option(
        "--output",
        type=click.Path(path_type=Path),
        default=Path("artifacts"),
        show_default=True,
        help="Folder of the results.",
    )
    @click.option("--force", is_flag=True, help="Replace existing files.")
    @click.option("--threads", type=click.IntRange(1), help="Kernel threads while calibrating.")
    @functools.wraps(command)
    def wrapped(
        *arguments: Any,
        max_drop: float | None,
        min_agreement: float | None,
        min_sqnr: float | None,
        mixed: bool,
        budget_bytes: int | None,
        budget_latency: float | None,
        qat: bool,
        qat_steps: int | None,
        **options: Any,
    ) -> Any:
        from edgeeff.evaluation.gate import Limits
        from edgeeff.pipeline.mixed_precision import Budget
        from edgeeff.pipeline.settings import QAT_STEPS

        if qat_steps is not None and not qat:
            raise UsageError("--qat-steps without --qat", "add --qat")
        if not mixed and (budget_bytes is not None or budget_latency is not None):
            raise UsageError("a budget without --mixed", "add --mixed")
        limits = Limits(max_drop, min_agreement, min_sqnr)
        budget = Budget(budget_bytes, budget_latency) if mixed else None
        return command(
            *arguments,
            limits=limits,
            mixed=budget,
            qat=qat,
            qat_steps=qat_steps or QAT_STEPS,
            **options,
        )

    return wrapped


@click.command("quantize", cls=Command, short_help="The same for any float .tflite classifier.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--recipe", help="Name (edgeeff recipes) or FILE.toml; default: the best for it.")
@click.option("--mean", help="Of the pixels, 0..255: one number or R,G,B.")
@click.option("--std", help="Likewise; the model takes (pixel - mean) / std.")
@click.option(
    "--resize", help="bilinear or bicubic, perhaps with a crop: bicubic:0.875; or squash."
)
@click.option("--labels", type=click.Path(path_type=Path), help="Class names, one per line.")
@settings_options
@common_options
def command(
    terminal: Terminal,
    model: Path,
    mean: str | None,
    std: str | None,
    resize: str | None,
    **options: Any,
) -> None:
    """Quantize MODEL, a float32 .tflite classifier, by the recipe that suits it or a named one.

    How pictures become its input is read from its manifest or metadata; a file that has
    neither needs --mean and --std. TensorFlow is not needed, except for --qat.

    \b
    Example:
      edgeeff quantize efficientnet-lite0-float32.tflite
      edgeeff quantize other.tflite --mean 127.5 --std 127.5 \\
          --calibration photos/
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.evaluation.normalisation import normalisation
    from edgeeff.pipeline import conversion

    said = normalisation(mean, std, resize)
    preprocessing = said.of(model) if said else None
    settings = conversion.Settings(**options)
    with trials_shown(terminal):
        made = conversion.quantize(model, settings, preprocessing, terminal.progress())
    summary(terminal, made)
