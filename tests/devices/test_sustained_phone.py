"""Long runs on a phone, over the real protocol."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgeeff.accelerators.plan import preset
from edgeeff.benchmarking.session import Subject, measure
from edgeeff.devices import android_bench
from edgeeff.progress import Advance, Progress
from tests.devices.models import write_logistic
from tests.devices.phones import TestPhone

pytestmark = [pytest.mark.adbd, pytest.mark.slow]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_logistic(tmp_path / "logistic.tflite")


def test_a_long_run_tells_when_its_samples_were_and_how_warm_the_phone_got(
    phone: TestPhone, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(android_bench, "HEAT_SECONDS", 0.5)
    monkeypatch.setattr(android_bench, "SUSTAINED_SETTLE_SECONDS", 0.2)
    plan = preset("sustained", min_seconds=5, max_seconds=5, warmup_max_seconds=1, timeout=30)

    outcome = measure(phone.device(), [Subject(model, "cpu")], plan)
    (found,) = outcome.measurements
    (run,) = found.runs
    assert run.stopped_by == "seconds"
    assert 1 < len(run.per_second) <= 5
    assert sum(run.per_second) == len(run.samples_ns)
    assert all(count % 3 == 0 for count in run.per_second)
    assert 0 < run.busy_share < 1
    seconds = [look.second for look in run.heat]
    assert seconds == sorted(seconds)
    assert seconds  # more of them on an idle machine
    assert run.heat[0].thermal_status == 0
    assert run.heat[0].temperatures_c["skin"] == 24.83324


def test_throttling_in_a_long_run_is_a_warning(
    phone: TestPhone, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(android_bench, "HEAT_SECONDS", 0.5)
    plan = preset("sustained", min_seconds=4, max_seconds=4, warmup_max_seconds=1, timeout=30)

    class Warming(Progress):
        def shown(self, name: str, steps: int | None) -> AbstractContextManager[Advance]:
            if name.startswith("time"):
                phone.says("thermalservice", "Thermal Status: 2\n")
            return super().shown(name, steps)

    outcome = measure(phone.device(), [Subject(model, "cpu")], plan, progress=Warming())
    words = outcome.measurements[0].warnings
    assert "throttled in minute 0: thermal status moderate, moderate at worst" in words
