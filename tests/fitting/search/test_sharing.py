"""Workers that share tasks: each task is done once, whoever of them is killed."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState

from edgeeff.errors import InputError
from edgeeff.fitting.search.claims import Claim, Pulse
from edgeeff.fitting.search.sharing import MOST_ATTEMPTS, Outcome, Task, share
from edgeeff.fitting.search.storage import open_storage, open_study
from tests.fitting.search import worker
from tests.waiting import wait_until

QUICK = Pulse(beat=0.05, grace=0.4)


@pytest.fixture(params=["journal", "sqlite"])
def place(request, tmp_path) -> str:
    return {
        "journal": str(tmp_path / "study.journal"),
        "sqlite": f"sqlite:///{tmp_path}/study.db",
    }[request.param]


def started(
    place: str, count: int, seconds: float, log: Path, grace: float = 3.0
) -> subprocess.Popen[bytes]:
    words = [place, str(count), str(seconds), str(log), str(grace)]
    return subprocess.Popen([sys.executable, "-m", "tests.fitting.search.worker", *words])


def lines(log: Path, word: str) -> list[str]:
    text = log.read_text() if log.exists() else ""
    return [line for line in text.splitlines() if line.startswith(word)]


def wait_for(log: Path, word: str, count: int = 1) -> None:
    wait_until(lambda: len(lines(log, word)) >= count, f"{count} {word} in {log}", seconds=60)


def trials(place: str) -> list[FrozenTrial]:
    study, made = open_study(open_storage(place), worker.NAME)
    assert not made
    return study.get_trials()


def counted(place: str) -> Counter[str]:
    """How many trials of each task count."""
    return Counter(
        one.user_attrs["task"]
        for one in trials(place)
        if one.state.is_finished() and one.value is not None
    )


def once_each(count: int) -> dict[str, int]:
    return {f"task {number}": 1 for number in range(count)}


def doubled(task: Task, claim: Claim) -> Outcome:
    return Outcome(2 * task.parameters["x"])


def test_every_task_is_done_and_its_value_kept(place):
    found = share(open_storage(place), "one", worker.tasks(5), doubled, pulse=QUICK)
    assert {name: one.value for name, one in found.items()} == {
        f"task {number}": 2.0 * number for number in range(5)
    }


def test_what_is_done_is_not_done_again(place):
    share(open_storage(place), "one", worker.tasks(3), doubled, pulse=QUICK)

    def never(task: Task, claim: Claim) -> Outcome:
        raise AssertionError(task)

    found = share(open_storage(place), "one", worker.tasks(3), never, pulse=QUICK)
    assert [found[f"task {number}"].value for number in range(3)] == [0, 2, 4]


def test_an_interrupted_task_waits_for_the_next_worker_and_the_rest_is_kept(place):
    done = []

    def interrupted(task: Task, claim: Claim) -> Outcome:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(task.name)
        return doubled(task, claim)

    with pytest.raises(KeyboardInterrupt):
        share(open_storage(place), "one", worker.tasks(4), interrupted, pulse=QUICK)
    after = []

    def rest(task: Task, claim: Claim) -> Outcome:
        after.append(task.name)
        return doubled(task, claim)

    found = share(open_storage(place), "one", worker.tasks(4), rest, pulse=QUICK)
    assert sorted(done + after) == sorted(found)
    assert len(after) == 2


def test_a_task_that_fails_by_its_own_fault_is_not_tried_again():
    def diverged(task: Task, claim: Claim) -> Outcome:
        if task.name == "task 1":
            raise InputError("the loss is no number")
        return doubled(task, claim)

    storage = open_storage(None)
    found = share(storage, "one", worker.tasks(3), diverged, pulse=QUICK)
    assert found["task 1"] == Outcome(None, "the loss is no number")
    assert share(storage, "one", worker.tasks(3), doubled, pulse=QUICK) == found


def test_a_task_that_nobody_filled_in_is_filled_in_after_the_grace_period():
    storage = open_storage(None)
    open_study(storage, "one")  # as one that is killed before it fills the study
    found = share(storage, "one", worker.tasks(2), doubled, pulse=QUICK)
    assert found["task 1"].value == 2


def test_a_task_that_takes_its_workers_along_is_given_up():
    storage = open_storage(None)
    study, _ = open_study(storage, "one")
    for attempt in range(MOST_ATTEMPTS):
        study.enqueue_trial({}, user_attrs={"task": "task 0"})
        killed = study.ask()
        if attempt + 1 < MOST_ATTEMPTS:
            study.tell(killed, state=TrialState.FAIL)  # as one that takes it over does
    found = share(storage, "one", worker.tasks(2), doubled, pulse=QUICK)
    assert found["task 0"].value is None
    assert f"{MOST_ATTEMPTS} times" in found["task 0"].error
    assert found["task 1"].value == 2


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_its_task_to_another(place, tmp_path):
    log = tmp_path / "log"
    victim = started(place, 6, 0.4, log)
    wait_for(log, "begin", 2)
    other = started(place, 6, 0.4, log)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert other.wait(120) == 0
    assert counted(place) == once_each(6)
    abandoned = [one for one in trials(place) if one.state.name == "FAIL"]
    assert any("error" not in one.user_attrs for one in abandoned)


@pytest.mark.slow
def test_a_worker_that_stood_still_finds_its_task_taken_and_counts_nothing(tmp_path):
    place, log = str(tmp_path / "study.journal"), tmp_path / "log"
    sleeper = started(place, 3, 0.5, log)
    wait_for(log, "begin")
    os.kill(sleeper.pid, signal.SIGSTOP)
    try:
        other = started(place, 3, 0.5, log)
        assert other.wait(120) == 0
        workers = {one.user_attrs["notes"]["worker"] for one in trials(place) if one.value == 0}
    finally:
        os.kill(sleeper.pid, signal.SIGCONT)
    assert sleeper.wait(120) == 0
    assert counted(place) == once_each(3)
    assert sleeper.pid not in workers


@pytest.mark.slow
def test_eight_workers_on_one_journal_do_200_tasks_once_each(tmp_path):
    place, log = str(tmp_path / "study.journal"), tmp_path / "log"
    workers = [started(place, 200, 0.0, log, grace=120.0) for _ in range(8)]
    assert [one.wait(240) for one in workers] == [0] * 8
    assert counted(place) == once_each(200)
    ended = Counter(line.split()[2] for line in lines(log, "end"))
    assert ended == {str(number): 1 for number in range(200)}
    assert len({line.split()[3] for line in lines(log, "end")}) > 1


@pytest.mark.slow
def test_workers_that_take_over_from_slow_ones_count_no_task_twice(tmp_path):
    place, log = str(tmp_path / "study.journal"), tmp_path / "log"
    workers = [started(place, 40, 0.3, log, grace=0.25) for _ in range(4)]
    assert [one.wait(240) for one in workers] == [0] * 4
    assert set(counted(place)) <= set(once_each(40))
    assert max(counted(place).values()) == 1
