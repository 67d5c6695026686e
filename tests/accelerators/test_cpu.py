import numpy as np
import pytest

from edgeeff.accelerators import cpu, cpu_profile
from edgeeff.accelerators.plan import HARDWARE, preset
from edgeeff.accelerators.session import random_inputs
from edgeeff.devices.local import Local
from edgeeff.errors import GateFailed, InputError
from tests.tflite import tiny

PLAN = preset("quick", min_runs=5, min_seconds=0, warmup_seconds=0, timeout=30)


def opened(model, plan=PLAN):
    session = cpu.open(model, plan)
    session.feed(random_inputs(session.inputs, 0))
    session.invoke()
    return session


def test_the_processor_is_available_hardware():
    status = cpu.probe()
    assert (status.state, status.provenance) == ("available", HARDWARE)
    assert status.adapter
    assert status.version.startswith("ai-edge-litert")


@pytest.mark.parametrize("model", tiny.ALL, ids=lambda path: path.stem)
def test_what_xnnpack_took_is_recorded(model):
    facts = opened(model).facts()
    assert facts.delegate == "XNNPACK"
    assert 0 < facts.delegated <= facts.nodes
    assert facts.partitions >= 1


def test_what_nobody_can_act_on_is_no_warning():
    facts = opened(tiny.INT8).facts()
    assert facts.delegated < facts.nodes
    assert not facts.warnings


def test_xnnpack_can_be_left_out_and_that_shows():
    plan = preset("quick", options={"xnnpack": "off"})
    facts = opened(tiny.FLOAT32, plan).facts()
    assert (facts.delegate, facts.delegated, facts.partitions) == ("", 0, 0)


def test_both_ways_compute_the_same():
    plan = preset("quick", options={"xnnpack": "off"})
    one, two = (opened(tiny.FLOAT32, which).outputs() for which in (PLAN, plan))
    np.testing.assert_allclose(one[0], two[0], atol=1e-5)


def test_outputs_that_are_no_numbers_fail_before_any_figure():
    session = cpu.open(tiny.FLOAT32, PLAN)
    session.feed([np.full(info.shape, np.nan, info.dtype) for info in session.inputs])
    session.invoke()
    with pytest.raises(GateFailed, match="not numbers"):
        session.verify()


def test_a_file_that_is_no_model_is_an_input_error(tmp_path):
    path = tmp_path / "text.tflite"
    path.write_text("hello")
    with pytest.raises(InputError, match=r"text\.tflite"):
        cpu.open(path, PLAN)


def test_the_same_seed_gives_the_same_input():
    infos = cpu.open(tiny.INT8, PLAN).inputs
    one, two, other = (random_inputs(infos, seed)[0] for seed in (1, 1, 2))
    assert (one == two).all()
    assert (one != other).any()
    assert one.dtype == infos[0].dtype


def test_a_worker_loads_warms_up_checks_samples_and_tells_its_memory():
    with Local().bench(tiny.FLOAT32, "cpu", PLAN) as bench:
        assert bench.load().load_ns > 0
        assert bench.warm_up().runs >= 3
        assert bench.verify() == {"outputs_finite": True}
        assert len(bench.sample(min_runs=7, min_seconds=0, max_seconds=9).samples_ns) == 7
        assert bench.memory() > 100_000


@pytest.mark.parametrize("model", [tiny.FLOAT32, tiny.INT8], ids=lambda path: path.stem)
def test_a_profile_times_the_layers_and_names_the_heavy_ones(model):
    with Local().bench(model, "cpu", PLAN) as bench:
        profile = bench.profile()
    assert "XNNPACK" in profile.method
    heavy = [one for one in profile.operators if one.operator.startswith("Convolution")]
    assert heavy
    assert all(one.tensor for one in heavy)
    assert all(one.mean_ns > 0 for one in heavy)


def test_layers_are_named_one_by_one_where_nothing_was_fused():
    assert cpu_profile.layer_names(["A", "B"], ["CONV_2D", "MEAN"], ["c", "m"]) == ["c", "m"]


def test_only_heavy_layers_are_named_where_others_were_fused():
    kernels = ["Convolution (NHWC, F32) IGEMM", "Sigmoid", "Fully Connected (NC, F32) GEMM"]
    operators = ["PAD", "CONV_2D", "LOGISTIC", "FULLY_CONNECTED"]
    names = cpu_profile.layer_names(kernels, operators, ["p", "c", "l", "f"])
    assert names == ["c", "", "f"]


def test_no_layer_is_named_where_it_is_not_sure():
    kernels = ["Convolution (NHWC, F32) IGEMM"]
    assert cpu_profile.layer_names(kernels, ["CONV_2D", "CONV_2D"], ["a", "b"]) == [""]
