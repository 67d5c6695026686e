from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.architectures.blocks import Block, Counts, block_counts, round_filters, shrunk

widths = st.floats(0.01, 10, allow_nan=False)
filter_counts = st.integers(1, 4096)


@pytest.mark.parametrize(
    ("filters", "width", "rounded"),
    [
        (32, 1.0, 32),
        (32, 1.1, 32),  # 35.2: the multiple below is over 90 %
        (32, 1.2, 40),
        (16, 1.1, 16),
        (24, 1.1, 24),
        (320, 1.4, 448),
        (1280, 1.1, 1408),
        (16, 0.7, 16),  # 11.2: 8 would lose over 10 %
        (16, 0.1, 8),  # never below 8
    ],
)
def test_filters_round_to_a_multiple_of_eight(filters: int, width: float, rounded: int) -> None:
    assert round_filters(filters, width) == rounded


@given(filter_counts, widths)
def test_rounded_filters_are_the_nearest_multiple_unless_that_loses_over_a_tenth(
    filters: int, width: float
) -> None:
    exact = Fraction(filters * width)
    rounded = round_filters(filters, width)
    assert rounded % 8 == 0
    assert rounded >= max(8, 0.9 * filters * width)
    nearest = abs(rounded - exact) <= 4 or rounded == 8
    assert nearest or Fraction(rounded - 8) < Fraction(9, 10) * exact


@given(filter_counts, widths, widths)
def test_a_wider_network_never_has_fewer_filters(filters: int, one: float, other: float) -> None:
    narrow, wide = sorted((one, other))
    assert round_filters(filters, narrow) <= round_filters(filters, wide)


@pytest.mark.parametrize(("side", "stride", "end"), [(224, 2, 112), (75, 2, 38), (7, 1, 7)])
def test_a_stride_with_same_padding_rounds_the_side_up(side: int, stride: int, end: int) -> None:
    assert shrunk(side, stride) == end


def test_the_cost_of_a_block_is_that_of_its_layers() -> None:
    block = Block("block2a", 3, 2, 16, 96, 24, 4, fused=False, residual=False, drop_rate=0.0)
    expand, depthwise, project = 16 * 96, 9 * 96, 96 * 24
    squeeze, excite = 96 * 4, 4 * 96
    weights = expand + depthwise + project + squeeze + 4 + excite + 96
    channels = 96 + 96 + 24
    assert block_counts(block, 10) == Counts(
        parameters=weights + 4 * channels,
        trainable=weights + 2 * channels,
        macs=expand * 100 + depthwise * 25 + project * 25 + squeeze + excite + 96 * 25,
    )


def test_a_fused_block_strides_after_its_full_convolution() -> None:
    block = Block("block2a", 3, 2, 24, 192, 32, 0, fused=True, residual=False, drop_rate=0.0)
    assert block_counts(block, 10).macs == 9 * 24 * 192 * 100 + 192 * 32 * 25


def test_a_block_says_what_it_computes() -> None:
    block = Block("block2b", 5, 1, 24, 144, 24, 6, fused=False, residual=True, drop_rate=0.1)
    assert str(block) == "1x1 to 144, depthwise 5x5, squeeze 6, residual"
