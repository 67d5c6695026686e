"""What a user may decide about a training: one value, in TOML, in JSON and in Python."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeeff import files, foreign
from edgeeff.errors import UsageError, unknown_name
from edgeeff.foreign import shown
from edgeeff.pictures.preprocessing import MOST_RESOLUTION

NAMED_WEIGHTS = ("auto", "imagenet", "none")
"""What weights may be other than a file or a run."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    "class_weights": ("auto", "balanced", "none"),
    "batchnorm": ("auto", "train", "frozen"),
    "numbers": ("float32", "mixed_float16", "mixed_bfloat16"),
    "strategy": ("auto", "one", "mirrored", "multiworker"),
}
"""What a setting that is a word may be."""

BOUNDS: Mapping[str, tuple[float, float]] = {
    "resolution": (32, MOST_RESOLUTION),
    "epochs": (1, 10_000),
    "head_epochs": (0, 10_000),
    "batch": (1, 65_536),
    "learning_rate": (1e-8, 10.0),
    "head_learning_rate": (1e-8, 10.0),
    "warmup": (0.0, 0.9),
    "weight_decay": (0.0, 1.0),
    "label_smoothing": (0.0, 0.5),
    "average": (0.0, 0.99999),
    "clip": (1e-3, 1e3),
    "dropout": (0.0, 0.9),
    "survival": (0.1, 1.0),
    "share": (0.01, 0.9),
    "seed": (0, 2**31 - 1),
    "crop": (0.05, 1.0),
    "colour": (0.0, 0.9),
    "operations": (0, 8),
    "magnitude": (0.0, 10.0),
    "mixup": (0.0, 10.0),
}
"""Between which numbers a setting lies."""


def _check(settings: Any) -> None:
    """Raise ``UsageError`` for a number or word that cannot be meant."""
    for name, (least, most) in BOUNDS.items():
        value = getattr(settings, name, None)
        if value is not None and not least <= value <= most:
            raise UsageError(f"{name} is {shown(value)}", f"it lies in {least:g}..{most:g}")
    for name, words in CHOICES.items():
        word = getattr(settings, name, words[0])
        if word not in words:
            raise unknown_name(name.replace("_", " "), str(word), words)


@dataclass(frozen=True)
class Augmentation:
    """How much pictures are changed.

    Attributes:
        crop: the least share of a picture's area that a random crop keeps, in (0, 1].
        flip: half of the pictures change left and right; ``None``: as suits the data set.
        colour: brightness, contrast and saturation change by up to this share.
        operations: of RandAugment (Cubuk et al., arXiv 1909.13719), one after the other.
        magnitude: of each of them, in 0..10.
        mixup: alpha of the beta distribution by which pictures, and their labels, are mixed in
            pairs (Zhang et al., arXiv 1710.09412); 0: none.
    """

    crop: float = 0.35
    flip: bool | None = None
    colour: float = 0.2
    operations: int = 0
    magnitude: float = 5.0
    mixup: float = 0.0

    def __post_init__(self) -> None:
        """Raises ``UsageError``."""
        _check(self)


