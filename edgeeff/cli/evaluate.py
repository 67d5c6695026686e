"""``edgeeff evaluate``: how good a model is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeeff.cli.command import Command
from edgeeff.cli.figures import Rows, fidelity_rows, pictures, share_of
from edgeeff.cli.terminal import Terminal, common_options
from edgeeff.control_characters import one_line

if TYPE_CHECKING:
    from edgeeff.evaluation.accuracy import Accuracy
    from edgeeff.evaluation.evaluate import Evaluation

FILE = click.Path(path_type=Path)


@click.command(
    "evaluate",
    cls=Command,
    short_help="How good a model is: accuracy, fidelity to its float model.",
)
@click.argument("model", type=FILE)
@click.option("--data", type=FILE, required=True, help="Folder of pictures, CSV or one picture.")
@click.option("--reference", type=FILE, help="Float .tflite to measure fidelity against.")
@click.option("--labels", type=FILE, help="Class names in the model's order, one per line.")
@click.option("--ignore-labels", is_flag=True, help="Fidelity only, whatever the folders are.")
@click.option("--limit", type=click.IntRange(1), help="At most so many, spread over the list.")
@click.option("--strict", is_flag=True, help="A file that is no good picture is an error.")
@click.option("--threads", type=click.IntRange(1), help="Kernel threads (default: up to 4).")
@click.option("--mean", help="Of the pixels, 0..255: one number or R,G,B.")
@click.option("--std", help="Likewise; the model takes (pixel - mean) / std.")
@click.option(
    "--resize", help="bilinear or bicubic, perhaps with a crop: bicubic:0.875; or squash."
)
@common_options
def command(
    terminal: Terminal,
    model: Path,
    data: Path,
    reference: Path | None,
    labels: Path | None,
    ignore_labels: bool,
    limit: int | None,
    strict: bool,
    threads: int | None,
    mean: str | None,
    std: str | None,
    resize: str | None,
) -> None:
    """Measure MODEL on pictures: top-1 and top-5, and fidelity to a float model.

    The pictures lie in one folder per class (accuracy), or in one folder without labels
    (fidelity to --reference only). With -v the five likeliest classes of every picture.

    \b
    Example:
      edgeeff evaluate efficientnet-lite0-int8.tflite --data photos/ \\
          --reference efficientnet-lite0-float32.tflite
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.evaluation.evaluate import evaluate
    from edgeeff.evaluation.inputs import find_labels
    from edgeeff.evaluation.normalisation import normalisation
    from edgeeff.pictures.images import read_images
    from edgeeff.tflite.probe import probe

    said = normalisation(mean, std, resize)
    for file in filter(None, (model, reference)):
        probe(file)
    own = find_labels(model)
    images = read_images(data, labels=labels, strict=strict)
    images = images.without_labels() if ignore_labels else images.labelled_as(own)
    evaluation = evaluate(
        model,
        images.take(limit),
        reference=reference,
        preprocessing=said.of(model) if said else None,
        threads=threads,
        progress=terminal.progress(),
        top=5 if terminal.verbose else 0,
    )
    terminal.document(evaluation.document())
    for note in images.notes:
        terminal.note(note)
    _show(terminal, evaluation, images.classes or own or ())


def _show(terminal: Terminal, evaluation: Evaluation, classes: tuple[str, ...]) -> None:
    for prediction in evaluation.predictions:
        pairs = zip(prediction.classes, prediction.probabilities, strict=True)
        form = ".1%" if prediction.shares else ".4g"
        named = (f"{classes[i] if classes else i} {value:{form}}" for i, value in pairs)
        terminal.say(f"{one_line(str(prediction.path))}: {', '.join(named)}")
    source = f" of {evaluation.data}" if evaluation.data else ""
    rows = [("pictures", f"{evaluation.images:,}{source}")]
    rows += [("weights", evaluation.weights)] if evaluation.weights else []
    rows += _accuracy_rows("", evaluation.accuracy)
    rows += _accuracy_rows(" of the reference", evaluation.reference_accuracy)
    if evaluation.drop is not None:
        low, high = (100 * end for end in evaluation.drop.interval)
        points = f"{100 * evaluation.drop.value:.2f} points ({low:.2f} to {high:.2f})"
        points += f" on {pictures(evaluation.drop.images)}"
        rows.append(("top-1 below the reference", points))
    if evaluation.fidelity is not None:
        rows += fidelity_rows(evaluation.fidelity.to_json())
    terminal.pairs(rows, title=evaluation.model.name)
    if evaluation.fidelity is not None and evaluation.fidelity.note:
        terminal.say(evaluation.fidelity.note)
    for doubt in evaluation.doubts:
        terminal.note(doubt)
    if evaluation.skipped:
        first = evaluation.skipped[0]
        several = f"{len(evaluation.skipped)} files skipped, the first"
        what = "1 file skipped" if len(evaluation.skipped) == 1 else several
        terminal.warn(f"{what}: {first.path}: {first.reason}")


def _accuracy_rows(whose: str, accuracy: Accuracy | None) -> Rows:
    if accuracy is None:
        return []
    rows = [(f"top-1{whose}", share_of(accuracy.top1, accuracy.images))]
    if accuracy.top5 is not None:
        rows.append((f"top-5{whose}", share_of(accuracy.top5, accuracy.images)))
    return rows
