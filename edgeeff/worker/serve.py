"""``python -m edgeeff.worker``: one model on one target, told what to do line by line.

Requests and replies are JSON objects, one a line, on standard input and output; so the same
worker serves a local pipe and an ssh connection. The first line out is the greeting. A
request has ``do``; the reply has ``ok`` or ``error``; ``progress`` lines may come before it.
What native code prints to standard output goes to standard error instead.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edgeeff.accelerators import find_target
from edgeeff.accelerators.machine import peak_bytes, read_machine, resident_bytes
from edgeeff.accelerators.plan import Plan
from edgeeff.accelerators.session import Session, random_inputs
from edgeeff.errors import EdgeeffError, TargetUnavailable, UsageError
from edgeeff.files import sha256
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.version import __version__
from edgeeff.worker import sampling
from edgeeff.worker.arrays import packed, unpacked
from edgeeff.worker.picture_times import picture_times

PROTOCOL = 4
"""Raised when requests or replies change in a way the other end must know."""

LEAD_IN = 2
"""Untimed runs before each block of samples: another model's worker may have had the caches."""

Request = dict[str, Any]


@dataclass
class Worker:
    """What is loaded, and the stream that answers go to."""

    answers: IO[str]
    session: Session | None = None
    plan: Plan = dataclasses.field(default_factory=Plan)
    target: str = ""
    model: Path = Path()
    resident_before: int | None = None

    def say(self, message: dict[str, Any]) -> None:
        """Write one line."""
        self.answers.write(json.dumps(message) + "\n")
        self.answers.flush()

    def progress(self, runs: int) -> None:
        """Tell that work goes on."""
        self.say({"progress": runs})

    def loaded(self) -> Session:
        """The open session. Raises ``UsageError`` before ``load``."""
        if self.session is None:
            raise UsageError("no model is loaded", "send load first")
        return self.session


def _probe(worker: Worker, request: Request) -> Any:
    return find_target(request["target"]).probe().to_json()


def _machine(worker: Worker, request: Request) -> Any:
    return read_machine()


def _load(worker: Worker, request: Request) -> Any:
    target = find_target(request["target"])
    worker.target = request["target"]
    worker.model = Path(request["model"])
    worker.plan = Plan.from_json(request["plan"])
    worker.resident_before = resident_bytes()
    start = time.perf_counter_ns()
    session = target.open(worker.model, worker.plan)
    load_ns = time.perf_counter_ns() - start
    session.feed(random_inputs(session.inputs, worker.plan.seed))
    worker.session = session
    return {"load_ns": load_ns, "facts": session.facts().to_json()}


def _warm_up(worker: Worker, request: Request) -> Any:
    session = worker.loaded()
    return dataclasses.asdict(sampling.warm_up(session.invoke, worker.plan, worker.progress))


def _verify(worker: Worker, request: Request) -> Any:
    return worker.loaded().verify()


def _sample(worker: Worker, request: Request) -> Any:
    invoke = worker.loaded().invoke
    for _ in range(LEAD_IN):
        invoke()
    limits = {name: request[name] for name in ("min_runs", "min_seconds", "max_seconds")}
    samples = sampling.sample(invoke, report=worker.progress, **limits)
    return dataclasses.asdict(samples)


def _outputs(worker: Worker, request: Request) -> Any:
    session = worker.loaded()
    if "inputs" in request:
        session.feed([unpacked(each) for each in request["inputs"]])
    session.invoke()
    return [packed(array) for array in session.outputs()]


def _sha256(worker: Worker, request: Request) -> Any:
    return sha256(worker.model)


def _memory(worker: Worker, request: Request) -> Any:
    session = worker.loaded()
    for _ in range(3):
        session.invoke()
    peak = peak_bytes()
    known = peak is not None and worker.resident_before is not None
    return max(0, (peak or 0) - (worker.resident_before or 0)) if known else None


def _profile(worker: Worker, request: Request) -> Any:
    target = find_target(request["target"])
    profile = getattr(target, "profile", None)
    if profile is None:
        raise TargetUnavailable(
            f"the {request['target']} target has no per-operator profile",
            "--target cpu has one",
        )
    return profile(Path(request["model"]), Plan.from_json(request["plan"])).to_json()


def _pictures(worker: Worker, request: Request) -> Any:
    preprocessing = Preprocessing.from_json(request["preprocessing"])
    times = picture_times(
        worker.loaded(),
        [Path(path) for path in request["paths"]],
        preprocessing,
        report=worker.progress,
    )
    return dataclasses.asdict(times)


REQUESTS: dict[str, Callable[[Worker, Request], Any]] = {
    "probe": _probe,
    "machine": _machine,
    "load": _load,
    "warm_up": _warm_up,
    "verify": _verify,
    "sample": _sample,
    "outputs": _outputs,
    "sha256": _sha256,
    "memory": _memory,
    "profile": _profile,
    "pictures": _pictures,
}


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until ``close`` or the end of input.

    Errors of ``errors.py`` are answered by type; what a native runtime raises is answered as
    ``TargetUnavailable``. Anything else ends the process with a traceback on standard error.
    """
    worker = Worker(answers)
    worker.say({"edgeeff": __version__, "protocol": PROTOCOL, "python": sys.version.split()[0]})
    for line in requests:
        request = json.loads(line)
        if request["do"] == "close":
            break
        worker.say(_answer(worker, request))
    if worker.session is not None:
        worker.session.close()
    worker.say({"ok": "closed"})


def _answer(worker: Worker, request: Request) -> dict[str, Any]:
    try:
        return {"ok": REQUESTS[request["do"]](worker, request)}
    except EdgeeffError as error:
        kind, message, hint = type(error).__name__, error.message, error.hint
    except (RuntimeError, ValueError, OSError, MemoryError) as error:
        # Python bindings of native runtimes say everything with these types.
        kind, message = "TargetUnavailable", f"{type(error).__name__}: {str(error).strip()}"
        hint = "run with -v to see what the runtime printed"
    return {"error": {"type": kind, "message": message, "hint": hint}}


def main() -> None:
    """Keep the protocol's stream to ourselves, then serve."""
    private = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(private, "w", encoding="utf-8") as answers:
        serve(sys.stdin, answers)
        answers.flush()
        # Destructors of delegates crash often enough; everything is said and done here.
        os._exit(0)
