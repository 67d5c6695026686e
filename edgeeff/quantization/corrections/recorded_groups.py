"""What was done to a network's channels, kept in its file so that a float network can follow.

Whoever compares a quantized network with the float one it was made from needs the same tensors in
both: the groups that a channel is in, or the factor that it was divided by.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeeff.errors import InputError
from edgeeff.quantization.corrections.channel_groups import Members, take_apart
from edgeeff.quantization.corrections.regions import Region, regions
from edgeeff.quantization.corrections.swish_scaling import (
    scale_through_swish,
    swish_inputs,
    unscaled,
)
from edgeeff.tflite.graph import Graph

if TYPE_CHECKING:
    from edgeeff.quantization.corrections.grouping import Grouped

METADATA_NAME = "EDGEEFF_CHANNELS"
HEX = "0123456789abcdef"
DIGITS = 9
"""Of a factor: what is left is less than the last bit of a weight in float32."""
DAMAGED = "the record of the channels' groups in the model is damaged"


def record(graph: Graph, done: Sequence[Grouped]) -> None:
    """Attach what ``grouping.group`` did to the network it was done to.

    JSON: for each region, by the name of the first layer that makes its channels, either a
    hexadecimal digit for each channel, the number of its group, or by name of a swish's input what
    each channel was divided by, from which all other factors follow. Those of factor 1 are left
    out.
    """
    found: dict[str, str | dict[str, list[float]]] = {}
    names = {graph.name(tensor) for tensor in graph.activations}
    for region in done:
        if region.tensors:
            found[region.name] = _digits(region.members)
        else:
            found[region.name] = {
                name: [float(f"{factor:.{DIGITS}g}") for factor in factors]
                for name, factors in region.divided.items()
                if unscaled(name) in names
            }
    graph.attach(METADATA_NAME, json.dumps(found, separators=(",", ":")).encode())


def grouped_as(graph: Graph, quantized: Graph) -> Graph:
    """A float network with its channels grouped and scaled as in the quantized one made from it.

    Args:
        graph: the float network, ``float_graph.correctable``; not changed.
        quantized: as ``quantize_model`` wrote it.

    Returns:
        The same function; the graph itself if the quantized network has no record.

    Raises:
        InputError: the record is damaged, or not of this network.
    """
    content = quantized.attached(METADATA_NAME)
    if content is None:
        return graph
    graph = graph.copy()
    for name, change in _read(content).items():
        region = next((r for r in regions(graph) if r.makers[0].name == name), None)
        if region is None:
            raise InputError(
                f"the channels of {name!r} were grouped, which the float model does not have",
                "--reference takes the float model that this one was made from",
            )
        _repeat(graph, region, change)
    graph.drop_unused()
    return graph


def _digits(members: Members) -> str:
    digits = np.zeros(sum(len(channels) for channels in members), np.int64)
    for number, channels in enumerate(members):
        digits[channels] = number
    return "".join(f"{digit:x}" for digit in digits)


def _read(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{DAMAGED}: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{DAMAGED}: it is no table of layers")
    return found


def _repeat(graph: Graph, region: Region, change: object) -> None:
    name = region.makers[0].name
    if isinstance(change, str):
        take_apart(graph, region, _members(change, region.channels, name))
        return
    if not isinstance(change, dict):
        raise InputError(f"{DAMAGED} at {name!r}")
    factors = {}
    for tensor in swish_inputs(graph, region):
        values = change.get(graph.name(tensor), [1.0] * region.channels)
        if not (
            isinstance(values, list)
            and len(values) == region.channels
            and all(type(v) in (int, float) and math.isfinite(v) and v > 0 for v in values)
        ):
            raise InputError(f"{DAMAGED} at {graph.name(tensor)!r}")
        factors[tensor] = np.asarray(values, np.float64)
    scale_through_swish(graph, region, factors)


def _members(digits: str, channels: int, name: str) -> Members:
    if len(digits) != channels or not set(digits) <= set(HEX):
        raise InputError(f"{DAMAGED} at {name!r}")
    labels = np.array([int(digit, 16) for digit in digits])
    return tuple(np.flatnonzero(labels == label) for label in range(labels.max() + 1))
