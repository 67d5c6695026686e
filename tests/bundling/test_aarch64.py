"""The golden vectors of a bundle on another processor: a 64-bit ARM that qemu plays.

The processor is named: qemu's default one has features with which XNNPACK computes int8 wrongly.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeeff.bundling.build import Bundled

pytestmark = [pytest.mark.qemu, pytest.mark.slow]

EMULATOR = "qemu-aarch64-static"
PROCESSOR = "cortex-a76"

PYTHON = (
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"),
    *("libc6", "libgcc-s1", "libstdc++6", "libexpat1", "zlib1g", "libssl3", "libffi8"),
    *("libbz2-1.0", "liblzma5", "libuuid1"),
)
"""Debian's packages of a Python that starts."""

# 2.3.0 reads the host's /sys and crashes in qemu.
WHEELS = ("ai-edge-litert==2.1.0", "numpy==2.3.5", "pillow==13.0.0")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs Python there, with LiteRT."""
    if shutil.which(EMULATOR) is None or shutil.which("apt-get") is None:
        pytest.skip("needs Debian 12's qemu-user-static")
    folder = tmp_path_factory.mktemp("aarch64")
    root, site = folder / "root", folder / "site"
    try:
        packages(folder, root)
        wheels(folder, site)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the packages of a 64-bit ARM cannot be had: {error.stderr.strip()[-200:]}")

    def run(*words: object) -> str:
        python = root / "usr/bin/python3.11"
        command = [EMULATOR, "-cpu", PROCESSOR, "-L", root, python, *words]
        environment = {**os.environ, "PYTHONPATH": str(site)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def packages(folder: Path, root: Path) -> None:
    """Unpack Debian's packages for that processor; this machine's apt is left as it is."""
    for name in ("lists/partial", "cache/archives/partial", "packages"):
        (folder / name).mkdir(parents=True)
    here = [f"-oDir::State::Lists={folder}/lists", f"-oDir::Cache={folder}/cache"]
    both = ["-oAPT::Architectures::=arm64", "-oAPT::Architectures::=amd64"]
    names = [f"{name}:arm64" for name in PYTHON]
    for words in (["update", "-qq"], ["download", "-qq", *names]):
        subprocess.run(
            ["apt-get", *here, *both, *words],
            cwd=folder / "packages",
            capture_output=True,
            text=True,
            check=True,
        )
    for package in (folder / "packages").glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, root], capture_output=True, text=True, check=True)


def wheels(folder: Path, site: Path) -> None:
    """Unpack the packages of Python for that processor."""
    builds = ("manylinux_2_27_aarch64", "manylinux_2_28_aarch64", "manylinux2014_aarch64")
    platforms = [word for build in builds for word in ("--platform", build)]
    kind = ["--no-deps", "--only-binary=:all:", "--python-version", "3.11", *platforms]
    words = [sys.executable, "-m", "pip", "download", "--quiet", *kind, "-d", folder / "wheels"]
    subprocess.run([*words, *WHEELS], capture_output=True, text=True, check=True)
    for wheel in (folder / "wheels").glob("*.whl"):
        with zipfile.ZipFile(wheel) as opened:
            opened.extractall(site)


def test_gives_the_golden_bytes_of_an_integer_model(
    board: Callable[..., str], bundled: Bundled
) -> None:
    said = board(bundled.path / "samples/classify.py", "--model", "int8.tflite", "--check")
    assert said.strip() == "coffee.png: equal"


def test_gives_float_scores_to_a_rounding(board: Callable[..., str], bundled: Bundled) -> None:
    said = board(bundled.path / "samples/classify.py", "--model", "float32.tflite", "--check")
    off = said.strip().removeprefix("coffee.png: ")
    assert off == "equal" or float(off.removeprefix("off by ")) < 1e-4


def test_prepares_a_picture_and_names_its_classes_as_here(
    board: Callable[..., str], bundled: Bundled, pictures: list[Path]
) -> None:
    sample = bundled.path / "samples/classify.py"
    here = subprocess.run(
        [sys.executable, sample, *pictures], capture_output=True, text=True, check=True
    )
    assert board(sample, *pictures) == here.stdout
