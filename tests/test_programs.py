"""Programs that print without end, want no input, or take too long."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgeeff.errors import TargetUnavailable
from edgeeff.programs import communicate

MOST = 1 << 20


def started(*command: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)


def test_what_a_program_is_given_and_says_is_whole() -> None:
    content = bytes(range(256)) * 4000
    with started("tee", "/dev/stderr") as process:
        assert communicate(process, content, timeout=60) == (content, content)
    assert process.returncode == 0


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_program_that_prints_without_end_is_killed(stream: str) -> None:
    script = f"import sys\nwhile True: sys.{stream}.write('y' * 4096)"
    with (
        started(sys.executable, "-c", script) as process,
        pytest.raises(TargetUnavailable, match="printed more than 1,048,576 bytes"),
    ):
        communicate(process, timeout=60, most=MOST)
    assert process.returncode != 0


def test_a_program_that_reads_nothing_gets_no_more() -> None:
    with started("true") as process:
        assert communicate(process, bytes(MOST), timeout=60) == (b"", b"")


def test_a_program_that_takes_too_long_goes_on_until_its_owner_ends_it() -> None:
    with started("sleep", "60") as process:
        with pytest.raises(subprocess.TimeoutExpired):
            communicate(process, timeout=0.2)
        assert process.poll() is None
        process.kill()
