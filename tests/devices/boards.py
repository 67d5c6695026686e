"""Boards that are a real sshd on this machine's loopback interface."""

from __future__ import annotations

import getpass
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edgeeff.accelerators.plan import Plan
from edgeeff.devices import ssh
from edgeeff.devices.ssh import Board

PLAN = Plan(
    warmup_runs=2,
    warmup_seconds=0.01,
    warmup_max_seconds=2,
    min_runs=20,
    min_seconds=0,
    max_seconds=20,
    timeout=30,
    repeats=1,
)


@dataclass
class Server:
    """An sshd of its own, and where the ``ssh`` on PATH keeps its configuration."""

    port: int
    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def home(self) -> Path:
        """What the board sees as its cache."""
        return self.directory / "board"

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    def address(self, python: Path | str = sys.executable) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{python}"

    def board(self, python: Path | str = sys.executable) -> Board:
        (board,) = ssh.connect(self.address(python))
        return board

    def python(self, text: str) -> Path:
        """A Python on the board that is this shell script."""
        path = self.directory / "python"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def python_without_answer(self, text: str) -> Path:
        """A Python that works until a worker is asked for: then this shell script runs."""
        return self.python(f'[ "$1" = -m ] || exec {sys.executable} "$@"\n{text}')

    def left(self) -> list[str]:
        """What is in edgeeff's directory on the board, models apart."""
        return [path.name for path in (self.home / "edgeeff").iterdir() if path.name != "models"]


def make_key(path: Path) -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def answers(port: int) -> bool:
    """Whether something listens there."""
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
