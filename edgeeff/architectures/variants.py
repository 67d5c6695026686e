"""The networks edgeeff knows, as one table of data, and the rule that scales them.

An EfficientNet is a stem (one convolution), stages of equal blocks, and a head (one
convolution, average, classifier). ``Variant`` says how wide, deep and large one is;
``Variant.blocks`` works out every block of it; ``counts`` adds up what it costs. Nothing
here needs TensorFlow: ``edgeeff.network`` builds exactly what ``Variant.blocks`` lists.

Sources: Tan and Le, arXiv 1905.11946 (B); tensorflow/tpu, models/official/efficientnet
(the rounding rules, Lite and EdgeTPU).
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from string import ascii_lowercase
from typing import Any

from edgeeff.architectures.blocks import (
    Block,
    Counts,
    Stage,
    block_counts,
    convolution,
    dense,
    round_filters,
    shrunk,
)
from edgeeff.errors import UsageError, unknown_name


@dataclass(frozen=True)
class Variant:
    """One network of the family tree. Change one with ``dataclasses.replace``.

    Attributes:
        name: as on the command line, such as ``b0``.
        width: factor on all filters.
        depth: factor on the repeats of all stages.
        resolution: side of the square input picture, in pixels.
        dropout: share of the head's features that training drops.
        top1: published ImageNet top-1 accuracy of the float network, in percent; the paper's
            for B, whose weights ``keras.applications`` carries.
        top1_int8: the same after its authors' own int8 quantization.
        family: ``b``, ``lite`` or ``edgetpu``.
        stages: the unscaled stages.
        activation: ``swish``, ``hard_swish``, ``relu6`` or ``relu``.
        preprocessing: which way pictures are normalised, in ``pictures.preprocessing``.
        classes: number of outputs.
        fixed_ends: stem, head, and the repeats of the first and last stage are not scaled.
        survival: chance that training keeps the last block (stochastic depth).
        epsilon: what BatchNorm adds to the variance: 1e-3 in TensorFlow's networks, 1e-5 in
            most of PyTorch's.
        padding: ``same`` as TensorFlow pads, or ``symmetric`` as PyTorch does; they differ at
            stride 2.
        strided: what halves the picture in a fused block: the ``projection``, as in
            tensorflow/tpu, or the ``convolution`` before it, as in timm.
    """

    name: str
    width: float
    depth: float
    resolution: int
    dropout: float
    top1: float | None
    top1_int8: float | None
    family: str
    stages: tuple[Stage, ...]
    activation: str
    preprocessing: str
    classes: int = 1000
    fixed_ends: bool = False
    survival: float = 0.8
    epsilon: float = 1e-3
    padding: str = "same"
    strided: str = "projection"

    @property
    def stem_filters(self) -> int:
        """Channels after the first convolution (3x3, stride 2)."""
        return STEM_FILTERS if self.fixed_ends else round_filters(STEM_FILTERS, self.width)

    @property
    def head_filters(self) -> int:
        """Channels of the last convolution (1x1): the features the classifier sees."""
        return HEAD_FILTERS if self.fixed_ends else round_filters(HEAD_FILTERS, self.width)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Every block between stem and head, in order."""
        repeats = [self._repeats(index) for index in range(len(self.stages))]
        total = sum(repeats)
        blocks: list[Block] = []
        filters = self.stem_filters
        for number, stage in enumerate(self.stages, start=1):
            for repeat in range(repeats[number - 1]):
                drop_rate = (1 - self.survival) * len(blocks) / total
                name = f"block{number}{_letters(repeat)}"
                block = self._block(stage, name, repeat == 0, filters, drop_rate)
                blocks.append(replace(block, strided=self.strided, place=(number, repeat)))
                filters = blocks[-1].filters_out
        return tuple(blocks)

    def _repeats(self, index: int) -> int:
        stage = self.stages[index]
        if self.fixed_ends and index in (0, len(self.stages) - 1):
            return stage.repeats
        return math.ceil(self.depth * stage.repeats)

    def _block(
        self, stage: Stage, name: str, first: bool, filters_in: int, drop_rate: float
    ) -> Block:
        filters_out = round_filters(stage.filters_out, self.width)
        # Not always filters_in: the first stage of EdgeTPU is configured for 24 filters and
        # expands those, though the stem gives it 32. Published weights have that shape.
        configured_in = round_filters(stage.filters_in, self.width) if first else filters_out
        stride = stage.stride if first else 1
        residual = stage.skip and stride == 1 and filters_in == filters_out
        return Block(
            name=name,
            kernel=stage.kernel,
            stride=stride,
            filters_in=filters_in,
            filters_expanded=filters_in if stage.expand == 1 else configured_in * stage.expand,
            filters_out=filters_out,
            squeeze=max(1, int(stage.squeeze * configured_in)) if stage.squeeze else 0,
            fused=stage.fused,
            residual=residual,
            drop_rate=drop_rate if residual else 0.0,
        )


STEM_FILTERS = 32
HEAD_FILTERS = 1280

