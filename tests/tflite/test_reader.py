import hashlib
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeeff import foreign
from edgeeff.errors import InputError
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Model, Tensor
from edgeeff.tflite.reader import parse_model, read_model
from tests.tflite import objects, tiny


@pytest.fixture(scope="module")
def int8() -> Model:
    return read_model(tiny.INT8)


def named(model: Model, name: str) -> Tensor:
    (found,) = (tensor for tensor in model.tensors if tensor.name == name)
    return found


class TestOfAWholeFile:
    def test_its_size_and_hash(self, int8: Model) -> None:
        content = tiny.INT8.read_bytes()
        assert int8.bytes == len(content)
        assert int8.sha256 == hashlib.sha256(content).hexdigest()

    def test_its_operators_in_order(self, int8: Model) -> None:
        assert [operator.kind for operator in int8.operators[:3]] == [
            "QUANTIZE",
            "CONV_2D",
            "LOGISTIC",
        ]
        assert int8.operator_counts["CONV_2D"] == 4
        assert sum(int8.operator_counts.values()) == len(int8.operators) == 20

    def test_an_operators_options_by_name(self, int8: Model) -> None:
        stem = int8.operators[1]
        assert stem.options["stride_w"] == stem.options["stride_h"] == 2
        assert stem.options["padding"] == "SAME"
        assert stem.options["fused_activation_function"] == "NONE"
        assert int8.operators[4].options["depth_multiplier"] == 1

    def test_an_input_with_its_quantization(self, int8: Model) -> None:
        (image,) = int8.inputs
        assert (image.shape, image.dtype, image.bytes) == ((1, 32, 32, 3), "uint8", 3072)
        assert image.scales == pytest.approx((2 / 255,), rel=1e-3)
        assert image.zero_points == (127,)
        assert not image.constant

    def test_a_kernel_with_a_scale_per_channel(self, int8: Model) -> None:
        kernel = named(int8, "model/depthwise/depthwise")
        assert kernel.constant
        assert kernel.per_channel
        assert len(kernel.scales) == len(kernel.zero_points) == kernel.shape[3] == 8
        assert kernel.quantized_dimension == 3
        assert kernel.values is not None
        assert kernel.values.shape == (1, 3, 3, 8)
        assert kernel.values.dtype == np.int8

    def test_its_signature(self, int8: Model) -> None:
        (signature,) = int8.signatures
        assert signature.key == "serving_default"
        assert signature.inputs == {"image": int8.inputs[0].index}
        assert signature.outputs == {"probabilities": int8.outputs[0].index}

    def test_its_metadata_by_name(self, int8: Model) -> None:
        assert bytes(int8.metadata["min_runtime_version"]).startswith(b"1.14.0")

    @pytest.mark.parametrize("path", tiny.ALL, ids=lambda path: path.stem)
    def test_constants_equal_what_litert_reads(self, path: Path) -> None:
        model, theirs = read_model(path), objects.unpack(path.read_bytes())
        tensors = theirs.subgraphs[0].tensors
        assert len(model.tensors) == len(tensors)
        for ours, tensor in zip(model.tensors, tensors, strict=True):
            stored = theirs.buffers[tensor.buffer].data
            assert (stored is None) == (ours.values is None)
            if ours.values is not None:
                assert ours.values.tobytes() == bytes(stored)


class TestIntegerOnly:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            (tiny.INT8, True),
            (tiny.INT8_FLOAT_ENDS, True),
            (tiny.FLOAT32, False),
            (tiny.FLOAT16, False),
        ],
        ids=lambda value: getattr(value, "stem", value),
    )
    def test_means_no_operator_computes_in_float(self, path: Path, expected: bool) -> None:
        assert read_model(path).integer_only is expected

    def test_names_the_tensors_that_are_float(self) -> None:
        names = {tensor.name for tensor in read_model(tiny.FLOAT32).float_tensors}
        assert "model/excite/mul" in names
        assert len(names) == 27

    def test_is_false_if_one_inner_tensor_is_float(self) -> None:
        """A DEQUANTIZE in the middle is work in float, unlike one at the end."""

        def expose_dequantized(model: Any) -> None:
            graph = model.subgraphs[0]
            graph.outputs = np.array([graph.operators[-2].outputs[0]], np.int32)

        model = parse_model(tiny.changed(tiny.INT8_FLOAT_ENDS, expose_dequantized))
        assert [tensor.dtype for tensor in model.float_tensors] == ["float32"]
        assert not model.integer_only


