"""A process that quantizes one file after another, each in a copy of itself.

It imports what quantizing needs once; a copy that crashes or hangs takes nothing along. On each
line of its input stands a ``.tflite``; its answer is a line of JSON with the fields of ``Answer``.
Results go into the folder ``made`` beside the file.
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

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Answer:
    """What became of a file.

    Attributes:
        made: it was quantized.
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


@contextmanager
def quantizer() -> Iterator[Callable[[Path], Answer]]:
    """Start the process; call what it gives with a file, as often as need be."""
    words = [sys.executable, "-m", __name__]
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


def _in_a_copy(path: Path) -> Answer:
    """Quantize a file in a copy of this process."""
    said, says = os.pipe()
    copy = os.fork()
    if copy == 0:
        os.close(said)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        signal.alarm(WALL)  # nobody handles it: the copy ends
        answer = _quantized(path)
        os.write(says, json.dumps(asdict(answer)).encode())
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


def _quantized(path: Path) -> Answer:
    from edgeeff.errors import EdgeeffError
    from edgeeff.pictures.preprocessing import from_options
    from edgeeff.pipeline.conversion import Settings, quantize
    from edgeeff.tflite.manifest import read_manifest
    from edgeeff.tflite.reader import read_model

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    output = path.parent / "made"
    try:
        side = int(read_model(path).inputs[0].shape[1])
        settings = Settings(output=output, calibration_count=8, threads=1)
        made = quantize(path, settings, from_options(side, "127.5", "127.5"))
        read_model(made.model)
        read_manifest(made.model)
    except EdgeeffError as error:
        left = f"{sorted(os.listdir(output))} left behind" if output.exists() else ""
        return Answer(refusal=error.message, fault=left)
    except BaseException:
        return Answer(fault=traceback.format_exc())
    return Answer(made=True)


def _main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what native code prints is no answer
    import edgeeff.pipeline.conversion
    import edgeeff.quantization.writing.writer  # noqa: F401 - imported once, for all copies

    for line in sys.stdin:
        print(json.dumps(asdict(_in_a_copy(Path(line.rstrip("\n"))))), file=answers, flush=True)


if __name__ == "__main__":
    _main()
