import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeeff.errors import InputError
from edgeeff.files import document
from edgeeff.tflite.inspection import SCHEMA, Inspection, inspect
from tests.tflite import objects, tiny


@pytest.fixture
def float32() -> Inspection:
    return inspect(tiny.FLOAT32)


def inspected(tmp_path: Path, content: bytes) -> Inspection:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    return inspect(path)


def layer(inspection: Inspection, output: str) -> Any:
    (found,) = (each for each in inspection.layers if each.output and each.output.name == output)
    return found


@pytest.mark.parametrize(
    ("output", "macs", "parameter_bytes"),
    [
        ("model/stem/Conv2D1", 16 * 16 * 8 * (3 * 3 * 3), 4 * (8 * 27 + 8)),
        ("model/depthwise/depthwise1", 16 * 16 * 8 * (3 * 3), 4 * (8 * 9 + 8)),
        ("model/reduce/Conv2D1", 2 * 8, 4 * (2 * 8 + 2)),
        ("model/project/Conv2D1", 16 * 16 * 8 * 8, 4 * (8 * 8 + 8)),
        ("model/probabilities/MatMul2", 10 * 8, 4 * (10 * 8)),
        ("model/excite/mul", 0, 0),
    ],
)
def test_counts_what_a_layer_costs(
    float32: Inspection, output: str, macs: int, parameter_bytes: int
) -> None:
    found = layer(float32, output)
    assert found.macs == macs
    assert found.parameter_bytes == parameter_bytes


def test_adds_them_up(float32: Inspection) -> None:
    assert float32.macs == 90_224
    assert float32.parameter_bytes == {"float32": 4 * 474, "int32": 4 * 2}


def test_constants_that_share_their_bytes_count_once(tmp_path: Path) -> None:
    def share(model: Any) -> None:
        tensors = model.subgraphs[0].tensors
        (kernel,) = (each for each in tensors if list(each.shape) == [8, 1, 1, 8])
        copied = copy.copy(kernel)
        copied.name = "copy"
        tensors.append(copied)

    shared = inspected(tmp_path, tiny.changed(tiny.FLOAT32, share))
    assert [t.bytes for t in shared.model.tensors if t.shape == (8, 1, 1, 8)] == [256, 256]
    assert shared.parameter_bytes == inspect(tiny.FLOAT32).parameter_bytes


def test_activations_are_what_is_alive_at_once(float32: Inspection) -> None:
    """swish needs three copies of the stem's output at once; nothing later needs more."""
    assert float32.activation_bytes == 3 * 16 * 16 * 8 * 4


def test_activations_of_an_int8_model_take_a_quarter() -> None:
    assert inspect(tiny.INT8).activation_bytes * 4 == inspect(tiny.FLOAT32).activation_bytes


def test_names_open_shapes(tmp_path: Path) -> None:
    def open_batch(model: Any) -> None:
        model.subgraphs[0].tensors[0].shapeSignature = np.array([-1, 32, 32, 3], np.int32)

    inspection = inspected(tmp_path, tiny.changed(tiny.INT8, open_batch))
    assert [tensor.index for tensor in inspection.open_shapes] == [0]
    assert inspection.model.inputs[0].shape == (-1, 32, 32, 3)


def test_tells_the_runtime_the_file_needs(float32: Inspection) -> None:
    assert float32.minimum_runtime == "1.14.0"


class TestDocument:
    BINDING = ("sha256", "bytes", "inputs", "outputs", "operators", "integer_only", "tensors")

    @pytest.mark.parametrize("path", [*tiny.ALL, tiny.INT8_METADATA], ids=lambda path: path.stem)
    def test_has_the_promised_fields(self, path: Path) -> None:
        fields = json.loads(document(SCHEMA, inspect(path).fields()))
        assert fields["schema"] == "edgeeff.inspection/1"
        assert {*self.BINDING, "metadata"} <= set(fields)
        assert len(fields["tensors"]) == len(inspect(path).model.tensors)

    def test_an_input_has_one_scale(self) -> None:
        (image,) = inspect(tiny.INT8).fields()["inputs"]
        assert (image["dtype"], image["shape"]) == ("uint8", [1, 32, 32, 3])
        assert image["scale"] == pytest.approx(2 / 255, rel=1e-3)
        assert image["zero_point"] == 127

    def test_a_float_input_has_none(self) -> None:
        (image,) = inspect(tiny.FLOAT32).fields()["inputs"]
        assert (image["scale"], image["zero_point"]) == (None, None)

    def test_metadata_is_null_where_there_is_none(self) -> None:
        assert inspect(tiny.INT8).fields()["metadata"]["model"] is None
        described = inspect(tiny.INT8_METADATA).fields()["metadata"]
        assert described["model"]["inputs"][0]["mean"] == (127.0,)
        assert described["files"] == {"labels.txt": 80}

    def test_options_that_json_cannot_say_become_words(self, tmp_path: Path) -> None:
        def heat(model: Any) -> None:
            (softmax,) = (
                operator
                for operator in model.subgraphs[0].operators
                if objects.kind_of(model, operator) == "SOFTMAX"
            )
            softmax.builtinOptions.beta = float("inf")

        inspection = inspected(tmp_path, tiny.changed(tiny.FLOAT32, heat))
        fields = json.loads(document(SCHEMA, inspection.fields()))
        assert fields["layers"][-1]["options"]["beta"] == "inf"


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.tflite is damaged"):
        inspected(tmp_path, tiny.INT8.read_bytes()[:-100])
