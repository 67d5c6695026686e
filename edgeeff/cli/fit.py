"""``edgeeff fit``: a network for a budget."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeeff.cli import searching
from edgeeff.cli.command import Command
from edgeeff.cli.numbers import FINITE
from edgeeff.cli.target_options import target_options
from edgeeff.cli.terminal import Terminal, common_options

if TYPE_CHECKING:
    from edgeeff.fitting.fitted import Fitted
    from edgeeff.fitting.measured import Measured

OUTPUT = Path("artifacts/fit")
A_PATH = click.Path(path_type=Path)


@click.command(
    "fit", cls=Command, short_help="The network and precision that suit a budget, measured."
)
@click.option("--max-latency", type=FINITE, metavar="MS", help="Median of a run, at most.")
@click.option("--max-bytes", type=click.IntRange(1), metavar="N", help="Of the file, at most.")
@click.option(
    "--device",
    default="local",
    show_default=True,
    help="Where: local, ssh://user@host[:port] or android[:SERIAL].",
)
@click.option("--target", default="cpu", show_default=True, help="cpu, gpu or edgetpu.")
@click.option("--threads", default=1, show_default=True, help="Threads of the CPU runtime.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="For the target.")
@click.option(
    "--family",
    "families",
    multiple=True,
    help="lite, b or edgetpu; default: where accuracy is known.",
)
@click.option(
    "--precision", "precisions", multiple=True, help="Such as int8; default: what suits the target."
)
@click.option("--published", is_flag=True, help="Only networks whose weights were published.")
@click.option("--resolution", type=int, help="Side of the input; default: by the scaling rule.")
@click.option("--classes", type=int, help="Outputs, if not the variant's.")
@click.option(
    "--networks",
    type=int,
    help="How many are built at most: 48, or 16 if nothing is timed or with --data.",
)
@click.option("--weights", help="Of the winner: auto or none; with --data any.")
@click.option("--data", type=A_PATH, help="Pictures to search on, as for train: docs/fit.md.")
@click.option("--dataset", help="In their place: fashion-mnist or digits.")
@click.option("--val-data", type=A_PATH, help="Pictures to choose by.")
@click.option("--variant", help="With --data: the network to scale; default: lite0.")
@click.option("--phi", type=FINITE, help="With --data: how often its compute doubles (1).")
@click.option("--epochs", type=click.IntRange(1), help="With --data: of the winner's training.")
@click.option("--batch", type=click.IntRange(1), help="With --data: pictures of a step (32).")
@click.option("--learning-rate", type=FINITE, help="With --data: at its highest.")
@click.option("--seed", type=int, help="With --data: of all that is random (0).")
@click.option("--config", type=A_PATH, help="With --data: settings of the training as TOML.")
@click.option("--study", metavar="FILE|URL", help="With --data: what several processes share.")
@click.option("--output", type=A_PATH, default=OUTPUT, show_default=True)
@click.option("--force", is_flag=True, help="Begin anew; forget what was measured.")
@common_options
def command(
    terminal: Terminal,
    options: tuple[str, ...],
    output: Path,
    force: bool,
    config: Path | None,
    study: str | None,
    **given: Any,
) -> None:
    """Find the network of the highest predicted accuracy inside a budget, without training.

    With --data, networks of equal compute are trained briefly on your pictures instead, the
    better ones longer, and the best is trained to its end, quantized and measured.

    Networks with random weights are built and timed on the device; a monotone model says what
    lies between. The winner is converted for good and measured again. A run that was stopped
    goes on when it is called again; another budget uses what is measured already.

    \b
    Example:
      edgeeff fit --max-latency 10 --device android --precision int8
      edgeeff fit --max-latency 30 --device ssh://pi@raspberrypi
      edgeeff fit --data flowers/ --variant lite0 --max-latency 30
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.fitting.fit import fit
    from edgeeff.fitting.settings import FitSettings

    if searching.asked_for(given, config):
        asked = {**given, "options": options}
        searching.search(terminal, asked, config=config, study=study, output=output, force=force)
        return
    searching.refuse(given, study)
    known = {name: value for name, value in given.items() if value not in (None, ())}
    settings = FitSettings(**known, options=target_options(options))

    def on_measured(one: Measured, found: Fitted) -> None:
        terminal.say(_line(one, found))

    with _told_how_to_go_on(terminal, output):
        found = fit(
            settings,
            output,
            force=force,
            progress=terminal.progress(),
            on_measured=on_measured,
        )
    terminal.document(found.document())
    _show(terminal, found)


@contextlib.contextmanager
def _told_how_to_go_on(terminal: Terminal, output: Path) -> Iterator[None]:
    """Say how a search goes on that is interrupted after its first measurement."""
    from edgeeff.fitting.fitted import is_fit

    try:
        yield
    except KeyboardInterrupt:
        if is_fit(output):
            terminal.note("the same command goes on where it stopped")
        raise


def _line(one: Measured, found: Fitted) -> str:
    """A measurement in one line."""
    number = f"{len(found.measured) - found.taken_over} of at most {found.settings.most_networks}"
    if one.error:
        return f"{number}: {one.candidate}: {one.error}"
    size = f"{(one.bytes or 0) / 1e6:.2f} MB"
    time = f"{one.timing.median:.3f} ms, " if one.timing else ""
    return f"{number}: {one.candidate}: {time}{size}"


def _show(terminal: Terminal, found: Fitted) -> None:
    rows = [
        (
            one.candidate.variant,
            one.candidate.resolution,
            one.candidate.precision,
            str(one.candidate.expected),
            f"{found.limits.costs[one.candidate]:.3f}" if one.timing else "-",
            f"{(one.bytes or 0) / 1e6:.2f}",
        )
        for one in found.frontier
    ]
    columns = ("network", ">pixels", "precision", ">predicted top-1 %", ">median ms", ">MB")
    terminal.table(columns, rows, title=f"the frontier of {len(found.measured)} networks")
    for name, errors in found.errors().items():
        if errors is not None:
            terminal.say(
                f"\nerror of the model, {name.replace('_', ' ')}: {errors.median:.1%} in the "
                f"median of {errors.networks} networks, {errors.worst:.1%} at worst"
            )
    winner = found.winner
    if winner is None:
        return
    timing = winner.timing
    chosen = [
        ("network", str(winner.candidate)),
        ("top-1", f"{winner.candidate.expected} % predicted, {winner.candidate.expected.basis}"),
        ("bytes", f"{winner.bytes:,}"),
        *([("latency", f"{timing.median:.3f} ms, {timing.provenance}")] if timing else []),
        ("weights", "trained" if winner.trained else "random: it has to be trained first"),
        ("files", ", ".join(str(found.folder / name) for name in winner.files)),
    ]
    terminal.pairs(chosen, title="chosen")
    terminal.say("\nmade by:")
    terminal.command(winner.command)
