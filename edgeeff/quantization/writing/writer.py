"""The integer .tflite from a corrected float one and its ranges; litert-quantizer writes it."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff import foreign
from edgeeff.errors import InputError
from edgeeff.quantization.corrections.rounding import LEVELS
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.recipes.recipe import Recipe, kept_precisions
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import WEIGHTED, Operator
from edgeeff.tflite.weights import per_channel

WEIGHT_BITS = 8
ACTIVATION_BITS = {"int8": 8, "int16x8": 16, "int16": 16}
"""Of the schemes and precisions that quantize activations."""

OFF_GRID = 0.001
"""Steps by which a weight may miss its grid: products in single precision miss it by some 1e-5."""

HALF_LARGEST = float(np.finfo(np.float16).max)


def write(
    graph: Graph,
    recipe: Recipe,
    grids: Mapping[int, Grid],
    scales: Mapping[str, npt.NDArray[np.float32]],
) -> bytes:
    """Quantize a float network on grids that are known.

    Args:
        graph: the corrected float network.
        recipe: its scheme and exceptions.
        grids: of every activation; may be empty for schemes without ranges.
        scales: of each output channel of weights, [channels], by layer. Weights of other layers
            get the scales that put their channels' largest magnitudes on 127.

    Returns:
        A .tflite whose ends have the type of the layers inside.

    Raises:
        InputError: litert-quantizer refuses the network.
        ValueError: weights that do not lie on the grid of their ``scales``.
    """
    from litert_quantizer import quantizer

    ranges = _activation_ranges(graph, grids) | _weight_ranges(graph, scales)
    try:
        with _silently():
            writer = quantizer.Quantizer(bytearray(graph.content()), _rules(graph, recipe))
            result = writer.quantize(
                ranges or None, enable_progress_bar=False, enable_progress_report=False
            )
    except foreign.MALFORMED as error:
        # It reads the network anew, and is not made for options that make no sense.
        raise InputError(
            f"litert-quantizer refuses the network: {foreign.reason(error)}",
            "try another recipe (edgeeff recipes lists them)",
        ) from error
    return bytes(result.quantized_model)


def _activation_ranges(graph: Graph, grids: Mapping[int, Grid]) -> dict[str, dict[str, Any]]:
    """The ends of each grid, as litert-quantizer takes them."""
    return {
        graph.name(tensor): {
            "min": np.full((1,) * len(graph.shape(tensor)), grid.minimum, np.float32),
            "max": np.full((1,) * len(graph.shape(tensor)), grid.maximum, np.float32),
        }
        for tensor in graph.activations
        if (grid := grids.get(tensor)) is not None
    }


def _weight_ranges(
    graph: Graph, scales: Mapping[str, npt.NDArray[np.float32]]
) -> dict[str, dict[str, Any]]:
    """The ends of each channel's grid, in the shape of the kernel with sizes of 1 but for it.

    litert-quantizer divides the end by 127, and would otherwise take the largest weight for it.
    Its DEQUANTIZED_WEIGHT_RECOVERY guesses a scale from the distance between weights, which is a
    multiple of it where levels are empty, and knows no depthwise kernels.
    """
    ranges = {}
    for operator in graph.operators:
        if operator.name not in scales:
            continue
        kernel, scale = graph.weights(operator), scales[operator.name]
        _check_grid(operator, kernel, scale)
        axis = kernel.ndim - 1 if operator.kind == "DEPTHWISE_CONV_2D" else 0
        shape = [len(scale) if place == axis else 1 for place in range(kernel.ndim)]
        end = (LEVELS * scale).astype(np.float32).reshape(shape)
        ranges[graph.name(operator.inputs[1])] = {"min": -end, "max": end}
    return ranges


def _check_grid(
    operator: Operator, kernel: npt.NDArray[np.float32], scale: npt.NDArray[np.float32]
) -> None:
    steps = per_channel(operator, kernel) / scale[:, None]
    off = np.abs(steps - np.clip(np.rint(steps), -LEVELS, LEVELS)).max()
    if not off <= OFF_GRID:
        raise ValueError(f"weights of {operator.name} are {off:.2g} steps off their grid")


def _rules(graph: Graph, recipe: Recipe) -> list[dict[str, Any]]:
    """The recipe for this network in litert-quantizer's words: later rules win."""
    from litert_quantizer.recipe_manager import RecipeManager

    kinds = {operator.name: operator.kind for operator in graph.operators}
    layers = kept_precisions(recipe, kinds)
    _check_half(graph, {name for name in kinds if layers.get(name, recipe.scheme) == "float16"})
    rules = RecipeManager()
    _add_rules(rules, ".*", recipe.scheme)
    for precision in sorted(set(layers.values())):
        names = "|".join(re.escape(name) for name in layers if layers[name] == precision)
        # litert-quantizer ends each output's name with a semicolon.
        _add_rules(rules, f"^(?:{names});", precision)
    return list(rules.get_quantization_recipe())


def _add_rules(rules: Any, pattern: str, precision: str) -> None:
    """What a scheme or the precision of an exception means for the layers that fit a pattern."""
    from litert_quantizer import qtyping
    from litert_quantizer.algorithm_manager import AlgorithmName

    names = qtyping.TFLOperationName
    if precision in ACTIVATION_BITS:
        rules.add_static_config(
            pattern, names.ALL_SUPPORTED, ACTIVATION_BITS[precision], WEIGHT_BITS
        )
    elif precision == "dynamic":
        rules.add_dynamic_config(pattern, names.ALL_SUPPORTED, WEIGHT_BITS)
    elif precision == "weight-only":
        rules.add_weight_only_config(pattern, names.ALL_SUPPORTED, WEIGHT_BITS)
    else:
        rules.add_quantization_config(
            pattern, names.ALL_SUPPORTED, algorithm_key=AlgorithmName.NO_QUANTIZE
        )
    if precision == "float16":
        config = qtyping.OpQuantizationConfig(
            weight_tensor_config=qtyping.TensorQuantizationConfig(
                num_bits=16, dtype=qtyping.TensorDataType.FLOAT
            ),
            explicit_dequantize=True,
            compute_precision=qtyping.ComputePrecision.FLOAT,
        )
        for kind in WEIGHTED:
            rules.add_quantization_config(pattern, names[kind], config, AlgorithmName.FLOAT_CASTING)


def _check_half(graph: Graph, layers: Set[str]) -> None:
    """Refuse weights that half precision would turn into infinity."""
    for operator in graph.operators:
        if operator.name in layers and operator.weighted:
            largest = float(np.abs(graph.weights(operator)).max())
            if not largest <= HALF_LARGEST:
                raise InputError(
                    f"weights of {operator.name} reach {largest:.3g}, float16 ends at "
                    f"{HALF_LARGEST:.0f}",
                    "keep that layer in float, or choose another recipe (edgeeff recipes)",
                )


@contextlib.contextmanager
def _silently() -> Any:
    """Keep litert-quantizer's progress bars and developer warnings from the user."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()):
            yield
