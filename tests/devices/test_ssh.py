"""Boards over a real sshd on this machine's loopback interface."""

from __future__ import annotations

import getpass
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgeeff import __version__
from edgeeff.accelerators.plan import Plan
from edgeeff.benchmarking.session import Subject, measure, peak_memory
from edgeeff.devices import ssh
from edgeeff.devices.local import Local
from edgeeff.devices.ssh import Address, Board, parse_address
from edgeeff.errors import TargetUnavailable, UsageError
from edgeeff.worker.serve import PROTOCOL
from tests.devices.boards import PLAN, Server, make_key
from tests.devices.models import write_logistic
from tests.waiting import wait_until

pytestmark = pytest.mark.sshd


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh://pi@board.local", Address("board.local", "pi")),
        ("ssh://board", Address("board")),
        ("ssh://pi@10.0.0.7:2222/", Address("10.0.0.7", "pi", 2222)),
        ("ssh://pi@b:22/home/pi/v/bin/python", Address("b", "pi", 22, "/home/pi/v/bin/python")),
        ("ssh://pi@[fe80::1]:22", Address("fe80::1", "pi", 22)),
    ],
)
def test_an_address_is_taken_apart(text: str, expected: Address) -> None:
    assert parse_address(text) == expected
    assert text.startswith(expected.name)


@pytest.mark.parametrize(
    "text",
    [
        "ssh:",
        "ssh://",
        "ssh://-oProxyCommand=evil",
        "ssh://-l@host",
        "ssh://pi:secret@host",
        "ssh://host:port",
        "ssh://host?x=1",
        "ssh:pi@host",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        parse_address(text)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_logistic(tmp_path / "logistic.tflite")


@pytest.mark.slow
def test_a_board_gives_what_this_machine_gives(server: Server, model: Path) -> None:
    subject = Subject(model, "cpu")
    passes = {"peak_memory_bytes": peak_memory}
    there = measure(server.board(), [subject], PLAN, passes=passes)
    here = measure(Local(), [subject], PLAN, passes=passes)
    assert there.failures == here.failures == ()
    (remote,), (local,) = there.measurements, here.measurements
    assert remote.device == f"ssh://{getpass.getuser()}@127.0.0.1:{server.port}"
    assert remote.facts == local.facts
    assert len(remote.samples_ns) >= 20
    assert set(remote.to_json()) == set(local.to_json())
    assert there.environment.before.keys() == here.environment.before.keys()
    assert server.left() == []


@pytest.mark.slow
def test_a_target_is_probed_there(server: Server) -> None:
    board = server.board()
    assert board.probe("cpu") == Local().probe("cpu")


@pytest.mark.slow
def test_a_model_is_copied_once(server: Server, model: Path) -> None:
    board = server.board()
    with board.bench(model, "cpu", PLAN):
        (copy,) = (server.home / "edgeeff" / "models").iterdir()
        assert copy.read_bytes() == model.read_bytes()
        before = copy.stat().st_mtime_ns
    with board.bench(model, "cpu", PLAN):
        assert copy.stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_damaged_copy_is_replaced(server: Server, model: Path) -> None:
    board = server.board()
    with board.bench(model, "cpu", PLAN):
        (copy,) = (server.home / "edgeeff" / "models").iterdir()
    copy.write_bytes(bytes(copy.stat().st_size))
    with board.bench(model, "cpu", PLAN) as bench:
        bench.load()
    assert copy.read_bytes() == model.read_bytes()
    assert len(list(copy.parent.iterdir())) == 1


def test_an_unknown_host_key_is_not_trusted(server: Server) -> None:
    server.known_hosts.write_text("")
    with pytest.raises(TargetUnavailable, match=r"host key of ssh://.* is not known") as caught:
        server.board()
    assert f"ssh -p {server.port} " in caught.value.hint


def test_a_changed_host_key_is_not_trusted(server: Server) -> None:
    other = make_key(server.directory / "other").with_suffix(".pub").read_text()
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {other}")
    with pytest.raises(TargetUnavailable, match="shows another host key") as caught:
        server.board()
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}'" in caught.value.hint


def test_a_user_without_a_key_is_told_to_copy_one(server: Server) -> None:
    (server.directory / "ssh_config").write_text(
        f"IdentityFile {make_key(server.directory / 'stranger')}\nIdentitiesOnly yes\n"
        f"UserKnownHostsFile {server.known_hosts}\n"
    )
    with pytest.raises(TargetUnavailable, match="does not let this user in") as caught:
        server.board()
    assert "ssh-copy-id" in caught.value.hint


def test_a_board_without_a_server_refuses(server: Server) -> None:
    server.process.kill()
    server.process.wait()
    with pytest.raises(TargetUnavailable, match="nothing listens for ssh") as caught:
        server.board()
    assert "systemctl enable" in caught.value.hint
    assert caught.value.exit_status == 4


def test_an_unknown_name_is_said(server: Server) -> None:
    with pytest.raises(TargetUnavailable, match=r"no host called nowhere\.invalid"):
        ssh.connect("ssh://pi@nowhere.invalid")


@pytest.mark.parametrize(
    ("script", "message", "hint"),
    [
        ("exit 127", "does not run on", "install Python 3.10 or newer"),
        ("echo python 3 9", "has Python 3.9; edgeeff needs 3.10", "install a newer one"),
        (
            f'exec {sys.executable} -I -S "$@"',
            "edgeeff cannot be used on .*No module named",
            f"pip install edgeeff-{__version__}-py3-none-any.whl",
        ),
        (
            "echo python 3 11; echo edgeeff 0.0.1",
            f"has edgeeff 0.0.1, here it is {__version__}",
            f"pip install edgeeff-{__version__}-py3-none-any.whl",
        ),
    ],
)
def test_missing_software_is_said_before_anything_is_copied(
    server: Server, script: str, message: str, hint: str
) -> None:
    with pytest.raises(TargetUnavailable, match=message) as caught:
        server.board(server.python(script))
    assert hint in caught.value.hint


def test_no_python_at_all_is_said(server: Server) -> None:
    with pytest.raises(TargetUnavailable, match="/nowhere/python does not run on"):
        server.board("/nowhere/python")


def test_without_ssh_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TargetUnavailable, match="ssh is not on PATH"):
        ssh.connect("ssh://board")


