"""A training on disk: a folder with its weights, and one document that says all of it."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from edgeeff import files, foreign
from edgeeff.architectures.variants import Variant, find_variant
from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.temporaries import clean
from edgeeff.tflite.float_model import Provenance
from edgeeff.training.settings import TrainingSettings, settings_of

SCHEMA = "edgeeff.run/1"

BUILT = ("epsilon", "padding", "strided")
"""Fields of a variant that weights of other libraries ask for."""

DOCUMENT, RESULTS, LABELS, SETTINGS = "run.json", "results.csv", "labels.txt", "settings.toml"
BEST, LAST, STATE = "best.safetensors", "last.safetensors", "state.safetensors"
CURVE, SUMMARY, EVENTS = "curve.svg", "model.txt", "events.out.tfevents.*"
"""The files of a run."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave.

    Attributes:
        epoch: its number, from 1.
        phase: ``head`` or ``all``: which layers it trained.
        learning_rate: of its last step.
        loss: mean over its steps, with label smoothing and mixed pictures.
        accuracy: share of its changed pictures that were named right while it went on.
        val_loss: of the averaged network on the pictures to choose by, without smoothing.
        val_top1: share of them that it names right.
        seconds: it took with the judging.
        images_per_second: that it learned from.
    """

    epoch: int
    phase: str
    learning_rate: float
    loss: float
    accuracy: float
    val_loss: float
    val_top1: float
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class Run:
    """A training, as far as it has come.

    Attributes:
        folder: where it is.
        settings: as given, with what was found instead of ``None`` where that is known.
        labels: the classes, in the order of the outputs.
        preprocessing: of the network.
        weights: that it began with.
        pictures: how many there are of each part, and ``skipped``.
        digest: of the names and labels of the pictures, hex.
        built: what the first weights ask of the variant: epsilon, padding, strided.
        plan: ``schedule.Plan.to_json``.
        environment: versions and machine.
        epochs: done so far.
        test_top1: of the best weights on the test part, at the end; ``None``: not yet, or none.
        finished: all epochs are done.
        notes: what the user must be told, a sentence each.
        sha256: of the weight files, by name.
    """

    folder: Path
    settings: TrainingSettings
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    weights: Provenance
    pictures: Mapping[str, int]
    digest: str
    built: Mapping[str, Any]
    plan: Mapping[str, Any]
    environment: Mapping[str, Any]
    epochs: tuple[Epoch, ...] = ()
    test_top1: float | None = None
    finished: bool = False
    notes: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)

    @property
    def best(self) -> Epoch | None:
        """The epoch whose weights are kept as the best: most right, then least loss."""
        return max(self.epochs, key=lambda one: (one.val_top1, -one.val_loss), default=None)

    @property
    def variant(self) -> Variant:
        """The network as it is built: as the first weights ask for."""
        return replace(find_variant(self.settings.variant), **self.built)

    @property
    def command(self) -> str:
        """The line that makes the run again."""
        again = self.folder.with_name(f"{self.folder.name}-again")
        words = (
            "edgeeff",
            "train",
            "--config",
            str(self.folder / SETTINGS),
            "--output",
            str(again),
        )
        return shlex.join(words)

    def to_json(self) -> dict[str, Any]:
        """The fields of ``edgeeff.run/1``."""
        best = self.best
        return {
            "command": self.command,
            "variant": self.settings.variant,
            "resolution": self.preprocessing.resolution,
            "classes": len(self.labels),
            "labels": list(self.labels),
            "preprocessing": self.preprocessing.to_json(),
            "seed": self.settings.seed,
            "settings": self.settings.to_json(),
            "weights": self.weights.to_json(),
            "pictures": dict(self.pictures),
            "digest": self.digest,
            "built": dict(self.built),
            "plan": dict(self.plan),
            "environment": dict(self.environment),
            "epochs": [asdict(one) for one in self.epochs],
            "best": None if best is None else {"epoch": best.epoch, "val_top1": best.val_top1},
            "test_top1": self.test_top1,
            "finished": self.finished,
            "notes": list(self.notes),
            "sha256": dict(self.sha256),
        }

    def document(self) -> str:
        """The JSON document."""
        return files.document(SCHEMA, self.to_json())

    def table(self) -> str:
        """``results.csv``: a line for each epoch."""
        out = io.StringIO()
        writer = csv.DictWriter(out, [one.name for one in fields(Epoch)], lineterminator="\n")
        writer.writeheader()
        for one in self.epochs:
            writer.writerow({name: _short(value) for name, value in asdict(one).items()})
        return out.getvalue()


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run."""
    clean(folder)  # one that was killed may have kept files from their names
    return os.path.isfile(folder / DOCUMENT)


def check_variant(run: Run, variant: str) -> None:
    """Refuse a run of another variant than the one that is wanted. Raises ``InputError``."""
    if find_variant(variant).name != run.settings.variant:
        raise InputError(
            f"{run.folder} is a run of {run.settings.variant}, not of {variant}",
            f"--variant {run.settings.variant} goes with it",
        )


def read_run(folder: Path) -> Run:
    """Read a run's document.

    Raises:
        InputError: no run, one that is damaged, or of a newer version.
    """
    if not is_run(folder):
        raise InputError(f"{folder} holds no run: no {DOCUMENT} in it", "edgeeff train makes one")
    path = folder / DOCUMENT
    found = files.read_document(path, SCHEMA)
    with foreign.parsing(f"{path} is malformed", "was it edited?"):
        epochs = tuple(Epoch(**one) for one in found["epochs"])
        for one in found["epochs"]:
            foreign.check_types(Epoch, one, str(path))
        run = Run(
            folder=folder,
            settings=settings_of(found["settings"], str(path)),
            labels=tuple(map(str, found["labels"])),
            preprocessing=Preprocessing.from_json(found["preprocessing"]),
            weights=Provenance.from_json(found["weights"]),
            pictures=dict(found["pictures"]),
            digest=str(found["digest"]),
            built=dict(found["built"]),
            plan=dict(found["plan"]),
            environment=dict(found["environment"]),
            epochs=epochs,
            test_top1=found["test_top1"],
            finished=bool(found["finished"]),
            notes=tuple(map(str, found["notes"])),
            sha256=dict(found["sha256"]),
        )
    foreign.check_types(Run, vars(run), str(path))
    return run


def checked(run: Run, name: str) -> bytes:
    """A weight file of a run, if it is the one that the run wrote. Raises ``InputError``."""
    content = files.read_bytes(run.folder / name)
    if hashlib.sha256(content).hexdigest() != run.sha256.get(name):
        raise InputError(
            f"{run.folder / name} is not the file that the run wrote", "was it replaced?"
        )
    return content


def built_of(variant: Variant) -> dict[str, Any]:
    """``Run.built`` of a variant."""
    return {name: getattr(variant, name) for name in BUILT}


def _short(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value
