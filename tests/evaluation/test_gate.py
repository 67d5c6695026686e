"""When a model is inside of the limits, and what is said when it is not."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from edgeeff.errors import UsageError
from edgeeff.evaluation.evaluate import Evaluation
from edgeeff.evaluation.fidelity import Fidelity
from edgeeff.evaluation.gate import AccuracyGateFailed, Limits, Trial, judge
from edgeeff.evaluation.paired import Drop, fewest_images

CLOSE = Fidelity(images=100, agreement=0.98, sqnr_db=24.0, median_image_sqnr_db=24.5, kl=0.003)


def evaluation(images: int, lost: int, gained: int = 0) -> Evaluation:
    model = Path("int8.tflite")
    return Evaluation(model, None, images, (), None, CLOSE, None, drop=Drop(images, lost, gained))


def tried(images: int, lost: int, gained: int = 0, *, max_drop: float = 0.5, **limits) -> Trial:
    found = evaluation(images, lost, gained)
    return judge("int8", 5_000_000, None, found, Limits(max_drop=max_drop, **limits))


def test_passes_when_the_whole_interval_is_inside():
    trial = tried(10_000, 10, 5)
    assert trial.drop is not None
    assert trial.drop[0] < trial.drop[2] < 0.5
    assert (trial.failed, trial.proof, trial.last) == ((), None, True)


def test_the_drop_alone_being_inside_is_not_enough():
    trial = tried(2_000, 8, 2)
    assert trial.drop is not None
    assert trial.drop[0] < 0.5 < trial.drop[2]
    (reason,) = trial.failed
    assert reason.startswith("top-1 drop 0.30 not proven within 0.5 points: up to ")
    assert trial.proof is not None
    assert f"about {trial.proof:,} would prove it" in reason


def test_the_number_of_pictures_is_round():
    proof = tried(2_000, 8, 2).proof
    assert proof is not None
    assert len(str(proof).rstrip("0")) <= 2


def test_a_costlier_recipe_may_still_prove_it():
    assert not tried(2_000, 8, 2).last
    assert not tried(10_000, 100).last


def test_as_many_pictures_as_it_asks_for_pass():
    trial = tried(2_000, 8, 2)
    assert trial.proof is not None
    share = trial.proof / 2_000
    assert tried(trial.proof, int(8 * share), round(2 * share + 0.5)).failed == ()


def test_too_few_pictures_for_any_recipe_end_the_search():
    trial = tried(100, 0)
    (reason,) = trial.failed
    assert reason.startswith("100 pictures prove no drop within 0.5 points, whatever the recipe")
    assert "3.70" in reason
    assert f"{fewest_images(0.005):,} or more" in reason
    assert trial.last


def test_the_search_goes_on_while_the_drop_itself_is_outside():
    """Costlier recipes may at least bring it inside, and the best one is kept."""
    trial = tried(100, 3)
    assert trial.failed == ("top-1 drop 3.00 over 0.5 points",)
    assert (trial.proof, trial.last) == (None, False)


def test_the_search_goes_on_while_another_limit_is_missed():
    assert not tried(100, 0, min_sqnr=30.0).last


def test_a_model_that_beats_float_for_certain_passes_with_few_pictures():
    assert tried(100, 0, 12).failed == ()


def test_no_drop_at_all_cannot_be_proven_of_an_equal_model():
    trial = tried(5_000, 3, 3, max_drop=0.0)
    assert trial.failed[0].startswith("top-1 drop 0.00 not under 0 points")
    assert trial.proof is None


def test_a_limit_that_is_passed_by_everything():
    assert tried(10, 10, max_drop=100.0).failed == ()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (
            Limits(min_agreement=99.0),
            "agreement 98.0% of 100 pictures (93.0% to 99.4%) under 99%",
        ),
        (Limits(min_sqnr=25.5), "SQNR 24.0 under 25.5 dB"),
    ],
)
def test_fidelity_is_held_against_its_limits(limits: Limits, words: str):
    assert judge("int8", 1, CLOSE, None, limits).failed == (words,)


def test_what_is_just_at_a_limit_passes():
    limits = Limits(min_agreement=98.0, min_sqnr=24.0)
    assert judge("int8", 1, CLOSE, None, limits).failed == ()


def test_a_drop_is_told_in_points():
    expected = Drop(10_000, 120, 20)
    found = tried(10_000, 120, 20).drop
    assert found == pytest.approx([1.0, *(100 * end for end in expected.interval)])


@pytest.mark.parametrize(
    ("limits", "there"),
    [(Limits(), False), (Limits(max_drop=0.0), True), (Limits(min_sqnr=20.0), True)],
)
def test_limits_say_whether_there_is_one(limits: Limits, there: bool):
    assert limits.set is there


def test_a_limit_on_the_drop_needs_labels():
    with pytest.raises(UsageError, match="labelled pictures"):
        judge("int8", 1, CLOSE, None, Limits(max_drop=1.0))


def test_what_only_lacks_proof_ranks_above_what_is_outside():
    unproven, outside = tried(2_000, 8, 2), tried(2_000, 40)
    assert unproven.rank > outside.rank
    assert tried(10_000, 10, 5).rank > unproven.rank


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (tried(100, 0), replace(tried(100, 1), median_image_sqnr_db=27.0)),
        (tried(100, 1), replace(tried(100, 1), median_image_sqnr_db=27.0, sqnr_db=20.0)),
        (tried(100, 1), replace(tried(100, 1), sqnr_db=25.0)),
    ],
    ids=["luck with the drop", "a few pictures own the sum", "equal at the median picture"],
)
def test_of_those_that_no_drop_tells_apart_the_one_with_the_least_error_is_best(worse, better):
    assert better.rank > worse.rank
    assert f"was kept, int8 ({better.median_image_sqnr_db:.1f} dB" in (
        AccuracyGateFailed([worse, better]).hint
    )


def test_the_error_says_how_many_pictures_would_do():
    unproven = tried(2_000, 8, 2)
    failed = AccuracyGateFailed([tried(2_000, 40), unproven])
    assert unproven.failed[0] in failed.message
    assert f"give about {unproven.proof:,} labelled pictures" in failed.hint
    assert failed.exit_status == 3


def test_the_error_says_what_else_can_be_done_where_accuracy_is_lost():
    assert "calibrate on your own pictures" in AccuracyGateFailed([tried(2_000, 40)]).hint


def test_json_says_what_would_prove_it():
    fields = tried(2_000, 8, 2).to_json()
    assert fields["proof"] == tried(2_000, 8, 2).proof
    assert fields["median_image_sqnr_db"] == CLOSE.median_image_sqnr_db
    assert not {"last", "outside"} & set(fields)


@pytest.mark.parametrize("limit", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["max_drop", "min_agreement", "min_sqnr"])
def test_a_limit_is_a_finite_number(name: str, limit: float):
    with pytest.raises(UsageError, match="finite"):
        Limits(**{name: limit})
