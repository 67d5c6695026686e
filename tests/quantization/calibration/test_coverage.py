"""Ranges grow with pictures; the coverage says how fast they still do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.pictures.preprocessing import of_family
from edgeeff.quantization.calibration import ranges
from edgeeff.quantization.calibration.coverage import (
    FEWEST,
    WIDENED,
    Coverage,
    coverage,
)
from edgeeff.quantization.calibration.observation import observe
from edgeeff.quantization.calibration.pictures import CalibrationSet, synthetic_set
from edgeeff.quantization.corrections.corrected import correct_network
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.tflite.float_model import FloatModel

TINY = of_family("imagenet", 32)
LITE = of_family("lite", 224)


def reached(highest: np.ndarray) -> Coverage:
    """The coverage of activations that go from 0 to ``highest`` [activations, pictures]."""
    extremes = np.stack([np.zeros_like(highest), highest], axis=-1)
    found = coverage([f"layer{number}" for number in range(len(highest))], extremes)
    assert found is not None
    return found


def told(model: FloatModel, calibration: CalibrationSet, recipe: str) -> Coverage | None:
    """What a quantization tells of how far its pictures reach."""
    found: list[Coverage | None] = []
    calibration = replace(calibration, source="photographs")
    correct_network(model, find_recipe(recipe), calibration, covered=found.append)
    return found[0]


@given(
    st.integers(1, 40).flatmap(
        lambda count: st.lists(
            st.lists(st.floats(0.01, 100), min_size=count, max_size=count), min_size=1, max_size=4
        )
    )
)
def test_shares_never_fall_and_end_at_the_whole(highest):
    curve = reached(np.array(highest)).curve
    means = [point.mean for point in curve]
    assert means == sorted(means)
    assert curve[-1].mean == pytest.approx(1.0)
    assert all(0 < point.worst <= point.mean + 1e-9 for point in curve)
    assert [point.pictures for point in curve] == sorted({point.pictures for point in curve})


def test_pictures_that_are_all_alike_cover_everything_at_once():
    found = reached(np.ones((3, 20)))
    assert [point.mean for point in found.curve] == pytest.approx([1.0] * len(found.curve))
    assert found.widened == pytest.approx(0.0)
    assert found.enough


def test_the_widening_is_that_of_the_last_half():
    """One picture in ten reaches twice as far: half of them hold it in half of the orders."""
    found = reached(np.array([[1.0] * 9 + [2.0]]))
    half = next(point for point in found.curve if point.pictures == 5)
    assert half.mean == pytest.approx(0.75, abs=0.15)
    assert found.widened == pytest.approx(1 / half.mean - 1)


def test_ranges_that_grow_with_every_picture_are_not_covered():
    found = reached(np.random.default_rng(0).pareto(1.0, (6, 40)))
    assert not found.enough
    assert found.widened > WIDENED
    assert found.wanted > 40
    assert found.verdict.startswith("not enough: the last 20 of 40 pictures still widened")


def test_bounded_values_are_covered_by_a_few_dozen_pictures():
    found = reached(np.random.default_rng(0).uniform(0.8, 1.0, (6, 40)))
    assert found.enough
    assert found.verdict.startswith("enough: the last 20 of 40 pictures widened ranges by ")


@pytest.mark.parametrize("count", [1, FEWEST - 1])
def test_very_few_pictures_are_never_enough(count):
    found = reached(np.ones((3, count)))
    assert not found.enough
    assert found.verdict == f"not enough: only {count} calibrate; take about 20"


def test_the_activation_that_was_widened_most_is_named():
    highest = np.ones((3, 20))
    highest[1, 7] = 5.0
    found = reached(highest)
    assert found.most_of == "layer1"
    assert found.most > found.widened


def test_activations_that_stay_zero_do_not_count():
    assert coverage(["dead"], np.zeros((1, 9, 2))) is None
    highest = np.ones((2, 9))
    highest[0] = 0.0
    assert reached(highest).activations == 1


def test_the_same_pictures_give_the_same_verdict():
    highest = np.random.default_rng(0).pareto(2.0, (4, 25))
    assert reached(highest) == reached(highest)


def test_json_has_a_curve_by_columns():
    fields = reached(np.ones((2, 20))).to_json()
    assert fields["enough"] is True
    assert fields["curve"]["pictures"] == [1, 2, 5, 10, 20]
    assert {len(column) for column in fields["curve"].values()} == {5}


def test_of_a_recipe_of_extremes_all_ranges_come_from_pictures(tiny_float: Path):
    found = told(FloatModel(tiny_float.read_bytes(), TINY), synthetic_set(10, TINY), "int8-plain")
    assert found is not None
    assert found.pictures == 10
    assert found.activations == len(ranges.from_pictures(float_graph(tiny_float.read_bytes()), {}))


@pytest.mark.slow
def test_where_batchnorm_decides_pictures_do_not_count(lite0_float: Path):
    content = lite0_float.read_bytes()
    pictures = synthetic_set(2, LITE)
    counts = {}
    for name in ("int8", "int8-plain"):
        found = told(FloatModel(content, LITE), pictures, name)
        counts[name] = found.activations if found else 0
    assert counts == {"int8": 1, "int8-plain": len(ranges.from_pictures(float_graph(content), {}))}


def test_extremes_are_noted_of_each_picture(tiny_float: Path):
    graph = float_graph(tiny_float.read_bytes())
    pictures = TINY.normalised(synthetic_set(3, TINY).pictures)
    seen = observe(graph, (picture[None] for picture in pictures))
    of_input = seen[graph.input].extremes
    assert of_input == [(float(p.min()), float(p.max())) for p in pictures]
    for found in seen.values():
        assert min(low for low, _ in found.extremes) == float(found.minimum.min())
        assert max(high for _, high in found.extremes) == float(found.maximum.max())


@pytest.mark.slow
def test_extremes_of_a_batch_are_noted_one_by_one(tmp_path: Path):
    from edgeeff.network.export import export
    from tests import networks

    variant = networks.tiny_variant()
    path = tmp_path / "batch.tflite"
    export(networks.untrained(variant, pictures=8), path, preprocessing=TINY, batch=2)
    found = told(FloatModel(path.read_bytes(), TINY), synthetic_set(9, TINY), "int8-plain")
    assert found is not None
    assert found.pictures == 9


def test_copies_of_a_picture_do_not_make_more_of_them(tiny_float: Path):
    few, copies = synthetic_set(3, TINY), 20
    many = replace(
        few,
        pictures=np.concatenate([few.pictures, *[few.pictures[:1]] * copies]),
        names=(*few.names, *(f"copy{number}" for number in range(copies))),
        digests=(*few.digests, *few.digests[:1] * copies),
    )
    found = told(FloatModel(tiny_float.read_bytes(), TINY), many, "int8-plain")
    assert found is not None
    assert (found.pictures, found.copies, found.enough) == (3, copies, False)
    assert found.verdict == "not enough: only 3 calibrate, the other 20 are copies; take about 20"
