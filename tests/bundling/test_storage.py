"""Bundles from strangers: whatever they hold is refused in one line, or is as it says."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given

from edgeeff.bundling import storage
from edgeeff.bundling.storage import CHECKSUMS, checksums, read_files, write_files
from edgeeff.errors import InputError, OutputError
from tests import mutants

FILES = {"bundle.json": b"{}", "models/a.tflite": b"model", "labels.txt": b"cat\n"}


def zipped(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    """A zip of whole and further files, the checksums of the first alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in (*FILES.items(), (CHECKSUMS, checksums(FILES)), *entries):
            archive.writestr(name, content)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_files(tmp_path / "bundle", FILES)
    return tmp_path / "bundle"


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_what_was_written_is_read(name: str, tmp_path: Path) -> None:
    write_files(tmp_path / name, FILES)
    assert read_files(tmp_path / name) == {**FILES, CHECKSUMS: checksums(FILES)}


def test_a_zip_that_another_tool_made_is_read(tmp_path: Path) -> None:
    assert read_files(zipped(tmp_path / "b.zip", ("models/", b"")))["labels.txt"] == b"cat\n"


@pytest.mark.parametrize(
    "name",
    [
        "../out.txt",
        "/etc/cron.d/x",
        "a/../../x",
        "C:\\x",
        "models\\x",
        "a//b",
        "./a",
        "a\x1b[2J",
        "x:y",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no name of a file in a bundle"):
        read_files(zipped(tmp_path / "b.zip", (name, b"")))


@pytest.mark.parametrize("name", ["labels.txt", "LABELS.TXT"])
def test_a_name_that_comes_twice_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two files are called"):
        read_files(zipped(tmp_path / "b.zip", (name, b"dog\n")))


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(InputError, match="link is a symbolic link"):
        read_files(zipped(tmp_path / "b.zip", (link, b"/etc/passwd")))


@pytest.mark.parametrize("target", ["labels.txt", "/etc", "nowhere"])
def test_a_link_in_a_folder_is_refused(target: str, folder: Path) -> None:
    (folder / "link").symlink_to(target)
    with pytest.raises(InputError, match="link is a symbolic link"):
        read_files(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        read_files(folder)


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_more_than_the_limit_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path / name, {**FILES, "large": bytes(1_000)})
    monkeypatch.setattr(storage, "MOST_BYTES", 900)
    with pytest.raises(InputError, match="unpacks to"):
        read_files(tmp_path / name)


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(storage, "MOST_BYTES", 1_000_000)
    bomb = zipped(tmp_path / "b.zip", ("bomb", bytes(1_000_001)))
    assert bomb.stat().st_size < 10_000
    with pytest.raises(InputError, match="unpacks to"):
        read_files(bomb)


def test_a_member_larger_than_it_says_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "b.zip")
    content = bytearray(path.read_bytes())
    place = content.rindex(b"labels.txt") - 46 + 24  # its size in the archive's directory
    assert content[place] == len(FILES["labels.txt"])
    content[place] -= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"larger or smaller|not a whole zip"):
        read_files(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: (it / "labels.txt").write_bytes(b"dog\n"), "changed: labels.txt"),
        (lambda it: (it / "labels.txt").unlink(), "missing: labels.txt"),
        (lambda it: (it / "more").write_bytes(b""), "not listed: more"),
        (lambda it: (it / CHECKSUMS).unlink(), "has no SHA256SUMS"),
        (lambda it: (it / CHECKSUMS).write_text("?"), "is not understood"),
    ],
    ids=["changed", "missing", "additional", "no list", "no such list"],
)
def test_files_that_are_not_as_listed_are_named(change, said: str, folder: Path) -> None:
    change(folder)
    with pytest.raises(InputError) as raised:
        read_files(folder)
    assert said in raised.value.message


def test_a_bundle_that_cannot_be_replaced_stays(folder: Path, monkeypatch) -> None:
    before = storage.read_files(folder)
    rename = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(errno.EACCES, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OutputError, match="cannot write"):
        storage.write_files(folder, {storage.DOCUMENT: b"{}"}, force=True)
    assert storage.read_files(folder) == before


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(InputError, match="not a whole zip archive"):
        read_files(tmp_path / "b.zip")


ARCHIVE_BYTES = 600
"""No archive here is shorter."""


@mutants.many
@given(edits=mutants.edits(0, ARCHIVE_BYTES - 1))
def test_a_damaged_archive_is_refused_or_holds_what_it_should(
    edits: mutants.Edits, tmp_path: Path
) -> None:
    content = zipped(tmp_path / "b.zip").read_bytes()
    (tmp_path / "b.zip").write_bytes(mutants.edited(content, edits))
    with contextlib.suppress(InputError):
        found = read_files(tmp_path / "b.zip")
        assert {name: found[name] for name in FILES} == FILES


@pytest.mark.parametrize("name", ["LABELS.txt", "a\\b"])
def test_a_folder_is_held_to_the_names_that_a_zip_may_have(name: str, folder: Path) -> None:
    (folder / name).write_bytes(b"")
    with pytest.raises(InputError, match=r"two files are called|is no name of a file"):
        read_files(folder)


def test_a_file_that_is_a_folder_too_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ("labels.txt/x", b""))
    with pytest.raises(InputError, match=r"labels\.txt is a file and a folder"):
        read_files(path)


def test_an_endless_list_is_refused_unread(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(storage, "MOST_LISTED", 10)
    with pytest.raises(InputError, match=r"SHA256SUMS has .* bytes"):
        read_files(folder)
