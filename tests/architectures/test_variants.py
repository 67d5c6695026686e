import math
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from edgeeff.architectures.variants import (
    PAPER_FACTORS,
    VARIANTS,
    counts,
    description,
    find_variant,
    parts,
    scaled,
    scaling_grid,
)
from edgeeff.errors import UsageError

# The total of keras.applications is 7 more: the scalars of its Normalization layer.
PUBLISHED = {
    # name: parameters, trainable, MACs as printed, blocks, stem and head filters
    "b0": (5_330_571 - 7, 5_288_548, "0.388", 16, 32, 1280),
    "b1": (7_856_239 - 7, 7_794_184, "0.691", 23, 32, 1280),
    "b2": (9_177_569 - 7, 9_109_994, "0.999", 23, 32, 1408),
    "b3": (12_320_535 - 7, 12_233_232, "1.836", 26, 40, 1536),
    "b4": (19_466_823 - 7, 19_341_616, "4.41", 32, 48, 1792),
    "b5": (30_562_527 - 7, 30_389_784, "10.3", 39, 48, 2048),
    "b6": (43_265_143 - 7, 43_040_704, "19.1", 45, 56, 2304),
    "b7": (66_658_687 - 7, 66_347_960, "37.9", 55, 64, 2560),
    "lite0": (4_694_024, 4_652_008, "0.385", 16, 32, 1280),
    "lite1": (5_470_344, 5_416_680, "0.600", 21, 32, 1280),
    "lite2": (6_150_168, 6_092_072, "0.860", 21, 32, 1280),
    "lite3": (8_273_768, 8_197_096, "1.38", 24, 32, 1280),
    "lite4": (13_118_936, 13_006_568, "2.55", 30, 32, 1280),
}
EDGETPU_TRAINABLE = {"edgetpu-s": 5_438_392, "edgetpu-m": 6_899_496, "edgetpu-l": 10_589_712}

phis = st.floats(-12, 12, allow_nan=False)


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_are_the_published_ones(name: str) -> None:
    parameters, trainable, macs, blocks, stem, head = PUBLISHED[name]
    variant = VARIANTS[name]
    cost = counts(variant)
    assert (cost.parameters, cost.trainable) == (parameters, trainable)
    assert f"{cost.macs / 1e9:.{len(macs.partition('.')[2])}f}" == macs
    assert (len(variant.blocks), variant.stem_filters, variant.head_filters) == (blocks, stem, head)


@pytest.mark.parametrize("name", EDGETPU_TRAINABLE)
def test_edgetpu_counts_at_1000_classes_are_the_published_ones(name: str) -> None:
    assert counts(VARIANTS[name], classes=1000).trainable == EDGETPU_TRAINABLE[name]


def test_the_table_holds_three_families() -> None:
    families = {family: [] for family in ("b", "lite", "edgetpu")}
    for name, variant in VARIANTS.items():
        assert variant.name == name
        families[variant.family].append(variant)
    assert [len(members) for members in families.values()] == [8, 5, 3]
    assert {v.classes for v in families["edgetpu"]} == {1001}
    assert {v.activation for v in families["lite"]} == {"relu6"}