@dataclass(frozen=True)
class TrainingSettings:
    """What the user may decide about a training; every field has the command's default.

    Attributes:
        variant: the network.
        data: a folder of pictures or a CSV; as of ``data.sets.read_data_set``.
        dataset: a named data set in its place.
        val_data: pictures to choose the best epoch by, that lie elsewhere.
        share: of the training pictures, set aside to choose by where there are no others.
        weights: to begin with: ``auto``, ``imagenet``, ``none``, a weight file or a run.
        resolution: side of the input; ``None``: the variant's.
        resize: how pictures get there, such as ``bilinear:0.875``; ``None``: as for the variant.
        epochs: times that the pictures are gone through; ``None``: as many as their count asks.
        head_epochs: of them at the start with all but the classifier fixed; ``None``: one, if the
            rest is trained already.
        batch: pictures of a step, of all devices together.
        learning_rate: at its highest; ``None``: 3e-4 for trained weights, 1e-3 for none.
        head_learning_rate: of the first epochs.
        warmup: share of the steps in which the rate rises; afterwards it falls as a cosine.
        weight_decay: of AdamW, on kernels alone.
        label_smoothing: share of each target that all classes get.
        average: what a step keeps of the running average of all weights, which is what is judged
            and kept; 0: the last weights themselves.
        clip: longest gradient of all weights together.
        dropout: before the classifier; ``None``: the variant's.
        survival: chance of the last block (stochastic depth); ``None``: the variant's.
        class_weights: ``balanced`` counts pictures of rare classes more, ``auto`` does that where
            a class has over three times as many as another.
        batchnorm: ``frozen`` keeps the statistics of the weights; ``auto`` does for trained ones
            if a step has fewer than 16 pictures, or all layers learn in fewer than 400 steps.
        numbers: what is computed in; variables stay float32.
        strategy: ``one`` device, ``mirrored`` on all GPUs of this machine, ``multiworker`` over
            those that TF_CONFIG names; ``auto`` takes what is there.
        seed: of everything drawn at random.
        augmentation: how pictures are changed.
    """

    variant: str = "lite0"
    data: Path | None = None
    dataset: str | None = None
    val_data: Path | None = None
    share: float | None = None
    weights: str = "auto"
    resolution: int | None = None
    resize: str | None = None
    epochs: int | None = None
    head_epochs: int | None = None
    batch: int = 32
    learning_rate: float | None = None
    head_learning_rate: float = 1e-3
    warmup: float = 0.1
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    average: float = 0.99
    clip: float = 1.0
    dropout: float | None = None
    survival: float | None = None
    class_weights: str = "auto"
    batchnorm: str = "auto"
    numbers: str = "float32"
    strategy: str = "auto"
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        """Raises ``UsageError``."""
        _check(self)
        if self.data is not None and self.dataset is not None:
            raise UsageError("--data and --dataset contradict", "choose one of them")
        if self.data is None and self.dataset is None:
            raise UsageError(
                "one of --data and --dataset is needed",
                "such as --data photos/, a folder per class",
            )
        if self.dataset is not None and self.val_data is not None:
            raise UsageError(
                f"--val-data goes with --data: {self.dataset} has its own", "leave out --val-data"
            )

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; paths as they were given."""
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in dataclasses.asdict(self).items()
        }

    def to_toml(self) -> str:
        """A file that ``from_toml`` reads; what is as usual because nothing is said is left out."""
        lines, tables = [], []
        for name, value in self.to_json().items():
            if isinstance(value, dict):
                tables += [f"\n[{name}]", *_assignments(value)]
            else:
                lines += _assignments({name: value})
        return "\n".join([*lines, *tables]) + "\n"


def _assignments(fields: Mapping[str, Any]) -> list[str]:
    """``name = value`` lines: what JSON writes of words, numbers and truths is TOML as well."""
    return [
        f"{name} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in fields.items()
        if value is not None
    ]


def read_settings(path: Path) -> dict[str, Any]:
    """The table of a TOML file of settings. Raises ``InputError``."""
    return foreign.toml_table(files.read_text(path, foreign.MOST_RECIPE), f"{path} is not TOML")


def settings_of(fields: Mapping[str, Any], source: str) -> TrainingSettings:
    """Settings from a table of TOML or JSON.

    Args:
        fields: by the names of ``TrainingSettings``.
        source: of the table, for messages.

    Raises:
        UsageError: an unknown name, or a value that cannot be meant.
        InputError: a value of another type.
    """
    table = {name: value for name, value in fields.items() if value is not None}
    changes = table.pop("augmentation", {})
    if not isinstance(changes, Mapping):
        raise UsageError(
            f"{source}: augmentation is {shown(changes)}", "it is a table, written [augmentation]"
        )
    augmentation = Augmentation(**_checked(Augmentation, changes, source))
    checked = _checked(TrainingSettings, table, source)
    for name in ("data", "val_data"):
        if name in checked:
            checked[name] = Path(checked[name])
    return TrainingSettings(**checked, augmentation=augmentation)


def _checked(kind: type, table: Mapping[str, Any], source: str) -> dict[str, Any]:
    known = {one.name for one in dataclasses.fields(kind)}
    for name in table:
        if name not in known:
            raise unknown_name(f"setting in {source}", name, known)
    paths = {name: table[name] for name in ("data", "val_data") if name in table}
    rest = {name: value for name, value in table.items() if name not in paths and value is not None}
    foreign.check_types(kind, rest, source, hint=None)
    for name, value in paths.items():
        if not isinstance(value, (str, Path)):
            raise UsageError(f"{source}: {name} is {shown(value)}", foreign.taken(Path))
    return {**rest, **paths}


def usual_epochs(pictures: int) -> int:
    """How often so many pictures are gone through where nothing is said.

    Until some 36,000 have been seen, but at least 4 and at most 60 times: few pictures are soon
    known by heart, and of many each brings something new.
    """
    return min(60, max(4, math.ceil(36_000 / pictures)))
