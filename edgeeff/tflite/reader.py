"""Read a ``.tflite`` file of unknown origin, without the native runtime.

``flatbuffer`` checks that every part is inside the file, this module that the parts fit together.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.errors import InputError
from edgeeff.files import read_bytes
from edgeeff.temporaries import clean
from edgeeff.tflite.flatbuffer import Table, decode, read_schema
from edgeeff.tflite.model import (
    BITS,
    Attachment,
    Model,
    Operator,
    Signature,
    Subgraph,
    Tensor,
)

IDENTIFIER = b"TFL3"
MOST_DIMENSIONS = 32
"""The runtime's kernels stop at 8; a product over a long hostile shape would not end."""


def read_model(path: Path) -> Model:
    """Read a ``.tflite`` file of any origin.

    Raises:
        InputError: not readable, not a ``.tflite`` model, damaged, or inconsistent.
    """
    if os.path.isdir(path):
        raise InputError(f"{path} is a directory", "name the .tflite file in it")
    if not os.path.lexists(path):
        clean(path.parent)  # a run that was killed may have kept it from its name
    return parse_model(read_bytes(path), str(path))


def parse_model(content: bytes, name: str = "the model") -> Model:
    """The model that a ``.tflite`` file's content describes.

    Args:
        content: the whole file.
        name: how to call it in errors.

    Raises:
        InputError: not a ``.tflite`` model, damaged, or inconsistent.
    """
    _refuse_other_files(content, name)
    root = decode(content, read_schema("tflite"), "Model", IDENTIFIER, name)
    return _ModelReader(memoryview(content), root, name).model()


_OTHER_FILES = (
    (
        b"PK\x03\x04",
        "a zip archive",
        "edgeeff convert reads it: --model a .keras file, --variant and --weights one of PyTorch",
    ),
    (
        b"\x89HDF",
        "an HDF5 file",
        "edgeeff convert reads it: --model a whole model, --weights weights",
    ),
    (b"version https://git-lfs", "a Git LFS pointer", "git lfs pull fetches the file itself"),
    (b"<", "a web page or XML", "download the file itself"),
    (b"{", "a JSON document", "name the .tflite file beside it"),
)


def _refuse_other_files(content: bytes, name: str) -> None:
    if not content:
        raise InputError(f"{name} is empty", "was it cut short?")
    if content[4:8] == IDENTIFIER:
        return
    for start, kind, hint in _OTHER_FILES:
        if content.startswith(start):
            raise InputError(f"{name} is {kind}, not a .tflite model", hint)
    found = content[4:8]
    raise InputError(
        f"{name} is not a .tflite model: bytes 4 to 8 are {found!r}, not {IDENTIFIER!r}",
        "edgeeff convert makes one, of a Keras model or of an EfficientNet's weights",
    )


