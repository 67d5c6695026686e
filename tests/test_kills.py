"""Commands that end at any moment leave old results or new ones, whole, and nothing else.

They are ended by a signal, or by a disk that is full.

A few by default; ``make fuzz`` tries 200. A failure names the seed and the number of the attempt.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from edgeeff import files
from edgeeff.temporaries import clean
from edgeeff.tflite.manifest import parse_manifest
from edgeeff.training import runs
from tests.small_classifiers import SmallClassifier

KILLS = int(os.environ.get("EDGEEFF_FUZZ_KILLS", "0"))
"""Of each command; 0: a few of the quickest."""

SEED = int(os.environ.get("EDGEEFF_FUZZ_SEED", "0"))
SIDE = 16
"""Of the pictures, in pixels."""

SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
ROOT = Path(__file__).parents[1]
SECONDS = 300

COPIES = """
import gc, json, os, pathlib, signal, sys
import edgeeff.cli, {imports}

gc.freeze()  # a copy then looks at its own objects alone
rename, renames = pathlib.Path.replace, []

def ended_at(number, moment):
    def renamed(path, target):
        renames.append(target)
        if len(renames) == number and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        made = rename(path, target)
        if len(renames) == number and moment == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return made
    pathlib.Path.replace = renamed

for line in sys.stdin:
    words, folder, at = json.loads(line)
    copy = os.fork()
    if copy == 0:
        os.setsid()
        os.chdir(folder)
        os.environ["TMPDIR"] = folder + "/tmp"
        for stream in (1, 2):
            os.dup2(os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        if at:
            ended_at(*at)
        edgeeff.cli.main(words)
        os._exit(0)
    print(copy, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]), flush=True)
"""
"""Runs command lines in copies of itself, what they need imported once."""


@dataclass(frozen=True)
class Command:
    """What is ended at any moment.

    Attributes:
        words: of the command; results go to ``out``, over what an earlier one left there.
        imports: modules to be imported once.
        check: raises ``AssertionError`` for results that are neither old nor new.
    """

    words: tuple[str, ...]
    imports: str
    check: Callable[[Path], None]


def pairs_agree(folder: Path) -> None:
    """Every model has a manifest of its own, and every manifest its model."""
    found = {path for path in folder.iterdir() if path.suffix in (".json", ".tflite")}
    assert found
    for path in {path.with_suffix(".tflite") for path in found}:
        assert {path, path.with_suffix(".json")} <= found
        assert parse_manifest(path.with_suffix(".json")).sha256 == files.sha256(path)


def run_is_whole(folder: Path) -> None:
    """The run's document is of the weights beside it."""
    found = runs.read_run(folder)
    assert found.epochs or not found.sha256
    for name in found.sha256:
        if name != runs.STATE or not found.finished:
            runs.checked(found, name)


QUANTIZER = "edgeeff.pipeline.conversion, edgeeff.quantization.writing.writer"
TENSORFLOW = "edgeeff.network"
"""What imports it without its chatter; before anything else does."""

CONVERT = ("convert", "--variant", "lite0-phi-8", "--weights", "none", "--resolution", "32")

COMMANDS = {
    "quantize": Command(
        ("quantize", "net.tflite", "--mean", "127.5", "--std", "127.5", "--calibration-count", "8"),
        QUANTIZER,
        pairs_agree,
    ),
    "convert": Command(CONVERT, QUANTIZER, pairs_agree),
    # The network is made in the same process, as in a notebook that has TensorFlow already.
    "convert beside TensorFlow": Command(CONVERT, f"{TENSORFLOW}, {QUANTIZER}", pairs_agree),
    "train": Command(
        (
            *("train", "--variant", "lite0-phi-8", "--data", "pictures", "--resolution", "32"),
            *("--weights", "none", "--epochs", "2"),
        ),
        f"{TENSORFLOW}, edgeeff.training.session, edgeeff.training.train",
        run_is_whole,
    ),
}


