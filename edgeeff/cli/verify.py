"""``edgeeff verify``: whether a bundle is whole and computes the same here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeeff.cli.command import Command
from edgeeff.cli.terminal import Terminal, common_options

if TYPE_CHECKING:
    from edgeeff.bundling.golden import Difference


@click.command(
    "verify", cls=Command, short_help="Whether a bundle is whole and computes the same here."
)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--device",
    default="local",
    show_default=True,
    help="Where: local, ssh://user@host[:port] or android[:SERIAL].",
)
@click.option("--target", default="cpu", show_default=True, help="On which: cpu, gpu or edgetpu.")
@click.option(
    "--steps", type=click.IntRange(0), default=0, help="Quantization steps that pass on a CPU (0)."
)
@click.option("--apk", type=click.Path(path_type=Path), help="The app: its native libraries too.")
@common_options
def command(
    terminal: Terminal, bundle: Path, device: str, target: str, steps: int, apk: Path | None
) -> None:
    """Check BUNDLE, a folder or zip that edgeeff bundle made, here or on a device.

    Its files must be as SHA256SUMS says, its parts must fit each other, and every model must
    give the answers of its golden vectors. The bundle may come from anywhere. Exit status 3 if
    it computes something else, 2 if it is damaged.

    \b
    Example:
      edgeeff verify artifacts/efficientnet-lite0-bundle
      edgeeff verify flowers.zip --device ssh://pi@raspberrypi --json
      edgeeff verify flowers.zip --device android --target gpu --apk app.apk
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.bundling.verification import verify

    found = verify(
        bundle,
        device=device,
        target=target,
        steps=steps,
        apk=apk,
        progress=terminal.progress(),
    )
    terminal.document(found.text())
    rows = [
        (Path(file).name, each.picture, each.tensor, _said(each))
        for file, differences in found.differences.items()
        for each in differences
    ]
    terminal.table(("model", "picture", "output", "golden vector"), rows, title=str(found.path))
    if found.package is not None:
        libraries = (
            (each.abi, each.name, f"{each.alignment:,}") for each in found.package.libraries
        )
        terminal.table(("ABI", "library", ">aligned to"), libraries, title=found.package.path.name)
    terminal.pairs(
        [
            ("made with", f"{found.document.runtime}, {found.document.machine}"),
            ("checked on", f"{found.device}, {found.target}"),
            ("checked with", ", ".join(filter(None, (found.runtime, found.machine)))),
            ("sha256", f"{found.sha256} (of SHA256SUMS)"),
        ]
    )
    for note in found.notes:
        terminal.note(note)
    for fault in found.faults:
        terminal.warn(f"FAULT: {fault}")
    terminal.say("\ngood: all as it should be" if found.good else "\nNOT good")
    if not found.good:
        click.get_current_context().exit(3)


def _said(difference: Difference) -> str:
    if not difference.differing:
        return "equal"
    steps = difference.steps
    size = f"{difference.absolute:.2g}" if steps is None else f"{steps} steps"
    return f"off by up to {size}: {'allowed' if difference.within else 'TOO MUCH'}"
