import numpy as np
import pytest

from edgeeff.prediction.edgetpu_model import CUSTOM_OPERATOR, check
from edgeeff.prediction.edgetpu_rules import ON_CHIP_BYTES, RULES
from edgeeff.tflite.flatbuffer import read_schema
from tests.accelerators.graphs import GraphWriter, chain, options, single

IMAGE = (1, 8, 8, 8)
MORE_THAN_THREE = "more than the three innermost dimensions are above 1, such as a batch"


def reason(model, runtime=14):
    (verdict,) = check(model, runtime).verdicts
    assert verdict.taken == (not verdict.reason)
    return verdict.reason


@pytest.mark.parametrize("name", ["ADD", "MUL", "LOGISTIC", "RELU6", "TANH", "SPACE_TO_DEPTH"])
def test_operators_without_a_limit_are_mapped(name):
    assert reason(chain(name)) == ""


@pytest.mark.parametrize("name", ["EXP", "LEAKY_RELU", "HARD_SWISH", "GELU"])
def test_operators_that_are_not_in_the_table_are_not_mapped(name):
    assert reason(chain(name)) == "the Edge TPU has no such operator"


@pytest.mark.parametrize(("dtype", "why"), [("float32", "float32"), ("int16", "int16")])
def test_only_eight_bits_are_mapped(dtype, why):
    assert reason(chain("ADD", dtype=dtype)) == f"works on {why}"


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ((4, 8, 8, 8), MORE_THAN_THREE),
        ((1, 2, 8, 8, 8), MORE_THAN_THREE),
        ((-1, 8, 8, 8), "a size is left open"),
        ((1, 1, 8, 8, 8), ""),
        ((1, 10), ""),
    ],
)
def test_shapes_are_fixed_and_of_three_dimensions(shape, why):
    assert reason(chain("ADD", shape=shape)) == why


@pytest.mark.parametrize(("name", "since"), [("QUANTIZE", 13), ("TRANSPOSE_CONV", 13), ("SUM", 13)])
def test_operators_come_with_a_runtime_version(name, since):
    model = single(name, IMAGE, IMAGE, [1, 2])
    assert f"runtime {since}" in reason(model, since - 1)
    assert reason(model, since) == ""


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (
            single("MAX_POOL_2D", IMAGE, (1, 4, 4, 8),
                   options=options("Pool2DOptions", fusedActivationFunction=1)),
            "has a fused RELU",
        ),
        (single("MAX_POOL_2D", IMAGE, (1, 4, 4, 8), options=options("Pool2DOptions")), ""),
        (single("SOFTMAX", (1, 16_001), (1, 16_001)), "more than 16,000 values"),
        (single("SOFTMAX", (1, 1_000), (1, 1_000)), ""),
        (single("SOFTMAX", (1, 8, 8, 4), (1, 8, 8, 4)), "works on more than a vector"),
        (single("MEAN", IMAGE, (1, 8), [1, 2]), ""),
        (single("MEAN", IMAGE, (8, 8, 8), [0]), "works across the batch"),
        (single("MEAN", (1, 8, 8, 6), (1, 8, 8), [3]), "reduces a depth of 6, no multiple of 4"),
        (single("MEAN", IMAGE, (1, 8, 8), [-1]), ""),
        (single("PAD", IMAGE, (1, 10, 10, 8), [[0, 0], [1, 1], [1, 1], [0, 0]]), ""),
        (
            single("STRIDED_SLICE", IMAGE, (1, 4, 4, 8), [0, 0, 0, 0], [1, 8, 8, 8], [1, 2, 2, 1]),
            "steps over values",
        ),
        (
            single("STRIDED_SLICE", IMAGE, (1, 4, 4, 8), [0, 0, 0, 0], [1, 4, 4, 8], [1, 1, 1, 1]),
            "",
        ),
    ],
)  # fmt: skip
def test_limits_of_the_table(model, why):
    assert reason(model) == why


@pytest.mark.parametrize(
    ("axis", "why"), [(0, "splits the batch"), (-4, "splits the batch"), (-1, ""), (3, "")]
)
def test_a_split_is_not_of_the_batch_however_its_axis_is_counted(axis, why):
    writer = GraphWriter()
    image, place = writer.tensor(IMAGE), writer.tensor((), "int32", axis)
    last = writer.add("SPLIT", [place, image], IMAGE, options=options("SplitOptions", numSplits=1))
    assert reason(writer.model([image], [last])) == why


@pytest.mark.parametrize("name", ["SOFTMAX", "PRELU", "RESIZE_BILINEAR", "MEAN"])
def test_an_operator_that_reads_nothing_is_not_mapped(name):
    writer = GraphWriter()
    image = writer.tensor(IMAGE)
    assert reason(writer.model([image], [writer.add(name, [], IMAGE)]))


def convolution(name, kernel, kind, output=IMAGE, *, constant=True, version=1, **fields):
    writer = GraphWriter()
    first = writer.tensor(IMAGE)
    weights = writer.tensor(kernel, values=1 if constant else None)
    bias = writer.tensor(kernel[:1], "int32", 0)
    made = options(kind, **fields)
    last = writer.add(name, [first, weights, bias], output, options=made, version=version)
    return writer.model([first] if constant else [first, weights], [last])


