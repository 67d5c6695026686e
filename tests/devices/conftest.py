"""Phones and boards that are servers of this machine.

adbd is a root shell without a password on every interface: it must never listen where
anything else can reach it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.devices.boards import Server, answers, free_port, make_key
from tests.devices.phones import Network, TestPhone, client, connect, write_script, write_tools
from tests.sources import PACKAGE
from tests.waiting import wait_until

PROGRAMS = ("adb", "adbd", "unshare", "nsenter", "ip")


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A namespace with a loopback interface, and an adb server once it is asked."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and adb, adbd, util-linux, iproute2; missing: {missing}")
    directory = tmp_path_factory.mktemp("network")
    ready = "ip link set lo up && echo ready && exec sleep infinity"
    holder = subprocess.Popen(
        ["unshare", "--net", "--mount", "sh", "-c", ready], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    made = Network(directory, holder)
    yield made
    subprocess.run(made.inside(*client("kill-server")), capture_output=True, check=False)
    made.close()


@pytest.fixture
def adb_path(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PATH begins with an ``adb`` that works inside the namespace."""
    path = tmp_path / "path"
    path.mkdir()
    command = " ".join(network.inside(*client()))
    write_script(path / "adb", f'#!/bin/sh\nexec {command} "$@"\n')
    monkeypatch.setenv("PATH", f"{path}:{os.environ['PATH']}")
    return path


@pytest.fixture
def new_phone(
    network: Network, adb_path: Path, tmp_path: Path
) -> Iterator[Callable[[], TestPhone]]:
    """Starts a phone and connects it; all are gone after the test."""
    phones: list[TestPhone] = []

    def make() -> TestPhone:
        port = next(network.ports)
        tools, storage = tmp_path / f"tools{port}", tmp_path / f"storage{port}"
        tools.mkdir()
        storage.mkdir()
        write_tools(tools)
        environment = {
            "PATH": f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin",
            "ADBD_PORT": str(port),
            "HOME": str(tmp_path),
        }
        adbd = network.start(str(shutil.which("adbd")), environment=environment)
        phone = TestPhone(network, f"127.0.0.1:{port}", tools, storage, adbd)
        phones.append(phone)
        connect(phone.serial)
        return phone

    yield make
    for phone in phones:
        subprocess.run(["adb", "disconnect", phone.serial], capture_output=True, check=False)
        phone.adbd.kill()
        phone.adbd.wait()


@pytest.fixture
def phone(new_phone: Callable[[], TestPhone], monkeypatch: pytest.MonkeyPatch) -> TestPhone:
    """One phone, and the stand-in as the ``benchmark_model`` to use."""
    made = new_phone()
    monkeypatch.setenv("EDGEEFF_BENCHMARK_MODEL", str(made.program))
    return made


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None or shutil.which("ssh-keygen") is None:
        pytest.skip("needs Debian's openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    host, user, port = make_key(tmp_path / "host"), make_key(tmp_path / "user"), free_port()
    (tmp_path / "board").mkdir()
    (tmp_path / "sshd_config").write_text(
        f"HostKey {host}\nAuthorizedKeysFile {user}.pub\nListenAddress 127.0.0.1:{port}\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        f"KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
        # The board's edgeeff is this one, also where another checkout is installed.
        f"SetEnv XDG_CACHE_HOME={tmp_path}/board PYTHONPATH={PACKAGE.parent}\n"
    )
    key = (tmp_path / "host.pub").read_text()
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}")
    (tmp_path / "ssh_config").write_text(
        f"IdentityFile {user}\nIdentitiesOnly yes\nUserKnownHostsFile {tmp_path}/known_hosts\n"
    )
    client = tmp_path / "path" / "ssh"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {tmp_path}/ssh_config "$@"\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{client.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    process = subprocess.Popen([sshd, "-D", "-e", "-f", str(tmp_path / "sshd_config")])
    wait_until(lambda: answers(port), "sshd listens")
    yield Server(port, tmp_path, process)
    process.kill()
    process.wait()