@dataclass(frozen=True)
class _ModelReader:
    content: memoryview
    root: Table
    name: str

    def model(self) -> Model:
        graphs = tuple(self._graph(table) for table in self.root["subgraphs"] or ())
        if not graphs:
            raise self._inconsistent("it holds no graph")
        return Model(
            self.name,
            self.content,
            self.root["version"],
            self.root["description"] or "",
            graphs,
            tuple(self._signature(table, graphs) for table in self.root["signature_defs"] or ()),
            tuple(self._attachment(table) for table in self.root["metadata"] or ()),
            self.root,
        )

    def _attachment(self, table: Table) -> Attachment:
        content = self._buffer(table["buffer"])
        return Attachment(table["name"] or "", table["buffer"], content or memoryview(b""))

    def _graph(self, table: Table) -> Subgraph:
        tensors = tuple(
            self._tensor(index, described) for index, described in enumerate(table["tensors"] or ())
        )
        operators = tuple(
            self._operator(index, described, tensors)
            for index, described in enumerate(table["operators"] or ())
        )
        inputs = self._tensor_numbers(table["inputs"], len(tensors), "the graph's inputs", 0)
        outputs = self._tensor_numbers(table["outputs"], len(tensors), "the graph's outputs", 0)
        graph = Subgraph(table["name"] or "", tensors, operators, inputs, outputs, table)
        if graph.disorder:
            raise self._inconsistent(graph.disorder)
        return graph

    def _tensor(self, index: int, table: Table) -> Tensor:
        name = table["name"] or ""
        where = f"tensor {index} {name[:80]!r}"
        shape = integers(table["shape"])
        if len(shape) > MOST_DIMENSIONS:
            raise self._inconsistent(f"{where} has {len(shape)} dimensions")
        if any(size < 0 for size in shape):
            raise self._inconsistent(f"{where} has shape {list(shape)}")
        dtype = _member("TensorType", table["type"]).lower()
        content = self._buffer(table["buffer"])
        if content is not None and not table["sparsity"] and dtype in BITS:
            self._check_size(where, len(content), -(-math.prod(shape) * BITS[dtype] // 8))
        scales, zero_points, axis = grid_in(table)
        if not np.isfinite(scales).all():
            raise self._inconsistent(f"{where} has a scale that is not a number")
        return Tensor(
            index,
            name,
            shape_in(table),
            dtype,
            scales,
            zero_points,
            axis,
            table["buffer"],
            content,
            table,
        )

    def _check_size(self, where: str, found: int, expected: int) -> None:
        if found != expected:
            raise self._inconsistent(f"{where} holds {found} bytes, its shape needs {expected}")

    def _operator(self, index: int, table: Table, tensors: tuple[Tensor, ...]) -> Operator:
        codes = self.root["operator_codes"] or ()
        if table["opcode_index"] >= len(codes):
            raise self._inconsistent(f"operator {index} has an unknown code")
        code = codes[table["opcode_index"]]
        kind, custom = kind_in(code)
        where = f"operator {index} {kind}"
        outputs = self._tensor_numbers(table["outputs"], len(tensors), where, 0)
        return Operator(
            kind,
            tensors[outputs[0]].name if outputs else "",
            custom,
            code["version"],
            self._tensor_numbers(table["inputs"], len(tensors), where, -1),
            outputs,
            options_in(table["builtin_options"] or table["builtin_options2"] or {}),
            table,
        )

    def _signature(self, table: Table, graphs: tuple[Subgraph, ...]) -> Signature:
        key, graph = table["signature_key"] or "", table["subgraph_index"]
        if graph >= len(graphs):
            raise self._inconsistent(f"signature {key[:80]!r} is for a graph that does not exist")
        names = [
            {entry["name"] or "": entry["tensor_index"] for entry in table[part] or ()}
            for part in ("inputs", "outputs")
        ]
        for mapping in names:
            numbers = np.array(list(mapping.values()), np.int64)
            self._tensor_numbers(numbers, len(graphs[graph].tensors), f"signature {key[:80]!r}", 0)
        return Signature(key, names[0], names[1], graph)

    def _tensor_numbers(
        self, numbers: NDArray[Any] | None, tensors: int, where: str, least: int
    ) -> tuple[int, ...]:
        found = integers(numbers)
        for number in found:
            if not least <= number < tensors:
                raise self._inconsistent(f"{where} names tensor {number} of {tensors}")
        return found

    def _buffer(self, index: int) -> memoryview | None:
        """The bytes of a buffer, ``None`` if it has none (an activation's)."""
        buffers = self.root["buffers"] or ()
        if index >= len(buffers) and index != 0:
            raise self._inconsistent(f"buffer {index} of {len(buffers)} is asked for")
        if index >= len(buffers):
            return None
        table = buffers[index]
        # Files over 2 GB keep their data behind the FlatBuffer; offset 1 is a placeholder.
        if table["offset"] > 1:
            end = table["offset"] + table["size"]
            if end > len(self.content):
                raise self._inconsistent(f"buffer {index} ends at byte {end}, outside the file")
            return self.content[table["offset"] : end]
        data = table["data"]
        return None if data is None or len(data) == 0 else memoryview(data)

    def _inconsistent(self, why: str) -> InputError:
        return InputError(f"{self.name} is damaged: {why}", "was it cut short or altered?")


OPTION_ENUMS = {
    "padding": "Padding",
    "fused_activation_function": "ActivationFunctionType",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
    "in_data_type": "TensorType",
    "out_data_type": "TensorType",
    "output_type": "TensorType",
    "quantized_bias_type": "TensorType",
}
"""Options that are enumerations, by their name in any operator's options."""


def options_in(table: Table) -> dict[str, Any]:
    """The options that a table gives, enumerations by name."""
    return {name: _option(name, value) for name, value in table.items() if value is not None}


def _option(name: str, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return tuple(value.tolist())
    if name in OPTION_ENUMS and isinstance(value, int):
        return _member(OPTION_ENUMS[name], value)
    return value


def _member(enum: str, number: int) -> str:
    return read_schema("tflite").enums[enum].get(number, f"{enum} {number}")


def kind_in(code: Table) -> tuple[str, bool]:
    """The kind of operator that a code stands for, and whether it is a custom one."""
    # Codes up to 126 are also in the field that old readers know; the larger one counts.
    number = max(code["builtin_code"], code["deprecated_builtin_code"])
    kind = _member("BuiltinOperator", number)
    return (code["custom_code"] or kind, True) if kind == "CUSTOM" else (kind, False)


def shape_in(table: Table) -> tuple[int, ...]:
    """The shape that a tensor's table gives, -1 for the sizes that it leaves open."""
    shape, signature = (integers(table.get(name)) for name in ("shape", "shape_signature"))
    return signature if len(signature) == len(shape) else shape


def grid_in(table: Table) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    """The scales, zero points and channels' axis that a tensor's table gives."""
    quantization = table.get("quantization") or {}
    scales, zero_points = (quantization.get(name) for name in ("scale", "zero_point"))
    if scales is None or len(scales) == 0:
        return (), (), 0
    found = integers(zero_points)
    if len(found) != len(scales):
        # Older writers leave zero points of 0 out, or give one for all channels.
        found = (found[0] if len(found) == 1 else 0,) * len(scales)
    return tuple(scales.tolist()), found, quantization.get("quantized_dimension", 0)


def integers(numbers: NDArray[Any] | None) -> tuple[int, ...]:
    """A vector as numbers, empty if it is absent."""
    return () if numbers is None else tuple(numbers.tolist())
