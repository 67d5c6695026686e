"""Where the time of a model goes on the processor, with the layers' names where they are clear."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from edgeeff.accelerators.delegates import DELEGATE
from edgeeff.accelerators.litert_profiler import operator_times
from edgeeff.accelerators.plan import OperatorTime, Plan, Profile
from edgeeff.tflite.runner import Runner

METHOD = (
    "LiteRT's own profiler with the XNNPACK delegate's operators, mean of {runs} runs; "
    "operators that XNNPACK fused appear as one"
)

RUNS = 50

# Kernel names of XNNPACK that do the work of these operators; one for one in file order.
HEAVY_KERNELS = ("Convolution", "Fully Connected", "Deconvolution", "Batch Matrix Multiply")
HEAVY_OPERATORS = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "TRANSPOSE_CONV",
    "BATCH_MATMUL",
)


def profile_cpu(model: Path, plan: Plan) -> Profile:
    """Time every operator in a pass of its own; the total is a little above an unprofiled run.

    Raises:
        TargetUnavailable: the installed runtime has no profiler.
        InputError: the model cannot be profiled, such as one of dynamic shape.
    """
    times = operator_times(model, threads=plan.threads, runs=RUNS)
    names = layer_names([kernel for kernel, _ in times], *_file_operators(model))
    operators = tuple(
        OperatorTime(kernel, name, round(statistics.fmean(runs) * 1000))
        for (kernel, runs), name in zip(times, names, strict=True)
    )
    return Profile(METHOD.format(runs=RUNS), operators)


def layer_names(
    kernels: Sequence[str], operators: Sequence[str], outputs: Sequence[str]
) -> list[str]:
    """The file's tensor that each kernel makes, ``""`` where that is not sure.

    The runtime does not tell it, but both lists are in graph order: if every operator is a
    kernel, or if there are as many heavy kernels as heavy operators, they match one by one.

    Args:
        kernels: names of the kernels that ran, in order.
        operators: the file's operators, in order.
        outputs: the name of each one's first output.
    """
    if len(kernels) == len(operators):
        return list(outputs)
    heavy = [name for kind, name in zip(operators, outputs, strict=True) if kind in HEAVY_OPERATORS]
    places = [place for place, kernel in enumerate(kernels) if kernel.startswith(HEAVY_KERNELS)]
    names = [""] * len(kernels)
    if len(places) == len(heavy):
        for place, name in zip(places, heavy, strict=True):
            names[place] = name
    return names


def _file_operators(model: Path) -> tuple[list[str], list[str]]:
    runner = Runner(model, threads=1, xnnpack=False, quiet=False)
    tensors = runner.tensor_names()
    nodes = [node for node in runner.nodes() if node["op_name"] != DELEGATE]
    outputs = [tensors.get(int(node["outputs"][0]), "") for node in nodes]
    return [str(node["op_name"]) for node in nodes], outputs
