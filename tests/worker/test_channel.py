"""Workers that break down in every way a native delegate can."""

import os
import sys
import time

import pytest

from edgeeff.errors import GateFailed, TargetUnavailable
from edgeeff.tflite.child_process import environment
from edgeeff.worker.channel import Channel, WorkerFailed, local_command
from edgeeff.worker.serve import PROTOCOL

GREETING = f"""
import json, os, sys, time
print(json.dumps({{"edgeeff": "1", "protocol": {PROTOCOL}}}), flush=True)
line = sys.stdin.readline()
"""


def channel(script, *, timeout=5.0, **options):
    return Channel(
        [sys.executable, "-c", script], name="the test target", timeout=timeout, **options
    )


def failure(script, **options):
    with (
        channel(GREETING + script, **options) as opened,
        pytest.raises(TargetUnavailable) as raised,
    ):
        opened.ask("load")
    assert raised.value.exit_status == 4
    return raised.value


def test_an_answer_is_returned_and_progress_passed_on():
    script = """
print('{"progress": 3}', flush=True)
print('{"progress": 9}', flush=True)
print('{"ok": {"a": 1}}', flush=True)
"""
    seen = []
    with channel(GREETING + script) as opened:
        assert opened.ask("sample", progress=seen.append) == {"a": 1}
    assert seen == [3, 9]


def test_a_segmentation_fault_is_named_with_what_to_do():
    error = failure("import signal; os.kill(os.getpid(), signal.SIGSEGV)", crash_hint="an ABI")
    assert "crashed with SIGSEGV" in error.message
    assert error.hint == "an ABI"


def test_the_status_that_a_shell_gives_a_crash_is_read_alike():
    assert "crashed with SIGSEGV" in failure("sys.exit(139)").message


def test_silence_is_a_hang_and_ends_the_worker():
    start = time.monotonic()
    error = failure("time.sleep(60)", timeout=0.3)
    assert "hung" in error.message
    assert time.monotonic() - start < 10


def test_progress_is_a_sign_of_life():
    script = """
for number in range(5):
    time.sleep(0.2)
    print(json.dumps({"progress": number}), flush=True)
print('{"ok": 1}', flush=True)
"""
    with channel(GREETING + script, timeout=0.8) as opened:
        assert opened.ask("sample") == 1


@pytest.mark.parametrize(
    "line",
    ["Edge TPU says hello", "42", '"text"', '{"neither": 1}', "\\xff\\xfe"],
)
def test_garbage_in_the_protocol_is_said_to_be_garbage(line):
    error = failure(f"print({line!r}, flush=True); time.sleep(30)")
    assert "not edgeeff's protocol" in error.message


def test_an_end_says_the_last_words():
    error = failure("print('out of memory', file=sys.stderr); sys.exit(3)")
    assert "ended with status 3" in error.message
    assert "out of memory" in error.message


def test_what_was_printed_is_kept_for_verbose():
    error = failure("print('first', file=sys.stderr); print('last', file=sys.stderr)")
    assert isinstance(error, WorkerFailed)
    assert error.printed.splitlines() == ["first", "last"]


def test_a_workers_own_error_keeps_its_type():
    script = """
print(json.dumps({"error": {"type": "GateFailed", "message": "wrong", "hint": "h"}}), flush=True)
"""
    with channel(GREETING + script) as opened, pytest.raises(GateFailed, match="wrong") as raised:
        opened.ask("verify")
    assert raised.value.hint == "h"


def test_a_login_banner_before_the_greeting_is_skipped():
    banner = 'print("Welcome to the board!\\n{}\\n[1]", flush=True)\n'
    with channel(banner + GREETING + "print('{\"ok\": 1}', flush=True)") as opened:
        assert opened.ask("load") == 1


def test_another_protocol_is_refused_with_both_versions():
    with pytest.raises(TargetUnavailable, match=r"edgeeff 9\.0"):
        channel('print(\'{"edgeeff": "9.0", "protocol": 99}\', flush=True); input()')


def test_a_missing_program_is_named():
    with pytest.raises(TargetUnavailable, match="no-such-program"):
        Channel(["no-such-program"], name="the test target", timeout=1)


def test_a_dead_start_says_why():
    with pytest.raises(TargetUnavailable, match="No module named"):
        channel("import no_such_module_at_all")


def test_what_native_code_prints_does_not_reach_the_protocol():
    script = """
import os
from edgeeff.worker import serve as worker
def noisy(state, request):
    os.write(1, b"native noise\\n")
    return "fine"
worker.REQUESTS["noise"] = noisy
worker.main()
"""
    with channel(script, environment=environment()) as opened:
        assert opened.ask("noise") == "fine"
        assert "native noise" in opened.printed()


def test_leaving_a_channel_ends_the_worker():
    with Channel(local_command(), name="the test", timeout=10, environment=environment()) as opened:
        assert opened.ask("machine")["machine"]
    with pytest.raises(ProcessLookupError):
        os.kill(opened._process.pid, 0)
