"""Everything ``edgeeff inspect`` tells of a ``.tflite`` file, without running it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeeff.tflite.metadata import ModelMetadata, associated_files, read_metadata
from edgeeff.tflite.model import Model, Operator, Subgraph, Tensor
from edgeeff.tflite.reader import read_model

SCHEMA = "edgeeff.inspection/1"


@dataclass(frozen=True)
class Layer:
    """One operator of the main graph, and what it costs.

    Attributes:
        operator: what it is.
        output: its first output; ``None`` for an operator that only has effects.
        parameter_bytes: constants it reads (kernels, biases, axes).
        macs: multiply-accumulates of a convolution or fully connected operator, else 0.
    """

    operator: Operator
    output: Tensor | None
    parameter_bytes: int
    macs: int


@dataclass(frozen=True)
class Inspection:
    """A model, taken apart.

    Attributes:
        model: the file.
        metadata: what it says of itself to app frameworks, if anything.
        files: size of each file appended to it, by name.
        layers: the operators of the main graph in order of execution.
        parameter_bytes: all constants by dtype, shared ones once.
        activation_bytes: the most that is alive at once while the main graph runs in order: what
            a runtime needs beside the parameters, at the least.
        minimum_runtime: oldest runtime version the file asks for, ``""`` if it does not say.
    """

    model: Model
    metadata: ModelMetadata | None
    files: Mapping[str, int]
    layers: tuple[Layer, ...]
    parameter_bytes: Mapping[str, int]
    activation_bytes: int
    minimum_runtime: str

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return sum(layer.macs for layer in self.layers)

    @property
    def custom_operators(self) -> tuple[str, ...]:
        """Operators that are not LiteRT's own, such as ``edgetpu-custom-op``."""
        graphs = self.model.graphs
        return tuple(sorted({op.kind for graph in graphs for op in graph.operators if op.custom}))

    @property
    def open_shapes(self) -> tuple[Tensor, ...]:
        """Tensors whose shape is not fixed in the file; delegates want none."""
        return tuple(tensor for tensor in self.model.tensors if -1 in tensor.shape)

    def fields(self) -> dict[str, Any]:
        """The fields of its JSON document, of schema ``edgeeff.inspection/1``."""
        model = self.model
        return {
            "sha256": model.sha256,
            "bytes": model.bytes,
            "inputs": [_end_fields(tensor) for tensor in model.inputs],
            "outputs": [_end_fields(tensor) for tensor in model.outputs],
            "operators": model.operator_counts,
            "integer_only": model.integer_only,
            "float_tensors": [tensor.name for tensor in model.float_tensors],
            "parameter_bytes": dict(self.parameter_bytes),
            "activation_bytes": self.activation_bytes,
            "macs": self.macs,
            "graphs": len(model.graphs),
            "custom_operators": list(self.custom_operators),
            "open_shapes": [tensor.name for tensor in self.open_shapes],
            "description": model.description,
            "minimum_runtime": self.minimum_runtime,
            "signatures": [asdict(signature) for signature in model.signatures],
            "tensors": [_tensor_fields(tensor) for tensor in model.tensors],
            "layers": [_layer_fields(*each) for each in enumerate(self.layers)],
            "metadata": {
                "entries": {name: len(content) for name, content in model.metadata.items()},
                "model": None if self.metadata is None else asdict(self.metadata),
                "files": dict(self.files),
            },
        }


def inspect(path: Path) -> Inspection:
    """Take a ``.tflite`` file of any origin apart. It is read, not run.

    Raises:
        InputError: not readable, not a ``.tflite`` model, or damaged.
    """
    model = read_model(path)
    return Inspection(
        model=model,
        metadata=read_metadata(model),
        files=associated_files(path),
        layers=tuple(_layer(operator, model.tensors) for operator in model.operators),
        parameter_bytes=_parameter_bytes(model),
        activation_bytes=_most_alive(model.graphs[0]),
        minimum_runtime=_minimum_runtime(model),
    )


