import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.prediction.compiler_log import MAPPED, STATUSES, CompilerLog, parse
from tests.prediction.compiler_logs import FULLY_MAPPED, PARTLY_MAPPED, TOO_LARGE

SEARCH = f"""\
Edge TPU Compiler version 16.0.384591198
Searching for valid delegate with step 10
Try to compile segment with 94 ops
{TOO_LARGE}Try to compile segment with 84 ops
Intermediate tensors: tfl.dequantize,Reshape,Reshape_8
{FULLY_MAPPED.split(chr(10), 1)[1]}"""


def test_reads_every_number_of_a_partly_mapped_model():
    log = parse(PARTLY_MAPPED)
    assert log.version == "2.1.302470888"
    assert (log.milliseconds, log.subgraphs, log.total) == (12264, 1, 267)
    assert log.model_bytes == round(8.11 * 2**20)
    assert log.compiled_bytes == round(9.47 * 2**20)
    assert log.on_chip_used == round(6.86 * 2**20)
    assert log.on_chip_remaining == round(7.75 * 2**10)
    assert log.streamed == round(1.22 * 2**20)
    assert log.failure is None


def test_counts_operators_as_the_compiler_does():
    log = parse(PARTLY_MAPPED)
    assert (log.mapped, log.on_cpu) == (83, 5)
    assert log.mapped_share == pytest.approx(83 / 88)


def test_keeps_the_verdict_of_each_group_of_operators():
    cpu = [(line.operator, line.count, line.status) for line in parse(PARTLY_MAPPED).operators
           if not line.mapped]  # fmt: skip
    assert cpu == [
        ("DEQUANTIZE", 2, "Operation is working on an unsupported data type"),
        (
            "LOGISTIC",
            1,
            "Operation is otherwise supported, but not mapped due to some unspecified limitation",
        ),
        ("CONCATENATION", 1, "More than one subgraph is not supported"),
        ("CUSTOM", 1, "Operation not supported"),
    ]
    assert all(line.status in STATUSES for line in parse(PARTLY_MAPPED).operators)


def test_a_fully_mapped_model_streams_nothing():
    log = parse(FULLY_MAPPED)
    assert (log.mapped, log.on_cpu, log.mapped_share) == (84, 0, 1.0)
    assert log.streamed == 0


def test_the_last_attempt_of_a_search_counts():
    log = parse(SEARCH)
    assert log.version == "16.0.384591198"
    assert log.failure is None
    assert log.mapped == 84


def test_a_search_without_success_tells_why_the_last_attempt_failed():
    log = parse(SEARCH.split("Try to compile segment with 84 ops")[0])
    assert log.failure is not None
    assert "on-chip memory" in log.failure.meaning


def test_reads_the_log_file_which_has_only_the_table():
    table = PARTLY_MAPPED[PARTLY_MAPPED.index("Operator  ") :]
    head = "Edge TPU Compiler version 15.0.340273435\nInput: a.tflite\nOutput: a_edgetpu.tflite\n\n"
    log = parse(head + table)
    assert (log.mapped, log.on_cpu, log.streamed, log.failure) == (83, 5, None, None)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("\nInternal compiler error. Aborting! \n", "does not say why"),
        ("Invalid model: my_mnist_quant.tflite\nModel not quantized\n", "float tensors"),
        (
            "ERROR: Didn't find op for builtin opcode 'CONV_2D' version '6'. An older version of "
            "this builtin might be supported. Are you using an old TFLite binary with a newer "
            "model?\n\nERROR: Registration failed.\n\nInvalid model: m.tflite\n"
            "Model could not be parsed\n",
            "CONV_2D version 6 is newer",
        ),
        (
            "Started a compilation timeout timer of 180 seconds.\nERROR: Attempting to use a "
            "delegate that only supports static-sized tensors with a graph that has dynamic-sized "
            "tensors.\nCompilation failed: Model failed in Tflite interpreter. Please ensure model "
            "can be loaded/run in Tflite interpreter.\nCompilation failed! \n",
            "open batch dimension",
        ),
        (
            "ERROR: Encountered unresolved custom op: Atan.\nERROR: Node number 1 (Atan) failed to "
            "prepare.\n\nCompilation failed: Model failed in Tflite interpreter.\n",
            "custom operator Atan",
        ),
        (TOO_LARGE, "activation does not fit"),
        (
            "Compilation timeout. This is usually caused by large activations.\n"
            "Compilation failed! \n",
            "time limit",
        ),
        (
            "libc++abi: terminating with uncaught exception of type std::out_of_range: vector\n"
            "Compilation failed! \n",
            "std::out_of_range: vector",
        ),
        ("Compilation child process completed within timeout period.\nCompilation failed! \n",
         "without a reason"),
    ],
)  # fmt: skip
def test_a_failure_is_explained(text, meaning):
    log = parse(f"Edge TPU Compiler version 16.0.384591198\n{text}")
    assert log.failure is not None
    assert meaning in log.failure.meaning
    assert log.failure.fix


def test_silence_is_a_failure():
    failure = parse("").failure
    assert failure is not None
    assert failure.words == ""


def test_an_unknown_status_is_kept_and_counts_as_cpu():
    (line,) = parse("GELU                           3          Operation is too new\n").operators
    assert (line.operator, line.count, line.status) == ("GELU", 3, "Operation is too new")
    assert not line.mapped
    assert "does not know" in line.meaning


@given(
    st.dictionaries(
        st.tuples(st.from_regex(r"[A-Z][A-Z0-9_]{0,28}", fullmatch=True),
                  st.sampled_from(sorted(STATUSES))),
        st.integers(1, 999),
        max_size=8,
    )
)  # fmt: skip
def test_any_table_in_the_compilers_layout_comes_back(table):
    lines = [f"{name:<30} {count:<10} {status}" for (name, status), count in table.items()]
    log = parse("Operator                       Count      Status\n\n" + "\n".join(lines))
    assert {(line.operator, line.status): line.count for line in log.operators} == table
    assert log.mapped == sum(count for (_, status), count in table.items() if status == MAPPED)


@given(st.text())
def test_no_text_breaks_the_parser(text):
    assert isinstance(parse(text), CompilerLog)