class TestBlocks:
    def test_names_are_those_of_keras_applications(self) -> None:
        names = [block.name for block in VARIANTS["b0"].blocks]
        assert names[:4] == ["block1a", "block2a", "block2b", "block3a"]
        assert names[-1] == "block7a"

    def test_a_stage_of_more_than_26_blocks_goes_on_with_two_letters(self) -> None:
        names = [b.name for b in replace(VARIANTS["b0"], depth=10).blocks if "block6" in b.name]
        assert names[25:28] == ["block6z", "block6aa", "block6ab"]

    @pytest.mark.parametrize("name", VARIANTS)
    def test_each_is_fed_what_the_one_before_gives(self, name: str) -> None:
        filters = VARIANTS[name].stem_filters
        for block in VARIANTS[name].blocks:
            assert block.filters_in == filters
            filters = block.filters_out

    def test_squeeze_width_is_a_share_of_the_input_not_of_the_expanded_width(self) -> None:
        assert [block.squeeze for block in VARIANTS["b0"].blocks[:4]] == [8, 4, 6, 6]

    @pytest.mark.parametrize("name", VARIANTS)
    def test_every_block_of_b_squeezes_and_no_other(self, name: str) -> None:
        squeezes = {block.squeeze > 0 for block in VARIANTS[name].blocks}
        assert squeezes == {VARIANTS[name].family == "b"}

    def test_later_blocks_drop_more_often_and_only_residual_ones(self) -> None:
        blocks = VARIANTS["b0"].blocks
        for index, block in enumerate(blocks):
            expected = 0.2 * index / 16 if block.residual else 0.0
            assert block.drop_rate == pytest.approx(expected)

    def test_lite4_filters_the_stem_as_it_is_though_its_table_says_48(self) -> None:
        first = VARIANTS["lite4"].blocks[0]
        assert (first.filters_in, first.filters_expanded, first.filters_out) == (32, 32, 24)

    def test_lite4_does_not_repeat_its_first_and_last_stage(self) -> None:
        names = [block.name for block in VARIANTS["lite4"].blocks]
        assert "block1b" not in names
        assert "block7b" not in names

    def test_edgetpu_expands_the_24_filters_of_its_table_though_the_stem_has_32(self) -> None:
        first = VARIANTS["edgetpu-s"].blocks[0]
        assert (first.filters_in, first.filters_expanded, first.filters_out) == (32, 96, 24)
        assert first.fused
        assert not first.residual

    def test_edgetpu_l_does_not_skip_its_first_stage_where_shapes_would_allow_it(self) -> None:
        first, second = VARIANTS["edgetpu-l"].blocks[:2]
        assert second.filters_in == second.filters_out
        assert not first.residual
        assert not second.residual


class TestParts:
    @pytest.mark.parametrize("name", VARIANTS)
    def test_run_from_the_stem_to_the_logits(self, name: str) -> None:
        found = parts(VARIANTS[name])
        blocks = [block.name for block in VARIANTS[name].blocks]
        assert [part.name for part in found] == ["stem", *blocks, "top", "logits"]

    def test_follow_the_picture_down(self) -> None:
        sides = {part.name: part.side for part in parts(VARIANTS["b0"], resolution=75)}
        assert [sides[n] for n in ("stem", "block2a", "block3a", "block4a", "block6a")] == [
            38,
            19,
            10,
            5,
            3,
        ]

    def test_another_resolution_changes_only_the_multiplications(self) -> None:
        small, full = counts(VARIANTS["b0"], resolution=112), counts(VARIANTS["b0"])
        assert small.parameters == full.parameters
        assert full.macs / 4 < small.macs < full.macs / 3.5  # 7 pixels halve to 4

    def test_another_class_count_changes_only_the_classifier(self) -> None:
        ten, thousand = counts(VARIANTS["lite0"], classes=10), counts(VARIANTS["lite0"])
        assert thousand.parameters - ten.parameters == 990 * 1281
        assert thousand.macs - ten.macs == 990 * 1280


class TestFindVariant:
    @pytest.mark.parametrize("name", ["b3", "B3", "efficientnet-b3", "EfficientNetB3"])
    def test_takes_the_usual_spellings(self, name: str) -> None:
        assert find_variant(name) is VARIANTS["b3"]

    @pytest.mark.parametrize(
        ("name", "near"), [("b9", "b7"), ("light0", "lite0"), ("edge-s", "edgetpu-s")]
    )
    def test_names_the_nearest(self, name: str, near: str) -> None:
        with pytest.raises(UsageError, match=f"unknown variant '{name}'") as caught:
            find_variant(name)
        assert "did you mean" in caught.value.hint
        assert near in caught.value.hint

    def test_says_where_other_networks_go(self) -> None:
        with pytest.raises(UsageError) as caught:
            find_variant("resnet50")
        assert "lite0" in caught.value.hint
        assert "convert --model" in caught.value.hint

    @pytest.mark.parametrize(
        "name",
        ["", "resnet50", "b0-phi", "b0-phix", "b0-phi1.2.3", "b99-phi1", f"b0{'-phi1' * 3000}"],
    )
    def test_refuses_what_is_none(self, name: str) -> None:
        with pytest.raises(UsageError, match="unknown variant"):
            find_variant(name)

    @given(
        st.sampled_from(sorted(VARIANTS)), phis, st.tuples(*[st.sampled_from([1, 1.05, 1.3])] * 3)
    )
    def test_finds_a_scaled_one_by_its_name(
        self, name: str, phi: float, factors: tuple[float, float, float]
    ) -> None:
        phi = float(f"{phi:.12g}")
        made = scaled(phi, *factors, base=VARIANTS[name])
        assert find_variant(made.name) == made


