"""The GPU target on SwiftShader, a Vulkan driver in software: results are real, latencies not."""

import subprocess
import sys
import time

import numpy as np
import pytest

from edgeeff.accelerators import gpu
from edgeeff.accelerators.gpu_runtime import read_messages
from edgeeff.accelerators.plan import Plan, preset
from edgeeff.accelerators.session import random_inputs
from edgeeff.devices.local import Local
from edgeeff.errors import GateFailed, TargetUnavailable, UsageError
from edgeeff.prediction.gpu_check import check
from edgeeff.tflite.reader import parse_model, read_model
from tests.accelerators.graphs import GraphWriter, options
from tests.tflite import tiny

IMAGE = (1, 8, 8, 8)
ADAPTER = (
    "I0000 00:00:1795509413.924619    7217 environment.cc:532] Selected adapter: SwiftShader "
    "Device (Subzero), arch=swiftshader, vendor=google, backend=Vulkan, adapterType=CPU / Software"
)


def row(*names, dtype="float32", shape=IMAGE):
    """The content of a model whose operators stand in a row."""
    writer = GraphWriter()
    first = last = writer.tensor(shape, dtype)
    for name in names:
        last = writer.add(name, [last], shape, dtype=dtype)
    return writer.content([first], [last])


@pytest.fixture
def saved(tmp_path):
    def save(content, name="model"):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        return path

    return save


def opened(model, **chosen):
    session = gpu.open(model, Plan(options=chosen))
    session.feed(random_inputs(session.inputs, 0))
    session.invoke()
    return session


def test_reads_the_adapter_and_that_it_is_software():
    said = read_messages(ADAPTER, 18)
    assert said.adapter == "SwiftShader Device (Subzero)"
    assert said.provenance == "software"
    assert said.delegated == 18


def test_reads_a_real_adapter_whose_architecture_is_not_named():
    said = read_messages(
        "environment.cc:532] Selected adapter: NVIDIA H200, arch=, vendor=nvidia, "
        "backend=Vulkan, adapterType=Discrete GPU",
        61,
    )
    assert (said.adapter, said.provenance) == ("NVIDIA H200", "hardware")


@pytest.mark.parametrize(
    ("kind", "provenance"),
    [
        ("discrete GPU", "hardware"),
        ("Integrated GPU", "hardware"),
        ("CPU / Software", "software"),
    ],
)
def test_only_a_gpu_is_hardware(kind, provenance):
    line = f"Selected adapter: Some Adapter, arch=x, vendor=y, backend=Vulkan, adapterType={kind}"
    assert read_messages(line, 1).provenance == provenance


def test_an_adapter_that_does_not_name_itself_is_not_trusted(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    assert read_messages("", 1).provenance == "software"


@pytest.mark.parametrize(
    ("summary", "delegated"),
    [
        (
            "1 operations will run on the GPU, and the remaining 2 operations will run on the CPU.",
            1,
        ),
        ("No operations will run on the GPU, and all 3 operations will run on the CPU.", 0),
    ],
)
def test_reads_what_stays_on_the_cpu_and_why(summary, delegated):
    said = read_messages(
        f"{ADAPTER}\nERROR: Following operations are not supported by GPU delegate:\n"
        f"LOCAL_RESPONSE_NORMALIZATION: Operation is not supported.\n{summary}\n",
        3,
    )
    assert said.delegated == delegated
    assert said.reasons == ("LOCAL_RESPONSE_NORMALIZATION: Operation is not supported.",)


def test_the_check_takes_an_efficientnet_block_whole():
    found = check(parse_model(row("CONV_2D", "LOGISTIC", "MUL", "MEAN", "ADD", "SOFTMAX")))
    assert (found.mapped_share, found.partitions) == (1.0, 1)


def test_the_check_gives_the_gpu_the_largest_piece_only():
    found = check(parse_model(row("ADD", "LOG_SOFTMAX", "RELU", "TANH", "ARG_MIN")))
    assert [verdict.taken for verdict in found.verdicts] == [False, False, True, True, False]
    assert found.partitions == 2
    assert "another piece" in found.verdicts[0].reason
    assert found.verdicts[1].reason == "the delegate does not take this operator"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (row("RELU", dtype="float64"), "works on float64"),
        (row("RELU", shape=(1, 2, 4, 4, 8)), "a tensor of 5 dimensions"),
        (row("RANK"), "not known to be taken"),
    ],
)
def test_the_check_says_why_not(content, reason):
    (verdict,) = check(parse_model(content)).verdicts
    assert verdict.reason == reason


def test_the_check_says_that_int8_is_computed_in_floating_point():
    assert "floating point" in check(parse_model(row("RELU", dtype="int8"))).notes[0]


def test_an_unknown_precision_is_refused(saved):
    with pytest.raises(UsageError, match="precision"):
        gpu.open(saved(row("RELU")), Plan(options={"precision": "fp8"}))


