"""What a report lacks, and the command that gets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeeff.reporting.finding import Found
from edgeeff.reporting.subjects import Gathered, Subject
from edgeeff.shell import word


@dataclass(frozen=True)
class Missing:
    """Something that could be in the report.

    Attributes:
        what: a sentence.
        parts: of the command that gets it, between which a line may end.
    """

    what: str
    parts: tuple[str, ...]

    @property
    def command(self) -> str:
        """What to type."""
        return " ".join(self.parts)


def missing(found: Found, gathered: Gathered) -> tuple[Missing, ...]:
    """What is not there, the first thing to do first."""
    subjects, folder = gathered.subjects, word(found.folder)
    example = _example(subjects, found.folder)
    evaluate = (f"edgeeff evaluate {example}", "--data PICTURES --reference FLOAT.tflite")
    layers = (f"edgeeff inspect {example}", "--layers --reference FLOAT.tflite")
    lacks = (
        (
            not subjects,
            "There is no model.",
            ("edgeeff convert --variant lite0", f"--output {folder}"),
        ),
        (
            not any(one.accuracy for one in subjects),
            "No accuracy was measured. It takes pictures in one folder per class.",
            (*evaluate, f"--json > {folder}/evaluation.json"),
        ),
        (
            not any(one.latencies for one in subjects),
            "No latency was measured.",
            (f"edgeeff benchmark {example}", f"--save {folder}/benchmark.json"),
        ),
        (
            not any(one.layers for one in subjects),
            "The error of each layer is not there.",
            (*layers, f"--json > {folder}/layers.json"),
        ),
        (
            not any(quality.changes for one in subjects for quality in one.qualities),
            "No changed predictions are listed: either there are none, or nobody compared a model "
            "with its float network on pictures.",
            (*evaluate, f"--json > {folder}/evaluation.json"),
        ),
        (
            not found.runs,
            "There is no training.",
            ("edgeeff train --data PICTURES", f"--output {folder}/run"),
        ),
        (
            not found.bundles,
            "There is no bundle for an app team.",
            (f"edgeeff bundle {example}", f"--output {folder}/bundle.zip"),
        ),
    )
    return tuple(Missing(what, parts) for lacking, what, parts in lacks if lacking)


def _example(subjects: Sequence[Subject], folder: Path) -> str:
    """A model as a command names it: a quantized one of the folder, if there is any."""
    here = [one for one in subjects if one.paths]
    quantized = [one for one in here if one.manifest and one.manifest.precision != "float32"]
    chosen = next((folder / one.paths[0] for one in (*quantized, *here)), Path("MODEL.tflite"))
    return word(chosen)
