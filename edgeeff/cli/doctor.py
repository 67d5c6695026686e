"""``edgeeff doctor``: what works on this machine, and how to get what does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from edgeeff.cli.command import Command
from edgeeff.cli.terminal import Terminal, common_options

if TYPE_CHECKING:
    from edgeeff.doctor import Finding

MACHINE = "machine"
MACHINE_FACTS = ("processor", "features", "system", "Python")


@click.command(
    "doctor", cls=Command, short_help="What works on this machine, and how to get the rest."
)
@common_options
@click.option("--fetch", is_flag=True, help="Download LiteRT's benchmark_model for phones first.")
def command(terminal: Terminal, fetch: bool) -> None:
    """Look for runtimes, targets, devices and tools: versions, and what is missing.

    \b
    Example:
      edgeeff doctor
      edgeeff doctor --json
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.doctor import doctor_document, examine, fetch_benchmark_model

    if fetch:
        terminal.say(f"benchmark_model is in {fetch_benchmark_model()}")
    findings = examine(terminal.progress())
    terminal.document(doctor_document(findings))
    _show(terminal, findings)


def _show(terminal: Terminal, findings: Sequence[Finding]) -> None:
    """The machine, a table of all else, and what to do about what is missing."""
    from edgeeff.doctor import FOUND, MISSING, PROBLEM, SOFTWARE

    others = []
    for found in findings:
        if found.kind == MACHINE and found.state == FOUND:
            facts = zip(MACHINE_FACTS, _machine_facts(found), strict=True)
            terminal.pairs(list(facts), title="This machine")
        else:
            others.append(found)
    terminal.table(
        ("name", "state", "version", "for"),
        [(found.name, found.state, found.version, found.purpose) for found in others],
    )
    titles = {MISSING: "Missing, and how to get it", PROBLEM: "Problems, and what to do"}
    if terminal.verbose:
        titles[SOFTWARE] = "Notes"
    for state, title in titles.items():
        told = [(found.name, _why(found)) for found in others if found.state == state]
        if told:
            terminal.pairs(told, title=title)


def _machine_facts(found: Finding) -> tuple[str, ...]:
    return found.name, found.detail, found.purpose, found.version


def _why(found: Finding) -> str:
    return "; ".join(filter(None, (found.detail.rstrip("."), found.fix)))
