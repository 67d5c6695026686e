"""How ``inspect --layers`` gets and shows the error of each layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeeff.cli.figures import layer_name
from edgeeff.cli.terminal import Terminal
from edgeeff.errors import UsageError

if TYPE_CHECKING:
    from edgeeff.drawing.svg import Plot
    from edgeeff.evaluation.layers.report import LayerError
    from edgeeff.pictures.preprocessing import Preprocessing

PICTURES = 8
SHOWN = 12


def errors_of_layers(model: Path, reference: Path | None) -> tuple[LayerError, ...]:
    """The layers of a quantized model, the one with most error of its own first."""
    from edgeeff import files
    from edgeeff.evaluation.layers.report import layer_errors
    from edgeeff.pictures.synthetic import synthetic_inputs
    from edgeeff.tflite.graph import Graph
    from edgeeff.tflite.probe import probe

    if reference is None:
        raise UsageError("--layers needs the float model", "--reference FLOAT.tflite")
    for file in (model, reference):
        probe(file)
    preprocessing = _preprocessing(model, reference)
    pictures = list(synthetic_inputs(PICTURES, preprocessing.shape, seed=1))
    quantized, network = (Graph.of(files.read_bytes(f), str(f)) for f in (model, reference))
    return layer_errors(quantized, network, pictures, preprocessing)


def _preprocessing(model: Path, reference: Path) -> Preprocessing:
    """That of the float model, which the one made from it says, too."""
    from edgeeff.errors import InputError
    from edgeeff.evaluation.inputs import BY_THE_FILE, find_preprocessing

    try:
        return find_preprocessing(reference)
    except InputError:
        return find_preprocessing(model, hint=BY_THE_FILE)


def show_errors(terminal: Terminal, errors: Sequence[LayerError]) -> None:
    """A table of the worst layers; of all with ``-v``."""
    shown = errors if terminal.verbose else errors[:SHOWN]
    rows = [
        [
            error.name if terminal.verbose else layer_name(error.name),
            _db(error.weight_sqnr_db),
            _db(error.activation_sqnr_db),
            _db(error.sqnr_db),
            error.cause,
        ]
        for error in shown
    ]
    columns = ["layer", ">weights", ">activation", ">so far", "cause"]
    title = (
        f"SQNR in dB on {PICTURES} synthetic pictures, worst first: of the layer's weights alone, "
        "of its activation alone, and of the network so far"
    )
    terminal.table(columns, rows, title=title)
    if len(shown) < len(errors):
        terminal.say(f"{len(errors) - len(shown)} more layers with -v")


def plot_of(errors: Sequence[LayerError], model: Path, reference: Path | None) -> Plot:
    """The errors as a picture."""
    from edgeeff.evaluation.layers.plot import layer_plot

    beside = f"against {reference.name}" if reference else ""
    subtitle = f"What each layer loses {beside} on {PICTURES} synthetic pictures."
    return layer_plot(errors, model.name, subtitle)


def _db(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return "no error" if ratio == float("inf") else f"{ratio:.1f}"
