"""``edgeeff bundle``: what an app team receives."""

from __future__ import annotations

from pathlib import Path

import click

from edgeeff.cli.command import Command
from edgeeff.cli.terminal import Terminal, common_options
from edgeeff.shell import word

FILE = click.Path(path_type=Path)


@click.command(
    "bundle", cls=Command, short_help="Models, labels, golden vectors and samples for an app team."
)
@click.argument("models", nargs=-1, required=True, type=FILE)
@click.option("--name", default="", help="Of the network; default: as the first file is called.")
@click.option("--version", default="", help="Of the model, such as 1.0.")
@click.option("--license", default="", help="Under which it may be used.")
@click.option("--author", default="", help="Who made it.")
@click.option("--labels", type=FILE, help="Class names, one per line; default: as the files say.")
@click.option("--sample", "samples", multiple=True, type=FILE, help="Picture for a golden vector.")
@click.option(
    "--benchmark",
    "benchmarks",
    multiple=True,
    type=FILE,
    help="Latencies: JSON of edgeeff benchmark.",
)
@click.option("--output", type=FILE, help="DIR or FILE.zip; default: artifacts/NAME-bundle.")
@click.option("--force", is_flag=True, help="Replace a bundle that is there.")
@common_options
def command(
    terminal: Terminal,
    models: tuple[Path, ...],
    name: str,
    version: str,
    license: str,
    author: str,
    labels: Path | None,
    samples: tuple[Path, ...],
    benchmarks: tuple[Path, ...],
    output: Path | None,
    force: bool,
) -> None:
    """Put MODELS, one network in several precisions, together for an app team.

    The folder or zip holds the files with their manifests and labels, which of them is for
    which chip, a model card, samples for Android, iOS, the web and Python, checksums, and golden
    vectors: inputs with the outputs that any device should give for them.

    \b
    Example:
      edgeeff bundle artifacts/efficientnet-lite0-int8.tflite
      edgeeff bundle int8.tflite float16.tflite --name flowers \\
          --version 1.2 --sample rose.jpg --output flowers.zip
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.bundling.build import bundle
    from edgeeff.tflite.metadata_writer import Texts

    made = bundle(
        models,
        output,
        texts=Texts(name, version=version, author=author, license=license),
        labels=labels,
        samples=samples,
        benchmarks=benchmarks,
        force=force,
    )
    terminal.document(made.document.document())
    for note in made.notes:
        terminal.warn(f"WARNING: {note}")
    rows = ((name, f"{size:,}") for name, size in made.files.items())
    terminal.table(("file", ">bytes"), rows, title=str(made.path))
    terminal.say("\nnext, here and wherever it is used:")
    terminal.command("edgeeff verify", word(made.path))
