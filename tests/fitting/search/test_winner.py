"""Which training a winner goes on with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgeeff.fitting.search.winner import same_training
from edgeeff.training.runs import read_run
from tests.reporting.folders import add_run

PICTURES = "3" * 64
"""The digest of the pictures of ``add_run``."""


@pytest.fixture
def run(tmp_path: Path):
    add_run(tmp_path, "run")
    return read_run(tmp_path / "run")


def test_a_run_is_gone_on_with_wherever_its_first_weights_lie(run):
    assert same_training(run, replace(run.settings, weights="elsewhere.safetensors"), PICTURES)


def test_a_run_of_other_settings_is_not_gone_on_with(run):
    assert not same_training(run, replace(run.settings, seed=1), PICTURES)


def test_a_run_of_the_pictures_that_lay_there_before_is_not_gone_on_with(run):
    assert not same_training(run, run.settings, "4" * 64)
