"""Several phones at once, over the real protocol."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

import pytest

from edgeeff.accelerators.plan import Plan
from edgeeff.benchmarking.run import Result, benchmark
from edgeeff.benchmarking.session import peak_memory
from edgeeff.devices import android
from edgeeff.errors import TargetUnavailable, UsageError
from edgeeff.progress import Advance, Progress
from tests.devices import benchmark_model_double as double
from tests.devices.models import write_logistic
from tests.devices.phones import TestPhone
from tests.documents import validated
from tests.recorded import Recorded
from tests.waiting import wait_until

pytestmark = [pytest.mark.adbd, pytest.mark.slow]

PLAN = Plan(
    warmup_runs=2,
    warmup_seconds=0.01,
    warmup_max_seconds=2,
    min_runs=3,
    min_seconds=0,
    max_seconds=30,
    timeout=60,
    repeats=1,
    options={"cool_down": "0"},
)

HOT = "Thermal Status: 4\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_logistic(tmp_path / "logistic.tflite")


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where every phone keeps what it is given."""
    path = tmp_path / "data"
    monkeypatch.setattr(android, "DIRECTORY", PurePosixPath(path))
    return path


@pytest.fixture
def phones(
    new_phone: Callable[[], TestPhone], storage: Path, monkeypatch: pytest.MonkeyPatch
) -> list[TestPhone]:
    """Two phones that run the first one's program."""
    made = [new_phone(), new_phone()]
    monkeypatch.setenv("EDGEEFF_BENCHMARK_MODEL", str(made[0].program))
    return made


def measure(model: Path, plan: Plan = PLAN, progress: Progress | None = None) -> Result:
    passes = {"peak_memory_bytes": peak_memory}
    return benchmark([model], device="android:all", plan=plan, passes=passes, progress=progress)


def test_two_phones_need_a_name(phones: list[TestPhone]) -> None:
    first, second = phones
    with pytest.raises(TargetUnavailable, match="2 phones are connected and none was named"):
        android.connect("android")
    (chosen,) = android.connect(f"android:{second.serial}")
    assert chosen.name == f"android:{second.serial}"
    both = android.connect("android:all")
    assert [device.phone.serial for device in both] == sorted([first.serial, second.serial])


def test_phones_are_measured_at_the_same_time(phones: list[TestPhone], model: Path) -> None:
    phones[0].behave(double.MEET)
    progress = Recorded()
    result = measure(model, progress=progress)
    names = [f"android:{phone.serial}" for phone in phones]
    assert [found.device for found in result.measurements] == names
    assert [found.device for found in result.environments] == names
    assert result.status == 0
    assert len(progress.threads) == 2
    for name in names:
        stages = [stage for stage in progress.stages if stage.startswith(f"{name}: ")]
        assert [stage.split()[1] for stage in stages] == ["repeats", "load", "time"]


def test_one_call_measures_every_phone_that_can_be(phones: list[TestPhone], model: Path) -> None:
    cool, hot = phones
    hot.says("thermalservice", HOT)
    result = measure(model)
    (measured,), (failed,) = result.measurements, result.failures
    assert measured.device == f"android:{cool.serial}"
    assert measured.facts.provenance == "test-double"
    assert failed.device == f"android:{hot.serial}"
    assert "too warm" in failed.error.message
    assert result.status == 4
    validated(result.document())


def test_a_phone_that_goes_away_leaves_the_other_measured(
    phones: list[TestPhone], model: Path, storage: Path
) -> None:
    stays, goes = phones
    plan = dataclasses.replace(PLAN, min_runs=12)

    class Pulled(Progress):
        def shown(self, name: str, steps: int | None) -> AbstractContextManager[Advance]:
            if name == f"android:{goes.serial}: time {model.name}":
                goes.adbd.kill()
            return super().shown(name, steps)

    result = measure(model, plan, Pulled())
    (measured,), (failed,) = result.measurements, result.failures
    assert measured.device == f"android:{stays.serial}"
    assert len(measured.samples_ns) == 12
    assert failed.device == f"android:{goes.serial}"
    assert "broke" in failed.error.message


def test_a_wrong_option_ends_the_call(phones: list[TestPhone], model: Path) -> None:
    plan = dataclasses.replace(PLAN, options={"max_celsius": "warm"})
    with pytest.raises(UsageError, match="max_celsius is no number"):
        measure(model, plan)


def test_a_bug_is_told_and_not_that_the_others_were_interrupted(
    phones: list[TestPhone], model: Path
) -> None:
    def broken(bench: object) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        benchmark([model], device="android:all", plan=PLAN, passes={"profile": broken})


COMMAND = """
import sys
from pathlib import PurePosixPath
from edgeeff.cli import main
from edgeeff.devices import android
android.DIRECTORY = PurePosixPath(sys.argv[1])
main(["benchmark", "--device", "android:all", *sys.argv[2:]])
"""


def start(storage: Path, *words: object) -> subprocess.Popen[str]:
    """The command line on both phones, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(storage), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def interrupt(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C as a terminal does, to the whole group; what is said on standard error."""
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    return errors


def start_with_one_hung(
    phones: list[TestPhone], storage: Path, model: Path
) -> subprocess.Popen[str]:
    """A command that has a program running on each of two phones, of which the first hangs."""
    phones[0].behave(double.HANG)
    process = start(storage, model)
    wait_until(lambda: len(list(storage.glob("work-*/pid"))) == 2, "both phones run")
    return process


def test_ctrl_c_ends_programs_on_every_phone_and_cleans_them(
    phones: list[TestPhone], model: Path, storage: Path
) -> None:
    process = start_with_one_hung(phones, storage, model)
    interrupt(process)
    assert list(storage.glob("work-*")) == []
    left = {path.parent.name for path in storage.rglob("*") if path.is_file()}
    assert left == {"bin", "models"}
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(storage) not in listed.stdout


def test_ctrl_c_ends_waiting_for_phones_to_cool(
    phones: list[TestPhone], model: Path, storage: Path
) -> None:
    for phone in phones:
        phone.says("thermalservice", HOT)
    process = start(storage, model)
    # dumpsys of the stand-in was read: the gate waits now, for ten minutes if it may.
    asked = [phone.tools / "thermalservice.asked" for phone in phones]
    wait_until(lambda: all(path.exists() for path in asked), "both phones were asked")
    interrupt(process)
    assert not storage.exists()


def test_a_second_ctrl_c_does_not_wait_for_a_phone_that_no_longer_answers(
    phones: list[TestPhone], model: Path, storage: Path
) -> None:
    process = start_with_one_hung(phones, storage, model)
    phones[1].adbd.send_signal(signal.SIGSTOP)
    os.killpg(process.pid, signal.SIGINT)
    wait_until(lambda: len(list(storage.glob("work-*"))) == 1, "one phone is clean")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    interrupt(process)
