"""The word that is wrong is named, whatever else is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgeeff.errors import InputError, UsageError
from edgeeff.evaluation.inputs import find_preprocessing
from edgeeff.evaluation.normalisation import normalisation
from tests.tflite import tiny


@pytest.mark.parametrize(
    ("option", "word", "named"),
    [
        ("mean", "1,2", "--mean 1,2: 2 numbers"),
        ("mean", "nan", "--mean: 'nan' is out of bounds"),
        ("mean", "", "--mean: '' is not a number"),
        ("std", "0", "--std: '0' is out of bounds"),
        ("std", "nan", "--std: 'nan' is out of bounds"),
        ("std", "1,0,1", "--std: '0' is out of bounds"),
        ("resize", "bicubic:nan", "--resize: 'nan' is out of bounds"),
        ("resize", "bicubic:2", "--resize: '2' is out of bounds"),
        ("resize", "squash:0.9", "--resize squash:0.9"),
        ("resize", "nearest", "nearest"),
    ],
)
def test_a_wrong_word_is_named_also_where_another_is_missing(
    option: str, word: str, named: str
) -> None:
    words = {"mean": None, "std": None, "resize": None, option: word}
    with pytest.raises(UsageError) as refused:
        normalisation(**words)
    assert named in refused.value.message


def test_half_a_scale_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="--mean 127 without --std"):
        normalisation("127", None, "squash")
    with pytest.raises(UsageError, match="--std 128 without --mean"):
        normalisation(None, "128")


def test_another_resizing_alone_leaves_the_scale_as_the_file_says() -> None:
    said = normalisation(None, None, "squash")
    assert said is not None
    own = find_preprocessing(tiny.INT8_METADATA)
    assert said.of(tiny.INT8_METADATA) == own.resized("squash") != own


def test_another_resizing_of_a_file_that_says_no_scale_needs_it(tmp_path: Path) -> None:
    said = normalisation(None, None, "squash")
    assert said is not None
    model = Path(shutil.copy(tiny.INT8, tmp_path / "model.tflite"))
    with pytest.raises(InputError, match="does not say how") as refused:
        said.of(model)
    assert "--mean" in refused.value.hint
