"""Classifiers of random layers: each becomes integers, no worse than by plain rounding.

``make fuzz`` tries 500; the suite a few.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.quantization.random_classifiers import (
    ANSWERS,
    ENDS,
    HEADS,
    MEANS,
    MOST_LAYERS,
    RandomClassifier,
)
from tests.small_classifiers import LAYERS


@pytest.mark.slow
@settings(max_examples=8, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    st.builds(
        RandomClassifier,
        layers=st.lists(st.sampled_from(list(LAYERS)), min_size=1, max_size=MOST_LAYERS).map(tuple),
        head=st.sampled_from(list(HEADS)),
        answer=st.sampled_from(list(ANSWERS)),
        mean=st.sampled_from(MEANS),
        seed=st.integers(0, 2**16),
        synthetic=st.booleans(),
    ).filter(lambda one: (one.head, one.answer) in ENDS)
)
def test_random_layers_are_no_worse_than_plainly_rounded(
    one: RandomClassifier,
) -> None:
    one.check()
