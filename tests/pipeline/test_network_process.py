"""A float network made in a process of its own."""

import contextlib
import stat
import sys
from pathlib import Path

import psutil
import pytest

from edgeeff.architectures.variants import find_variant
from edgeeff.errors import InputError
from edgeeff.pipeline import network_process, sources
from edgeeff.pipeline.network_process import Order
from edgeeff.pipeline.settings import Settings
from edgeeff.progress import Progress

SETTINGS = Settings(weights="none", resolution=32, classes=3)


@pytest.fixture(autouse=True)
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process may have imported it."""
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)


def order(settings: Settings = SETTINGS) -> Order:
    return Order(sources.find(find_variant("lite0"), settings), settings, None)


def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a shell script in the place of the child's Python."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(path))


@pytest.mark.slow
def test_it_is_the_network_that_is_made_here_too() -> None:
    progress = Progress()
    with network_process.begun(order()) as wait:
        apart = wait(progress)
    assert "tensorflow" not in sys.modules
    assert apart == order().make(Progress())
    assert list(progress.seconds)[:2] == ["import TensorFlow", "build network"]


@pytest.mark.slow
def test_an_error_arrives_with_its_hint(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(b"no HDF5")
    begun = network_process.begun(order(Settings(weights=str(damaged))))
    with begun as wait, pytest.raises(InputError, match=r"damaged\.h5") as raised:
        wait(Progress())
    assert raised.value.hint


def test_a_crash_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python(tmp_path, monkeypatch, "echo 'Illegal thing' >&2; kill -ABRT $$")
    said = r"TensorFlow.* crashed \(SIGABRT\): Illegal thing$"
    with network_process.begun(order()) as wait, pytest.raises(InputError, match=said):
        wait(Progress())


def test_nobody_works_on_when_the_block_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python(tmp_path, monkeypatch, "exec sleep 60")
    before = set(psutil.Process().children())
    with contextlib.suppress(KeyboardInterrupt), network_process.begun(order()):
        (child,) = set(psutil.Process().children()) - before
        raise KeyboardInterrupt
    assert not child.is_running()


class Unportable(Exception):  # noqa: N818 - stands for those of TensorFlow
    """Made of other arguments than it keeps, and holds what no pickle takes."""

    def __init__(self, message: str, operator: object) -> None:
        super().__init__(message)
        self.operator = operator


@pytest.mark.parametrize("operator", [None, lambda: None], ids=["arguments", "unpicklable"])
def test_an_error_that_cannot_travel_arrives_by_its_words(operator: object) -> None:
    found = network_process.portable(Unportable("no such operator", operator))
    assert (type(found), str(found)) == (RuntimeError, "Unportable: no such operator")