LITE_STAGES = (
    # repeats, kernel, stride, expand, filters in, filters out
    Stage(1, 3, 1, 1, 32, 16),
    Stage(2, 3, 2, 6, 16, 24),
    Stage(2, 5, 2, 6, 24, 40),
    Stage(3, 3, 2, 6, 40, 80),
    Stage(3, 5, 1, 6, 80, 112),
    Stage(4, 5, 2, 6, 112, 192),
    Stage(1, 3, 1, 6, 192, 320),
)
B_STAGES = tuple(replace(stage, squeeze=0.25) for stage in LITE_STAGES)
EDGETPU_STAGES = (
    Stage(1, 3, 1, 4, 24, 24, fused=True, skip=False),
    Stage(2, 3, 2, 8, 24, 32, fused=True),
    Stage(4, 3, 2, 8, 32, 48, fused=True),
    Stage(5, 5, 2, 8, 48, 96),
    Stage(4, 5, 1, 8, 96, 144),
    Stage(2, 5, 2, 8, 144, 192),
)

_b = partial(
    Variant,
    top1_int8=None,
    family="b",
    stages=B_STAGES,
    activation="swish",
    preprocessing="imagenet",
)
_lite = partial(
    Variant,
    family="lite",
    stages=LITE_STAGES,
    activation="relu6",
    preprocessing="lite",
    fixed_ends=True,
)
_edgetpu = partial(
    Variant,
    family="edgetpu",
    stages=EDGETPU_STAGES,
    activation="relu",
    preprocessing="lite",
    classes=1001,  # label 0 is the background
)

VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        # name, width, depth, resolution, dropout, published top-1: float, int8
        _b("b0", 1.0, 1.0, 224, 0.2, 77.1),
        _b("b1", 1.0, 1.1, 240, 0.2, 79.1),
        _b("b2", 1.1, 1.2, 260, 0.3, 80.1),
        _b("b3", 1.2, 1.4, 300, 0.3, 81.6),
        _b("b4", 1.4, 1.8, 380, 0.4, 82.9),
        _b("b5", 1.6, 2.2, 456, 0.4, 83.6),
        _b("b6", 1.8, 2.6, 528, 0.5, 84.0),
        _b("b7", 2.0, 3.1, 600, 0.5, 84.3),
        _lite("lite0", 1.0, 1.0, 224, 0.2, 75.1, 74.4),
        _lite("lite1", 1.0, 1.1, 240, 0.2, 76.7, 75.9),
        _lite("lite2", 1.1, 1.2, 260, 0.3, 77.6, 77.0),
        _lite("lite3", 1.2, 1.4, 280, 0.3, 79.8, 79.0),
        _lite("lite4", 1.4, 1.8, 300, 0.3, 81.5, 80.2),
        _edgetpu("edgetpu-s", 1.0, 1.0, 224, 0.2, 77.23, 77.0),
        _edgetpu("edgetpu-m", 1.0, 1.1, 240, 0.2, 78.69, 78.6),
        _edgetpu("edgetpu-l", 1.2, 1.4, 300, 0.3, 80.62, 80.2),
    )
}
"""Every published variant by name."""


_NUMBER = r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)"
_LONGEST_NAME = 200
"""Characters of the name of a variant, scaled once or a few times."""

_SCALED_NAME = re.compile(rf"(.+)-phi{_NUMBER}(?:-{_NUMBER}-{_NUMBER}-{_NUMBER})?")


def find_variant(name: str) -> Variant:
    """The variant of that name: ``b0``, ``EfficientNet-B0``, or scaled such as ``b0-phi1.5``.

    Raises:
        UsageError: no such variant; the hint has the nearest names.
    """
    plain = name.lower().removeprefix("efficientnet").strip("-_")
    scaling = _SCALED_NAME.fullmatch(plain) if len(plain) <= _LONGEST_NAME else None
    if scaling is not None:
        base, *numbers = scaling.groups()
        return scaled(*(float(number) for number in numbers if number), base=find_variant(base))
    if plain not in VARIANTS:
        others = "another network goes to edgeeff convert --model or edgeeff quantize"
        hint = f"known: {', '.join(sorted(VARIANTS))}; {others}"
        raise unknown_name("variant", name, VARIANTS, hint)
    return VARIANTS[plain]


def _letters(index: int) -> str:
    """0 is ``a``, 25 is ``z``, 26 is ``aa``: deep stages run out of single letters."""
    rest, letter = divmod(index, 26)
    return (_letters(rest - 1) if rest else "") + ascii_lowercase[letter]


PAPER_FACTORS = (1.2, 1.1, 1.15)
"""Depth, width and resolution per step of phi: what the paper's grid search found."""

MAX_DOUBLINGS = 12
"""How far depth, width and resolution scale; beyond, a network cannot even be listed."""


