import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.errors import InputError, UsageError
from edgeeff.training.data.named import FASHION_MNIST, named_data_set
from edgeeff.training.data.pictures import PictureArrays
from edgeeff.training.data.sets import DataSet, read_data_set, split
from tests.training.folders import class_folders

TWO = {"bright": 5, "dark": 5}


def names(pictures):
    return [pictures.name(place) for place in range(len(pictures.labels))]


def test_classes_are_the_folders_in_the_order_of_their_names(tmp_path):
    data = read_data_set(class_folders(tmp_path, {"dark": 5, "bright": 5, "middle": 5}))
    assert data.classes == ("bright", "dark", "middle")


@pytest.mark.parametrize("called", ["val", "valid", "validation", "Val"])
def test_parts_are_found_by_their_names(tmp_path, called):
    class_folders(tmp_path / "train", TWO)
    class_folders(tmp_path / called, {"bright": 2, "dark": 1})
    class_folders(tmp_path / "test", {"bright": 1, "dark": 1})
    data = read_data_set(tmp_path)
    assert [len(part.labels) for part in (data.train, data.val, data.test)] == [10, 3, 2]
    assert data.val.labels.tolist() == [0, 0, 1]


def test_the_same_part_twice_is_refused(tmp_path):
    for name in ("train", "val", "validation"):
        class_folders(tmp_path / name, TWO)
    with pytest.raises(InputError, match="val and validation, which are the same part"):
        read_data_set(tmp_path)


def test_pictures_to_choose_by_may_lie_elsewhere(tmp_path):
    class_folders(tmp_path / "photos", TWO)
    class_folders(tmp_path / "others", {"dark": 3})
    data = read_data_set(tmp_path / "photos", val=tmp_path / "others")
    assert len(data.train.labels) == 10
    assert data.val.labels.tolist() == [1, 1, 1]
    assert any("no pictures of bright" in note for note in data.notes)


def test_a_list_of_pictures_gives_their_classes(tmp_path):
    class_folders(tmp_path, TWO)
    lines = [f"{path.relative_to(tmp_path)},{path.parent.name}" for path in tmp_path.glob("*/*")]
    (tmp_path / "list.csv").write_text("path,label\n" + "\n".join(lines))
    data = read_data_set(tmp_path / "list.csv")
    assert data.classes == ("bright", "dark")
    assert len(data.train.labels) + len(data.val.labels) == 10


def test_folders_called_by_numbers_are_classes_of_these_names(tmp_path):
    class_folders(tmp_path, {"3": 4, "7": 4})
    data = read_data_set(tmp_path)
    assert data.classes == ("3", "7")
    assert set(data.train.labels.tolist()) == {0, 1}


def test_what_is_set_aside_is_said_and_is_the_same_for_the_same_seed(tmp_path):
    class_folders(tmp_path, TWO)
    first, again, other = (read_data_set(tmp_path, seed=seed) for seed in (0, 0, 1))
    assert names(first.val) == names(again.val)
    assert names(first.val) != names(other.val)
    assert any("2 of 10 pictures, 20% of each class by seed 0" in note for note in first.notes)


@given(
    counts=st.lists(st.integers(2, 30), min_size=2, max_size=6),
    share=st.floats(0.05, 0.5),
    seed=st.integers(0, 2**32),
)
def test_each_class_gives_the_same_share_and_none_is_lost(counts, share, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    every = PictureArrays("made", np.arange(len(labels), dtype=np.uint8)[:, None, None], labels)
    classes = tuple(map(str, range(len(counts))))
    data = split(DataSet("made", classes, every, every), share, seed)
    for label, count in enumerate(counts):
        aside = int((data.val.labels == label).sum())
        assert 1 <= aside < count
        assert abs(aside - share * count) <= 1
    parts = [data.train.pixels, data.val.pixels]
    assert sorted(np.concatenate(parts).ravel().tolist()) == list(range(len(labels)))


def test_few_pictures_are_taken_and_said_to_be_few(tmp_path):
    data = read_data_set(class_folders(tmp_path, {"bright": 10, "dark": 10}))
    assert any("the data is small: 20 pictures of 2 classes" in note for note in data.notes)


def test_enough_pictures_are_not_said_to_be_few(tmp_path):
    data = read_data_set(class_folders(tmp_path, {"bright": 25, "dark": 25}))
    assert not any("small" in note for note in data.notes)


def test_a_class_without_pictures_is_refused_by_name(tmp_path):
    class_folders(tmp_path, TWO)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no pictures"):
        read_data_set(tmp_path)


def test_one_class_only_is_refused(tmp_path):
    with pytest.raises(InputError, match="one class only, 'dark'"):
        read_data_set(class_folders(tmp_path, {"dark": 4}))


def test_a_folder_around_the_data_set_is_pointed_at(tmp_path):
    class_folders(tmp_path / "dataset" / "train", TWO)
    with pytest.raises(InputError) as refused:
        read_data_set(tmp_path)
    assert "dataset itself" in refused.value.hint


def test_one_picture_of_each_class_leaves_none_to_judge_by(tmp_path):
    with pytest.raises(InputError, match="one picture of each class"):
        read_data_set(class_folders(tmp_path, {"bright": 1, "dark": 1}))


def test_pictures_without_labels_are_refused(tmp_path):
    class_folders(tmp_path, {"dark": 4})
    with pytest.raises(InputError, match="have no labels"):
        read_data_set(tmp_path / "dark")


def test_a_class_that_no_training_picture_has_is_refused(tmp_path):
    class_folders(tmp_path / "train", TWO)
    class_folders(tmp_path / "val", {"middle": 1, "dark": 2})
    with pytest.raises(InputError, match="'middle', which no training picture has"):
        read_data_set(tmp_path)


def test_the_digits_come_in_parts():
    data = named_data_set("digits")
    counts = [len(part.labels) for part in (data.train, data.val, data.test)]
    assert sum(counts) == 1797
    assert counts[2] == 360
    assert not data.mirrored


@pytest.mark.fashion_mnist
@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason="needs Debian's dataset-fashion-mnist")
def test_fashion_mnist_keeps_its_test_pictures_apart():
    data = named_data_set("fashion-mnist")
    counts = [len(part.labels) for part in (data.train, data.val, data.test)]
    assert counts == [55_000, 5_000, 10_000]


def test_an_unknown_data_set_is_named_with_the_nearest():
    with pytest.raises(UsageError) as refused:
        named_data_set("digit")
    assert refused.value.hint == "did you mean digits?"
