"""``fit`` on boards and phones: networks are built here and timed there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from edgeeff.accelerators.plan import preset
from edgeeff.devices import android
from edgeeff.errors import TargetUnavailable
from edgeeff.fitting import settings as fit_settings
from edgeeff.fitting.fit import fit
from edgeeff.fitting.fitted import read_fitted
from edgeeff.fitting.settings import FitSettings
from tests.devices.boards import Server
from tests.devices.phones import TestPhone
from tests.fitting.small import SMALL


@pytest.fixture(autouse=True)
def _timed_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is timed is of no interest here, only where."""
    monkeypatch.setattr(fit_settings, "PLAN", preset("quick"))
    monkeypatch.setattr(FitSettings, "winners_plan", FitSettings.plan)


@pytest.mark.sshd
@pytest.mark.slow
def test_a_board_chooses_a_network_and_keeps_none_of_those_it_timed(
    server: Server, tmp_path: Path
) -> None:
    found = fit(replace(SMALL, networks=2, device=server.address()), tmp_path / "fit")
    assert found.winner is not None
    assert found.winner.timing is not None
    assert found.winner.timing.provenance == "hardware"
    assert found.settings.device == server.address()
    assert list((server.home / "edgeeff" / "models").iterdir()) == []


@pytest.mark.adbd
@pytest.mark.slow
def test_a_phone_that_is_a_double_is_labelled_as_one(
    phone: TestPhone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(android, "DIRECTORY", PurePosixPath(phone.storage))
    found = fit(replace(SMALL, networks=2, device=f"android:{phone.serial}"), tmp_path / "fit")
    assert found.winner is not None
    assert found.winner.timing is not None
    assert found.winner.timing.provenance == "test-double"
    assert "test-double" in found.plot().svg
    assert list(phone.storage.glob("models/*")) == []


@pytest.mark.sshd
@pytest.mark.slow
def test_a_board_that_is_gone_ends_the_search_and_what_was_measured_is_kept(
    server: Server, tmp_path: Path
) -> None:
    settings = replace(SMALL, device=server.address())

    def lose_it(*_: object) -> None:
        server.process.kill()
        server.process.wait()

    with pytest.raises(TargetUnavailable, match="nothing listens for ssh"):
        fit(settings, tmp_path / "fit", on_measured=lose_it)
    kept = read_fitted(tmp_path / "fit")
    assert [bool(one.timing) for one in kept.measured] == [True]


@pytest.mark.adbd
def test_a_phone_that_is_not_there_is_said(phone: TestPhone, tmp_path: Path) -> None:
    with pytest.raises(TargetUnavailable, match="phone nowhere is not connected"):
        fit(replace(SMALL, networks=2, device="android:nowhere"), tmp_path / "fit")
    assert not (tmp_path / "fit" / "fit.json").exists()
