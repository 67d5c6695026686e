"""What the networks of a search begin with: weights of the nearest network that has some."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgeeff.architectures.variants import Variant
from edgeeff.errors import InputError, UsageError
from edgeeff.progress import Progress
from edgeeff.shell import word
from edgeeff.state_dicts.weight_files import check_kind, check_there
from edgeeff.training import runs
from edgeeff.training.settings import NAMED_WEIGHTS

if TYPE_CHECKING:
    from edgeeff.network.growing import Source

FIRST = "first.safetensors"

NEAREST = 3
"""Published networks that are asked for weights: where there are none, each may have to be waited
for."""


class FirstWeights:
    """First weights for the networks of one search; what they come from is read once."""

    def __init__(self, base: Variant, weights: str, seed: int, progress: Progress) -> None:
        """Say where weights are to come from.

        Args:
            base: whose weights a file has.
            weights: ``auto`` (published ones, or none where there are none), ``imagenet``,
                ``none`` or the path of a weight file of the base.
            seed: of what is new in a network.
            progress: told of the reading.

        Raises:
            UsageError: weights that are a run.
            InputError: no such file, or one of no kind that is read.
        """
        if runs.is_run(Path(weights)):
            raise UsageError(
                f"{weights} is a run, and the search takes a weight file",
                f"--weights {word(Path(weights) / runs.BEST)} is the one in it",
            )
        if weights not in NAMED_WEIGHTS:
            check_there(Path(weights), ", ".join(NAMED_WEIGHTS))
            check_kind(Path(weights), base.name)
        self._base, self._weights, self._seed = base, weights, seed
        self._progress = progress
        self._read: dict[str, Source | None] = {}

    def source(self, variant: Variant) -> Source | None:
        """What the network of a variant begins with; ``None``: random weights.

        Raises:
            InputError: weights that do not fit, or that cannot be had here.
        """
        from edgeeff.network.growing import nearest

        if self._weights == "none":
            return None
        if self._weights not in NAMED_WEIGHTS:
            return self._from(self._base, self._weights)
        for one in nearest(variant)[:NEAREST]:
            source = self._from(one, "imagenet")
            if source is not None:
                return source
        if self._weights == "imagenet":
            raise InputError(
                f"no ImageNet weights of the family {variant.family} can be had here",
                "--weights none begins with random ones",
            )
        return None

    def _from(self, variant: Variant, weights: str) -> Source | None:
        """Read the weights of a network, once; ``None`` if they cannot be had here."""
        from edgeeff.network.growing import read_source
        from edgeeff.network.keras_imagenet import WeightsUnavailable

        if variant.name not in self._read:
            with self._progress.stage(f"read weights of {variant.name}"):
                try:
                    self._read[variant.name] = read_source(variant, weights)
                except WeightsUnavailable:
                    self._read[variant.name] = None
        return self._read[variant.name]

    def told(self, variant: Variant) -> tuple[str, tuple[str, ...]]:
        """Where the first weights of a variant come from, and what the user must be told of it."""
        source = self.source(variant)
        if source is not None:
            return f"grown or cut from {source.name}", ()
        if self._weights == "none":
            return "none", ()
        note = f"no ImageNet weights of the family {variant.family} can be had here"
        return "none", (f"{note}: all networks began with random ones",)

    def __call__(self, variant: Variant, folder: Path) -> str:
        """Write the first weights of a variant into a folder; what ``train`` takes for them."""
        source = self.source(variant)
        if source is None:
            return "none"
        from edgeeff.network.growing import write_grown

        folder.mkdir(parents=True, exist_ok=True)
        write_grown(source, variant, folder / FIRST, seed=self._seed)
        return str(folder / FIRST)
