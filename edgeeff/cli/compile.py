"""``edgeeff compile``: an int8 model for the Edge TPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeeff.cli.command import Command
from edgeeff.cli.numbers import PERCENT
from edgeeff.cli.terminal import Terminal, common_options

if TYPE_CHECKING:
    from edgeeff.prediction.edgetpu_compiler import Compilation

_PATH = click.Path(path_type=Path)


@click.command("compile", cls=Command, short_help="Compile an int8 model for the Edge TPU.")
@common_options
@click.argument("model", type=_PATH)
@click.option("--compiler", type=_PATH, help="The edgetpu_compiler program; default: on PATH.")
@click.option("--output", type=_PATH, help="Directory of the results; default: the model's own.")
@click.option(
    "--min-mapped",
    type=PERCENT,
    default=0,
    metavar="PERCENT",
    help="Status 3 if a smaller share of the operators runs on the Edge TPU.",
)
@click.option(
    "--min-runtime",
    type=click.IntRange(10, 14),
    help="Oldest Edge TPU runtime to run on; default: the compiler's.",
)
@click.option("--search", is_flag=True, help="Map the longest part that works, if not all does.")
@click.option("--timeout", type=click.IntRange(1), default=180, help="Seconds for one attempt.")
@click.option("--force", is_flag=True, help="Replace existing results.")
def command(
    terminal: Terminal,
    model: Path,
    compiler: Path | None,
    output: Path | None,
    min_mapped: float,
    min_runtime: int | None,
    search: bool,
    timeout: int,
    force: bool,
) -> None:
    """Compile an int8 model for the Edge TPU, and say what runs there and what does not.

    Drives Google's edgetpu_compiler, which you install yourself: see docs/edge-tpu.md. Without
    it, edgeeff inspect MODEL.tflite --check edgetpu predicts the mapping.

    \b
    Example:
      edgeeff compile artifacts/efficientnet-lite0-int8.tflite --min-mapped 95
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff import files
    from edgeeff.prediction.edgetpu_compiler import CompilerOptions, compile_model, find_compiler

    with terminal.progress().stage("compiling for the Edge TPU"):
        result = compile_model(
            model,
            output or model.parent,
            find_compiler(compiler),
            CompilerOptions(min_runtime, search, timeout),
            min_mapped=min_mapped / 100,
            force=force,
        )
    terminal.document(files.document("edgeeff.compilation/1", result.to_json()))
    _show(terminal, result)


def _show(terminal: Terminal, result: Compilation) -> None:
    log = result.log
    rows = [
        (line.operator, line.count, "Edge TPU" if line.mapped else "CPU", line.meaning)
        for line in sorted(log.operators, key=lambda line: (line.mapped, line.operator))
    ]
    terminal.table(["operator", ">count", "runs on", "why"], rows)
    sizes = {
        "parameters kept on the chip": log.on_chip_used,
        "left free on the chip": log.on_chip_remaining,
        "parameters sent for every inference": log.streamed,
    }
    facts = [(name, f"{size / 2**20:.2f} MiB") for name, size in sizes.items() if size is not None]
    if log.mapped_share is not None:
        mapped = f"{log.mapped} of {log.mapped + log.on_cpu} operators"
        facts.append(("on the Edge TPU", mapped))
    terminal.pairs([*facts, ("model", str(result.model)), ("log", str(result.log_file))])
    if not log.mapped:
        terminal.warn("warning: nothing is mapped: this file runs on the CPU, as before")
