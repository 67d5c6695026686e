import numpy as np
import pytest

from edgeeff.errors import InputError
from edgeeff.pictures.images import pixels, read_images
from edgeeff.pictures.preprocessing import of_family
from edgeeff.training.data import reading
from edgeeff.training.data.pictures import PictureFiles
from edgeeff.training.data.reading import judged, kept_whole
from tests.training.folders import class_folders


@pytest.fixture
def images(tmp_path):
    return read_images(class_folders(tmp_path / "photos", {"bright": 4, "dark": 3}))


@pytest.mark.parametrize("family", ["lite", "imagenet"])
def test_pictures_that_judge_are_those_that_evaluate_sees(images, family):
    how = of_family(family, 16)
    found = judged(PictureFiles(images.pictures), how)
    assert np.array_equal(found.squares, np.stack([array for _, array in pixels(images, how)]))
    assert found.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_kept_pictures_are_whole_and_remember_their_size(images):
    found = kept_whole(PictureFiles(images.pictures), 14)
    assert found.squares.shape == (7, 16, 16, 3)
    assert found.sizes.tolist() == [[24, 20]] * 7


@pytest.mark.parametrize(
    "read", [lambda p: judged(p, of_family("lite", 16)), lambda p: kept_whole(p, 16)]
)
def test_a_picture_that_cannot_be_read_is_left_out_and_named(images, read):
    broken = images.pictures[1].path
    whole = read(PictureFiles(images.pictures))
    broken.write_bytes(b"no picture")
    found = read(PictureFiles(images.pictures))
    assert [(one.path, one.reason) for one in found.skipped] == [
        (broken, "not a JPEG, PNG, WebP or BMP picture")
    ]
    assert np.array_equal(found.squares, np.delete(whole.squares, 1, axis=0))
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_nothing_that_can_be_read_is_an_error(images):
    for one in images.pictures:
        one.path.write_bytes(b"")
    with pytest.raises(InputError, match="none of 7 pictures can be read"):
        kept_whole(PictureFiles(images.pictures), 16)


def test_what_memory_has_no_room_for_lies_in_a_file(images, tmp_path, monkeypatch):
    usual = kept_whole(PictureFiles(images.pictures), 16, scratch=tmp_path)
    monkeypatch.setattr(reading, "SHARE_OF_MEMORY", 0.0)
    found = kept_whole(PictureFiles(images.pictures), 16, scratch=tmp_path)
    assert isinstance(found.squares, np.memmap)
    assert np.array_equal(found.squares, usual.squares)
