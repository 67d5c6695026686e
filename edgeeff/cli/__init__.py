"""The command line: parses, calls the Python API, prints. One file per command."""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import sys
import traceback
from pathlib import Path

import click

from edgeeff.cli.encoding import encode_anything
from edgeeff.cli.interruption import is_behind, keep_exit_status, take_signals
from edgeeff.cli.layout import folded, width_of
from edgeeff.cli.terminal import ReaderLeft, discard, echo, indented
from edgeeff.errors import EdgeeffError, OutputError, unknown_name
from edgeeff.temporaries import outside
from edgeeff.version import __version__

COMMANDS = {
    "variants": "edgeeff.cli.variants",
    "train": "edgeeff.cli.train",
    "fit": "edgeeff.cli.fit",
    "convert": "edgeeff.cli.convert",
    "quantize": "edgeeff.cli.quantize",
    "recipes": "edgeeff.cli.recipes",
    "evaluate": "edgeeff.cli.evaluate",
    "inspect": "edgeeff.cli.inspect",
    "benchmark": "edgeeff.cli.benchmark",
    "compare": "edgeeff.cli.compare",
    "compile": "edgeeff.cli.compile",
    "bundle": "edgeeff.cli.bundle",
    "verify": "edgeeff.cli.verify",
    "report": "edgeeff.cli.report",
    "doctor": "edgeeff.cli.doctor",
}
"""Command name to the module whose ``command`` attribute is it."""


OF_THE_SYSTEM = frozenset(
    {
        errno.EBADF,
        errno.EACCES,
        errno.EPERM,
        errno.ENAMETOOLONG,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.EMFILE,
    }
)
"""What a path or a disk does to any program: no bug of ours."""


class LazyCommands(click.Group):
    """Imports a command's module only when it is asked for, in the order of ``COMMANDS``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All command names, in the order a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name, or an error with the nearest names."""
        if name not in COMMANDS:
            raise unknown_name("command", name, COMMANDS, "edgeeff --help lists the commands")
        command: click.Command = importlib.import_module(COMMANDS[name]).command
        return command


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgeeff")
def edgeeff() -> None:
    """Turn an image classifier into an int8 .tflite that a mobile engineer can ship and trust.

    Exit status: 0 done, 2 wrong usage or bad input, 3 a limit was missed, 4 a target, device or
    tool is not here, 130 interrupted, 1 a bug.

    \b
    Example:
      edgeeff convert --variant lite0 --int8
      edgeeff inspect artifacts/efficientnet-lite0-int8.tflite
    """  # noqa: D301 - click needs the character, not its escape


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with its exit status.

    Status: 0 done, 1 unexpected failure, 2 wrong usage or bad input, 3 a gate failed,
    4 a target is not available, 130 interrupted.
    """
    words = sys.argv[1:] if arguments is None else arguments
    _open_closed_streams()
    take_signals()
    for stream in (sys.stdout, sys.stderr):
        encode_anything(stream)
    sys.exit(_run(words))


def _run(words: list[str]) -> int:
    as_json = "--json" in words
    words = words or ["--help"]
    try:
        # Outside its standalone mode click returns the code of an Exit instead of raising it.
        status = edgeeff.main(args=words, prog_name="edgeeff", standalone_mode=False)
    except EdgeeffError as error:
        return _fail(error.message, error.hint, error.exit_status, as_json)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "edgeeff"
        return _fail(error.format_message(), f"{where} --help shows its options", 2, as_json)
    except (KeyboardInterrupt, click.Abort):
        keep_exit_status()
        return _fail("interrupted", "nothing half-written was left behind", 130, as_json)
    except ReaderLeft:
        return 141
    except MemoryError:
        return _fail("not enough memory", "end other programs, or give it less work", 1, as_json)
    except OSError as error:
        if error.errno in OF_THE_SYSTEM:
            return _of_the_system(error, as_json)
        return _unexpected(error, words, as_json)
    except Exception as error:
        return _unexpected(error, words, as_json)
    return status if isinstance(status, int) else 0


def _unexpected(error: Exception, words: list[str], as_json: bool) -> int:
    if is_behind(error):
        return _fail("interrupted", "nothing half-written was left behind", 130, as_json)
    if {"-v", "--verbose"} & set(words):
        echo(traceback.format_exc(), err=True)
    hint = "this is a bug of edgeeff: please report it with the output of the command with -v"
    return _fail(f"unexpected {type(error).__name__}: {error}", hint, 1, as_json)


def _fail(message: str, hint: str, status: int, as_json: bool) -> int:
    width = width_of(sys.stderr)
    with contextlib.suppress(OutputError, ReaderLeft):
        echo(folded(indented(f"error: {message}"), width), err=True)
        if hint:
            echo(folded(indented(f"hint: {hint}"), width), err=True)
    if as_json:
        fields = {"error": message, "hint": hint, "exit": status}
        with contextlib.suppress(OutputError, ReaderLeft):
            echo(json.dumps({"schema": "edgeeff.error/1", **fields}))
    return status


def _of_the_system(error: OSError, as_json: bool) -> int:
    """What a path or a disk does to any program, wherever it was met."""
    if error.filename is None:  # click's own output, such as that of --help
        discard(sys.stdout)
    what = error.filename
    if what is None:
        what = "cannot write"
    elif isinstance(what, (str, bytes)):
        what = outside(Path(os.fsdecode(what)))
    return _fail(f"{what}: {error.strerror}", "check the path and the disk", 2, as_json)


def _open_closed_streams() -> None:
    """Have a stream in place of each that was closed before we began, where Python has ``None``.

    Errors go nowhere. Standard output is opened to be read, so that writing to it fails as on a
    full disk: it would be lost.
    """
    read, write = os.O_RDONLY, os.O_WRONLY
    for name, mode, flags in (("stdin", "r", read), ("stdout", "w", read), ("stderr", "w", write)):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, flags)
            setattr(sys, name, open(nowhere, mode, encoding="utf-8"))  # noqa: SIM115