class TestScaled:
    def test_phi_zero_is_the_base(self) -> None:
        assert scaled(0) is VARIANTS["b0"]

    def test_follows_the_rule_of_the_paper(self) -> None:
        made = scaled(1.5)
        assert made.depth == pytest.approx(1.2**1.5)
        assert made.width == pytest.approx(1.1**1.5)
        assert made.resolution == 280
        assert made.top1 is None

    @pytest.mark.parametrize("phi", range(1, 8))
    def test_published_variants_lie_near_the_line(self, phi: int) -> None:
        ratio = counts(VARIANTS[f"b{phi}"]).macs / counts(scaled(phi)).macs
        assert 0.5 < ratio < 1.2

    @given(phis)
    def test_any_phi_gives_a_whole_network_of_about_that_compute(self, phi: float) -> None:
        made = scaled(phi)
        assert made.resolution % 8 == 0
        assert 0 <= made.dropout <= 0.5
        assert counts(made).macs > 0
        # Each of some 1.92 per step; rounding to whole filters, blocks and 8 pixels does the rest.
        if phi > 1:
            growth = counts(made).macs / counts(VARIANTS["b0"]).macs
            assert 0.7 < growth / 1.92**phi < 1.7

    @given(phis, phis)
    def test_more_compute_never_means_a_smaller_network(self, one: float, other: float) -> None:
        low, high = sorted((one, other))
        assert scaled(low).resolution <= scaled(high).resolution
        assert len(scaled(low).blocks) <= len(scaled(high).blocks)

    def test_dropout_grows_as_from_b0_to_b7(self) -> None:
        assert scaled(7).dropout == pytest.approx(VARIANTS["b7"].dropout)

    @pytest.mark.parametrize("phi", [1e9, -1e9, math.nan, math.inf])
    def test_refuses_a_phi_that_makes_no_network(self, phi: float) -> None:
        with pytest.raises(UsageError, match="out of range"):
            scaled(phi)

    @pytest.mark.parametrize("factors", [(0, 1, 1), (1, -1, 1), (1, 1, math.nan), (math.inf, 1, 1)])
    def test_refuses_factors_that_scale_nothing(self, factors: tuple[float, float, float]) -> None:
        with pytest.raises(UsageError, match="scaling factors"):
            scaled(1, *factors)


class TestScalingGrid:
    @given(step=st.floats(0.03, 0.5), tolerance=st.floats(0.02, 0.5))
    @settings(max_examples=10)
    def test_every_point_doubles_the_compute(self, step: float, tolerance: float) -> None:
        try:
            points = scaling_grid(step, tolerance)
        except UsageError:
            reject()
        for alpha, beta, gamma in points:
            assert abs(alpha * beta**2 * gamma**2 - 2) <= tolerance + 1e-6
            assert min(alpha, beta, gamma) >= 1

    def test_the_papers_point_is_one(self) -> None:
        assert PAPER_FACTORS in scaling_grid()

    @pytest.mark.parametrize("step", [0.0, 1.5, math.nan])
    def test_refuses_a_step_without_a_grid(self, step: float) -> None:
        with pytest.raises(UsageError, match="grid step"):
            scaling_grid(step)

    def test_refuses_a_grid_without_a_point(self) -> None:
        with pytest.raises(UsageError, match="no grid point"):
            scaling_grid(0.7, 0.01)


def test_a_description_is_made_of_json_values_and_holds_the_cost() -> None:
    fields = description(VARIANTS["b0"])
    assert (fields["parameters"], fields["family"], fields["top1"]) == (5_330_564, "b", 77.1)
    assert all(isinstance(value, str | int | float | None) for value in fields.values())


def test_counting_needs_neither_tensorflow_nor_numpy() -> None:
    code = (
        "import sys; from edgeeff.architectures.variants import VARIANTS, counts;"
        "counts(VARIANTS['b7']);"
        "print([name for name in ('tensorflow', 'tf_keras', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
