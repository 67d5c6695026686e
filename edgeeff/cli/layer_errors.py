"""How ``inspect --layers`` gets and shows the error of each layer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeeff.cli.terminal import Terminal
from edgeeff.errors import OutputError, UsageError

if TYPE_CHECKING:
    from edgeeff.evaluation.layers.report import LayerError

PICTURES = 8
SHOWN = 12


def errors_of_layers(model: Path, reference: Path | None) -> tuple[LayerError, ...]:
    """The layers of a quantized model, the one with most error of its own first."""
    from edgeeff import files
    from edgeeff.evaluation.inputs import find_preprocessing
    from edgeeff.evaluation.layers.report import layer_errors
    from edgeeff.pictures.synthetic import synthetic_pictures
    from edgeeff.tflite.graph import Graph
    from edgeeff.tflite.probe import probe

    if reference is None:
        raise UsageError("--layers needs the float model", "--reference FLOAT.tflite")
    for file in (model, reference):
        probe(file)
    preprocessing = find_preprocessing(reference)
    pictures = list(synthetic_pictures(PICTURES, preprocessing.resolution, seed=1))
    quantized, network = (Graph.of(files.read_bytes(f), str(f)) for f in (model, reference))
    return layer_errors(quantized, network, pictures, preprocessing)


def show_errors(terminal: Terminal, errors: Sequence[LayerError]) -> None:
    """A table of the worst layers; of all with ``-v``."""
    shown = errors if terminal.verbose else errors[:SHOWN]
    rows = [
        [
            error.name,
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


def draw_errors(
    errors: Sequence[LayerError], model: Path, reference: Path | None, plot: Path, *, force: bool
) -> None:
    """Write the errors as an SVG file, or as an HTML page that holds it."""
    from edgeeff import files
    from edgeeff.evaluation.layers.plot import layer_page, layer_plot

    draw = layer_page if plot.suffix == ".html" else layer_plot
    beside = f"against {reference.name}" if reference else ""
    subtitle = f"What each layer loses {beside} on {PICTURES} synthetic pictures."
    files.write_bytes(plot, draw(errors, model.name, subtitle).encode(), force=force)


def check_plot(plot: Path, *, force: bool) -> None:
    """Refuse a file that cannot be drawn or must not be replaced, before any work is done."""
    if plot.suffix not in (".svg", ".html"):
        raise UsageError(f"--plot {plot}: a plot is a .svg or .html file", "--plot layers.svg")
    if os.path.exists(plot) and not force:
        raise OutputError(f"{plot} exists already", "--force replaces it")


def _db(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return "exact" if ratio == float("inf") else f"{ratio:.1f}"
