"""Folders and lists of pictures as people have them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.errors import InputError, UsageError
from edgeeff.pictures import images
from edgeeff.pictures.class_names import read_labels
from edgeeff.pictures.images import check_classes, read_images
from tests.pictures.saving import RED, save


def names(found: images.ImageSet) -> list[str]:
    return [picture.path.relative_to(found.source).as_posix() for picture in found.pictures]


def labels(found: images.ImageSet) -> list[int | None]:
    return [picture.label for picture in found.pictures]


class TestFolders:
    def test_one_folder_per_class_in_the_order_of_their_names(self, tmp_path):
        for name in ("dog/b.png", "dog/a.png", "cat/deep/c.png", "ant/d.webp"):
            save(tmp_path / name)
        found = read_images(tmp_path)
        assert names(found) == ["ant/d.webp", "cat/deep/c.png", "dog/a.png", "dog/b.png"]
        assert labels(found) == [0, 1, 2, 2]
        assert found.classes == ("ant", "cat", "dog")
        assert found.labelled

    def test_a_class_folder_without_pictures_is_named_and_no_class(self, tmp_path):
        save(tmp_path / "ant" / "a.png")
        save(tmp_path / "cat" / "b.png")
        (tmp_path / "bee").mkdir()
        found = read_images(tmp_path)
        assert found.classes == ("ant", "cat")
        (note,) = found.notes
        assert note.endswith("which count as no classes: bee")

    def test_flat_folder_has_no_labels(self, tmp_path):
        for name in ("b.jpg", "a.BMP", "c.JPEG"):
            save(tmp_path / name)
        found = read_images(tmp_path)
        assert names(found) == ["a.BMP", "b.jpg", "c.JPEG"]
        assert not found.labelled

    def test_numbered_folders_are_the_numbers_and_not_their_order_as_text(self, tmp_path):
        for name in ("0", "2", "10"):
            save(tmp_path / name / "a.png")
        assert labels(read_images(tmp_path)) == [0, 10, 2]

    def test_folder_with_pictures_inside_and_beside_is_refused(self, tmp_path):
        save(tmp_path / "a.png")
        save(tmp_path / "cat" / "b.png")
        with pytest.raises(InputError, match="both in itself and in cat/"):
            read_images(tmp_path)

    @pytest.mark.parametrize("other", [None, "notes.txt", "folder"])
    def test_folder_without_pictures_is_an_error(self, tmp_path, other):
        if other == "folder":
            (tmp_path / other).mkdir()
        elif other:
            (tmp_path / other).write_text("nothing")
        with pytest.raises(InputError, match="no pictures"):
            read_images(tmp_path)

    def test_nothing_there_is_an_error(self, tmp_path):
        with pytest.raises(InputError, match="no folder or file"):
            read_images(tmp_path / "gone")

    def test_a_pipe_is_not_said_to_be_absent(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InputError, match="is not a regular file or folder"):
            read_images(tmp_path / "pipe")

    def test_single_picture_is_a_set_of_one(self, tmp_path):
        path = save(tmp_path / "a.png")
        assert [picture.path for picture in read_images(path).pictures] == [path]

    def test_other_files_are_skipped_with_their_names_and_hidden_ones_ignored(self, tmp_path):
        save(tmp_path / "a.png")
        (tmp_path / "readme.txt").write_text("x")
        (tmp_path / ".hidden.png").write_bytes(b"x")
        found = read_images(tmp_path)
        assert [skipped.path.name for skipped in found.skipped] == ["readme.txt"]
        with pytest.raises(InputError, match=r"readme\.txt"):
            read_images(tmp_path, strict=True)

    def test_picture_without_suffix_is_known_by_its_first_bytes(self, tmp_path):
        save(tmp_path / "a.webp").rename(tmp_path / "picture")
        assert names(read_images(tmp_path)) == ["picture"]

    def test_links_in_a_circle_end(self, tmp_path):
        save(tmp_path / "cat" / "a.png")
        (tmp_path / "cat" / "again").symlink_to(tmp_path / "cat", target_is_directory=True)
        (tmp_path / "cat" / "up").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "cat" / "gone.png").symlink_to(tmp_path / "nowhere")
        (tmp_path / "cat" / "self.png").symlink_to(tmp_path / "cat" / "self.png")
        assert names(read_images(tmp_path)) == ["cat/a.png"]

    def test_pipe_is_not_waited_for(self, tmp_path):
        save(tmp_path / "a.png")
        os.mkfifo(tmp_path / "b.png")
        assert names(read_images(tmp_path)) == ["a.png"]

    def test_order_does_not_depend_on_how_the_folder_was_filled(self, tmp_path):
        order = np.random.default_rng(0).permutation(30)
        for n in order:
            save(tmp_path / f"{n:02}.png")
        assert names(read_images(tmp_path)) == [f"{n:02}.png" for n in range(30)]


class TestTaking:
    def test_few_are_spread_over_the_classes(self, tmp_path):
        for n in range(12):
            save(tmp_path / f"class{n // 4}" / f"{n:02}.png")
        assert labels(read_images(tmp_path).take(3)) == [0, 1, 2]

    @given(st.integers(1, 50), st.integers(1, 60))
    def test_as_many_as_asked_for_each_once_and_in_order(self, there, wanted):
        pictures = tuple(images.Picture(Path(str(n)), n) for n in range(there))
        taken = labels(images.ImageSet(Path(), pictures).take(wanted))
        assert len(taken) == min(there, wanted)
        assert taken == sorted(set(taken))

    def test_no_picture_at_all_is_wrong_usage(self, tmp_path):
        save(tmp_path / "a.png")
        save(tmp_path / "b.png")
        with pytest.raises(UsageError, match="a limit of 0 pictures"):
            read_images(tmp_path).take(0)


class TestDigest:
    def test_names_do_not_matter_but_contents_order_and_labels_do(self, tmp_path):
        for folder, first, second in (("x", "a", "b"), ("y", "c", "d"), ("z", "b", "a")):
            save(tmp_path / folder / f"{first}.png", RED)
            save(tmp_path / folder / f"{second}.png", (0, 0, 9))
        x, y, z = (read_images(tmp_path / name).sha256() for name in "xyz")
        assert x == y
        assert x != z
        assert x != read_images(tmp_path / "x").take(1).sha256()


class TestLists:
    def test_paths_start_at_the_list_and_names_get_indices(self, tmp_path):
        save(tmp_path / "in" / "a.png")
        save(tmp_path / "in" / "b, c.png")
        listed = tmp_path / "list.csv"
        listed.write_text('path,label\nin/a.png,dog\n"in/b, c.png",cat\n')
        found = read_images(listed)
        assert labels(found) == [1, 0]
        assert found.classes == ("cat", "dog")

    def test_numbers_in_place_of_names_are_indices(self, tmp_path):
        save(tmp_path / "a.png")
        listed = tmp_path / "list.csv"
        listed.write_text("a.png,281\n")
        assert labels(read_images(listed)) == [281]

    def test_a_list_of_paths_alone_has_no_labels(self, tmp_path):
        save(tmp_path / "a.png")
        listed = tmp_path / "list.csv"
        listed.write_text("a.png\n")
        assert labels(read_images(listed)) == [None]

    def test_missing_picture_is_skipped_or_an_error(self, tmp_path):
        save(tmp_path / "a.png")
        listed = tmp_path / "list.csv"
        listed.write_text("a.png,x\ngone.png,x\n")
        assert [s.reason for s in read_images(listed).skipped] == ["no such file"]
        with pytest.raises(InputError, match=r"gone\.png"):
            read_images(listed, strict=True)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"a.png,x\na.png\n", "without a label"),
            (b'"a.png,x\n', "not a CSV"),
            (b"\xff\xfe\x00", "not UTF-8 text"),
            (b"", "no pictures"),
        ],
    )
    def test_damaged_list_is_an_error(self, tmp_path, content, words):
        save(tmp_path / "a.png")
        listed = tmp_path / "list.csv"
        listed.write_bytes(content)
        with pytest.raises(InputError, match=words):
            read_images(listed)


class TestLabels:
    def test_indices_are_those_of_the_labels_file(self, tmp_path):
        save(tmp_path / "data" / "dog" / "a.png")
        save(tmp_path / "data" / "ant" / "b.png")
        file = tmp_path / "labels.txt"
        file.write_bytes("\ufeffdog\r\ncat\r\nant\r\n\r\n".encode())
        found = read_images(tmp_path / "data", labels=file)
        assert labels(found) == [2, 0]
        assert found.classes == ("dog", "cat", "ant")

    def test_sorted_names_get_the_indices_of_a_model_that_knows_them(self, tmp_path):
        for name in ("ant", "dog"):
            save(tmp_path / name / "a.png")
        found = read_images(tmp_path)
        assert labels(found) == [0, 1]
        known = found.labelled_as(("dog", "cat", "ant"))
        assert (labels(known), known.classes) == ([2, 0], ("dog", "cat", "ant"))

    def test_names_that_a_model_does_not_know_stay_sorted(self, tmp_path):
        for name in ("n01440764", "n01443537"):
            save(tmp_path / name / "a.png")
        assert labels(read_images(tmp_path).labelled_as(("tench", "goldfish"))) == [0, 1]

    def test_names_of_which_a_model_knows_some_are_an_error(self, tmp_path):
        for name in ("ant", "wasp"):
            save(tmp_path / name / "a.png")
        with pytest.raises(InputError, match="'wasp' is not in the labels"):
            read_images(tmp_path).labelled_as(("dog", "ant"))

    def test_a_labels_file_counts_more_than_the_model(self, tmp_path):
        save(tmp_path / "data" / "dog" / "a.png")
        file = tmp_path / "labels.txt"
        file.write_text("ant\ndog\n")
        found = read_images(tmp_path / "data", labels=file)
        assert labels(found.labelled_as(("dog", "ant"))) == [1]

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("cat\n", r"class 'dog' is not in .*/labels\.txt$"),
            ("dog\ndog\n", r"class 'dog' is more than once in .*/labels\.txt$"),
        ],
    )
    def test_class_that_is_not_one_line_of_them_is_an_error(self, tmp_path, content, words):
        save(tmp_path / "data" / "dog" / "a.png")
        file = tmp_path / "labels.txt"
        file.write_text(content)
        with pytest.raises(InputError, match=words):
            read_images(tmp_path / "data", labels=file)

    @pytest.mark.parametrize(
        ("content", "words"),
        [(b"", "no class names"), (b"a\n\nb\n", ":2 is empty"), (b"\xff\xfea", "UTF-8")],
    )
    def test_damaged_file_is_an_error(self, tmp_path, content, words):
        file = tmp_path / "labels.txt"
        file.write_bytes(content)
        with pytest.raises(InputError, match=words):
            read_labels(file)

    @pytest.mark.parametrize(("named", "outputs"), [(1001, 1000), (1000, 1001)])
    def test_off_by_one_is_explained_by_the_background_class(self, named, outputs):
        found = images.ImageSet(Path(), (), tuple(map(str, range(named))))
        with pytest.raises(InputError) as caught:
            check_classes(found, outputs)
        assert str(named) in caught.value.message
        assert str(outputs) in caught.value.message
        assert "background" in caught.value.hint

    @pytest.mark.parametrize("outputs", [2, 1000])
    def test_pictures_in_one_inner_folder_are_explained(self, outputs):
        found = images.ImageSet(Path(), (), ("photos",))
        with pytest.raises(InputError, match="1 class name for a model") as caught:
            check_classes(found, outputs)
        assert "folder" in caught.value.hint

    def test_wrong_count_is_an_error(self):
        found = images.ImageSet(Path(), (), ("a", "b"))
        check_classes(found, 2)
        with pytest.raises(InputError, match="2 class names for a model of 10"):
            check_classes(found, 10)

    def test_wrong_count_in_a_file_names_the_file(self, tmp_path):
        save(tmp_path / "data" / "dog" / "a.png")
        file = tmp_path / "labels.txt"
        file.write_text("dog\ncat\nant\n")
        found = read_images(tmp_path / "data", labels=file)
        with pytest.raises(InputError, match=r"/labels\.txt: 3 class names for a model of 5"):
            check_classes(found, 5)

    def test_a_name_that_two_classes_have_hinders_no_other(self, tmp_path):
        """ImageNet has two that are called crane."""
        save(tmp_path / "data" / "cat" / "a.png")
        file = tmp_path / "labels.txt"
        file.write_text("crane\ncat\ncrane\n")
        assert labels(read_images(tmp_path / "data", labels=file)) == [1]

    def test_label_outside_the_model_is_an_error(self):
        found = images.ImageSet(Path(), (images.Picture(Path("a.png"), 1000),))
        check_classes(found, 1001)
        with pytest.raises(InputError, match="label 1000"):
            check_classes(found, 1000)
