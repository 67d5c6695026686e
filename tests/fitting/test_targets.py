"""What a target needs before networks are timed on it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeeff.devices.local import Local
from edgeeff.errors import TargetUnavailable
from edgeeff.fitting.targets import require_compiler, require_target, runnable
from tests.prediction.compiler_logs import FULLY_MAPPED


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "network.tflite"
    path.write_bytes(b"not read by the stand-in")
    return path


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script on PATH that answers as the Edge TPU's compiler does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "log.txt").write_text(FULLY_MAPPED)
    program = folder / "edgetpu_compiler"
    program.write_text(
        "#!/bin/sh\n"
        'while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; shift; done\n'
        f"cat {folder}/log.txt\n"
        'echo compiled > "$out/network_edgetpu.tflite"\n'
        f'cp {folder}/log.txt "$out/network_edgetpu.log"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return program


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_a_target_without_a_compiler_runs_the_file_itself(target, model, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    require_compiler(target)
    assert runnable(model, target) == model


def test_the_edge_tpu_runs_what_its_compiler_makes(compiler, model):
    require_compiler("edgetpu")
    assert runnable(model, "edgetpu").read_text() == "compiled\n"
    # A candidate's file has the same name as that of the one before.
    assert runnable(model, "edgetpu").read_text() == "compiled\n"


def test_without_the_compiler_there_is_no_edge_tpu(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TargetUnavailable, match="no edgetpu_compiler on PATH"):
        require_compiler("edgetpu")


def test_a_device_says_what_its_target_lacks(monkeypatch):
    require_target(Local(), "cpu")
    monkeypatch.setenv("EDGEEFF_EDGETPU_LIBRARY", "/nowhere/libedgetpu.so.1")
    with pytest.raises(TargetUnavailable, match="cannot be loaded") as raised:
        require_target(Local(), "edgetpu")
    assert "libedgetpu1-std" in raised.value.hint
