"""Phones over the real protocol: Debian's adbd, with stand-ins for Android's own programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgeeff.accelerators.plan import Plan
from edgeeff.devices import adb, android
from edgeeff.errors import GateFailed, TargetUnavailable, UsageError
from tests.devices import benchmark_model_double as double
from tests.devices import locked_phone
from tests.devices.binaries import elf
from tests.devices.models import write_logistic
from tests.devices.phones import Network, TestPhone, connect
from tests.waiting import wait_until

pytestmark = pytest.mark.adbd

PLAN = Plan(
    warmup_runs=2,
    warmup_seconds=0.01,
    warmup_max_seconds=2,
    min_runs=5,
    min_seconds=0,
    max_seconds=30,
    timeout=20,
)
GPU = Plan(**{**PLAN.to_json(), "options": {"precision": "fp16"}})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_logistic(tmp_path / "logistic.tflite")


def copied(phone: TestPhone) -> dict[Path, int]:
    """When each file that stays on the phone was written."""
    kept = [path for kind in ("bin", "models") for path in phone.storage.glob(f"{kind}/*")]
    return {path: path.stat().st_mtime_ns for path in kept}


def files(directory: Path) -> list[str]:
    return sorted(
        str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()
    )


@pytest.mark.slow
@pytest.mark.parametrize("quantized", [False, True])
def test_a_model_is_timed_and_proved_right(
    phone: TestPhone, tmp_path: Path, quantized: bool
) -> None:
    model = write_logistic(tmp_path / "m.tflite", quantized=quantized)
    device = phone.device()
    with device.bench(model, "cpu", PLAN) as bench:
        loaded = bench.load()
        warm = bench.warm_up()
        checked = bench.verify()
        samples = bench.sample(min_runs=5, min_seconds=0, max_seconds=30)
        grown = bench.memory()
    assert loaded.load_ns > 0
    facts = loaded.facts
    assert (facts.provenance, facts.delegate) == ("test-double", "XNNPACK")
    assert (facts.nodes, facts.delegated, facts.partitions) == (1, 1, 1)
    assert warm.runs >= 2
    assert checked["steps" if quantized else "relative_rmse"] <= 1e-3
    assert checked["continuous_us"]["runs"] == 5
    assert len(samples.samples_ns) == 6
    assert samples.stopped_by == "runs"
    assert grown == 3.25 * 2**20


def test_the_gpu_is_asked_for_in_half_precision(phone: TestPhone, model: Path) -> None:
    with phone.device().bench(model, "gpu", GPU) as bench:
        facts = bench.load().facts
        assert {"--use_gpu=true", "--gpu_precision_loss_allowed=true"} <= set(phone.flags())
    assert (facts.delegate, facts.adapter) == ("GPU", "Adreno (TM) 730")


def test_the_time_of_every_operator_is_a_pass_of_its_own(phone: TestPhone, model: Path) -> None:
    with phone.device().bench(model, "cpu", PLAN) as bench:
        profile = bench.profile()
    (operator,) = profile.operators
    assert (operator.operator, operator.tensor) == ("Sigmoid (NC, F32)", "shares")
    assert operator.mean_ns > 0
    assert "averages by benchmark_model" in profile.method


def test_the_gpu_has_no_operators_to_show(phone: TestPhone, model: Path) -> None:
    with (
        phone.device().bench(model, "gpu", GPU) as bench,
        pytest.raises(TargetUnavailable, match="TfLiteGpuDelegateV2 as one"),
    ):
        bench.profile()


def test_only_what_is_not_there_is_copied(phone: TestPhone, model: Path) -> None:
    device = phone.device()
    with device.bench(model, "cpu", PLAN):
        kept = copied(phone)
    assert {path.parent.name for path in kept} == {"bin", "models"}
    with device.bench(model, "cpu", PLAN):
        assert copied(phone) == kept


def test_a_damaged_copy_of_the_same_size_is_replaced(phone: TestPhone, model: Path) -> None:
    device = phone.device()
    with device.bench(model, "cpu", PLAN):
        (copy,) = phone.storage.glob("models/*.tflite")
        copy.write_bytes(bytes(copy.stat().st_size))
    with device.bench(model, "cpu", PLAN) as bench:
        assert copy.read_bytes() == model.read_bytes()
        bench.load()


def test_nothing_but_model_and_program_is_left(phone: TestPhone, model: Path) -> None:
    with phone.device().bench(model, "cpu", PLAN) as bench:
        bench.load()
        assert any(name.startswith("work-") for name in files(phone.storage))
    left = files(phone.storage)
    assert [name.partition("/")[0] for name in left] == ["bin", "models"]
    assert phone.processes() == ""


def test_the_machine_is_described(phone: TestPhone) -> None:
    machine = phone.device().machine()
    assert machine["system"] == "Test Double, Android 14 (API 34)"
    assert machine["machine"] == "arm64-v8a"
    assert machine["memory_bytes"] > machine["available_memory_bytes"] > 0
    assert machine["battery"] == {"percent": 82, "powered_by": ["USB"]}
    assert machine["temperature_c"] == machine["temperatures_c"]["skin"] == 24.83324
    assert machine["thermal_status"] == 0


@pytest.mark.parametrize(
    ("behaviour", "target", "message"),
    [
        (double.CRASH, "cpu", "crashed on phone .* \\(signal 11\\)"),
        (double.GARBAGE, "cpu", "gave no figures: Segment not found"),
        (double.NO_GPU, "gpu", "the phone's GPU cannot be used"),
        (double.NOTHING_DELEGATED, "gpu", "GPU delegate took no operator"),
    ],
)
def test_a_failing_program_is_one_clear_error(
    phone: TestPhone, model: Path, behaviour: str, target: str, message: str
) -> None:
    phone.behave(behaviour)
    with (
        phone.device().bench(model, target, PLAN) as bench,
        pytest.raises(TargetUnavailable, match=message) as caught,
    ):
        bench.load()
    assert caught.value.hint
    assert caught.value.exit_status == 4


@pytest.mark.slow
def test_a_hanging_program_is_ended(phone: TestPhone, model: Path) -> None:
    phone.behave(double.HANG)
    plan = Plan(timeout=0.5)
    with (
        phone.device().bench(model, "cpu", plan) as bench,
        pytest.raises(TargetUnavailable, match="did not finish"),
    ):
        bench.load()
    assert phone.processes() == ""


def test_wrong_outputs_give_no_figure(phone: TestPhone, model: Path) -> None:
    phone.behave(double.WRONG_OUTPUTS)
    with phone.device().bench(model, "cpu", PLAN) as bench:
        bench.load()
        bench.warm_up()
        with pytest.raises(GateFailed, match="computes something else"):
            bench.verify()


def test_a_program_for_another_processor_is_refused(
    phone: TestPhone, model: Path, tmp_path: Path
) -> None:
    program = tmp_path / "for_x86"
    program.write_bytes(elf(62))
    plan = Plan(options={"benchmark_model": str(program)})
    with pytest.raises(TargetUnavailable, match="is for x86_64; the phone runs arm64-v8a"):
        phone.device().bench(model, "cpu", plan)


def test_full_storage_is_said_and_left_clean(
    phone: TestPhone, network: Network, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    subprocess.run(network.inside(*mount), check=True)
    big = tmp_path / "big.tflite"
    big.write_bytes(bytes(10) + os.urandom(300_000))
    with pytest.raises(TargetUnavailable, match=r"is full: no room for 0\.3 MB"):
        phone.device(small).bench(big, "cpu", PLAN)
    left = subprocess.run(
        network.inside("find", str(small), "-type", "f"), capture_output=True, check=True
    )
    assert left.stdout == b""


def test_a_phone_that_goes_away_is_said(phone: TestPhone, model: Path) -> None:
    with phone.device().bench(model, "cpu", PLAN) as bench:
        bench.load()
        phone.adbd.kill()
        with pytest.raises(TargetUnavailable, match=r"the connection to phone .* broke"):
            bench.warm_up()


def test_a_board_without_android_is_sent_to_ssh(phone: TestPhone) -> None:
    (phone.tools / "getprop").unlink()
    status = phone.device().probe("cpu")
    assert status.state == "unavailable"
    assert "is no Android" in status.reason
    assert "ssh://" in status.fix


@pytest.mark.parametrize(("target", "state"), [("cpu", "software"), ("edgetpu", "unavailable")])
def test_a_phone_has_a_processor_and_no_edge_tpu(phone: TestPhone, target: str, state: str) -> None:
    assert phone.device().probe(target).state == state


def test_an_emulator_is_labelled(phone: TestPhone, tmp_path: Path) -> None:
    phone.says("getprop", "[ro.product.cpu.abilist]: [x86_64]\n[ro.hardware]: [ranchu]\n")
    program = tmp_path / "program"
    program.write_bytes(elf(62))
    device = phone.device()
    assert device.system.emulator
    assert device._provenance(program, "cpu") == "emulated"


def test_a_warm_phone_is_refused(phone: TestPhone, model: Path) -> None:
    phone.says("thermalservice", "Thermal Status: 3\n")
    plan = Plan(options={"cool_down": "0"})
    device = phone.device()
    assert device.ready(plan) == ()
    with pytest.raises(TargetUnavailable, match=r"too warm after 0 s .*severe"):
        device.bench(model, "cpu", plan)


def test_a_cool_phone_is_ready(phone: TestPhone) -> None:
    assert phone.device().ready(PLAN) == ()


def test_the_next_model_waits_for_the_first_ones_temperature(phone: TestPhone) -> None:
    device = phone.device()
    device.ready(PLAN)
    phone.says(
        "thermalservice",
        "Thermal Status: 0\nCurrent temperatures from HAL:\n"
        "\tTemperature{mValue=30.5, mType=3, mName=SKIN, mStatus=0}\n",
    )
    plan = Plan(options={"cool_down": "0"})
    (warning,) = device.ready(plan)
    assert "warmer than when it began: it has 30.5 °C" in warning


@pytest.mark.parametrize("text", ["warm", "nan"])
def test_an_option_that_is_no_number_is_wrong_usage(text: str, phone: TestPhone) -> None:
    with pytest.raises(UsageError, match=f"max_celsius is no number: '{text}'"):
        phone.device().ready(Plan(options={"max_celsius": text}))


def test_no_phone_is_said(adb_path: Path) -> None:
    with pytest.raises(TargetUnavailable, match="no phone is connected"):
        android.connect("android")


def test_a_phone_that_does_not_answer_is_offline(phone: TestPhone) -> None:
    phone.adbd.kill()
    phone.adbd.wait()
    wait_until(lambda: all(found.state != "device" for found in adb.phones()), "adb lost the phone")
    with pytest.raises(TargetUnavailable, match=f"phone {phone.serial} does not answer"):
        android.connect(f"android:{phone.serial}")


def test_a_locked_phone_says_what_to_accept(network: Network, adb_path: Path) -> None:
    port = next(network.ports)
    serial = f"127.0.0.1:{port}"
    double_of_phone = network.start(
        sys.executable, locked_phone.__file__, str(port), environment=dict(os.environ)
    )
    try:
        connect(serial, "unauthorized")
        with pytest.raises(TargetUnavailable, match="has not allowed this computer") as caught:
            android.connect("android")
        assert "Allow USB debugging" in caught.value.hint
        (device,) = android.connect("android:all")
        assert device.probe("cpu").state == "unavailable"
        assert set(device.machine().values()) == {None}
        assert device.ready(PLAN) == ()
    finally:
        subprocess.run(["adb", "disconnect", serial], capture_output=True, check=False)
        double_of_phone.kill()
        double_of_phone.wait()


INTERRUPTED = """
import sys
from pathlib import Path
from edgeeff.devices.adb import Phone
from edgeeff.devices.android import Android
from edgeeff.accelerators.plan import Plan
from pathlib import PurePosixPath
serial, storage, model = sys.argv[1:]
with Android(Phone(serial, "device"), PurePosixPath(storage)).bench(
    Path(model), "cpu", Plan(timeout=60)
) as bench:
    print("ready", flush=True)
    bench.load()
"""


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_running_on_the_phone(phone: TestPhone, model: Path) -> None:
    phone.behave(double.HANG)
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, phone.serial, str(phone.storage), str(model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    wait_until(lambda: list(phone.storage.glob("work-*/pid")), "the phone runs")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    process.communicate(timeout=20)
    assert process.returncode != 0
    assert list(phone.storage.glob("work-*")) == []
    assert "benchmark" not in phone.processes()
    assert phone.processes() == ""
