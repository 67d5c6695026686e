"""Files are whole or absent, whenever Ctrl-C comes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgeeff import files
from edgeeff.errors import OutputError

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


def test_a_scratch_folder_is_gone_with_all_it_held(tmp_path: Path):
    with files.scratch_folder(tmp_path / "new") as scratch:
        files.write_bytes(scratch / "deeper" / "model", b"whole")
    assert list(tmp_path.rglob("*")) == [tmp_path / "new"]


def test_a_scratch_folder_where_nothing_can_be_written_names_the_place(tmp_path: Path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"cannot write .*/file: "),
        files.scratch_folder(tmp_path / "file"),
    ):
        pass
