"""Which grid each activation of a real network gets: of its bounds, of BatchNorm, of pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from edgeeff.pictures.preprocessing import of_family
from edgeeff.quantization.calibration import ranges
from edgeeff.quantization.calibration.estimators import ESTIMATORS
from edgeeff.quantization.calibration.observation import Observed, observe
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.recipes.recipe import Ranges, find_recipe
from edgeeff.tflite import statistics
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator
from tests.small_classifiers import VALID, SmallClassifier

RULE = replace(find_recipe("int8").ranges, logits_percent=100.0)


@dataclass(frozen=True)
class Lite0:
    """Lite0 with real weights, and what synthetic pictures do in it."""

    graph: Graph
    observed: dict[int, Observed]
    said: statistics.Statistics

    def grid(self, kind: str, rule: Ranges = RULE, *, batchnorm: bool = True) -> Grid:
        """Of the output of the only operator of a kind."""
        said = ranges.described(self.graph, self.said if batchnorm else None)
        known = ranges.credible(said, self.observed, outdated=False)
        found = ranges.grids(self.graph, self.observed, known, rule, synthetic=True)
        return found[self.tensor(kind)]

    def tensor(self, kind: str) -> int:
        (operator,) = (o for o in self.graph.operators if o.kind == kind)
        return operator.output


@pytest.fixture(scope="module")
def lite0(lite0_float: Path) -> Lite0:
    preprocessing = of_family("lite", 224)
    graph = float_graph(lite0_float.read_bytes())
    said = statistics.attached(graph)
    assert said is not None
    batches = (p[None] for p in synthetic_set(4, preprocessing).normalised(preprocessing))
    return Lite0(graph, observe(graph, batches), said)


@dataclass(frozen=True)
class Observing:
    """A float network, and what pictures do in it."""

    graph: Graph
    observed: dict[int, Observed]

    def is_gate(self, tensor: int) -> bool:
        maker = self.graph.producer.get(tensor)
        return maker is not None and maker.kind == "LOGISTIC"

    def makers(self, operator: Operator) -> list[str]:
        return [self.graph.producer[t].kind for t in operator.inputs if t in self.graph.producer]


@pytest.fixture(scope="module")
def b0_like(tiny_float: Path) -> Observing:
    """A network of swish and squeeze-excite."""
    graph = float_graph(tiny_float.read_bytes())
    preprocessing = of_family("lite", 32)
    batches = (p[None] for p in synthetic_set(4, preprocessing).normalised(preprocessing))
    return Observing(graph, observe(graph, batches))


def test_a_mean_of_bounded_values_has_their_bounds(lite0: Lite0):
    """Four pictures show means of up to about 4; a picture of one colour can show 6."""
    assert lite0.observed[lite0.tensor("MEAN")].maximum.max() < 5.5
    grid = lite0.grid("MEAN")
    assert (grid.minimum, grid.maximum) == pytest.approx((0, 6))


def test_without_statistics_the_mean_is_ranged_as_it_was_seen(lite0: Lite0):
    seen = float(lite0.observed[lite0.tensor("MEAN")].maximum.max())
    grid = lite0.grid("MEAN", replace(RULE, estimator="minmax"), batchnorm=False)
    assert grid.maximum == pytest.approx(seen)


@pytest.mark.parametrize("margin", [1.0, 1.4, 2.0])
def test_the_margin_is_for_large_logits_alone(lite0: Lite0, margin: float):
    lowest, highest = np.transpose(lite0.observed[lite0.tensor("FULLY_CONNECTED")].extremes)
    grid = lite0.grid("FULLY_CONNECTED", replace(RULE, logits_margin=margin))
    assert grid.maximum == pytest.approx(margin * highest.max(), abs=grid.scale)
    assert grid.minimum == pytest.approx(lowest.min(), abs=grid.scale)


@pytest.mark.parametrize(
    ("kind", "batchnorm", "headroom"),
    [("MEAN", True, 1), ("MEAN", False, 1.4), ("FULLY_CONNECTED", True, 1.4)],
    ids=["bounded", "seen", "logits"],
)
def test_headroom_is_for_what_only_pictures_tell(
    lite0: Lite0, kind: str, batchnorm: bool, headroom: float
):
    """So little that the mean stays inside what it averages."""
    usual, wide = (
        lite0.grid(kind, replace(RULE, estimator="minmax", headroom=times), batchnorm=batchnorm)
        for times in (1.0, 1.4)
    )
    assert wide.maximum == pytest.approx(headroom * usual.maximum, abs=2 * wide.scale)


def test_no_headroom_is_given_beyond_what_the_inputs_let_values_reach(b0_like: Observing):
    rule = Ranges(headroom=64.0)
    found = ranges.grids(b0_like.graph, b0_like.observed, {}, rule, synthetic=True)
    bounded = 0
    for operator in b0_like.graph.operators:
        gated = operator.kind == "MUL" and "LOGISTIC" in b0_like.makers(operator)
        if not gated and operator.kind not in ("MEAN", "PAD"):
            continue
        sources = [found[t] for t in operator.inputs if t in found and not b0_like.is_gate(t)]
        if sources:
            (source,), made = sources, found[operator.output]
            assert source.minimum - source.scale < made.minimum
            assert made.maximum < source.maximum + source.scale
            bounded += 1
    assert bounded > 10


@pytest.mark.parametrize(
    ("recipe", "embedded", "synthetic", "read"),
    [
        ("int8", True, True, False),
        ("int8", True, False, False),
        ("int8", False, True, True),
        ("int8-plain", False, False, False),
        ("int8-swish", True, True, False),
        ("int8-swish", True, False, True),
    ],
)
def test_histograms_are_read_only_where_batchnorm_is_silent(
    lite0: Lite0, recipe: str, embedded: bool, synthetic: bool, read: bool
):
    rule = find_recipe(recipe).ranges
    said = ranges.described(lite0.graph, lite0.said if embedded else None)
    trusted = ranges.trusted(said, rule, synthetic=synthetic)
    assert ranges.reads_histograms(lite0.graph, trusted, rule) == read


def test_statistics_of_another_number_of_channels_are_not_this_networks(lite0: Lite0):
    name, said = next(iter(lite0.said.tensors.items()))
    short = statistics.TensorStatistics(said.mean[:-1], None)
    other = replace(lite0.said, tensors={**lite0.said.tensors, name: short})
    lost = set(ranges.described(lite0.graph, lite0.said)) - set(
        ranges.described(lite0.graph, other)
    )
    assert {lite0.graph.name(tensor) for tensor in lost} == {name}


def rescaled_since(said: statistics.TensorStatistics, factor: float) -> statistics.TensorStatistics:
    """What was said when channel 5 was not yet ``factor`` times as large."""
    before = np.ones(len(said.mean), np.float32)
    before[5] = 1 / factor
    assert said.deviation is not None
    return statistics.TensorStatistics(said.mean * before, said.deviation * before)


@pytest.mark.parametrize("factor", [1 / 256, 1 / 4, 4.0, 256.0])
def test_a_channel_that_was_rescaled_since_is_found(lite0: Lite0, factor: float):
    """Four pictures, so that a factor of 2 could be chance."""
    tensor = next(t for t in lite0.observed if lite0.graph.name(t) == "block4b_project_bn")
    now = ranges.described(lite0.graph, lite0.said)[tensor]
    old = {tensor: rescaled_since(now, factor)}
    found = ranges.credible(old, lite0.observed, outdated=True)[tensor]
    assert found.deviation is not None
    assert now.deviation is not None
    assert found.deviation[5] == pytest.approx(now.deviation[5], rel=0.5)
    assert (np.delete(found.deviation / now.deviation, 5) == 1).mean() > 0.9


@pytest.mark.parametrize("factor", [1 / 4, 4.0])
def test_statistics_of_these_weights_are_believed_even_if_pictures_differ(
    lite0: Lite0, factor: float
):
    tensor = next(t for t in lite0.observed if lite0.graph.name(t) == "block4b_project_bn")
    said = rescaled_since(ranges.described(lite0.graph, lite0.said)[tensor], factor)
    found = ranges.credible({tensor: said}, lite0.observed, outdated=False)[tensor]
    assert np.array_equal(found.mean, said.mean)


def observed_logits(lowest: list[float], highest: list[float]) -> Observed:
    none = np.zeros(1)
    extremes = list(zip(lowest, highest, strict=True))
    return Observed(none, none, none, none, none, extremes, [])


def test_logits_are_not_cut_off_where_the_grid_has_levels_enough():
    """One of ten classifiers' pictures reaches three times as far: its error would own the sum."""
    found = ranges.logits_range(observed_logits([-1.0] * 39 + [-3.0], [2.0] * 40), 10, 97.0, 1.3)
    assert found == (-3.0 * 1.3, 2.0 * 1.3)


