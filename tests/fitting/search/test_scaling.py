"""The grid search with a score of the caller's own."""

import math

import pytest

from edgeeff.architectures.variants import VARIANTS, scaled, scaling_grid
from edgeeff.errors import InputError
from edgeeff.fitting.search.scaling import scaling_search

COARSE = {"step": 0.2, "tolerance": 0.2}


def prefers_the_paper(variant) -> float:
    return -abs(variant.depth - 1.2) - abs(variant.width - 1.1)


def test_the_best_score_comes_first():
    best, *rest = scaling_search(prefers_the_paper)
    assert (best.alpha, best.beta, best.gamma) == (1.2, 1.1, 1.15)
    assert best.score == max(one.score for one in (best, *rest))
    assert best.variant == scaled(1)
    assert len(rest) + 1 == len(scaling_grid())


def test_any_base_is_scaled():
    found = scaling_search(lambda variant: variant.resolution, base=VARIANTS["lite0"], **COARSE)
    assert {one.variant.family for one in found} == {"lite"}
    assert found[0].gamma == max(one.gamma for one in found)


def test_a_search_that_was_stopped_goes_on(tmp_path):
    scored = []

    def score(variant) -> float:
        if len(scored) == 3:
            raise KeyboardInterrupt
        scored.append(variant.name)
        return variant.depth

    with pytest.raises(KeyboardInterrupt):
        scaling_search(score, storage=tmp_path / "journal", **COARSE)

    def goes_on(variant) -> float:
        assert variant.name not in scored
        return variant.depth

    found = scaling_search(goes_on, storage=tmp_path / "journal", **COARSE)
    assert found[0].variant.depth == max(one.variant.depth for one in found)


def test_a_network_without_a_score_is_left_out():
    found = scaling_search(lambda variant: math.nan if variant.depth > 1.5 else 1.0, **COARSE)
    assert found
    assert all(one.alpha <= 1.5 for one in found)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="not a number"):
        scaling_search(lambda variant: math.nan, **COARSE)