OTHER_FILES = {
    "empty": (b"", "empty"),
    "text": (b"just some text\n" * 10, "not a .tflite"),
    "zip": (b"PK\x03\x04" + bytes(100), "zip"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
    "git-lfs": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    "html": (b"<!DOCTYPE html><html>not found</html>", "web page"),
    "zeros": (bytes(1000), "not a .tflite"),
    "identifier-only": (b"\x08\0\0\0TFL3", "damaged"),
    "huge-root": (b"\xff\xff\xff\xffTFL3" + bytes(100), "damaged"),
    "zero-root": (bytes(4) + b"TFL3" + bytes(100), "damaged"),
}


class TestRefuses:
    @pytest.mark.parametrize("kind", OTHER_FILES)
    def test_other_files_and_says_what_they_are(self, kind: str, tmp_path: Path) -> None:
        content, message = OTHER_FILES[kind]
        path = tmp_path / "model.tflite"
        path.write_bytes(content)
        with pytest.raises(InputError, match=message) as refused:
            read_model(path)
        assert str(path) in refused.value.message
        assert refused.value.hint

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="No such file"):
            read_model(tmp_path / "absent.tflite")

    def test_a_directory(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="directory"):
            read_model(tmp_path)

    def test_a_device_that_never_ends(self) -> None:
        with pytest.raises(InputError, match="regular file"):
            read_model(Path("/dev/zero"))

    def test_a_file_too_large_to_be_one_before_reading_it(self, tmp_path: Path) -> None:
        path = tmp_path / "sparse.tflite"
        with path.open("wb") as file:
            file.truncate(foreign.MOST_FILE + 1)
        with pytest.raises(InputError, match="more than"):
            read_model(path)


def negative_size(model: Any) -> None:
    model.subgraphs[0].tensors[0].shape = np.array([1, -32, 32, 3], np.int32)


def endless_shape(model: Any) -> None:
    model.subgraphs[0].tensors[0].shape = np.full(1_000_000, 2**31 - 1, np.int32)


def unknown_buffer(model: Any) -> None:
    model.subgraphs[0].tensors[0].buffer = 10_000


def wrong_buffer_size(model: Any) -> None:
    model.subgraphs[0].tensors[2].shape = np.array([10, 9], np.int32)


def unknown_input(model: Any) -> None:
    model.subgraphs[0].operators[1].inputs = np.array([999, 1, 2], np.int32)


def omitted_output(model: Any) -> None:
    model.subgraphs[0].operators[1].outputs = np.array([-1], np.int32)


def unknown_code(model: Any) -> None:
    model.subgraphs[0].operators[1].opcodeIndex = 999


def unknown_graph_output(model: Any) -> None:
    model.subgraphs[0].outputs = np.array([-2], np.int32)


def circle(model: Any) -> None:
    first = model.subgraphs[0].operators[1]
    first.inputs = np.array([first.outputs[0], *first.inputs[1:]], np.int32)


def written_twice(model: Any) -> None:
    operators = model.subgraphs[0].operators
    operators[3].outputs = operators[2].outputs


def no_graph(model: Any) -> None:
    model.subgraphs = []


def signature_of_no_graph(model: Any) -> None:
    model.signatureDefs[0].subgraphIndex = 7


def signature_of_no_tensor(model: Any) -> None:
    model.signatureDefs[0].inputs[0].tensorIndex = 4_000_000_000


def scale_not_a_number(model: Any) -> None:
    model.subgraphs[0].tensors[0].quantization.scale = np.array([np.nan], np.float32)


def data_outside_the_file(model: Any) -> None:
    model.buffers[3].offset, model.buffers[3].size = 2**40, 2**63


def metadata_without_buffer(model: Any) -> None:
    model.metadata[0].buffer = 3_000_000_000


INCONSISTENCIES: list[tuple[Callable[[Any], None], str]] = [
    (negative_size, "has shape"),
    (endless_shape, "dimensions"),
    (unknown_buffer, "buffer 10000"),
    (wrong_buffer_size, "its shape needs 90"),
    (unknown_input, "tensor 999"),
    (omitted_output, "tensor -1"),
    (unknown_code, "unknown code"),
    (unknown_graph_output, "tensor -2"),
    (circle, "before it is written"),
    (written_twice, "written twice"),
    (no_graph, "no graph"),
    (signature_of_no_graph, "graph that does not exist"),
    (signature_of_no_tensor, "tensor 4000000000"),
    (scale_not_a_number, "scale"),
    (data_outside_the_file, "outside the file"),
    (metadata_without_buffer, "buffer 3000000000"),
]


