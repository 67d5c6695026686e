"""Ending from one thread what another waits for."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, TimeoutError

import pytest

from edgeeff.accelerators.plan import Plan
from edgeeff.devices.local import Local
from edgeeff.devices.stop import Stop
from tests.tflite import tiny


def test_a_program_runs_to_its_end() -> None:
    done = Stop().run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=10)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_a_program_that_takes_too_long_is_killed() -> None:
    start = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        Stop().run(["sleep", "60"], timeout=0.2)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    "wait",
    [
        lambda stop: stop.run(["sleep", "60"], timeout=60),
        lambda stop: stop.sleep(60),
    ],
    ids=["program", "pause"],
)
def test_what_is_waited_for_ends_at_once(wait: Callable[[Stop], object]) -> None:
    stop = Stop()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(wait, stop)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.3)
        stop.set()
        with pytest.raises(KeyboardInterrupt):
            waiting.result(timeout=10)


def test_nothing_begins_afterwards() -> None:
    stop = Stop()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        stop.run(["true"], timeout=10)
    with pytest.raises(KeyboardInterrupt):
        stop.sleep(0)


def test_what_a_context_names_is_ended_while_in_it() -> None:
    stop, ended = Stop(), threading.Event()
    with pytest.raises(KeyboardInterrupt), stop.ending(ended.set):
        stop.set()
    assert ended.is_set()


def test_a_worker_that_is_waited_for_is_ended() -> None:
    stop = Stop()

    def sample_for_a_minute() -> None:
        with Local().bench(tiny.FLOAT32, "cpu", Plan()) as bench, stop.ending(bench.channel.kill):
            bench.load()
            threading.Timer(0.3, stop.set).start()
            bench.sample(min_runs=1, min_seconds=60, max_seconds=60)

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        sample_for_a_minute()
    assert time.monotonic() - start < 30
