"""Two processes on this machine train as one does."""

import json
import os
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
import sys
from pathlib import Path
from edgeeff.training.settings import read_settings, settings_of
from edgeeff.training.train import train
train(settings_of(read_settings(Path(sys.argv[1])), "test"), Path(sys.argv[2]))
"""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_workers_have_the_loss_curve_of_one(settings, tmp_path):
    alone = train(settings(**STILL), tmp_path / "alone")
    config = tmp_path / "settings.toml"
    config.write_text(settings(**STILL, strategy="multiworker").to_toml())
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    started = []
    for index in range(2):
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        words = [sys.executable, "-c", PROGRAM, str(config), str(tmp_path / "together")]
        environment = {**os.environ, "TF_CONFIG": json.dumps(task)}
        started.append(subprocess.Popen(words, env=environment))
    try:
        assert [one.wait(timeout=800) for one in started] == [0, 0]
    finally:
        for one in started:
            one.kill()
    together = read_run(tmp_path / "together")
    assert together.environment["devices"] == 2
    for one, two in zip(alone.epochs, together.epochs, strict=True):
        assert np.isclose(one.loss, two.loss, rtol=1e-3)
        assert np.isclose(one.val_loss, two.val_loss, rtol=1e-2)


def test_several_workers_have_to_be_named(settings, tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(UsageError, match="needs TF_CONFIG"):
        train(settings(strategy="multiworker"), tmp_path)
