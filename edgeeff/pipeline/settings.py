"""What a user may decide about a conversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeeff.errors import UsageError
from edgeeff.evaluation.gate import NO_LIMITS, Limits
from edgeeff.foreign import shown
from edgeeff.pictures.preprocessing import MOST_RESOLUTION
from edgeeff.pipeline.mixed_precision import Budget

ARTIFACTS = Path("artifacts")

QAT_STEPS = 300
"""Of 16 pictures: a few minutes for a small network on one CPU core, some ten for a B0."""

BOUNDS: Mapping[str, tuple[int, int]] = {
    "calibration_count": (1, 100_000),
    "classes": (1, 1_000_000),
    "resolution": (8, MOST_RESOLUTION),
    "batch": (1, 1024),
    "seed": (0, 2**63 - 1),
    "threads": (1, 1024),
    "qat_steps": (1, 1_000_000),
}
"""Between which numbers a setting lies; beyond, memory or the runtime ends before the work."""


@dataclass(frozen=True)
class Settings:
    """What the user may decide about a conversion; every field has the command's default.

    Attributes:
        precision: ``int8``, ``int16x8``, ``dynamic``, ``float16`` or ``float32``.
        recipe: name or file, in place of the precision's default.
        weights: ``auto``, ``imagenet``, ``none`` or a file.
        weights_from: whose network a PyTorch file is, a key of ``state_dicts.origins.ORIGINS``;
            ``None``: the file tells.
        calibration: a folder of pictures, or ``None``: no data (synthetic pictures).
        calibration_count: pictures of it that are used.
        classes: outputs of the network; ``None``: the variant's.
        labels: a file with their names.
        resolution: side of the input; ``None``: the variant's.
        mean: of the pixels (0..255) in training, one number or ``R,G,B``; ``None``: as for the
            variant, or as the weights say.
        std: likewise; given together.
        resize: how pictures get there, such as ``bilinear`` or ``bicubic:0.875``; ``None``: as
            for the variant, or whole pictures for weights that come with other preprocessing.
        batch: pictures per run.
        input_type: ``uint8``, ``int8`` or ``float32``; ``None``: bytes for integer networks.
        output_type: likewise.
        logits: leave out the softmax.
        eval_data: labelled pictures to measure accuracy on.
        limits: what the model must reach, else ``AccuracyGateFailed``.
        mixed: what a search for layers to keep in a higher precision may spend; ``None``: no
            search.
        qat: train the integer network to answer as the float one (quantization-aware training).
        qat_steps: how long, in steps of 16 pictures.
        data: pictures to learn from, labelled or not; ``None``: those that calibrate.
        allow_code: run code that a model's file brings along, such as a Lambda layer.
        seed: of everything drawn at random.
        output: folder of the results.
        force: replace existing files.
        threads: kernel threads while calibrating.
    """

    precision: str = "int8"
    recipe: str | None = None
    weights: str = "auto"
    weights_from: str | None = None
    calibration: Path | None = None
    calibration_count: int | None = None
    classes: int | None = None
    labels: Path | None = None
    resolution: int | None = None
    mean: str | None = None
    std: str | None = None
    resize: str | None = None
    batch: int = 1
    input_type: str | None = None
    output_type: str | None = None
    logits: bool = False
    eval_data: Path | None = None
    limits: Limits = NO_LIMITS
    mixed: Budget | None = None
    qat: bool = False
    qat_steps: int = QAT_STEPS
    data: Path | None = None
    allow_code: bool = False
    seed: int = 0
    output: Path = ARTIFACTS
    force: bool = False
    threads: int | None = None

    def __post_init__(self) -> None:
        """Raises ``UsageError`` for numbers that cannot be meant."""
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} {shown(value)}", f"it lies in {least}..{most}")
        if self.data is not None and not self.qat:
            raise UsageError("--data without --qat", "add --qat, or calibrate with --calibration")
        if self.qat and self.mixed is not None:
            raise UsageError("--qat and --mixed contradict", "--qat keeps the network in integers")
