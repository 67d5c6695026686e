"""``edgeeff quantize``: the same quantization for any float .tflite classifier."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeeff.cli.figures import nats, share
from edgeeff.cli.numbers import FINITE, PERCENT
from edgeeff.cli.terminal import Terminal, common_options
from edgeeff.errors import UsageError

if TYPE_CHECKING:
    from edgeeff.pipeline.conversion import Conversion

ENDS = click.Choice(["uint8", "int8", "float32"])


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that ``convert`` and ``quantize`` share."""

    @click.option("--calibration", type=click.Path(path_type=Path), help="DIR, CSV or synthetic.")
    @click.option("--calibration-count", type=click.IntRange(1), help="Pictures of it to use.")
    @click.option("--input-type", type=ENDS, help="Default: uint8, raw RGB bytes.")
    @click.option("--output-type", type=ENDS, help="Default: uint8.")
    @click.option("--eval-data", type=click.Path(path_type=Path), help="Labelled pictures.")
    @click.option("--max-drop", type=FINITE, help="Gate: top-1 points below float (exit 3).")
    @click.option("--min-agreement", type=PERCENT, help="Gate: percent of pictures as float.")
    @click.option("--min-sqnr", type=FINITE, help="Gate: dB at the logits.")
    @click.option("--mixed", is_flag=True, help="Keep the few layers in float that buy most.")
    @click.option("--budget-bytes", type=int, help="Of --mixed: beyond full int8 (2% of it).")
    @click.option("--budget-latency", type=FINITE, help="Of --mixed: percent more time instead.")
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
        **options: Any,
    ) -> Any:
        from edgeeff.evaluation.gate import Limits
        from edgeeff.pipeline.mixed_precision import Budget

        if not mixed and (budget_bytes is not None or budget_latency is not None):
            raise UsageError("a budget without --mixed", "add --mixed")
        limits = Limits(max_drop, min_agreement, min_sqnr)
        budget = Budget(budget_bytes, budget_latency) if mixed else None
        return command(*arguments, limits=limits, mixed=budget, **options)

    return wrapped


@click.command("quantize")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--recipe", help="Name (edgeeff recipes) or FILE.toml; default: the best for it.")
@click.option("--mean", help="Of the pixels, 0..255: one number or R,G,B.")
@click.option("--std", help="Likewise; the model takes (pixel - mean) / std.")
@click.option("--resize", help="bilinear or bicubic, perhaps with a crop: bicubic:0.875.")
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
    neither needs --mean and --std. TensorFlow is not needed.

    \b
    Example:
      edgeeff quantize efficientnet-lite0-float32.tflite
      edgeeff quantize other.tflite --recipe int8 --mean 127.5 --std 127.5 --calibration photos/
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.evaluation.inputs import input_resolution
    from edgeeff.pictures.preprocessing import from_options
    from edgeeff.pipeline import conversion

    preprocessing = None
    if mean is not None or std is not None or resize is not None:
        if mean is None or std is None:
            raise UsageError("--mean and --std go together", "such as --mean 127 --std 128")
        preprocessing = from_options(input_resolution(model), mean, std, resize or "bilinear")
    settings = conversion.Settings(**options)
    with trials_shown(terminal):
        made = conversion.quantize(model, settings, preprocessing, terminal.progress())
    summary(terminal, made)


@contextlib.contextmanager
def trials_shown(terminal: Terminal) -> Iterator[None]:
    """Show what an accuracy gate tried before its error is reported."""
    from edgeeff.evaluation.gate import AccuracyGateFailed

    try:
        yield
    except AccuracyGateFailed as failed:
        _trials(terminal, [trial.to_json() for trial in failed.trials])
        raise


def _trials(terminal: Terminal, trials: list[dict[str, Any]]) -> None:
    rows = [
        [
            trial["recipe"],
            _megabytes(trial["bytes"]),
            share(trial["agreement"]),
            "exact" if trial["sqnr_db"] is None else f"{trial['sqnr_db']:.1f} dB",
            _drop(trial["drop"]),
            ", ".join(trial["failed"]) or "passed",
        ]
        for trial in trials
    ]
    columns = ["recipe", ">size", ">same top-1", ">SQNR", ">top-1 drop", "limits"]
    terminal.table(columns, rows)


def _drop(drop: Sequence[float] | None) -> str:
    return "unknown" if drop is None else f"{drop[0]:.2f} ({drop[1]:.2f} to {drop[2]:.2f})"


