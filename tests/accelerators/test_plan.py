import json

import pytest

from edgeeff.accelerators.plan import (
    PRESETS,
    Facts,
    OperatorTime,
    Plan,
    Profile,
    TargetStatus,
    preset,
)
from edgeeff.errors import UsageError


@pytest.mark.parametrize(
    "value",
    [
        Plan(threads=4, options={"precision": "fp16"}),
        TargetStatus("gpu", "software", "software", "SwiftShader", "2.3.0", "no hardware", "buy"),
        Facts("hardware", "ai-edge-litert 2.3.0", delegate="XNNPACK", nodes=3, warnings=("a",)),
        Profile("by hand", (OperatorTime("CONV_2D", "stem_conv", 12),)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_survive_a_pipe(value):
    assert type(value).from_json(json.loads(json.dumps(value.to_json()))) == value


def test_a_field_of_a_newer_version_is_refused_not_dropped():
    with pytest.raises(UsageError, match="Plan has no colour") as raised:
        Plan.from_json({"colour": "red"})
    assert "same version" in raised.value.hint


def test_the_mlperf_preset_keeps_mlperfs_rule():
    assert PRESETS["mlperf"].min_runs >= 1024
    assert PRESETS["mlperf"].min_seconds >= 60


def test_a_preset_can_be_changed_and_is_not_changed_by_it():
    assert preset("quick", threads=3).threads == 3
    assert PRESETS["quick"].threads == 1


def test_an_unknown_preset_names_the_near_one():
    with pytest.raises(UsageError) as raised:
        preset("standart")
    assert "standard" in raised.value.hint


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"threads": 0}, "^0 threads"),
        ({"repeats": 0}, "^0 repeats"),
        ({"min_runs": 0}, "needs at least one run"),
        ({"max_seconds": 10**6}, "more than a week"),
    ],
)
def test_plans_that_cannot_be_meant_are_refused(fields, said):
    with pytest.raises(UsageError, match=said):
        Plan(**fields)