@pytest.mark.parametrize(
    ("change", "message"), INCONSISTENCIES, ids=lambda value: getattr(value, "__name__", "")
)
def test_refuses_parts_that_do_not_fit_together(
    change: Callable[[Any], None], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        parse_model(tiny.changed(tiny.INT8, change))


def with_data_behind(path: Path, number: int) -> bytes:
    """The file with one buffer's data after the FlatBuffer, as litert-quantizer writes all."""
    data = bytes(objects.unpack(path.read_bytes()).buffers[number].data)

    def moved_to(offset: int) -> bytes:
        def move(model: Any) -> None:
            buffer = model.buffers[number]
            buffer.data, buffer.offset, buffer.size = None, offset, len(data)

        return tiny.changed(path, move)

    return moved_to(len(moved_to(2**20))) + data


class TestDataBehindTheFlatbuffer:
    KERNEL = next(tensor for tensor in read_model(tiny.INT8).tensors if tensor.constant)

    def test_is_read(self) -> None:
        model = parse_model(with_data_behind(tiny.INT8, self.KERNEL.buffer))
        assert np.array_equal(model.tensors[self.KERNEL.index].values, self.KERNEL.values)

    def test_survives_a_rewrite(self) -> None:
        content = with_data_behind(tiny.INT8, self.KERNEL.buffer)
        rewritten = parse_model(Graph.of(content).content())
        assert np.array_equal(rewritten.tensors[self.KERNEL.index].values, self.KERNEL.values)


def test_a_custom_operator_goes_by_its_own_name() -> None:
    def make_custom(model: Any) -> None:
        code = model.operatorCodes[model.subgraphs[0].operators[1].opcodeIndex]
        code.builtinCode = schema.BuiltinOperator.CUSTOM
        code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = "edgetpu-custom-op"

    model = parse_model(tiny.changed(tiny.INT8, make_custom))
    assert model.operators[1].kind == "edgetpu-custom-op"
    assert model.operators[1].custom


EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("byte"), st.integers(0, 8000), st.integers(0, 255)),
        st.tuples(
            st.just("word"),
            st.integers(0, 8000),
            st.sampled_from([0, 1, 4, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1]),
        ),
        st.tuples(st.just("splice"), st.integers(0, 8000), st.integers(0, 8000)),
        st.tuples(st.just("cut"), st.integers(0, 8000), st.just(0)),
    ),
    min_size=1,
    max_size=8,
)


def damaged(content: bytes, edits: list[tuple[str, int, int]]) -> bytes:
    changed = bytearray(content)
    for kind, place, value in edits:
        at = place % max(1, len(changed))
        if kind == "byte":
            changed[at : at + 1] = bytes([value])
        elif kind == "word":
            changed[at : at + 4] = struct.pack("<I", value)
        elif kind == "splice":
            source = value % max(1, len(changed))
            changed[at : at + 32] = changed[source : source + 32]
        else:
            del changed[at:]
    return bytes(changed)


@settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(path=st.sampled_from(tiny.ALL), edits=EDITS)
def test_a_damaged_file_is_read_or_refused(path: Path, edits: list[tuple[str, int, int]]) -> None:
    """Nothing but InputError, in bounded time; and what is read can be judged and packed."""
    content = damaged(path.read_bytes(), edits)
    try:
        model = parse_model(content)
    except InputError:
        return
    list(model.float_tensors)
    Graph(model).content()


@settings(max_examples=200, deadline=2000)
@given(content=st.binary(max_size=400))
def test_any_bytes_after_the_identifier_are_refused(content: bytes) -> None:
    with pytest.raises(InputError):
        parse_model(b"\x10\0\0\0TFL3" + content)


def test_a_file_is_refused_wherever_it_is_cut() -> None:
    content = tiny.INT8.read_bytes()
    for length in range(0, len(content), 13):
        with pytest.raises(InputError):
            parse_model(content[:length])


def test_needs_neither_the_native_runtime_nor_tensorflow() -> None:
    code = (
        "import sys; from pathlib import Path; from edgeeff.tflite.reader import read_model; "
        f"read_model(Path({str(tiny.INT8)!r})); "
        "sys.exit(any(name.split('.')[0] in ('ai_edge_litert', 'tensorflow') "
        "for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