@pytest.mark.slow
def test_a_crash_there_is_a_message_here(server: Server, model: Path) -> None:
    board = server.board(server.python_without_answer("kill -SEGV $$"))
    # ssh says 255 of what a signal ended there.
    assert "was disconnected (start)" in measure_failing(board, model)


@pytest.mark.slow
def test_a_hang_there_is_ended_there(server: Server, model: Path) -> None:
    greeting = json.dumps({"edgeeff": "x", "protocol": PROTOCOL})
    python = server.python_without_answer(f"echo '{greeting}'; exec sleep 100 # worker")
    board = server.board(python)
    with (
        pytest.raises(TargetUnavailable, match=r"hung: no sign of life for 0\.5 s"),
        board.bench(model, "cpu", Plan(timeout=0.5)) as bench,
    ):
        bench.load()
    assert server.left() == []


def measure_failing(board: Board, model: Path) -> str:
    with pytest.raises(TargetUnavailable) as caught, board.bench(model, "cpu", PLAN) as bench:
        bench.load()
    return caught.value.message


@pytest.mark.slow
def test_a_lost_connection_is_said(server: Server, model: Path) -> None:
    with server.board().bench(model, "cpu", PLAN) as bench:
        bench.load()
        sessions = subprocess.run(
            ["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=True
        )
        for session in sessions.stdout.split():
            os.kill(int(session), signal.SIGKILL)
        with pytest.raises(TargetUnavailable, match="was disconnected"):
            bench.warm_up()


INTERRUPTED = """
import sys
from pathlib import Path
from edgeeff.devices import ssh
from edgeeff.accelerators.plan import Plan
from edgeeff.worker.serve import PROTOCOL
address, model = sys.argv[1:]
(board,) = ssh.connect(address)
plan = Plan(timeout=100, warmup_seconds=90, warmup_max_seconds=90)
with board.bench(Path(model), "cpu", plan) as bench:
    bench.load()
    print("loaded", flush=True)
    bench.warm_up()
"""


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_running_there(server: Server, model: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, server.address(), str(model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"loaded\n"
    (pid,) = (server.home / "edgeeff").glob("worker-*.pid")
    worker = int(pid.read_text())
    assert b"edgeeff.worker" in Path(f"/proc/{worker}/cmdline").read_bytes()
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    wait_until(lambda: not Path(f"/proc/{worker}").exists(), "the worker ended")
    assert server.left() == []


@pytest.mark.slow
def test_a_copy_that_is_no_longer_needed_is_taken_away(server: Server, model: Path) -> None:
    board = server.board()
    with board.bench(model, "cpu", PLAN) as bench:
        bench.load()
    (kept,) = (server.home / "edgeeff" / "models").iterdir()
    board.forget(model.read_bytes())
    assert not kept.exists()
