"""What a report lacks, and the commands that get it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeeff.reporting.finding import Found
from edgeeff.reporting.references import quantized, reference
from edgeeff.reporting.subjects import Gathered, Subject
from edgeeff.shell import word

SHOWN = 3
"""Models of which a command is shown, one for each; of more, these are an example."""

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Missing:
    """Something that could be in the report.

    Attributes:
        what: a sentence or two.
        parts: of each command that gets it, between which a line may end.
    """

    what: str
    parts: tuple[Parts, ...]

    @property
    def commands(self) -> tuple[str, ...]:
        """What to type, a line each."""
        return tuple(map(" ".join, self.parts))


@dataclass(frozen=True)
class _Named:
    """A model as commands name it.

    Attributes:
        compared: the option that names the float file; none for a float file.
    """

    path: Path
    compared: Parts

    def beside(self, what: str) -> str:
        """Where a document of it goes."""
        return word(self.path.with_name(f"{self.path.stem}-{what}.json"))


def missing(found: Found, gathered: Gathered) -> tuple[Missing, ...]:
    """What is not there, the first thing to do first."""
    subjects, folder = gathered.subjects, word(found.folder)
    models = _models(subjects, found.folder)
    compared = [one for one in models if one.compared]
    judged = any(one.accuracy for one in subjects)
    changed = any(quality.changes for one in subjects for quality in one.qualities)
    lacks = (
        (not subjects, _only("There is no model.", _convert(folder))),
        (
            not judged,
            _each(
                "No accuracy was measured. It takes pictures in one folder per class.",
                models,
                _evaluate,
            ),
        ),
        (
            not any(one.latencies for one in subjects),
            _only(_said("No latency was measured.", models), _benchmark(models, folder)),
        ),
        (
            not any(one.layers for one in subjects),
            _each("The error of each layer is not there.", compared, _layers),
        ),
        (
            judged and not changed,
            _each(
                "No changed predictions are listed: either there are none, or nobody compared a "
                "model with its float network on pictures.",
                compared,
                _evaluate,
            ),
        ),
        (
            not found.runs,
            _only(
                "There is no training.",
                ("edgeeff train --data PICTURES", f"--output {folder}/run"),
            ),
        ),
        (
            not found.bundles,
            _each("There is no bundle for an app team.", models, _bundle(folder), most=1),
        ),
    )
    return tuple(lack for lacking, lack in lacks if lacking and lack.parts)


def _models(subjects: Sequence[Subject], folder: Path) -> list[_Named]:
    """The models that commands are about: the quantized ones, else all; a name if there is none."""
    here = [one for one in subjects if one.paths]
    chosen = [one for one in here if quantized(one)] or here
    found = [_Named(folder / one.paths[0], _compared(one, subjects, folder)) for one in chosen]
    return found or [_Named(Path("MODEL.tflite"), ("--reference FLOAT.tflite",))]


def _compared(subject: Subject, subjects: Sequence[Subject], folder: Path) -> Parts:
    if subject.manifest is not None and not quantized(subject):
        return ()
    known = reference(subject, subjects, folder)
    return (f"--reference {'FLOAT.tflite' if known is None else word(known)}",)


def _each(
    what: str, models: Sequence[_Named], command: Callable[[_Named], Parts], most: int = SHOWN
) -> Missing:
    return Missing(_said(what, models, most), tuple(map(command, models[:most])))


def _only(what: str, parts: Parts) -> Missing:
    return Missing(what, (parts,))


def _said(what: str, models: Sequence[_Named], most: int = SHOWN) -> str:
    if len(models) <= most:
        return what
    return f"{what} An example, of {most} of the {len(models)} models:"


def _convert(folder: str) -> Parts:
    return "edgeeff convert --variant lite0", f"--output {folder}"


def _evaluate(one: _Named) -> Parts:
    to_json = f"--json > {one.beside('evaluation')}"
    return f"edgeeff evaluate {word(one.path)}", "--data PICTURES", *one.compared, to_json


def _layers(one: _Named) -> Parts:
    to_json = f"--json > {one.beside('layers')}"
    return f"edgeeff inspect {word(one.path)}", "--layers", *one.compared, to_json


def _benchmark(models: Sequence[_Named], folder: str) -> Parts:
    first, *others = (word(one.path) for one in models[:SHOWN])
    return f"edgeeff benchmark {first}", *others, f"--save {folder}/benchmark.json"


def _bundle(folder: str) -> Callable[[_Named], Parts]:
    return lambda one: (f"edgeeff bundle {word(one.path)}", f"--output {folder}/bundle.zip")
