"""A worker process of a search whose tasks are trivial: ``python -m tests.fitting.search.worker``.

Its arguments: the storage, the count of tasks, the seconds that each takes, a file to which it adds
a line for each task that it begins and ends, and the grace period of its claims.
"""

import os
import sys
import time
from pathlib import Path

from edgeeff.fitting.search.claims import Claim, Pulse
from edgeeff.fitting.search.sharing import Outcome, Task, share
from edgeeff.fitting.search.storage import open_storage

NAME = "trivial"


def tasks(count: int) -> tuple[Task, ...]:
    return tuple(Task(f"task {number}", {"x": float(number)}) for number in range(count))


def main(place: str, count: int, seconds: float, log: Path, grace: float) -> None:
    def say(word: str, task: Task) -> None:
        line = f"{word} {task.name} {os.getpid()}\n"
        with log.open("a") as opened:
            opened.write(line)

    def do(task: Task, claim: Claim) -> Outcome:
        say("begin", task)
        time.sleep(seconds)
        claim.check()
        say("end", task)
        return Outcome(-task.parameters["x"], notes={"worker": os.getpid()})

    share(open_storage(place), NAME, tasks(count), do, pulse=Pulse(0.2, grace))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]), float(sys.argv[5]))