@dataclass
class Copies:
    """A process that runs a command in copies of itself, and the folder where it does.

    Attributes:
        seconds: that the command takes.
    """

    process: subprocess.Popen[str]
    command: Command
    folder: Path
    seconds: float = SECONDS

    def run(
        self,
        seed: int,
        *,
        after: float = SECONDS,
        signum: int = signal.SIGKILL,
        rename: tuple[int, str] | None = None,
    ) -> tuple[int, float]:
        """Run the command, ended after so many seconds or at a rename; its status, its seconds."""
        assert self.process.stdin
        assert self.process.stdout
        words = [*self.command.words, "--output", "out", "--force", "--seed", str(seed)]
        line = json.dumps([words, str(self.folder), rename])
        print(line, file=self.process.stdin, flush=True)
        copy, begin = int(self.process.stdout.readline()), time.monotonic()
        while time.monotonic() < begin + after and _runs(copy):
            time.sleep(0.002)
        if _runs(copy):
            os.kill(copy, signum)
        status = int(self.process.stdout.readline())
        return status, time.monotonic() - begin

    def check(self, *, at_once: bool) -> None:
        """Results are old or new, and nothing else is left: at once, or after the next run."""
        out = self.folder / "out"
        said = (self.folder / "said").read_text()
        assert "Traceback" not in said
        scratch = self.folder / "tmp"
        if at_once:
            assert not list(out.glob(".*"))
            assert not list(scratch.iterdir())
        # What TensorFlow itself puts there outlives a process that is killed.
        shutil.rmtree(scratch)
        scratch.mkdir()
        clean(out)
        assert not list(out.glob(".*"))
        self.command.check(out)


@pytest.fixture(params=COMMANDS if KILLS else ["quantize"])
def copies(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Copies]:
    """Of each command, with the files that it needs and what it made of them before."""
    command = COMMANDS[request.param]
    (tmp_path / "tmp").mkdir()
    net = SmallClassifier(SIDE)
    scores = net.dense(net.mean(net.convolution(net.image, 8)), 5)
    (tmp_path / "net.tflite").write_bytes(net.content(net.alone(scores, "SOFTMAX")))
    for part, label, number in itertools.product(("train", "val"), "ab", range(4)):
        picture = tmp_path / "pictures" / part / label / f"{number}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SIDE, SIDE), (ord(label), 60 * number, 0)).save(picture)
    words, pipe = [sys.executable, "-c", COPIES.format(imports=command.imports)], subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        made = Copies(process, command, tmp_path)
        status, made.seconds = made.run(0)
        assert status == 0, (tmp_path / "said").read_text()
        yield made
        assert process.stdin
        process.stdin.close()


def _runs(process: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the latter if it ends while it is read
        return False


@pytest.mark.slow
def test_an_end_at_any_moment_leaves_old_or_new_results(copies):
    whole, counts = copies.seconds, dict.fromkeys(SIGNALS, 0)
    for number in range(KILLS or 6):
        draw = random.Random(f"{SEED} {number}")  # noqa: S311 - not for secrets
        signum = SIGNALS[number % len(SIGNALS)]
        status, took = copies.run(number, after=draw.uniform(0, whole), signum=signum)
        print(f"seed {SEED}, attempt {number}: {signum.name}, status {status}")
        # By the signal itself only before the command begins, or after it has ended.
        assert status in {0, 130, -signum}
        copies.check(at_once=signum != signal.SIGKILL)
        counts[signum] += status != 0
        whole = whole if status else min(whole, took)  # other work had slowed the first one
    print(", ".join(f"{count} ended by {it.name}" for it, count in counts.items()))
    assert sum(counts.values())


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_at_a_rename_leaves_old_or_new_results(copies, moment):
    for number in itertools.count(1):
        status, _ = copies.run(number, rename=(number, moment))
        copies.check(at_once=False)
        if status == 0:
            break
    print(f"{number - 1} renames")
    assert number > 3


@contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """A disk of its own in the place of a folder, with what is in it.

    There is room for as much again several times: a training keeps its state beside its results.
    """
    size = 16 * sum(path.stat().st_blocks * 512 for path in folder.iterdir())
    kept = folder.with_name("kept")
    folder.rename(kept)
    folder.mkdir()
    options = f"size={size + (1 << 20)},nr_inodes=64"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def leave_pages(folder: Path, count: int) -> None:
    """Fill a disk up to so many pages."""
    (folder / "filler").write_bytes(b"")
    free = os.statvfs(folder)
    (folder / "filler").write_bytes(bytes((free.f_bfree - count) * free.f_bsize))


def leave_inodes(folder: Path, count: int) -> None:
    """Fill a disk with files up to so many more."""
    for filler in folder.glob("filler-*"):
        filler.unlink()
    for number in range(os.statvfs(folder).f_ffree - count):
        (folder / f"filler-{number}").touch()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root mounts a disk")
@pytest.mark.parametrize("leave", [leave_pages, leave_inodes])
def test_a_full_disk_leaves_old_or_new_results(copies, leave):
    faults, left = 0, 0
    with disk(copies.folder / "out") as out:
        while True:
            leave(out, left)
            status, _ = copies.run(1)
            copies.check(at_once=True)
            if status == 0:
                break
            said = " ".join((copies.folder / "said").read_text().split())
            assert "error: cannot write" in said
            assert "No space left on device" in said
            assert status == 2
            faults, left = faults + 1, left + 1 + left // 4
    print(f"full {faults} times")
    assert faults > 1
