"""Files are whole or absent, whenever Ctrl-C comes, and those that belong together stay so."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeeff import files, temporaries
from edgeeff.errors import OutputError

OURS = ".edgeeff-012345672d803af5"
"""A name that a run could have made up: the last eight digits are the CRC-32 of the others."""

INTERRUPTED_REMOVAL = """
import pathlib, shutil, sys
from edgeeff import files

def interrupted(*arguments, **options):
    {removal} = whole
    raise KeyboardInterrupt

{removal}, whole = interrupted, {removal}
with files.{block} as made:
    (made / "half" if made.is_dir() else made).write_bytes(b"half")
    raise KeyboardInterrupt
"""

BLOCKS = {
    "file": ('writing(pathlib.Path(sys.argv[1]) / "model")', "pathlib.Path.unlink"),
    "folder": ("scratch_folder(pathlib.Path(sys.argv[1]))", "shutil.rmtree"),
}


@pytest.mark.parametrize(("block", "removal"), BLOCKS.values(), ids=BLOCKS.keys())
def test_an_interrupt_while_the_temporary_is_removed_leaves_nothing(block, removal, tmp_path):
    """The removal is interrupted once, as by a second Ctrl-C; the process then ends."""
    script = INTERRUPTED_REMOVAL.format(block=block, removal=removal)
    ended = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=False
    )
    assert "KeyboardInterrupt" in ended.stderr
    assert not list(tmp_path.iterdir())


def write_half(model: Path, error: type[BaseException]) -> None:
    with files.writing(model, force=True) as temporary:
        temporary.write_bytes(b"half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_block_that_ends_badly_leaves_what_was_there(error, tmp_path: Path):
    model = tmp_path / "model"
    model.write_bytes(b"before")
    with pytest.raises(error):
        write_half(model, error)
    assert model.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [model]


def test_a_scratch_folder_is_gone_with_all_it_held_and_what_was_made_for_it(tmp_path: Path):
    (tmp_path / "there").mkdir()
    with files.scratch_folder(tmp_path / "there" / "new" / "newer") as scratch:
        files.write_bytes(scratch / "deeper" / "model", b"whole")
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]


@pytest.mark.parametrize("place", ["file/page.html", "file/below/page.html"])
def test_a_path_through_a_file_says_so(place: str, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="its path leads through a file"):
        files.write_bytes(tmp_path / place, b"")


@pytest.mark.parametrize(
    ("folder", "said", "instead"),
    [
        ("model.tflite", "names a file, not a folder", "--output . is a folder"),
        ("out/model.TFLITE", "names a file, not a folder", "--output out is a folder"),
        ("out/file/below", "out/file is a file", "--output out is a folder"),
    ],
)
def test_a_file_in_place_of_a_folder_is_refused_and_a_folder_named(
    folder: str, said: str, instead: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").touch()
    with pytest.raises(OutputError, match=said) as refused:
        files.refuse_unwritable(Path(folder))
    assert refused.value.hint.startswith(instead)


def test_a_folder_that_is_there_may_be_called_as_files_are(tmp_path: Path):
    (tmp_path / "model.tflite").mkdir()
    files.refuse_unwritable(tmp_path / "model.tflite")


def test_a_scratch_folder_where_nothing_can_be_written_names_the_place(tmp_path: Path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"cannot write .*/file: "),
        files.scratch_folder(tmp_path / "file"),
    ):
        pass


@contextlib.contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_no_more_is_told_of_the_folder_of_results_not_of_a_temporary_one(
    tmp_path: Path,
):
    with (
        no_file_larger_than(100),
        files.scratch_folder(tmp_path) as scratch,
        pytest.raises(OutputError) as refused,
    ):
        files.write_bytes(scratch / "int8" / "model.tflite", bytes(101))
    assert refused.value.message == f"cannot write {tmp_path}: File too large"


SENT_AT_A_RENAME = """
import os, pathlib, sys
from edgeeff import cli, files

folder, number, moment, signum = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
rename, renames = pathlib.Path.replace, []

def signalled(path, target):
    renames.append(target)
    if len(renames) == number and moment == "before":
        os.kill(os.getpid(), signum)
    rename(path, target)
    if len(renames) == number and moment == "after":
        os.kill(os.getpid(), signum)

