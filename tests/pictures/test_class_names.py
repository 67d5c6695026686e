"""Folders and lists say which class is which as training did, or are refused."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgeeff.errors import InputError
from edgeeff.pictures import class_names
from edgeeff.pictures.images import read_images


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "teal").save(path)
    return path


@given(st.integers(1, 40))
def test_folders_of_all_numbers_are_in_the_order_of_their_names(count):
    found = sorted(map(str, range(count)))
    classes = class_names.of_folders(found, (), "set")
    assert [classes.indices[name] for name in found] == list(range(count))
    assert bool(classes.notes) == (count > 10)


def test_numbers_that_leave_some_out_are_those_of_outputs():
    classes = class_names.of_folders(["207", "281", "9"], (), "set")
    assert classes.indices == {"207": 207, "281": 281, "9": 9}
    assert not classes.notes


def test_zero_padded_numbers_need_no_note():
    found = [f"{number:02d}" for number in range(12)]
    assert not class_names.of_folders(found, (), "set").notes


def test_a_list_s_numbers_are_those_of_outputs():
    found = sorted(map(str, range(12)))
    assert class_names.of_list(found, (), "list.csv").indices["10"] == 10


def test_a_number_too_long_for_any_output_is_a_name():
    found = class_names.of_list(["7", "9" * 5000], (), "list.csv")
    assert found.indices == {"7": 0, "9" * 5000: 1}


@pytest.mark.parametrize("parts", [("train", "val"), ("Test", "Train"), ("test", "train", "valid")])
def test_parts_of_a_data_set_are_no_classes(parts):
    with pytest.raises(InputError, match="parts of a data set and no classes") as refused:
        class_names.of_folders(sorted(parts), (), "set")
    assert "set/" in refused.value.hint


def test_one_folder_may_be_called_as_it_likes():
    assert class_names.of_folders(["test"], (), "set").indices == {"test": 0}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("other", ["NFC", "NFD"])
def test_accents_compare_however_they_are_written(form, other):
    name, label = (unicodedata.normalize(one, "café") for one in (form, other))
    assert class_names.of_folders([name], ("dog", label), "set").indices == {name: 1}


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "a\x85b", "a\u2028b", "a\udcff"])
def test_a_name_that_a_labels_file_cannot_hold_is_refused(name):
    for read in (class_names.of_folders, class_names.of_list):
        with pytest.raises(InputError, match="is not one line of text") as caught:
            read([name, "dog"], (), "set")
        assert repr(name) in caught.value.message


def test_a_folder_with_a_line_break_is_refused(tmp_path):
    picture(tmp_path / "a\nb" / "1.png")
    picture(tmp_path / "c" / "1.png")
    with pytest.raises(InputError, match=r"class 'a\\nb' is not one line"):
        read_images(tmp_path)


@pytest.mark.parametrize("name", [" c0", "c0", "c0 "])
def test_spaces_around_a_name_do_not_count(name, tmp_path):
    picture(tmp_path / "set" / name / "1.png")
    file = tmp_path / "labels.txt"
    file.write_text("dog\n c0\n")
    found = read_images(tmp_path / "set", labels=file)
    assert [one.label for one in found.pictures] == [1]
    assert class_names.shared([name], ("dog", " c0"))


def test_two_folders_of_one_label_are_refused():
    with pytest.raises(InputError, match="two classes are 'c0' in the labels"):
        class_names.of_folders([" c0", "c0"], ("c0", "dog"), "set")


def test_a_link_that_repeats_a_class_is_refused(tmp_path):
    picture(tmp_path / "c11" / "1.png")
    picture(tmp_path / "c12" / "1.png")
    os.symlink("c11", tmp_path / "a_newest")
    with pytest.raises(InputError, match="a_newest and c11 are the same folder"):
        read_images(tmp_path)


def test_a_list_written_on_windows_is_read(tmp_path):
    picture(tmp_path / "set" / "dog" / "1.png")
    (tmp_path / "win.csv").write_text("path,label\nset\\dog\\1.png,dog\n")
    images = read_images(tmp_path / "win.csv")
    assert [one.label for one in images.pictures] == [0]


def test_a_first_line_that_names_no_picture_is_a_heading(tmp_path):
    picture(tmp_path / "1.png")
    (tmp_path / "list.csv").write_text("image_path,label\n1.png,dog\n")
    images = read_images(tmp_path / "list.csv")
    assert images.classes == ("dog",)
    assert not images.skipped


def test_a_first_picture_that_is_missing_is_no_heading(tmp_path):
    picture(tmp_path / "2.png")
    (tmp_path / "list.csv").write_text("1.png,cat\n2.png,dog\n")
    images = read_images(tmp_path / "list.csv")
    assert [one.reason for one in images.skipped] == ["no such file"]


def test_the_file_that_a_list_misses_is_named(tmp_path):
    (tmp_path / "list.csv").write_text("a.png,cat\n")
    with pytest.raises(InputError, match=r"a\.png: no such file"):
        read_images(tmp_path / "list.csv")


def test_heic_is_named_and_its_class_keeps_its_place(tmp_path):
    picture(tmp_path / "cat" / "1.png")
    picture(tmp_path / "fox" / "1.png")
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "a.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    images = read_images(tmp_path)
    assert images.classes == ("cat", "dog", "fox")
    assert [one.reason for one in images.skipped] == ["HEIC is not read: convert it to JPEG"]


def test_a_folder_of_heic_alone_says_so(tmp_path):
    (tmp_path / "a.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(InputError, match="HEIC is not read"):
        read_images(tmp_path)


def test_names_that_classes_share_are_said_with_their_lines():
    (note,) = class_names.repeated(("crane", "cat", "crane", "maillot", "maillot "), "labels.txt")
    assert note.startswith(
        "labels.txt calls two classes 'crane' (lines 1 and 3), and 1 more name likewise: "
    )


def test_names_of_one_class_each_are_not_remarked():
    assert class_names.repeated(("crane", "cat"), "labels.txt") == ()


def test_one_sigmoid_takes_the_names_of_two_classes():
    class_names.check_count(2, 1)
    with pytest.raises(InputError, match=r"the labels: 3 class names for a model of 1 class$"):
        class_names.check_count(3, 1)


@pytest.mark.parametrize(("named", "off_by_one"), [(9, True), (11, True), (12, False)])
def test_a_count_that_is_one_off_may_be_the_background(named, off_by_one):
    with pytest.raises(InputError) as refused:
        class_names.check_count(named, 10, "labels.txt")
    assert refused.value.hint.startswith("one name per line for each class")
    assert ("background" in refused.value.hint) == off_by_one
