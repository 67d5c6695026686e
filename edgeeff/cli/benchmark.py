"""``edgeeff benchmark``: latency one can believe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeeff.cli.command import Command
from edgeeff.cli.numbers import POSITIVE
from edgeeff.cli.target_options import target_options
from edgeeff.cli.terminal import Terminal, common_options
from edgeeff.errors import GateFailed, UsageError
from edgeeff.shell import word

if TYPE_CHECKING:
    from edgeeff.accelerators.plan import Plan
    from edgeeff.benchmarking.measurement import Measurement
    from edgeeff.benchmarking.run import Result
    from edgeeff.benchmarking.session import Pass

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@click.command("benchmark", cls=Command, short_help="Time models on a device, with intervals.")
@common_options
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--target",
    "targets",
    multiple=True,
    default=("cpu",),
    show_default=True,
    help="Which accelerator: cpu, gpu or edgetpu; several times for several.",
)
@click.option(
    "--device",
    default="local",
    show_default=True,
    help="Where: local, ssh://user@host[:port], android[:SERIAL] or android:all.",
)
@click.option("--threads", default=1, show_default=True, help="Threads of the CPU runtime.")
@click.option("--quick", is_flag=True, help="A first impression: one process.")
@click.option("--mlperf", is_flag=True, help="1024 samples and 60 s.")
@click.option("--sustained", metavar="TIME", help="Run for 30m, with a median of every minute.")
@click.option("--repeats", type=int, help="Fresh processes, each timed; 3 by default.")
@click.option("--timeout", type=POSITIVE, help="Seconds of silence that count as a hang (120).")
@click.option("--fp16", is_flag=True, help="Half precision on the GPU.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="For one target.")
@click.option("--images", type=click.Path(path_type=Path), help="Time these pictures' stages too.")
@click.option("--mean", help="For --images, where a model does not say it: 127 or R,G,B.")
@click.option("--std", help="The same.")
@click.option(
    "--resize", help="The same: bilinear or bicubic, with a crop bicubic:0.875; or squash."
)
@click.option("--profile", is_flag=True, help="Time every operator, in a pass of its own.")
@click.option("--max-latency", type=POSITIVE, metavar="MS", help="Fail (3) above this median.")
@click.option("--save", type=click.Path(path_type=Path), help="Write the JSON document here.")
@click.option("--force", is_flag=True, help="Replace the file of --save.")
def command(
    terminal: Terminal,
    models: tuple[Path, ...],
    targets: tuple[str, ...],
    device: str,
    images: Path | None,
    mean: str | None,
    std: str | None,
    resize: str | None,
    profile: bool,
    max_latency: float | None,
    save: Path | None,
    force: bool,
    **how: Any,
) -> None:
    """Time models on an accelerator of a device; every sample is kept in the JSON.

    Several models are measured in turn and compared. Each runs in a process of its own: a
    crash or a hang of one is reported, and the others are still measured (status 4 then).

    \b
    Example:
      edgeeff benchmark float.tflite int8.tflite --threads 4
      edgeeff benchmark int8.tflite --device ssh://pi@raspberrypi --repeats 5
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.benchmarking.run import benchmark, too_slow
    from edgeeff.files import refuse_existing, refuse_unwritable, write_bytes
    from edgeeff.worker.channel import WorkerFailed

    if save is not None:
        if save.is_dir():
            raise UsageError(
                f"--save {save} is a folder", f"such as --save {word(save / 'result.json')}"
            )
        refuse_existing(save, force=force)
        refuse_unwritable(save.parent)
    if how["fp16"] and "gpu" not in targets:
        raise UsageError("--fp16 without --target gpu", "it is the precision of the GPU")
    try:
        result = benchmark(
            models,
            targets=targets,
            device=device,
            plan=_plan(**how),
            passes=_passes(images, (mean, std, resize), device, profile=profile),
            progress=terminal.progress(),
        )
    except WorkerFailed as error:
        if terminal.verbose:
            terminal.warn(error.printed)
        raise
    if save is not None:
        write_bytes(save, result.document().encode(), force=force)
    terminal.document(result.document())
    _show(terminal, result)
    slow = too_slow(result, max_latency) if max_latency is not None else ""
    if slow:
        # The document is out already: a second one for this error would spoil it.
        terminal.warn(f"error: {slow}")
    if result.status or slow:
        raise click.exceptions.Exit(result.status or GateFailed.exit_status)