pathlib.Path.replace = signalled
new = {pathlib.Path(folder) / name: b"new" for name in ("one", "two")}
cli.edgeeff.main = lambda **options: files.write_together(new)
cli.main([])
"""

MOMENTS = [(number, moment) for number in (1, 2, 3) for moment in ("before", "after")]
"""The first rename is the decision; two names follow."""


def sent_at_a_rename(folder: Path, number: int, moment: str, signum: int) -> subprocess.Popen:
    number_of_it = str(int(signum))  # str() alone gives its name, before Python 3.11
    words = [sys.executable, "-c", SENT_AT_A_RENAME, folder, str(number), moment, number_of_it]
    return subprocess.Popen(words)


def ended_at_a_rename(folder: Path, number: int, moment: str, signum: int) -> int:
    return sent_at_a_rename(folder, number, moment, signum).wait()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("before", [{}, {"one": b"old", "two": b"old"}], ids=["new", "replaced"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=lambda it: it.name)
@pytest.mark.parametrize(("number", "moment"), MOMENTS)
def test_signals_wait_until_both_have_their_names(number, moment, signum, before, tmp_path):
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    assert ended_at_a_rename(tmp_path, number, moment, signum) == 130
    assert contents(tmp_path) == {"one": b"new", "two": b"new"}
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("before", [{}, {"one": b"old", "two": b"old"}], ids=["new", "replaced"])
@pytest.mark.parametrize(("number", "moment"), MOMENTS)
def test_what_a_kill_at_a_rename_leaves_is_ended_by_the_next_run(number, moment, before, tmp_path):
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    assert ended_at_a_rename(tmp_path, number, moment, signal.SIGKILL) == -signal.SIGKILL
    assert list(tmp_path.glob(".edgeeff-*"))
    with files.scratch_folder(tmp_path):
        pass
    new = (number, moment) != (1, "before")
    assert contents(tmp_path) == ({"one": b"new", "two": b"new"} if new else before)
    assert not list(tmp_path.glob(".*"))


def test_files_out_of_an_archive_are_never_named(tmp_path):
    """Their folder cannot have the name that says what was decided: it holds its inode."""
    (tmp_path / "one").write_bytes(b"mine")
    foreign = tmp_path / OURS / "named-1"
    foreign.mkdir(parents=True)
    (foreign / "one").write_bytes(b"theirs")
    with files.scratch_folder(tmp_path):
        pass
    assert contents(tmp_path) == {"one": b"mine"}
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    "name",
    [
        ".edgeeff-1",
        ".edgeeff-notours1",
        ".edgeeff-01234567",
        ".edgeeff-0123456789abcdef",
        f"{OURS}0",
        OURS.upper(),
        OURS.replace("edgeeff", "other"),
    ],
)
def test_a_file_of_the_user_stays_though_it_is_called_much_as_ours(name, tmp_path):
    (tmp_path / name).write_bytes(b"kept")
    (tmp_path / OURS).write_bytes(b"left by a run that was killed")
    with files.scratch_folder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("temporary", [temporaries.temporary_file, temporaries.temporary_folder])
def test_what_another_run_took_for_abandoned_is_made_again(temporary, tmp_path, monkeypatch):
    """Between being made and being locked it looks like what a killed run left."""
    lock, taken = temporaries._locked, []

    def locked_late(path: Path):
        if not taken:
            taken.append(path)
            path.rmdir() if path.is_dir() else path.unlink()
        return lock(path)

    monkeypatch.setattr(temporaries, "_locked", locked_late)
    with temporary(tmp_path) as made:
        assert made.exists()
        assert made not in taken
    assert list(tmp_path.iterdir()) == []


def test_what_another_run_is_at_work_on_stays(tmp_path: Path):
    script = (
        "import pathlib, sys\n"
        "from edgeeff import files\n"
        "with files.scratch_folder(pathlib.Path(sys.argv[1])) as scratch:\n"
        "    print(scratch, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, tmp_path]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    theirs = Path(other.stdout.readline().strip())
    with files.scratch_folder(tmp_path):
        assert theirs.is_dir()
    other.communicate("", timeout=60)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="no process can be held there")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_run_that_is_held_at_a_rename_loses_nothing_to_another_in_its_folder(number, tmp_path):
    held = sent_at_a_rename(tmp_path, number, "before", signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(held.pid, os.WUNTRACED)[1])
    try:
        files.write_together({tmp_path / "three": b"other", tmp_path / "four": b"other"})
    finally:
        held.send_signal(signal.SIGCONT)
    assert held.wait(60) == 0
    whole = {"one": b"new", "two": b"new", "three": b"other", "four": b"other"}
    assert contents(tmp_path) == whole
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("before", [None, b"old"], ids=["nothing", "a file"])
def test_if_the_second_cannot_get_its_name_the_first_is_as_before(before, tmp_path, monkeypatch):
    one, two = tmp_path / "one", tmp_path / "two"
    if before:
        one.write_bytes(before)
    rename = Path.replace

    def refused(path: Path, target: Path) -> Path:
        if target == two:
            raise OSError(28, os.strerror(28))
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(OutputError, match=r"cannot write .*two: No space left"):
        files.write_together({one: b"new", two: b"new"})
    assert contents(tmp_path) == ({"one": before} if before else {})
    assert not list(tmp_path.glob(".*"))


def test_a_folder_at_the_place_of_one_file_leaves_the_other_alone(tmp_path):
    (tmp_path / "one").write_bytes(b"old")
    (tmp_path / "two").mkdir()
    with pytest.raises(OutputError, match="two is a directory"):
        files.write_together({tmp_path / "one": b"new", tmp_path / "two": b"new"})
    assert contents(tmp_path) == {"one": b"old"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives files away")
def test_what_another_user_left_stays(tmp_path):
    theirs = tmp_path / OURS
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    with files.scratch_folder(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == [theirs]
