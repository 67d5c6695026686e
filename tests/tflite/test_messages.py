"""What the runtime prints on standard error is kept back, passed on or caught."""

from __future__ import annotations

import os

import pytest

from edgeeff.tflite.messages import captured_stderr, quiet_runtime


def test_passes_on_what_is_no_chatter(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_runtime():
        os.write(2, b"INFO: created a delegate\nERROR: something broke\n")
    assert capfd.readouterr().err == "ERROR: something broke\n"


def test_what_is_caught_can_be_read_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_stderr() as printed:
        os.write(2, b"Selected adapter: none\n")
    assert printed() == b"Selected adapter: none\n"
    assert capfd.readouterr().err == ""
