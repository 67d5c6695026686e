"""Two processes on this machine train as one does."""

import json
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

from edgeeff.errors import UsageError
from edgeeff.training.runs import read_run
from edgeeff.training.settings import Augmentation
from edgeeff.training.train import train

STILL = {
    "epochs": 2,
    "batch": 128,
    "dropout": 0.0,
    "survival": 1.0,
    "augmentation": Augmentation(crop=1.0, colour=0.0, flip=False),
}
"""Without dropout, whose masks differ from device to device."""

PROGRAM = """
import os, signal, sys
from pathlib import Path
from edgeeff.training.settings import read_settings, settings_of
from edgeeff.training.train import resume_training, train
config, folder, killed, resumed = sys.argv[1:]
def on_epoch(run, left):
    if killed in os.environ["TF_CONFIG"]:
        os.kill(os.getpid(), signal.SIGKILL)
if resumed == "True":
    resume_training(Path(folder), on_epoch=on_epoch)
else:
    train(settings_of(read_settings(Path(config)), "test"), Path(folder), on_epoch=on_epoch)
"""
"""Trains, or goes on; a worker in whose TF_CONFIG ``killed`` stands is killed after an epoch."""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def together(config, folder, *, killed="nobody", resumed=False):
    """Start two workers, and wait for both; how each of them ended."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    started = []
    for index in range(2):
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        words = [sys.executable, "-c", PROGRAM, str(config), str(folder), killed, str(resumed)]
        environment = {**os.environ, "TF_CONFIG": json.dumps(task)}
        started.append(subprocess.Popen(words, env=environment))
    try:
        return [one.wait(timeout=800) for one in started]
    finally:
        for one in started:
            one.kill()
            one.wait()


@pytest.fixture
def config(settings, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(settings(**STILL, strategy="multiworker").to_toml())
    return path


@pytest.fixture
def alone(settings, tmp_path):
    return train(settings(**STILL), tmp_path / "alone")


def assert_same_losses(one, two):
    for first, second in zip(one.epochs, two.epochs, strict=True):
        assert np.isclose(first.loss, second.loss, rtol=1e-3)
        assert np.isclose(first.val_loss, second.val_loss, rtol=1e-2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_workers_have_the_loss_curve_of_one_though_one_was_killed_in_between(
    config, alone, tmp_path
):
    first, second = together(config, tmp_path / "run", killed='"index": 1')
    assert first != 0
    assert second == -signal.SIGKILL
    half = read_run(tmp_path / "run")
    assert (len(half.epochs), half.finished) == (1, False)
    assert together(config, tmp_path / "run", resumed=True) == [0, 0]
    run = read_run(tmp_path / "run")
    assert run.environment["devices"] == 2
    assert_same_losses(alone, run)


def test_several_workers_have_to_be_named(settings, tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(UsageError, match="needs TF_CONFIG"):
        train(settings(strategy="multiworker"), tmp_path)