def test_pictures_that_would_cost_all_others_their_precision_are_left_out():
    seen = observed_logits([-1.0] * 39 + [-100.0], [2.0] * 40)
    assert ranges.logits_range(seen, 10, 97.0, 1.3)[0] > -5


def test_both_ends_of_a_single_answer_count_alike():
    seen = observed_logits([-1.0] * 40, [4.0] * 40)
    assert ranges.logits_range(seen, 1, 97.0, 1.5) == (-1.5, 6.0)
    assert ranges.logits_range(seen, 1000, 97.0, 1.5) == (-1.0, 6.0)


def test_logits_behind_a_reshape_have_their_range_where_they_are_made():
    """Its input and output share a grid, which is that of the layer."""
    network = SmallClassifier(8)
    layer = network.convolution(network.image, 4, 8, padding=VALID)
    graph = float_graph(network.content(network.alone(network.reshaped(layer, 1, 4), "SOFTMAX")))
    seen = observe(graph, [np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)])
    found = ranges.grids(graph, seen, {}, RULE, synthetic=True)
    made, reshaped, _ = graph.activations[1:]
    assert found[made] == found[reshaped]


def test_histograms_are_read_for_bounded_activations_that_batchnorm_does_not_know():
    """Their range is estimated, too: of an empty histogram it would be the narrowest one tried."""
    network = SmallClassifier(8)
    layer = network.convolution(network.image, 8, activation="RELU6")
    answer = network.convolution(layer, 4, 8, padding=VALID)
    graph = float_graph(network.content(network.alone(answer, "SOFTMAX")))
    assert ranges.reads_histograms(graph, {}, find_recipe("int8").ranges)


