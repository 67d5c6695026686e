"""A process that works on one file after another, each in a copy of itself.

It imports what the work needs once; a copy that crashes or hangs takes nothing along. On each
line of its input stands a file; its answer is a line of JSON with the fields of ``Answer``.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

SECONDS, WALL = 60, 600
"""Longest that one file may take of the processor's time, and by the clock of a busy machine."""

MOST_BYTES, MOST_LETTERS = 1 << 30, 2000
"""Of memory, for files of some kilobytes; and of a refusal."""

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Answer:
    """What became of a file.

    Attributes:
        made: it was taken.
        refusal: the message, if it was refused.
        fault: what must not happen, if it did: an exception, a signal, or no end.
        seconds: of the processor, those of its children too.
        peak_bytes: most memory of the copy, or of a child of it.
    """

    made: bool = False
    refusal: str = ""
    fault: str = ""
    seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def wrong(self) -> str:
        """What must not be; empty if the file was taken, or refused with one clear error."""
        if self.fault:
            return self.fault
        if self.peak_bytes > MOST_BYTES:
            return f"it took {self.peak_bytes:,} bytes of memory"
        if len(self.refusal) > MOST_LETTERS or "\n" in self.refusal:
            return f"told at length: {self.refusal}"
        return ""


@contextmanager
def worker(task: str) -> Iterator[Callable[[Path], Answer]]:
    """Start a process for one of ``TASKS``; call what it gives with a file, as often as need be."""
    words = [sys.executable, "-m", __name__, task]
    with subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout

        def ask(path: Path) -> Answer:
            assert process.stdin
            assert process.stdout
            print(path, file=process.stdin, flush=True)
            return Answer(**json.loads(process.stdout.readline()))

        yield ask
        process.stdin.close()


def _in_a_copy(task: Callable[[Path], object], path: Path) -> Answer:
    """Work on a file in a copy of this process."""
    said, says = os.pipe()
    copy = os.fork()
    if copy == 0:
        os.close(said)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        signal.alarm(WALL)  # nobody handles it: the copy ends
        os.write(says, json.dumps(asdict(_answer(task, path))).encode())
        os._exit(0)
    os.close(says)
    with os.fdopen(said, "rb") as answers:
        content = answers.read()
    _, status, usage = os.wait4(copy, 0)
    fields = json.loads(content) if content else {}
    if os.WIFSIGNALED(status):
        fields["fault"] = signal.Signals(os.WTERMSIG(status)).name
    elif not content:
        fields["fault"] = f"ended with status {os.WEXITSTATUS(status)}"
    fields["seconds"] = usage.ru_utime + usage.ru_stime
    fields["peak_bytes"] = usage.ru_maxrss * 1024
    return Answer(**fields)


def _answer(task: Callable[[Path], object], path: Path) -> Answer:
    from edgeeff.errors import EdgeeffError

    try:
        task(path)
    except EdgeeffError as error:
        made = path.parent / MADE
        left = f"{sorted(os.listdir(made))} left behind" if made.exists() else ""
        return Answer(refusal=error.message, fault=left)
    except BaseException:
        return Answer(fault=traceback.format_exc())
    return Answer(made=True)


def _quantize() -> Callable[[Path], object]:
    import edgeeff.quantization.writing.writer  # noqa: F401 - once, for all copies
    from edgeeff.pictures.preprocessing import from_options
    from edgeeff.pipeline.conversion import Settings, quantize
    from edgeeff.tflite.manifest import read_manifest
    from edgeeff.tflite.reader import read_model

    def task(path: Path) -> object:
        shape = read_model(path).inputs[0].shape
        side = shape[1] if len(shape) > 1 else 1  # a mutant may have none
        settings = Settings(output=path.parent / MADE, calibration_count=8, threads=1)
        made = quantize(path, settings, from_options(side, "127.5", "127.5"))
        return read_model(made.model), read_manifest(made.model)

    return task


def _keras_weights() -> Callable[[Path], object]:
    import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter
    from edgeeff.network.keras_files import LayerNames, read

    return lambda path: read(path, LayerNames([("conv2d", "stem_conv")]))


TASKS = {"quantize": _quantize, "keras weights": _keras_weights}
"""What a process can do; its imports, and the function of a file."""

MADE = "made"
"""The folder beside a file that results go into."""


def _main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what native code prints is no answer
    task = TASKS[sys.argv[1]]()
    for line in sys.stdin:
        answer = _in_a_copy(task, Path(line.rstrip("\n")))
        print(json.dumps(asdict(answer)), file=answers, flush=True)


if __name__ == "__main__":
    _main()
