"""Calibration pictures are the same each time, and what is wrong with them is said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from edgeeff.errors import InputError, UsageError
from edgeeff.pictures.preprocessing import of_family
from edgeeff.quantization.calibration.pictures import (
    CalibrationPair,
    folder_pair,
    folder_set,
    set_of,
    synthetic_pair,
    synthetic_set,
)

LITE = of_family("lite", 32)


def save(path: Path, seed: int | None) -> None:
    """A picture of noise, or of one grey."""
    shape = (40, 40, 3)
    grey = np.full(shape, 90, np.uint8)
    noise = grey if seed is None else np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    Image.fromarray(noise.astype(np.uint8)).save(path)


def test_the_built_in_set_is_the_same_each_time() -> None:
    first, again = synthetic_set(3, LITE), synthetic_set(3, LITE)
    assert first.synthetic
    assert first.pictures.shape == (3, 32, 32, 3)
    assert first.sha256 == again.sha256
    np.testing.assert_array_equal(first.pictures, again.pictures)


def test_another_seed_or_count_is_another_set() -> None:
    digests = {synthetic_set(*a).sha256 for a in [(3, LITE, 0), (3, LITE, 1), (2, LITE, 0)]}
    assert len(digests) == 3


def test_the_built_in_set_has_nothing_to_warn_of() -> None:
    assert synthetic_set(8, LITE).warnings() == ()


def test_a_folder_is_read_and_its_files_named(tmp_path: Path) -> None:
    for seed in range(3):
        save(tmp_path / f"{seed}.png", seed)
    found = folder_set(tmp_path, LITE)
    assert not found.synthetic
    assert [Path(name).name for name in found.names] == ["0.png", "1.png", "2.png"]
    assert found.pictures.shape == (3, 32, 32, 3)
    assert found.warnings() == ()


def test_only_as_many_pictures_as_wanted_are_read(tmp_path: Path) -> None:
    for seed in range(6):
        save(tmp_path / f"{seed}.png", seed)
    assert len(folder_set(tmp_path, LITE, count=2).pictures) == 2


def test_the_digest_depends_on_pixels_not_on_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save(tmp_path / name / f"{name}.png", 5)
    first, second = (folder_set(tmp_path / name, LITE).sha256 for name in ("a", "b"))
    assert first == second


def test_pictures_that_are_there_twice_are_reported(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        save(tmp_path / f"{name}.png", seed)
    (warning,) = folder_set(tmp_path, LITE).warnings()
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    assert warning == f"1 of 3 pictures are there twice, such as {first} and {second}"


def test_a_copy_of_a_calibration_picture_does_not_verify(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path / f"{number}.png", number // 2)
    pair = folder_pair(tmp_path, LITE, count=3)
    assert len(pair.used.pictures) == 3
    assert set(pair.used.digests).isdisjoint(pair.held_out.digests)
    assert pair.held_out.synthetic


def test_flat_pictures_are_reported_by_name(tmp_path: Path) -> None:
    save(tmp_path / "good.png", 1)
    save(tmp_path / "grey.png", None)
    (warning,) = folder_set(tmp_path, LITE).warnings()
    assert "one colour" in warning
    assert "grey.png" in warning


def test_broken_files_are_reported_by_name(tmp_path: Path) -> None:
    save(tmp_path / "good.png", 1)
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    (warning,) = folder_set(tmp_path, LITE).warnings()
    assert "skipped" in warning
    assert "broken.png" in warning


def test_nothing_but_flat_pictures_is_an_error(tmp_path: Path) -> None:
    save(tmp_path / "grey.png", None)
    with pytest.raises(InputError, match="one colour"):
        folder_set(tmp_path, LITE)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures in"):
        folder_set(tmp_path, LITE)


@pytest.mark.parametrize(("count", "read", "said"), [(None, 5, True), (2, 8, False), (7, 8, False)])
def test_of_a_large_folder_no_more_are_read_than_help(
    count: int | None, read: int, said: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeeff.quantization.calibration.pictures.MOST", 5)
    for number in range(8):
        save(tmp_path / f"{number}.png", number)
    pair = folder_pair(tmp_path, LITE, count=count)
    held_out = 0 if pair.held_out.synthetic else len(pair.held_out.pictures)
    assert len(pair.used.pictures) + held_out == read
    assert any("3 pictures were not read" in word for word in pair.used.warnings()) == said


def test_pictures_that_do_not_fit_into_memory_are_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "a.png", 0)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(UsageError, match="not enough memory: 1 calibration pictures take"):
        folder_set(tmp_path, LITE)


def numbered(*values: int) -> CalibrationPair:
    """Pictures of one value each that calibrate, and made-up ones that verify."""
    pictures = np.full((len(values), 32, 32, 3), np.reshape(values, (-1, 1, 1, 1)), np.uint8)
    return CalibrationPair(
        set_of("numbered", pictures, tuple(map(str, range(len(values))))), synthetic_set(2, LITE)
    )


@pytest.mark.parametrize(
    ("count", "second"),
    [
        (3, ["1"]),
        (9, ["3", "4", "5"]),
        (90, [str(number) for number in range(37, 53)]),
    ],
)
def test_a_part_is_set_aside_that_the_rest_has_not_seen(count: int, second: list[str]) -> None:
    """Neighbours in the list, and those that stay are all others."""
    pair = numbered(*range(count))
    rest, aside = pair.set_aside()
    assert list(aside.names) == second
    assert set(rest.names) == {*pair.used.names} - {*second}


def test_a_copy_of_a_picture_that_is_set_aside_is_left_out() -> None:
    rest, aside = numbered(0, 1, 2, 3, 3, 5, 3).set_aside()
    assert aside.names == ("2", "3")
    assert rest.names == ("0", "1", "5")


@pytest.mark.parametrize("values", [(1,), (1, 2), (1, 1, 1)])
def test_of_too_few_pictures_none_is_set_aside(values: tuple[int, ...]) -> None:
    pair = numbered(*values)
    assert pair.set_aside() is None
    assert pair.checking(LITE).names == pair.used.names


def test_spare_pictures_judge_candidates(tmp_path: Path) -> None:
    for number in range(40):
        save(tmp_path / f"{number:02d}.png", number)
    pair = folder_pair(tmp_path, LITE, count=8)
    judges = pair.checking(LITE)
    assert len(judges.names) == 12
    assert {*judges.digests}.isdisjoint({*pair.used.digests, *pair.held_out.digests})
    assert pair.set_aside() is None


def test_made_up_pictures_are_judged_by_others() -> None:
    pair = synthetic_pair(4, LITE)
    assert {*pair.checking(LITE).digests}.isdisjoint({*pair.used.digests, *pair.held_out.digests})
    assert pair.set_aside() is None