def _sigmoids(net: SmallClassifier, one: int, two: int) -> int:
    return net.concatenated(*(net.alone(it, "LOGISTIC") for it in (one, two)))


def _added(net: SmallClassifier, one: int, two: int) -> int:
    return net.joined("ADD", *(net.alone(it, "SOFTMAX") for it in (one, two)))


def _averaged(net: SmallClassifier, one: int, two: int) -> int:
    return net.joined("MUL", _added(net, one, two), net.constant(np.float32([0.5])))


@pytest.mark.parametrize(
    ("end", "reached"),
    [(_sigmoids, 255 / 256), (_averaged, 255 / 256), (_added, 2.0)],
)
def test_an_answer_made_of_probabilities_has_their_bounds(end, reached):
    """Without a margin, and whatever the pictures show."""
    net = SmallClassifier(8)
    features = net.mean(net.convolution(net.image, 4))
    graph = float_graph(net.content(end(net, net.dense(features, 3), net.dense(features, 3))))
    observed = observe(graph, [np.zeros((1, 8, 8, 3), np.float32)])
    grid = ranges.grids(graph, observed, {}, Ranges(), synthetic=True)[graph.output]
    assert (grid.minimum, grid.maximum) == pytest.approx((0, reached))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator_does_without_the_histograms_that_it_does_not_read(
    lite0_float: Path, estimator: str
):
    graph, preprocessing = float_graph(lite0_float.read_bytes()), of_family("lite", 224)
    rule = replace(RULE, estimator=estimator)
    said = ranges.described(graph, statistics.attached(graph))
    batches = (p[None] for p in synthetic_set(1, preprocessing).normalised(preprocessing))
    histograms = ranges.reads_histograms(graph, said, rule)
    assert not histograms
    found = ranges.grids(
        graph, observe(graph, batches, histograms=histograms), said, rule, synthetic=True
    )
    assert set(found) >= set(graph.activations) - {graph.input}