def test_convolutions_need_one_dilation():
    conv = ("CONV_2D", (8, 3, 3, 8), "Conv2DOptions")
    assert reason(convolution(*conv, dilationWFactor=2, dilationHFactor=2)) == ""
    assert "dilation 2 along x but 1" in reason(convolution(*conv, dilationWFactor=2))


def test_convolutions_need_their_weights_in_the_file():
    found = reason(convolution("CONV_2D", (1, 3, 3, 8), "Conv2DOptions", constant=False))
    assert found == "its weights are computed, not in the file"


def test_depthwise_dilation_needs_a_runtime_after_12():
    model = convolution(
        "DEPTHWISE_CONV_2D", (1, 3, 3, 8), "DepthwiseConv2DOptions",
        dilationWFactor=2, dilationHFactor=2,
    )  # fmt: skip
    assert reason(model, 12) == "is dilated"
    assert reason(model, 13) == ""


def test_a_newer_operator_version_makes_the_compiler_refuse_the_file():
    found = check(convolution("CONV_2D", (8, 3, 3, 8), "Conv2DOptions", version=6))
    assert found.mapped == 0
    assert "CONV_2D has version 6, it reads up to 5" in found.notes[0]


def joined(values, *, inputs=1):
    writer = GraphWriter()
    firsts = [writer.tensor(IMAGE) for _ in range(inputs)]
    constant = writer.tensor(IMAGE, values=values)
    made = options("ConcatenationOptions", axis=3)
    last = writer.add("CONCATENATION", [*firsts, constant], (1, 8, 8, 16), options=made)
    return writer.model(firsts, [last])


def test_a_constant_is_joined_only_as_zero_padding():
    assert reason(joined(0)) == ""
    assert reason(joined(3)) == "joins a constant that is not all zeros"
    assert reason(joined(0, inputs=2)) == "joins a constant with more than one other input"


def test_everything_after_an_unmapped_operator_stays_on_the_cpu():
    found = check(chain("RELU", "ADD", "EXP", "RELU", "TANH"))
    assert [verdict.taken for verdict in found.verdicts] == [True, True, False, False, False]
    assert "comes after" in found.verdicts[3].reason
    assert found.mapped_share == 0.4
    assert found.partitions == 2


def test_unmapped_operators_at_the_start_do_not_stop_the_rest():
    assert [v.taken for v in check(chain("EXP", "RELU", "ADD")).verdicts] == [False, True, True]


def test_a_branch_that_does_not_depend_on_the_unmapped_operator_is_mapped():
    writer = GraphWriter()
    first = writer.tensor(IMAGE)
    trunk = writer.add("RELU", [first], IMAGE)
    side = writer.add("EXP", [trunk], IMAGE)
    other = writer.add("TANH", [trunk], IMAGE)
    found = check(writer.model([first], [side, other]))
    assert [verdict.taken for verdict in found.verdicts] == [True, False, True]
    assert found.partitions == 1


def test_parameters_beyond_the_chips_memory_are_streamed():
    writer = GraphWriter()
    first = writer.tensor((1, 4096))
    weights = writer.tensor((2560, 4096), values=1)
    last = writer.add("FULLY_CONNECTED", [first, weights, -1], (1, 2560),
                      options=options("FullyConnectedOptions"))  # fmt: skip
    found = check(writer.model([first], [last]))
    assert found.parameter_bytes == 2560 * 4096
    assert (found.cached_bytes, found.streamed_bytes) == (ON_CHIP_BYTES, 2560 * 4096 - 2**23)


def test_a_float_model_is_said_to_be_refused():
    found = check(chain("ADD", dtype="float32"))
    assert any("nothing in it is quantized" in note for note in found.notes)


def test_a_compiled_model_is_said_to_be_one():
    writer = GraphWriter()
    first = writer.tensor(IMAGE)
    last = writer.add(CUSTOM_OPERATOR, [first], IMAGE, custom=b"program")
    found = check(writer.model([first], [last]))
    assert found.mapped == 1
    assert any("compiled already" in note for note in found.notes)


def test_unstated_limits_are_noted():
    found = check(single("RESHAPE", IMAGE, (1, 512), [1, 512]))
    assert found.notes == ("RESHAPE: a large tensor may not be mapped",)


def test_the_json_says_that_it_is_predicted():
    fields = check(chain("ADD", "EXP")).to_json()
    assert fields["provenance"] == "predicted"
    assert (fields["operators"], fields["mapped"]) == (2, 1)
    assert fields["verdicts"][1]["reason"] == "the Edge TPU has no such operator"


def test_groups_count_what_is_not_taken_first():
    groups = check(chain("RELU", "RELU", "EXP")).groups
    assert [(group.operator, group.count, group.taken) for group in groups] == [
        ("EXP", 1, False),
        ("RELU", 2, True),
    ]


def test_every_rule_names_an_operator_of_the_schema():
    assert set(RULES) <= set(read_schema("tflite").enums["BuiltinOperator"].values())


def test_a_constant_of_zeros_respects_its_zero_point():
    writer = GraphWriter()
    first = writer.tensor(IMAGE)
    constant = writer.tensor(IMAGE, values=np.int8(5))
    writer.tensors[constant].quantization.zeroPoint = [5]
    last = writer.add("CONCATENATION", [first, constant], (1, 8, 8, 16),
                      options=options("ConcatenationOptions", axis=3))  # fmt: skip
    assert reason(writer.model([first], [last])) == ""
