"""``edgeeff doctor``: what works on this machine, and how to get what does not."""

from __future__ import annotations

import click

from edgeeff.cli.terminal import Terminal, common_options


@click.command("doctor")
@common_options
@click.option("--fetch", is_flag=True, help="Download LiteRT's benchmark_model for phones first.")
def command(terminal: Terminal, fetch: bool) -> None:
    """Look for runtimes, targets, devices and tools: versions, and what is missing.

    \b
    Example:
      edgeeff doctor
      edgeeff doctor --json
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.doctor import MISSING, doctor_document, examine, fetch_benchmark_model

    if fetch:
        terminal.say(f"benchmark_model is in {fetch_benchmark_model()}")
    findings = examine(terminal.progress())
    terminal.document(doctor_document(findings))
    terminal.table(
        ("kind", "name", "state", "version", "for", "detail"),
        [
            (found.kind, found.name, found.state, found.version, found.purpose, found.detail)
            for found in findings
        ],
    )
    for found in findings:
        if found.fix and (found.state == MISSING or terminal.verbose):
            terminal.say(f"{found.name}: {found.fix}")
