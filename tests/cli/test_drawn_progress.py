"""Bars of stages that run in several threads."""

import io
import threading

from rich.console import Console

from edgeeff.cli.terminal import DrawnProgress


def test_stages_of_several_threads_share_one_display():
    text = io.StringIO()
    progress = DrawnProgress(console=Console(file=text, force_terminal=True, width=100))
    both_open = threading.Barrier(2)

    def work(name):
        with progress.stage(name, 3) as advance:
            both_open.wait(timeout=10)
            advance(3)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert set(progress.seconds) == {"first", "second"}
    assert "first" in text.getvalue()
    assert "second" in text.getvalue()


def test_a_long_name_leaves_room_for_the_estimate():
    text = io.StringIO()
    progress = DrawnProgress(console=Console(file=text, force_terminal=True, width=80))
    with progress.stage("load and warm up " + "a-network-of-a-long-name" * 4, 3) as advance:
        advance(1)
    assert "load and warm up a-network" in text.getvalue()
    assert "-:--:--" in text.getvalue()


def test_a_stage_may_follow_another():
    text = io.StringIO()
    progress = DrawnProgress(console=Console(file=text, force_terminal=True, width=100))
    for name in ("first", "second"):
        with progress.stage(name):
            pass
    assert "second" in text.getvalue()
