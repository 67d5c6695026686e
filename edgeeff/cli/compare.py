"""``edgeeff compare``: two benchmark documents, or two models side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeeff.cli.command import Command
from edgeeff.cli.figures import fidelity_rows
from edgeeff.cli.terminal import Terminal, common_options
from edgeeff.errors import UsageError

if TYPE_CHECKING:
    from edgeeff.benchmarking.models import ModelComparison


@click.command(
    "compare", cls=Command, short_help="How much longer the second takes, how far answers agree."
)
@common_options
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--anyway", is_flag=True, help="Compare figures of different environments.")
@click.option("--data", type=click.Path(path_type=Path), help="Pictures for the fidelity.")
@click.option("--mean", help="Of the models' input, where they do not say.")
@click.option("--std", help="The same.")
@click.option(
    "--resize", help="The same: bilinear or bicubic, with a crop bicubic:0.875; or squash."
)
@click.option("--target", default="cpu", show_default=True, help="For two models: which target.")
@click.option("--device", default="local", show_default=True, help="For two models: where.")
@click.option("--threads", default=1, show_default=True, help="For two models: CPU threads.")
@click.option("--quick", is_flag=True, help="For two models: a first impression.")
def command(
    terminal: Terminal,
    first: Path,
    second: Path,
    anyway: bool,
    data: Path | None,
    mean: str | None,
    std: str | None,
    resize: str | None,
    target: str,
    device: str,
    threads: int,
    quick: bool,
) -> None:
    """Say how many times longer SECOND takes than FIRST, with an interval.

    Two benchmark documents (--json or --save of edgeeff benchmark) are compared if they come
    from the same environment. Two .tflite files are measured in turn, and their answers are
    compared: FIRST is the reference.

    \b
    Example:
      edgeeff compare monday.json today.json
      edgeeff compare float.tflite int8.tflite --data photos/
    """  # noqa: D301 - click needs the character, not its escape
    suffixes = {first.suffix, second.suffix}
    of_models = {
        "--data": data is not None,
        "--mean": mean is not None,
        "--std": std is not None,
        "--resize": resize is not None,
        "--target": target != "cpu",
        "--device": device != "local",
        "--threads": threads != 1,
        "--quick": quick,
    }
    if suffixes == {".tflite"}:
        _refuse({"--anyway": anyway}, "documents")
        from edgeeff.accelerators.plan import preset
        from edgeeff.benchmarking.models import compare
        from edgeeff.evaluation.normalisation import normalisation

        _show_models(
            terminal,
            compare(
                first,
                second,
                target=target,
                device=device,
                plan=preset("quick" if quick else "standard", threads=threads),
                data=data,
                said=normalisation(mean, std, resize),
                progress=terminal.progress(),
            ),
        )
    elif ".tflite" in suffixes:
        raise UsageError("a model and a document cannot be compared", "give two of a kind")
    else:
        _refuse(of_models, "models")
        _show_documents(terminal, first, second, anyway=anyway)


def _refuse(options: Mapping[str, bool], whose: str) -> None:
    """Raise ``UsageError`` for an option that is given and has a meaning for the others only."""
    for option, given in options.items():
        if given:
            raise UsageError(f"{option} is for two {whose}", f"leave out {option}")


def _show_documents(terminal: Terminal, first: Path, second: Path, *, anyway: bool) -> None:
    from edgeeff.benchmarking.compare import compare_documents
    from edgeeff.benchmarking.document import comparison_document, read_benchmark

    found = compare_documents(read_benchmark(first), read_benchmark(second), anyway=anyway)
    terminal.document(comparison_document(found))
    for comparison in found:
        terminal.say(comparison.sentence())
        for warning in comparison.warnings:
            terminal.warn(f"warning: {warning}")


def _show_models(terminal: Terminal, found: ModelComparison) -> None:
    terminal.document(found.document())
    terminal.pairs([("A", found.names[0]), ("B", found.names[1])])
    terminal.table(("", ">A", ">B"), found.timing_rows())
    if found.fidelity is not None:
        rows = fidelity_rows(found.fidelity.to_json(), synthetic=found.synthetic)
        terminal.pairs(rows, title=f"B against A on {found.pictures}")
        if found.fidelity.note:
            terminal.say(found.fidelity.note)
    terminal.say("")
    for comparison in found.result.comparisons:
        terminal.say(comparison.sentence())
    if found.fidelity is None:
        terminal.warn(f"warning: answers not compared: {found.no_fidelity}")
    for measured in found.result.measurements:
        for warning in measured.warnings:
            terminal.warn(f"warning: {measured.model}: {warning}")
    for failure in found.result.failures:
        terminal.warn(f"error: {failure.subject.model.name}: {failure.error.message}")
    if found.result.status:
        raise click.exceptions.Exit(found.result.status)
