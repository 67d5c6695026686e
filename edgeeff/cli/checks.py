"""How a prediction of what a target takes is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeeff.cli.terminal import Terminal

if TYPE_CHECKING:
    from edgeeff.prediction.check import Check

_TITLES = {"gpu": "GPU", "edgetpu": "Edge TPU"}


def show_check(terminal: Terminal, check: Check) -> None:
    """Print the operators by verdict, the pieces and where the parameters would be."""
    title = _TITLES[check.target]
    rows = [
        (group.operator, group.count, title if group.taken else "CPU", group.reason)
        for group in check.groups
    ]
    terminal.table(
        ("operator", ">count", "would run on", "why"), rows, title=f"{title} (predicted, not run)"
    )
    taken = f"{check.mapped} of {len(check.verdicts)} operators on the {title}"
    facts = [("predicted", f"{taken} ({check.mapped_share:.1%})")]
    if check.partitions > 1:
        facts.append(("pieces", f"{check.partitions} could be taken, one is"))
    if check.cached_bytes is not None and check.streamed_bytes is not None:
        kept, sent = check.cached_bytes / 2**20, check.streamed_bytes / 2**20
        told = f"{kept:.2f} MiB kept on the chip, {sent:.2f} MiB sent for every inference"
        facts.append(("parameters", told))
    terminal.pairs([*facts, *(("note", note) for note in check.notes)])