def summary(terminal: Terminal, made: Conversion) -> None:
    """Print what a conversion made, and what to do next."""
    manifest = made.manifest
    terminal.document(manifest.document())
    weights = manifest.weights or {}
    if weights and not weights["trained"]:
        terminal.warn("WARNING: THIS NETWORK IS UNTRAINED: ITS ANSWERS MEAN NOTHING")
    if manifest.verdict and not manifest.verdict["good"]:
        _ruined(terminal, manifest.verdict)
    for note in made.notes:
        terminal.warn(f"note: {note}")
    total = sum(manifest.seconds.values())
    rows = [
        ["size", f"{_megabytes(manifest.float_bytes)} float32 → {_megabytes(manifest.bytes)}"],
        ["weights", str(weights.get("source", "of the file"))],
        ["recipe", (manifest.recipe or {}).get("name", "")],
        ["calibration", _calibration(manifest.calibration)],
        *_coverage(manifest.calibration),
        ["input", _end(manifest.input)],
        ["output", _end(manifest.output)],
        ["operators", ", ".join(f"{n} {k}" for k, n in manifest.operators.items())],
        ["integer only", "yes" if manifest.integer_only else "no"],
        *_fidelity(manifest.fidelity),
        *_accuracy(manifest.accuracy),
        *_verdict(manifest.verdict),
        ["seconds", _seconds(manifest.seconds, total)],
        ["peak memory", _megabytes(manifest.peak_memory_bytes)],
    ]
    terminal.table([str(made.model), "value"], rows)
    if manifest.fidelity and manifest.fidelity["note"]:
        terminal.say(manifest.fidelity["note"])
    if manifest.mixed:
        _kept(terminal, manifest.mixed)
    if manifest.tried:
        _trials(terminal, manifest.tried)
    if terminal.verbose:
        _curve(terminal, manifest.calibration)
    terminal.say(f"float reference: {made.reference}")
    terminal.say(
        f"next: edgeeff evaluate {made.model} --reference {made.reference} --data YOUR_PICTURES"
    )


def _ruined(terminal: Terminal, verdict: dict[str, Any]) -> None:
    """Say that a model is not what was asked for, and what to do about it."""
    terminal.warn("WARNING: THIS MODEL DOES NOT ANSWER AS ITS FLOAT NETWORK DOES: DO NOT SHIP IT")
    for fault in verdict["faults"]:
        terminal.warn(f"warning: {fault}")
    if verdict["try"]:
        terminal.warn(f"hint: try --recipe {verdict['try']}")


def _verdict(found: dict[str, Any] | None) -> list[list[str]]:
    if found is None:
        return []
    return [["verdict", "answers as float" if found["good"] else "BAD: DOES NOT ANSWER AS FLOAT"]]


def _kept(terminal: Terminal, mixed: dict[str, Any]) -> None:
    """Show what a search for layers to keep found, in the order in which they joined."""
    whole = mixed["full_integer"]
    rows = [["nothing", "", f"{mixed['sqnr_db']:.1f} dB", "", ""]]
    rows += [
        [
            ", ".join(run["blocks"]),
            run["precision"],
            f"{run['sqnr_db']:.1f} dB",
            f"{run['added_bytes'] / 1e3:.1f} KB",
            "" if run["slower_percent"] is None else f"{run['slower_percent']:+.1f}%",
        ]
        for run in mixed["kept"]
    ]
    where = f"{mixed['pictures']} calibration pictures"
    columns = ["kept, one after the other", "in", f">SQNR, {where}", ">bytes", ">time"]
    terminal.table(columns, rows)
    if whole["fidelity"] is not None:
        size, ratio = _megabytes(whole["bytes"]), whole["fidelity"]["sqnr_db"]
        terminal.say(f"full int8 has {size} and {ratio:.1f} dB on the held-out pictures")
    if not mixed["kept"]:
        terminal.warn("note: nothing was worth its cost within the budget: this is full int8")


def _megabytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 1e6:.2f} MB"


def _end(tensor: dict[str, Any]) -> str:
    words = f"{tensor['name']} {tensor['dtype']}{tensor['shape']}"
    if tensor["scale"] is None:
        return words
    return f"{words}, scale {tensor['scale']:.6g}, zero point {tensor['zero_point']}"


def _calibration(used: dict[str, Any] | None) -> str:
    if used is None:
        return "not needed"
    if used["source"] == "synthetic":
        return f"no data: BatchNorm statistics and {used['count']} synthetic pictures"
    return f"{used['count']} pictures of {used['source']}"


def _coverage(used: dict[str, Any] | None) -> list[list[str]]:
    found = (used or {}).get("coverage")
    return [["coverage", found["verdict"]]] if found else []


def _curve(terminal: Terminal, used: dict[str, Any] | None) -> None:
    """How ranges grew with the calibration pictures."""
    found = (used or {}).get("coverage")
    if not found:
        return
    curve = found["curve"]
    columns = [">pictures", ">of the final ranges, mean", ">least covered"]
    rows = [
        [count, f"{mean:.1%}", f"{worst:.1%}"]
        for count, mean, worst in zip(curve["pictures"], curve["mean"], curve["worst"], strict=True)
    ]
    title = f"ranges that come from calibration pictures: {found['activations']}"
    terminal.table(columns, rows, title=title)


def _fidelity(found: dict[str, Any] | None) -> list[list[str]]:
    if found is None:
        return []
    where = f"on {found['images']} held-out pictures ({found['pictures']})"
    ratio = "exact" if found["sqnr_db"] is None else f"{found['sqnr_db']:.1f} dB"
    return [
        ["same top-1 as float", f"{share(found['agreement'])} {where}"],
        ["SQNR of the logits", f"{ratio}, KL {nats(found['kl'])}"],
    ]


def _accuracy(found: dict[str, Any] | None) -> list[list[str]]:
    if found is None or found.get("top1") is None:
        return []
    low, high = found["top1"]["ci95"]
    value = found["top1"]["value"]
    return [["top-1", f"{value:.2%} ({low:.1%} to {high:.1%}), {found['images']} pictures"]]


def _seconds(stages: dict[str, float], total: float) -> str:
    parts = ", ".join(f"{name} {value:.1f}" for name, value in stages.items())
    return f"{total:.1f}: {parts}"
