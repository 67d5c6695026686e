"""Phones that are Debian's adbd in a network namespace of their own."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from edgeeff.devices.adb import Phone
from edgeeff.devices.android import Android
from tests.devices import benchmark_model_double
from tests.devices.thermal_words import BATTERY, PIXEL
from tests.waiting import wait_until

SERVER_PORT = "6400"
PORTS = range(6200, 6300)
"""Outside 5555-5585, which any adb on this machine tries to connect to."""

PROPERTIES = """\
[ro.product.manufacturer]: [Test]
[ro.product.model]: [Double]
[ro.product.cpu.abilist]: [arm64-v8a,armeabi-v7a]
[ro.build.version.release]: [14]
[ro.build.version.sdk]: [34]
[ro.soc.manufacturer]: [None]
[ro.soc.model]: [adbd]
[ro.build.fingerprint]: [test/double:14]
"""

SURFACES = "GLES: Qualcomm, Adreno (TM) 730, OpenGL ES 3.2 V@0615.0\n"


@dataclass
class Network:
    """A network namespace and the processes in it."""

    directory: Path
    holder: subprocess.Popen[bytes]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ports: Iterator[int] = field(default_factory=lambda: iter(PORTS))

    def inside(self, *words: str) -> list[str]:
        """The command line that runs a command in the namespace."""
        where = f"/proc/{self.holder.pid}/ns"
        return ["nsenter", f"--net={where}/net", f"--mount={where}/mnt", *words]

    def start(self, *words: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start a server in the namespace; it ends with it."""
        with (self.directory / "servers.log").open("ab") as log:
            process = subprocess.Popen(
                self.inside(*words), env=environment, stdout=log, stderr=log, cwd="/"
            )
        self.running.append(process)
        return process

    def close(self) -> None:
        if self.holder.stdout is not None:
            self.holder.stdout.close()
        for process in [*self.running, self.holder]:
            process.send_signal(signal.SIGKILL)
            process.wait()


@dataclass
class TestPhone:
    """A phone of the namespace: its serial, its tools, and how its programs behave."""

    __test__ = False

    network: Network
    serial: str
    tools: Path
    storage: Path
    adbd: subprocess.Popen[bytes]

    @property
    def program(self) -> Path:
        """The stand-in for benchmark_model."""
        return self.tools / "benchmark_model"

    def device(self, directory: Path | None = None) -> Android:
        return Android(Phone(self.serial, "device"), PurePosixPath(directory or self.storage))

    def behave(self, behaviour: str) -> None:
        """From now on the stand-in for benchmark_model misbehaves like this."""
        (self.tools / "behaviour").write_text(behaviour)

    def flags(self) -> list[str]:
        """What benchmark_model was last called with."""
        return (self.tools / "flags").read_text().splitlines()

    def says(self, command: str, text: str) -> None:
        """From now on that command of the phone prints this."""
        (self.tools / f"{command}.txt").write_text(text)

    def processes(self) -> str:
        """Command lines that name the phone's storage."""
        found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
        return "\n".join(line for line in found.stdout.splitlines() if str(self.storage) in line)


def connect(serial: str, state: str = "device") -> None:
    """Connect adb and wait until the phone is in that state."""

    def connected() -> bool:
        subprocess.run(["adb", "connect", serial], capture_output=True, check=False)
        listed = subprocess.run(["adb", "devices"], capture_output=True, text=True, check=True)
        return f"{serial}\t{state}" in listed.stdout

    wait_until(connected, f"{serial} is {state}")


def client(*words: str) -> list[str]:
    return ["env", f"ANDROID_ADB_SERVER_PORT={SERVER_PORT}", str(shutil.which("adb")), *words]


def write_tools(directory: Path) -> None:
    """The programs that an Android has and Debian has not."""
    source = Path(benchmark_model_double.__file__).read_text()
    source = source.replace("@behaviour@", str(directory / "behaviour"))
    write_script(directory / "benchmark_model", f"#!{sys.executable}\n{source}")
    write_script(directory / "getprop", f"#!/bin/sh\ncat {directory}/getprop.txt\n")
    write_script(
        directory / "dumpsys", f"#!/bin/sh\ntouch {directory}/$1.asked\ncat {directory}/$1.txt\n"
    )
    texts = {
        "getprop": PROPERTIES,
        "thermalservice": PIXEL,
        "battery": BATTERY,
        "SurfaceFlinger": SURFACES,
    }
    for name, text in texts.items():
        (directory / f"{name}.txt").write_text(text)


def write_script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
