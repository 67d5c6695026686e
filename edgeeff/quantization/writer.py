"""The integer .tflite from a corrected float one and its ranges; litert-quantizer writes it."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgeeff.errors import InputError
from edgeeff.quantization.graph import Graph
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.recipe import Recipe, kept_precisions

WEIGHT_BITS = 8
ACTIVATION_BITS = {"int8": 8, "int16x8": 16}


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
        for tensor, grid in grids.items()
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
    from litert_quantizer import qtyping
    from litert_quantizer.algorithm_manager import AlgorithmName
    from litert_quantizer.recipe_manager import RecipeManager

    rules = RecipeManager()
    everything = qtyping.TFLOperationName.ALL_SUPPORTED
    if recipe.scheme in ACTIVATION_BITS:
        rules.add_static_config(".*", everything, ACTIVATION_BITS[recipe.scheme], WEIGHT_BITS)
    elif recipe.scheme == "dynamic":
        rules.add_dynamic_config(".*", everything, WEIGHT_BITS)
    elif recipe.scheme == "weight-only":
        rules.add_weight_only_config(".*", everything, WEIGHT_BITS)
    else:
        half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
        config = qtyping.OpQuantizationConfig(
            weight_tensor_config=half,
            explicit_dequantize=True,
            compute_precision=qtyping.ComputePrecision.FLOAT,
        )
        rules.add_quantization_config(".*", everything, config, AlgorithmName.FLOAT_CASTING)
    layers = kept_precisions(recipe, {o.name: o.kind for o in graph.operators})
    for precision in sorted(set(layers.values())):
        names = "|".join(re.escape(name) for name in layers if layers[name] == precision)
        pattern = f"^(?:{names});"  # litert-quantizer ends each output's name with a semicolon
        if precision == "int16":
            rules.add_static_config(pattern, everything, 16, WEIGHT_BITS)
        else:
            rules.add_quantization_config(
                pattern, everything, algorithm_key=AlgorithmName.NO_QUANTIZE
            )
    return list(rules.get_quantization_recipe())


@contextlib.contextmanager
def _silently() -> Any:
    """Keep litert-quantizer's progress bars and developer warnings from the user."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()):
            yield