@pytest.mark.swiftshader
class TestOnSwiftShader:
    @pytest.fixture(autouse=True)
    def _driver(self, swiftshader):
        """Everything here runs on SwiftShader."""

    def test_probing_labels_it_as_software(self):
        status = Local().probe("gpu")
        assert (status.state, status.provenance) == ("software", "software")
        assert "SwiftShader" in status.adapter

    @pytest.mark.parametrize("precision", ["fp32", "fp16"])
    def test_outputs_are_those_of_the_cpu(self, saved, precision):
        session = opened(saved(row("RELU", "TANH", "LOGISTIC")), precision=precision)
        checked = session.verify()
        assert checked["relative_max"] < 1e-3
        assert session.facts().delegate.endswith(precision)
        assert session.facts().delegated == 3

    def test_half_precision_that_is_as_exact_as_single_is_told(self, saved):
        checked = opened(saved(row("TANH", "LOGISTIC")), precision="fp16").verify()
        assert "no fp16" in checked["note"]

    def test_another_models_outputs_give_no_figure(self, saved):
        reference = saved(row("NEG"), "reference")
        session = opened(saved(row("RELU")), reference=str(reference))
        with pytest.raises(GateFailed, match="something else than the CPU"):
            session.verify()

    def test_a_model_that_stays_on_the_cpu_is_refused(self, saved):
        with pytest.raises(TargetUnavailable, match="takes 0 of 1 operators") as raised:
            gpu.open(saved(row("LOG_SOFTMAX")), Plan())
        assert "LOG_SOFTMAX: Operation is not supported" in raised.value.hint

    @pytest.mark.parametrize(
        "names",
        [
            ("RELU", "TANH"),
            ("RELU", "TANH", "LOG_SOFTMAX"),
            ("RELU", "LOG_SOFTMAX", "TANH", "LOGISTIC"),
            ("LOG_SOFTMAX", "RELU", "TANH"),
        ],
    )
    def test_the_check_predicts_what_the_delegate_takes(self, saved, names):
        model = saved(row(*names))
        assert check(read_model(model)).mapped == opened(model).facts().delegated

    def test_prelu_which_converters_rarely_write_is_taken(self, saved):
        writer = GraphWriter()
        first = writer.tensor(IMAGE, "float32")
        alpha = writer.tensor((8,), "float32", 0.25)
        last = writer.add("PRELU", [first, alpha], IMAGE, dtype="float32")
        model = saved(writer.content([first], [last]))
        assert check(read_model(model)).mapped == 1
        assert opened(model).verify()["relative_max"] < 1e-3

    def test_squeeze_which_converters_rarely_write_is_refused(self, saved):
        writer = GraphWriter()
        first = writer.tensor((1, 1, 8, 8), "float32")
        squeezed = options("SqueezeOptions", squeezeDims=[1])
        last = writer.add("SQUEEZE", [first], (1, 8, 8), dtype="float32", options=squeezed)
        model = saved(writer.content([first], [last]))
        assert check(read_model(model)).mapped == 0
        with pytest.raises(TargetUnavailable) as raised:
            gpu.open(model, Plan())
        assert "SQUEEZE: Operation is not supported" in raised.value.hint

    def test_without_an_adapter_it_says_what_to_install(self, monkeypatch):
        monkeypatch.setenv("VK_ICD_FILENAMES", "/nowhere.json")
        status = Local().probe("gpu")
        assert status.state == "unavailable"
        assert "no Vulkan adapter" in status.reason
        assert "Vulkan driver" in status.fix

    def test_a_missing_loader_is_named(self, monkeypatch):
        # A process of its own: LiteRT looks for adapters once.
        monkeypatch.setenv("VK_ICD_FILENAMES", "/nowhere.json")
        program = (
            "from edgeeff.accelerators import gpu, gpu_runtime\n"
            "gpu_runtime.VULKAN_LOADER = 'libnowhere.so.1'\n"
            "status = gpu.probe()\n"
            "print(status.reason, status.fix)\n"
        )
        said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert "libnowhere.so.1 is missing" in said.stdout
        assert "libvulkan1" in said.stdout

    def test_int8_runs_and_is_compared(self):
        session = opened(tiny.INT8)
        assert session.outputs()[0].dtype == np.uint8
        assert session.verify()["relative_rmse"] < 0.2

    @pytest.mark.slow
    def test_all_of_lite0_runs_and_its_answer_is_the_cpus(self, lite0_float):
        with Local().bench(lite0_float, "gpu", preset("quick", warmup_runs=1)) as bench:
            facts = bench.load().facts
            bench.warm_up()
            checked = bench.verify()
        assert facts.provenance == "software"
        assert facts.delegated == facts.nodes
        assert checked["relative_max"] < 1e-3

    @pytest.mark.clock
    def test_the_time_of_a_sample_is_an_outside_clocks(self, lite0_float):
        seen = []
        with Local().bench(lite0_float, "gpu", preset("quick", warmup_runs=1)) as bench:
            bench.load()
            bench.warm_up()
            samples = bench.sample(
                min_runs=6,
                min_seconds=3,
                max_seconds=60,
                progress=lambda runs: seen.append((runs, time.perf_counter())),
            ).samples_ns
        # This process' clock between the worker's first and last sign of life.
        (first, start), (last, end) = seen[0], seen[-1]
        assert sum(samples[first:last]) / 1e9 == pytest.approx(end - start, rel=0.05)
