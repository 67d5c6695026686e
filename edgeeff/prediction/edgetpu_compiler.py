"""Drive Google's ``edgetpu_compiler``, which turns an int8 model into one for the Edge TPU."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeeff import files
from edgeeff.errors import GateFailed, InputError, TargetUnavailable
from edgeeff.foreign import MOST_PRINTED
from edgeeff.prediction.compiler_log import CompilerLog, parse
from edgeeff.shell import word
from edgeeff.tflite.child_process import signal_name

PROGRAM = "edgetpu_compiler"
HOW_TO_GET = (
    "it is Google's, for 64-bit x86 Linux: add the apt source coral-edgetpu-stable "
    "(see docs/edge-tpu.md) and install edgetpu-compiler, or give --compiler PATH"
)
_SLACK_SECONDS = 60
"""How much longer than its own time limit the compiler may take before it counts as hung."""


@dataclass(frozen=True)
class CompilerOptions:
    """What the compiler is asked.

    Attributes:
        min_runtime: the oldest Edge TPU runtime the result must run on (10 to 14); ``None``:
            the compiler's own default.
        search: let the compiler try shorter and shorter parts until one works (``-d``).
        timeout: seconds for one attempt (``-t``).
    """

    min_runtime: int | None = None
    search: bool = False
    timeout: int = 180

    def arguments(self) -> list[str]:
        """As arguments; ``-s`` makes the compiler print its table of operators."""
        words = ["-s", "-t", str(self.timeout)]
        if self.min_runtime is not None:
            words += ["-m", str(self.min_runtime)]
        return [*words, "-d"] if self.search else words


@dataclass(frozen=True)
class Compilation:
    """A compiled model: where it and the log are, and what the log says."""

    model: Path
    log_file: Path
    log: CompilerLog

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        paths = {"model": str(self.model), "log_file": str(self.log_file)}
        return {**paths, **self.log.to_json()}


def find_compiler(given: Path | None = None) -> Path:
    """The compiler: the file ``given``, or the program of that name on PATH.

    Raises:
        TargetUnavailable: there is none, or it may not be run.
    """
    # A relative path has no "./" any more, without which PATH alone is searched.
    sought = (str(given.absolute()), str(given)) if given else (PROGRAM,)
    found = next(filter(None, map(shutil.which, sought)), None)
    if found:
        return Path(found)
    if given and os.path.exists(given):
        raise TargetUnavailable(
            f"{given} is not a program that can be run", f"chmod +x {word(given)}"
        )
    where = f"at {given}" if given else "on PATH"
    raise TargetUnavailable(f"no {PROGRAM} {where}", HOW_TO_GET)


def compile_model(
    model: Path,
    output: Path,
    compiler: Path,
    options: CompilerOptions | None = None,
    *,
    min_mapped: float = 0.0,
    force: bool = False,
) -> Compilation:
    """Compile a model for the Edge TPU.

    The compiler works in a directory of its own; what it wrote is moved to ``output`` whole:
    ``<name>_edgetpu.tflite`` and ``<name>_edgetpu.log``. The log is written even if compiling
    fails, the model only if it succeeds and enough of it is mapped.

    Args:
        model: a fully quantized ``.tflite`` file.
        output: the directory of the results.
        compiler: the program, see ``find_compiler``.
        options: ``None``: the defaults.
        min_mapped: the share of operators, 0 to 1, that must run on the Edge TPU.
        force: replace existing results.

    Raises:
        InputError: the model cannot be read, or the compiler refuses it.
        GateFailed: less than ``min_mapped`` of the operators are mapped.
        TargetUnavailable: the compiler cannot be run, crashed or hung.
        OutputError: the results exist and ``force`` is false, or cannot be written.
    """
    options = options or CompilerOptions()
    files.refuse_unwritable(output)
    content = files.read_bytes(model)
    compiled, log_file = (output / f"{model.stem}_edgetpu{end}" for end in (".tflite", ".log"))
    for path in (compiled, log_file):
        files.refuse_existing(path, force=force)
    with tempfile.TemporaryDirectory(prefix="edgeeff-compile-") as name:
        work = Path(name)
        (work / model.name).write_bytes(content)
        printed, status = _run(compiler, model.name, work, options)
        text = _with_log_file(printed, work / log_file.name)
        files.write_bytes(log_file, text.encode(), force=force)
        log = parse(text)
        _refuse_failure(log, status, model, log_file)
        made = work / compiled.name
        if not os.path.isfile(made):
            raise TargetUnavailable(
                f"{compiler} said that it succeeded but wrote no {made.name}",
                f"is it really Google's compiler? Its output is in {log_file}",
            )
        _gate(log, min_mapped, log_file)
        files.write_bytes(compiled, files.read_bytes(made), force=force)
    return Compilation(compiled, log_file, log)


def _run(compiler: Path, model: str, work: Path, options: CompilerOptions) -> tuple[str, int]:
    # With a folder in front, no name is taken for an option.
    command = [str(compiler), *options.arguments(), "-o", str(work), f"./{model}"]
    # A search makes many attempts, each with the compiler's own time limit.
    limit = None if options.search else options.timeout + _SLACK_SECONDS
    try:
        # In a session of its own, so that the compiler's child can be ended with it.
        process = subprocess.Popen(
            command,
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise TargetUnavailable(
            f"cannot run {compiler}: {error.strerror}",
            "it needs 64-bit x86 Linux; compile on such a machine and copy the result",
        ) from error
    late = threading.Event()

    def end_late() -> None:
        late.set()
        _end(process)

    timer = threading.Timer(threading.TIMEOUT_MAX if limit is None else limit, end_late)
    timer.daemon = True
    timer.start()
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe, as asked above
        with process.stdout as pipe:
            printed = pipe.read(MOST_PRINTED + 1)
        if len(printed) <= MOST_PRINTED:
            process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:
            _end(process)
    if len(printed) > MOST_PRINTED:
        raise TargetUnavailable(
            f"{compiler} printed more than {MOST_PRINTED:,} bytes", "is it Google's compiler?"
        )
    if late.is_set():
        raise TargetUnavailable(
            f"{compiler} did not end within {limit} s", "raise --timeout, or lower --resolution"
        )
    return printed.decode(errors="replace"), process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the compiler and what it started: its child may outlive it, and hold the pipe."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _with_log_file(printed: str, log_file: Path) -> str:
    """What was printed; with the compiler's log file if only that has the table."""
    if parse(printed).operators or not os.path.isfile(log_file):
        return printed
    return f"{printed}\n{files.read_bytes(log_file, MOST_PRINTED).decode(errors='replace')}"


def _refuse_failure(log: CompilerLog, status: int, model: Path, log_file: Path) -> None:
    where = f"the compiler's output is in {log_file}"
    if status < 0:
        name = signal_name(-status)
        raise TargetUnavailable(f"{PROGRAM} crashed ({name})", f"run it once more; {where}")
    if log.failure:
        words = f" ({log.failure.words})" if log.failure.words else ""
        raise InputError(
            f"{model} was not compiled: {log.failure.meaning}{words}", f"{log.failure.fix}; {where}"
        )
    if status > 0:
        raise TargetUnavailable(f"{PROGRAM} ended with status {status}", where)


def _gate(log: CompilerLog, min_mapped: float, log_file: Path) -> None:
    share = log.mapped_share or 0.0
    if share >= min_mapped:
        return
    first = next((line for line in log.operators if not line.mapped), None)
    why = f"; {first.operator}: {first.meaning}" if first else ""
    raise GateFailed(
        f"{share:.1%} of the operators are mapped to the Edge TPU, "
        f"--min-mapped asks for {min_mapped:.1%}",
        f"the model was not written, the log is {log_file}{why}",
    )
