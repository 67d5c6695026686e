"""Which grid each activation of a real network gets: of its bounds, of BatchNorm, of pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from edgeeff.litert import rewrite, statistics
from edgeeff.preprocessing import of_family
from edgeeff.quantization import ranges
from edgeeff.quantization.calibration import synthetic_set
from edgeeff.quantization.graph import Graph
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.observation import Observed, observe
from edgeeff.quantization.recipe import Ranges, find_recipe

RULE = replace(find_recipe("int8").ranges, logits_percent=100.0)


@dataclass(frozen=True)
class Lite0:
    """Lite0 with real weights, and what synthetic pictures do in it."""

    graph: Graph
    observed: dict[int, Observed]
    said: statistics.Statistics

    def grid(self, kind: str, rule: Ranges = RULE, *, batchnorm: bool = True) -> Grid:
        """Of the output of the only operator of a kind."""
        known = ranges.credible(self.graph, self.said, self.observed) if batchnorm else {}
        found = ranges.grids(self.graph, self.observed, known, rule, synthetic=True)
        return found[self.tensor(kind)]

    def tensor(self, kind: str) -> int:
        (operator,) = (o for o in self.graph.operators if o.kind == kind)
        return operator.output


@pytest.fixture(scope="module")
def lite0(lite0_float: Path) -> Lite0:
    preprocessing = of_family("lite", 224)
    graph = Graph(lite0_float.read_bytes())
    embedded = rewrite.metadata(graph.model, statistics.METADATA_NAME)
    assert embedded is not None
    batches = (p[None] for p in synthetic_set(4, preprocessing).normalised(preprocessing))
    return Lite0(graph, observe(graph, batches), statistics.from_bytes(embedded))


def test_a_mean_of_bounded_values_has_their_bounds(lite0: Lite0):
    """Four pictures show means of up to about 4; a picture of one colour can show 6."""
    assert lite0.observed[lite0.tensor("MEAN")].maximum.max() < 5.5
    grid = lite0.grid("MEAN")
    assert (grid.minimum, grid.maximum) == pytest.approx((0, 6))


def test_without_statistics_the_mean_is_ranged_as_it_was_seen(lite0: Lite0):
    seen = float(lite0.observed[lite0.tensor("MEAN")].maximum.max())
    assert lite0.grid("MEAN", batchnorm=False).maximum == pytest.approx(seen)


@pytest.mark.parametrize("margin", [1.0, 1.4, 2.0])
def test_the_margin_is_for_large_logits_alone(lite0: Lite0, margin: float):
    lowest, highest = np.transpose(lite0.observed[lite0.tensor("FULLY_CONNECTED")].extremes)
    grid = lite0.grid("FULLY_CONNECTED", replace(RULE, logits_margin=margin))
    assert grid.maximum == pytest.approx(margin * highest.max(), abs=grid.scale)
    assert grid.minimum == pytest.approx(lowest.min(), abs=grid.scale)