def _plan(
    *,
    quick: bool,
    mlperf: bool,
    threads: int,
    sustained: str | None,
    repeats: int | None,
    timeout: float | None,
    fp16: bool,
    options: tuple[str, ...],
) -> Plan:
    from edgeeff.accelerators.plan import preset

    given = {"quick": quick, "mlperf": mlperf, "sustained": bool(sustained)}
    chosen = [name for name, there in given.items() if there]
    if len(chosen) > 1:
        raise UsageError(f"--{' and --'.join(chosen)} exclude each other", "choose one")
    changes: dict[str, object] = {"threads": threads}
    if sustained:
        seconds = _seconds(sustained)
        changes |= {"min_seconds": seconds, "max_seconds": seconds}
    if repeats is not None:
        changes["repeats"] = repeats
    if timeout is not None:
        changes["timeout"] = timeout
    values = target_options(options)
    if fp16:
        values["precision"] = "fp16"
    return preset(chosen[0] if chosen else "standard", **changes, options=values)


def _passes(
    images: Path | None,
    said: tuple[str | None, str | None, str | None],
    device: str,
    *,
    profile: bool,
) -> dict[str, Pass]:
    from edgeeff.benchmarking.session import operator_profile, peak_memory

    passes: dict[str, Pass] = {"peak_memory_bytes": peak_memory}
    if profile:
        passes["profile"] = operator_profile
    if images is None and any(said):
        raise UsageError("--mean, --std and --resize are of --images", "add --images DIR")
    if images is not None:
        from edgeeff.benchmarking.pictures import picture_stages
        from edgeeff.evaluation.normalisation import normalisation

        passes["stages"] = picture_stages(images, normalisation(*said), device=device)
    return passes


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if not found or float(found[1]) == 0:
        raise UsageError(f"{text!r} is no time", "such as --sustained 30m, 90s or 1h")
    return float(found[1]) * SECONDS[found[2]]


def _show(terminal: Terminal, result: Result) -> None:
    _show_latencies(terminal, result.measurements)
    for which in result.measurements:
        _show_parts(terminal, which)
    for comparison in result.comparisons:
        terminal.say(comparison.sentence())
    for which in result.measurements:
        for warning in which.warnings:
            name = _name(f"{which.model} on {which.target}", which.device)
            terminal.warn(f"warning: {name}: {warning}")
    for failure in result.failures:
        name = _name(failure.subject.model.name, failure.device)
        terminal.warn(f"error: {name}: {failure.error.message}")
        if failure.error.hint:
            terminal.warn(f"hint: {failure.error.hint}")
        if terminal.verbose and failure.printed:
            terminal.warn(failure.printed)


def _show_latencies(terminal: Terminal, measured: Sequence[Measurement]) -> None:
    """A table of all measurements; what they have in common is its title."""
    if not measured:
        return
    where = {
        "target": [which.target for which in measured],
        "device": [which.device for which in measured],
        "by": [which.facts.provenance for which in measured],
    }
    differing = {name: found for name, found in where.items() if len(set(found)) > 1}
    same = [f"{name} {found[0]}" for name, found in where.items() if name not in differing]
    rows = [
        (
            which.model,
            *(found[number] for found in differing.values()),
            f"{which.latency.median:.3f}",
            f"{which.latency.p90:.3f}",
            "{:.3f} to {:.3f}".format(*which.latency.ci95),
            len(which.samples_ns),
        )
        for number, which in enumerate(measured)
    ]
    columns = ("model", *differing, ">median ms", ">p90 ms", ">95% interval", ">runs")
    terminal.table(columns, rows, title=", ".join(same) or None)
    terminal.say("")


def _show_parts(terminal: Terminal, which: Measurement) -> None:
    facts, name = which.facts, _name(which.model, which.device)
    if facts.delegate and facts.nodes is not None:
        terminal.say(
            f"{name}: {facts.delegate} runs {facts.delegated} of {facts.nodes} operators "
            f"in {facts.partitions} piece{'' if facts.partitions == 1 else 's'}; "
            f"{facts.runtime} on {facts.adapter}"
        )
    if which.stages is not None:
        found = which.stages
        terminal.say(
            f"{name}: {found.pictures} pictures, median ms: preprocessing "
            f"{found.preprocessing_ms:.3f}, invoke {found.invoke_ms:.3f}, "
            f"postprocessing {found.postprocessing_ms:.3f}"
        )
    for process in which.minutes:
        medians = ", ".join(f"{minute['median']:.3f}" for minute in process)
        terminal.say(f"{name}: median ms of every minute: {medians}")
    if which.profile is not None:
        total = sum(operator.mean_ns for operator in which.profile.operators)
        terminal.table(
            (">ms", ">share", "operator", "layer"),
            [
                (
                    f"{operator.mean_ns / 1e6:.3f}",
                    f"{operator.mean_ns / max(total, 1):.1%}",
                    operator.operator,
                    operator.tensor,
                )
                for operator in which.profile.operators
            ],
            title=f"{name}: {which.profile.method}",
        )


def _name(model: str, device: str) -> str:
    """A model, and where it ran if that is not here: several phones have the same one."""
    return model if device == "local" else f"{model} ({device})"
