"""``edgeeff fit --data``: the search on the user's own pictures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeeff.cli.terminal import Terminal
from edgeeff.errors import UsageError

if TYPE_CHECKING:
    from edgeeff.fitting.search.found import Found
    from edgeeff.fitting.search.halving import Rung
    from edgeeff.fitting.search.settings import SearchSettings
    from edgeeff.fitting.search.sharing import Outcome
    from edgeeff.fitting.search.space import Candidate
    from edgeeff.training.runs import Run

OF_TRAINING = (
    *("variant", "data", "dataset", "val_data", "weights"),
    *("epochs", "batch", "learning_rate", "seed"),
)
WITH_DATA = {*OF_TRAINING, "phi", "study"} - {"weights"}
OF_SEARCH = ("phi", "networks", "max_latency", "max_bytes", "device", "target", "threads")


def asked_for(given: Mapping[str, Any], config: Path | None) -> bool:
    """Whether the options ask for a search on pictures."""
    return config is not None or bool(given.get("data") or given.get("dataset"))


def refuse(given: Mapping[str, Any], study: str | None) -> None:
    """Raise ``UsageError`` for an option that only a search on pictures has."""
    for name, value in {**given, "study": study}.items():
        if name not in WITH_DATA or value is None:
            continue
        option = name.replace("_", "-")
        raise UsageError(
            f"--{option} needs --data", "such as --data photos/, a folder for each class"
        )


def search(
    terminal: Terminal,
    given: Mapping[str, Any],
    *,
    config: Path | None,
    study: str | None,
    output: Path,
    force: bool,
) -> None:
    """Search by the options of ``fit``, and show what was found.

    Raises:
        UsageError: an option that has no meaning with ``--data``, and as ``fit_to_data``.
    """
    from edgeeff.fitting.search.search import fit_to_data

    settings = _settings(given, config)

    def on_trial(one: Candidate, rung: Rung, outcome: Outcome) -> None:
        terminal.say(_line(one, rung, outcome))

    def on_epoch(run: Run, left: float) -> None:
        last = run.epochs[-1]
        terminal.say(
            f"winner, epoch {last.epoch} of {run.plan['epochs']}: val top-1 "
            f"{last.val_top1:.2%}, {left / 60:.0f} min left"
        )

    with _told_how_to_go_on(terminal):
        found = fit_to_data(
            settings,
            output,
            storage=study,
            force=force,
            progress=terminal.progress(),
            on_trial=on_trial,
            on_epoch=on_epoch,
        )
    terminal.document(found.document())
    _show(terminal, found)


def _settings(given: Mapping[str, Any], config: Path | None) -> SearchSettings:
    from edgeeff.fitting.search.settings import SearchSettings
    from edgeeff.training.settings import read_settings, settings_of

    known = {
        name: value
        for name, value in given.items()
        if value is not None and value is not False and value != ()
    }
    precisions = known.pop("precisions", ())
    if len(precisions) > 1:
        raise UsageError("--data takes one --precision", "such as --precision int8")
    for name in known:
        if name not in (*OF_TRAINING, *OF_SEARCH):
            option = {"families": "family", "options": "option"}.get(name, name).replace("_", "-")
            raise UsageError(f"--{option} has no meaning with --data", f"leave out --{option}")
    table = {**(read_settings(config) if config else {})}
    if "data" in known or "dataset" in known:
        table |= {name: known.get(name) for name in ("data", "dataset")}
    table |= {name: known[name] for name in OF_TRAINING if name in known}
    return SearchSettings(
        settings_of(table, str(config or "the command line")),
        **{name: known[name] for name in OF_SEARCH if name in known},
        **({"precision": precisions[0]} if precisions else {}),
    )


@contextlib.contextmanager
def _told_how_to_go_on(terminal: Terminal) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        terminal.note("the same command goes on; what was trained to its end is kept")
        raise


def _line(one: Candidate, rung: Rung, outcome: Outcome) -> str:
    """A short training in one line."""
    depth, width, resolution = one.factors
    factors = f"depth x{depth:g}, width x{width:g}, resolution x{resolution:g}"
    if outcome.value is None:
        return f"{factors}: {outcome.error}"
    return f"{factors}: val top-1 {outcome.value:.2%} after {rung.epochs} epochs"


def _show(terminal: Terminal, found: Found) -> None:
    """The candidates and the winner as tables, and what to do next."""
    columns = ("alpha", "beta", "gamma", "compute", "top-1 of each rung, %")
    rows = []
    for one in found.pool:
        values = [each.outcomes.get(one.variant.name) for each in found.rounds]
        shown = [f"{100 * each.value:.2f}" for each in values if each and each.value is not None]
        mark = " <- chosen" if one == found.chosen else ""
        numbers = (f"{value:g}" for value in (*one.factors, round(one.compute, 2)))
        rows.append((*numbers, (" ".join(shown) or "-") + mark))
    terminal.table(columns, rows, title=f"{found.base.name} scaled to 2^{found.settings.phi:g}")
    winner = found.winner
    latency = winner["latency_ms"]
    test = winner["test_top1"]
    tested = "" if test is None else f", {test:.2%} of test"
    told = [
        ("network", found.chosen.variant.name),
        ("top-1", f"{winner['val_top1']:.2%} of val{tested}"),
        ("weights", f"began with {winner['weights']}"),
        ("bytes", f"{winner['bytes']:,}"),
        *([("latency", f"{latency['median']:.3f} ms, {latency['provenance']}")] if latency else []),
        ("file", str(Path(winner["folder"]) / winner["model"])),
        ("made on", winner["machine"]),
    ]
    for note in dict.fromkeys((*found.notes, *winner["notes"])):
        terminal.note(note)
    terminal.pairs(told, title="the winner")