def _parameter_bytes(model: Model) -> dict[str, int]:
    constants = [tensor for graph in model.graphs for tensor in graph.tensors if tensor.constant]
    # Buffer 0 is nobody's: constants in another file have it, and share nothing.
    shared = {tensor.buffer: tensor for tensor in constants if tensor.buffer}
    sizes: Counter[str] = Counter()
    for tensor in (*shared.values(), *(tensor for tensor in constants if not tensor.buffer)):
        sizes[tensor.dtype] += tensor.bytes
    return dict(sizes.most_common())


def _layer(operator: Operator, tensors: tuple[Tensor, ...]) -> Layer:
    constants = {index for index in operator.inputs if index >= 0 and tensors[index].constant}
    output = tensors[operator.outputs[0]] if operator.outputs else None
    return Layer(
        operator,
        output,
        sum(tensors[index].bytes for index in constants),
        0 if output is None else _macs(operator, output, tensors),
    )


_KERNEL_AXES = {
    "CONV_2D": (1, 2, 3),
    "CONV_3D": (0, 1, 2, 3),
    "DEPTHWISE_CONV_2D": (1, 2),
    "FULLY_CONNECTED": (1,),
}
"""The kernel's axes over which one output value sums: OHWI, DHWIO, 1HWO and OI layouts."""


def _macs(operator: Operator, output: Tensor, tensors: tuple[Tensor, ...]) -> int:
    axes = _KERNEL_AXES.get(operator.kind)
    if axes is None or len(operator.inputs) < 2 or operator.inputs[1] < 0:
        return 0
    kernel = tensors[operator.inputs[1]].shape
    if len(kernel) <= max(axes):
        return 0
    return _size(output.shape) * _size(tuple(kernel[axis] for axis in axes))


def _size(shape: tuple[int, ...]) -> int:
    return math.prod(max(1, size) for size in shape)


def _most_alive(graph: Subgraph) -> int:
    """Bytes of activations alive at once, the most of all moments of running in order."""
    last_use = {index: len(graph.operators) for index in graph.outputs}
    for step, operator in reversed(list(enumerate(graph.operators))):
        for index in (*operator.inputs, *operator.outputs):
            last_use.setdefault(index, step)
    ending: dict[int, list[int]] = {}
    for index, last in last_use.items():
        ending.setdefault(last, []).append(index)

    alive = {index for index in graph.inputs if not graph.tensors[index].constant}
    now = sum(graph.tensors[index].bytes for index in alive)
    most = now
    for step, operator in enumerate(graph.operators):
        for index in set(operator.outputs) - alive:
            alive.add(index)
            now += graph.tensors[index].bytes
        most = max(most, now)
        for index in ending.get(step, ()):
            if index in alive:
                alive.remove(index)
                now -= graph.tensors[index].bytes
    return most


def _minimum_runtime(model: Model) -> str:
    content = bytes(model.metadata.get("min_runtime_version", b""))
    return content.rstrip(b"\0").decode("ascii", "replace")


def _end_fields(tensor: Tensor) -> dict[str, Any]:
    """An input or output has one scale at most: as numbers, ``None`` if it is not quantized."""
    quantized = len(tensor.scales) == 1
    return {
        **_tensor_fields(tensor),
        "scale": tensor.scales[0] if quantized else None,
        "zero_point": tensor.zero_points[0] if quantized else None,
    }


def _tensor_fields(tensor: Tensor) -> dict[str, Any]:
    return {
        "index": tensor.index,
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scales": list(tensor.scales),
        "zero_points": list(tensor.zero_points),
        "quantized_dimension": tensor.quantized_dimension if tensor.per_channel else None,
        "constant": tensor.constant,
        "bytes": tensor.bytes,
    }


def _layer_fields(index: int, layer: Layer) -> dict[str, Any]:
    operator = layer.operator
    return {
        "index": index,
        "operator": operator.kind,
        "version": operator.version,
        "inputs": list(operator.inputs),
        "outputs": list(operator.outputs),
        "options": {name: _json_value(value) for name, value in operator.options.items()},
        "parameter_bytes": layer.parameter_bytes,
        "macs": layer.macs,
    }


def _json_value(value: Any) -> Any:
    """JSON knows no infinity, which some operators' options hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _json_value(inner) for name, inner in value.items()}
    return [_json_value(inner) for inner in value] if isinstance(value, (list, tuple)) else value
