"""What a user must be told of a float ``.tflite`` that is taken otherwise than it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgeeff import files
from edgeeff.errors import InputError
from edgeeff.evaluation.inputs import find_preprocessing
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.leading_layout import channels_last, float_pixels
from edgeeff.tflite.leading_scaling import leading_scaling


def of(source: Path, network: FloatModel) -> tuple[str, ...]:
    """Notes on a float file, a sentence each.

    Args:
        source: the file.
        network: as it was read.
    """
    graph = Graph.of(files.read_bytes(source))
    return (
        *_outdated(source, network),
        *_fed_otherwise(source, graph, network),
        *_scaled_twice(source, network),
        *_said_otherwise(source, graph, network),
    )


def _scaled_twice(source: Path, network: FloatModel) -> tuple[str, ...]:
    """A note if pictures are normalised for a network whose first operators do that."""
    scaling, how = leading_scaling(network.graph), network.preprocessing
    white = scaling.white if scaling else None
    if white is None or set(how.std) == {255 / white}:
        return ()
    return (
        f"{source.name} itself scales pictures of 0 to {white:g}, and is given normalised ones: "
        f"--mean 0 --std {255 / white:g} leaves that to it",
    )


def _said_otherwise(source: Path, graph: Graph, network: FloatModel) -> tuple[str, ...]:
    """A note if pictures are normalised otherwise than the file itself says."""
    how = network.preprocessing
    if graph.tensor(graph.input).dtype != "float32":
        return ()
    try:
        said = find_preprocessing(source, otherwise=how)
    except InputError:  # What the caller says counts, and is enough.
        return ()
    if np.allclose((*said.mean, *said.std), (*how.mean, *how.std), rtol=1e-3):
        return ()
    return (
        f"{source.name} says mean {_listed(said.mean)} and std {_listed(said.std)}, and is given "
        f"mean {_listed(how.mean)} and std {_listed(how.std)}",
    )


def _listed(values: tuple[float, ...]) -> str:
    """One number where all channels have the same."""
    return ", ".join(f"{value:g}" for value in (values[:1] if len(set(values)) == 1 else values))


def _fed_otherwise(source: Path, graph: Graph, network: FloatModel) -> tuple[str, ...]:
    """Notes if a float file takes its pictures in another way than what is made of it."""
    name = source.name
    last = channels_last(graph)
    before, after = (list(it.shape(it.input)[1:]) for it in (graph, network.graph))
    notes = {
        f"{name} leaves its batch open: it is fixed at 1": graph.shape(graph.input)[0] < 0,
        f"{name} takes pictures as {before}, the new file as {after}": last is not graph,
        f"{name} takes bytes: --mean and --std are not asked": float_pixels(last) is not last,
    }
    return tuple(note for note, holds in notes.items() if holds)


def _outdated(source: Path, network: FloatModel) -> tuple[str, ...]:
    """A note if a float file was changed after edgeeff exported it."""
    known = network.statistics
    if known is None or not known.outdated:
        return ()
    return (
        f"{source.name} was changed since edgeeff exported it: its BatchNorm statistics count only "
        "for channels that pictures show to be as they were",
    )
