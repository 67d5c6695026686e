"""``make`` says which Python it takes, and keeps no environment that is half-made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Makefile", tmp_path)
    return tmp_path


def make(place: Path, *words: str) -> subprocess.CompletedProcess:
    command = ["make", "-C", str(place), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def python(place: Path, *lines: str) -> Path:
    """A program in place of Python; whatever it does not answer, the real one does."""
    program = place / "python"
    program.write_text("\n".join(["#!/bin/sh", *lines, f'exec "{sys.executable}" "$@"', ""]))
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("version", ["3.9", "3.14"])
def test_a_python_that_tensorflow_has_no_packages_for_is_one_line(version, place):
    sys_of_it = f'"$2" "import sys; sys.version_info = ({version.replace(".", ", ")}, 0); $2"'
    program = python(place, f'[ "$1" = -c ] && exec "{sys.executable}" -c {sys_of_it[5:]}')
    done = make(place, f"PYTHON={program}", "-s", f".venv/of-{version}")
    assert done.returncode != 0
    assert "TensorFlow has packages for Python 3.10 to 3.13" in done.stdout
    assert f"is {version}" in done.stdout
    assert not (place / ".venv").exists()


def test_a_python_without_venv_leaves_nothing_half_made(place):
    program = python(place, '[ "$2" = venv ] && { mkdir -p .venv/bin; exit 1; }')
    done = make(place, f"PYTHON={program}", f".venv/of-{VERSION}")
    assert done.returncode != 0
    assert "install python3-venv" in done.stdout
    assert not (place / ".venv").exists()


@pytest.mark.slow
def test_an_environment_without_pip_is_made_again(place):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / ".venv"], check=True)
    (place / ".venv" / "kept").touch()
    make(place, f"PYTHON={sys.executable}", f".venv/of-{VERSION}")
    assert not (place / ".venv" / "kept").exists()
    found = [place / ".venv" / "bin" / "python", "-m", "pip", "--version"]
    assert subprocess.run(found, capture_output=True, check=False).returncode == 0