def scaled(
    phi: float,
    alpha: float = PAPER_FACTORS[0],
    beta: float = PAPER_FACTORS[1],
    gamma: float = PAPER_FACTORS[2],
    *,
    base: Variant = VARIANTS["b0"],
) -> Variant:
    """The network that spends about ``2^phi`` times the compute of ``base``.

    Depth grows by ``alpha^phi``, width by ``beta^phi``, resolution by ``gamma^phi`` (rounded
    to a multiple of 8); dropout linearly, as from 0.2 at B0 to 0.5 at B7. B1 to B7 were
    chosen along this line and rounded by hand, so ``scaled(3)`` is near B3 but not B3.
    Source: arXiv 1905.11946, equation 3.

    Args:
        phi: the compound coefficient; fractions and negatives too, 0 gives ``base``.
        alpha: depth per step of ``phi``.
        beta: width per step.
        gamma: resolution per step.
        base: the network to scale.

    Raises:
        UsageError: a factor that is not positive, or a network beyond ``MAX_DOUBLINGS``.
    """
    factors = (alpha, beta, gamma)
    if not all(math.isfinite(factor) and factor > 0 for factor in factors):
        raise UsageError(f"scaling factors {factors}", "alpha, beta and gamma are above 0")
    if not all(abs(phi * math.log2(factor)) <= MAX_DOUBLINGS for factor in factors):
        raise UsageError(
            f"phi {phi:g} is out of range",
            f"depth, width and resolution scale by up to 2^{MAX_DOUBLINGS} each way",
        )
    if phi == 0:
        return base
    shown = (phi,) if factors == PAPER_FACTORS else (phi, *factors)
    return replace(
        base,
        name=f"{base.name}-phi" + "-".join(f"{number:.12g}" for number in shown),
        depth=base.depth * alpha**phi,
        width=base.width * beta**phi,
        resolution=max(8, 8 * int(base.resolution * gamma**phi / 8 + 0.5)),
        dropout=min(0.5, max(0.0, base.dropout + 0.3 * phi / 7)),
        top1=None,
        top1_int8=None,
    )


Factors = tuple[float, float, float]
"""Of depth, width and resolution per step of phi: the paper's alpha, beta and gamma."""


def scaling_grid(step: float = 0.05, tolerance: float = 0.1) -> tuple[Factors, ...]:
    """Ways to spend twice the compute on depth, width and resolution.

    All ``alpha``, ``beta``, ``gamma`` of 1, 1 + step, ... 2 whose compute
    ``alpha * beta^2 * gamma^2`` is 2 within ``tolerance``. Source: arXiv 1905.11946, 3.3.

    Raises:
        UsageError: ``step`` or ``tolerance`` leaves no point.
    """
    if not 0.01 <= step <= 1:
        raise UsageError(f"a grid step of {step:g}", "it is from 0.01 to 1")
    grid = [round(1 + step * index, 10) for index in range(int(1 / step + 1e-9) + 1)]
    points = tuple(
        (alpha, beta, gamma)
        for alpha, beta, gamma in product(grid, repeat=3)
        if abs(alpha * beta**2 * gamma**2 - 2) <= tolerance + 1e-9
    )
    if not points:
        raise UsageError(f"no grid point within {tolerance:g} of 2", "use a smaller step")
    return points


@dataclass(frozen=True)
class Part:
    """A stretch of a network and what it costs.

    Attributes:
        name: ``stem``, a block's name, ``top`` or ``logits``.
        work: what it computes, in words.
        side: height and width of its output.
        filters: channels of its output.
        counts: its share of the network's.
    """

    name: str
    work: str
    side: int
    filters: int
    counts: Counts


def counts(variant: Variant, resolution: int | None = None, classes: int | None = None) -> Counts:
    """Parameters and multiply-accumulates of a variant; arguments as ``parts``."""
    total = Counts(0, 0, 0)
    for part in parts(variant, resolution, classes):
        total += part.counts
    return total


def parts(
    variant: Variant, resolution: int | None = None, classes: int | None = None
) -> tuple[Part, ...]:
    """What each part of a variant costs, counted from its blocks, from input to output.

    Args:
        variant: the network.
        resolution: side of the input picture in pixels; ``None``: the variant's own.
        classes: number of outputs; ``None``: the variant's own.
    """
    filters, features = variant.stem_filters, variant.head_filters
    outputs = variant.classes if classes is None else classes
    side = shrunk(variant.resolution if resolution is None else resolution, 2)
    found = [Part("stem", "3x3/2", side, filters, convolution(3, 3, filters, side))]
    for block in variant.blocks:
        cost = block_counts(block, side)
        side, filters = shrunk(side, block.stride), block.filters_out
        found.append(Part(block.name, str(block), side, filters, cost))
    found.append(Part("top", "1x1", side, features, convolution(1, filters, features, side)))
    found.append(Part("logits", "mean, dense", 1, outputs, dense(features, outputs)))
    return tuple(found)


def description(variant: Variant) -> dict[str, Any]:
    """A variant and its cost as JSON values, without its stages and blocks."""
    cost = asdict(counts(variant))
    fields = {key: value for key, value in asdict(variant).items() if key != "stages"}
    return fields | cost
