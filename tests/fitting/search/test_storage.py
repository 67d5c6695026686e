"""Where a search is kept, and what is said of a place that cannot keep one."""

import pytest

from edgeeff.errors import InputError, OutputError
from edgeeff.fitting.search.storage import open_storage, open_study


def test_a_journal_is_made_with_its_folder(tmp_path):
    storage = open_storage(tmp_path / "new" / "study.journal")
    _, made = open_study(storage, "one")
    assert made
    assert not open_study(open_storage(tmp_path / "new" / "study.journal"), "one")[1]


def test_a_file_that_is_no_journal_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello\nworld\n")
    with pytest.raises(InputError, match="no journal"):
        open_storage(path)
    assert path.read_text() == "hello\nworld\n"


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file is a file"):
        open_storage(tmp_path / "file" / "study.journal")


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all/study.db", "nosuch://host/name"])
def test_a_database_that_cannot_be_opened_is_refused(url):
    with pytest.raises(InputError, match=f"^{url} cannot be opened: "):
        open_storage(url)


def test_a_password_is_not_repeated():
    with pytest.raises(InputError, match=r"^nosuch://.*@host/name cannot be opened") as raised:
        open_storage("nosuch://me:secret@host/name")
    assert "secret" not in f"{raised.value.message} {raised.value.hint}"
