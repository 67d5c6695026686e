"""The integer .tflite from a corrected float one and its ranges; litert-quantizer writes it."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from edgeeff.errors import InputError
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.recipes.recipe import Recipe, kept_precisions
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import WEIGHTED

WEIGHT_BITS = 8
ACTIVATION_BITS = {"int8": 8, "int16x8": 16, "int16": 16}
"""Of the schemes and precisions that quantize activations."""

HALF_LARGEST = float(np.finfo(np.float16).max)


def write(graph: Graph, recipe: Recipe, grids: Mapping[int, Grid]) -> bytes:
    """Quantize a float model whose weights lie on their grids already.

    Args:
        graph: the corrected float network.
        recipe: its scheme and exceptions.
        grids: of every activation; may be empty for schemes without ranges.

    Returns:
        A .tflite whose ends have the type of the layers inside.

    Raises:
        InputError: litert-quantizer refuses the network.
    """
    from litert_quantizer import quantizer

    ranges = {
        graph.name(tensor): {
            "min": np.full((1,) * len(graph.shape(tensor)), grid.minimum, np.float32),
            "max": np.full((1,) * len(graph.shape(tensor)), grid.maximum, np.float32),
        }
        for tensor in graph.activations
        if (grid := grids.get(tensor)) is not None
    }
    try:
        with _silently():
            writer = quantizer.Quantizer(bytearray(graph.content()), _rules(graph, recipe))
            result = writer.quantize(
                ranges or None, enable_progress_bar=False, enable_progress_report=False
            )
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"litert-quantizer refuses the network: {reason}",
            "try another recipe (edgeeff recipes lists them)",
        ) from error
    return bytes(result.quantized_model)


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
