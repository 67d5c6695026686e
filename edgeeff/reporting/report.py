"""``report``: what lies in a folder as one HTML page that needs nothing else."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeeff import files
from edgeeff.drawing.svg import Plot
from edgeeff.errors import InputError, OutputError
from edgeeff.evaluation.layers.report import LayerError
from edgeeff.progress import Progress
from edgeeff.reporting import advice, marks, plots, rendering
from edgeeff.reporting.figures import Changed, Quality, Source
from edgeeff.reporting.finding import Found, Refused, find
from edgeeff.reporting.subjects import Gathered, Subject, gather
from edgeeff.reporting.thumbnails import SHOWN, Thumbnails
from edgeeff.reporting.trainings import training
from edgeeff.shell import word

SCHEMA = "edgeeff.report/1"
NAME = "report.html"
WORST_LAYERS = 12
FRAME = 720
"""Height of the page in a notebook, in pixels."""


@dataclass(frozen=True)
class Report:
    """A page, and what it was made of; a notebook shows it.

    Attributes:
        html: the page, whole: no picture, style or script comes from elsewhere.
        found: what lies in the folder, with what was refused.
        gathered: the same by model.
        lacking: what is missing, and how to get it.
        path: where it was written; ``None``: nowhere.
    """

    html: str
    found: Found
    gathered: Gathered
    lacking: tuple[advice.Missing, ...]
    path: Path | None = None

    @property
    def refused(self) -> tuple[Refused, ...]:
        """Files that could not be used, and why."""
        return tuple(self.found.refused)

    def document(self) -> str:
        """The JSON document."""
        content = self.html.encode()
        return files.document(
            SCHEMA,
            {
                "folder": str(self.found.folder),
                "output": None if self.path is None else str(self.path),
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "models": [
                    {"name": one.name, "sha256": one.sha256, "marks": list(one.marks)}
                    for one in self.gathered.subjects
                ],
                "trainings": list(self.found.runs),
                "bundles": [bundle.path for bundle in self.found.bundles],
                "refused": [vars(refused) for refused in self.refused],
                "missing": [
                    {"what": one.what, "command": command}
                    for one in self.lacking
                    for command in one.commands
                ],
            },
        )

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that its style and the notebook's do not mix."""
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" title="edgeeff report" '
            f'style="width:100%;height:{FRAME}px;border:0"></iframe>'
        )


def report(
    folder: Path,
    output: Path | None = None,
    *,
    title: str = "",
    pictures: Sequence[Path] = (),
    force: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Show what lies in a folder: models, evaluations, latencies, trainings and bundles.

    Nothing is run or measured. Files of any origin may be there: a damaged one is named in the page
    and left out. The same files give the same page.

    Args:
        folder: with ``.tflite`` files, their manifests, what commands print with ``--json``, run
            folders and bundles, also in folders inside it.
        output: the HTML file to write; ``None``: none.
        title: of the page; empty: the folder's name.
        pictures: further folders in which the pictures of changed predictions may lie.
        force: replace an existing file.
        progress: told of every file.

    Raises:
        InputError: there is no such folder, or none of pictures.
        OutputError: the file exists already, or cannot be written.
    """
    if output is not None:
        if output.is_dir():
            raise OutputError(
                f"{output} is a folder", f"name a file: --output {word(output / NAME)}"
            )
        files.refuse_existing(output, force=force)
    for named in pictures:
        if not named.is_dir():
            raise InputError(f"{named} is not a folder", "--pictures DIR is one with pictures")
    found = find(folder, progress)
    gathered = gather(found)
    _leave_out_parts(found)
    marks.mark(gathered.subjects)
    lacking = advice.missing(found, gathered)
    values = {
        **_values(found, gathered),
        "title": title or f"Models in {folder.resolve().name or folder}",
        "lacking": lacking,
        "thumbnail": Thumbnails((folder, *pictures)).of,
    }
    page = rendering.render({**values, "sections": _sections(values)})
    if output is not None:
        files.write_bytes(output, page.encode(), force=force)
    return Report(page, found, gathered, lacking, output)


def _leave_out_parts(found: Found) -> None:
    """What belongs to a training or a bundle is no file that nobody used."""
    places = (*found.runs, *(one.path for one in found.bundles))
    whole = tuple("" if place == "." else f"{place}/" for place in places)
    found.others = [path for path in found.others if not path.startswith(whole)]


_SECTIONS = (
    ("models", "Models", "subjects"),
    ("plots", "Quality and cost", "plots"),
    ("latency", "Latency", "timed"),
    ("search", "Searches for a network", "searches"),
    ("training", "Trainings", "trainings"),
    ("each", "Each model", "subjects"),
    ("bundles", "Bundles", "bundles"),
    ("missing", "What is missing", "lacking"),
    ("files", "Files", "found"),
)
"""The sections of the page: id, title, and the value without which there is none."""


def _sections(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [(place, words) for place, words, value in _SECTIONS if values[value]]


def _values(found: Found, gathered: Gathered) -> dict[str, Any]:
    subjects = gathered.subjects
    latencies = [(one.name, latency) for one in subjects for latency in one.latencies]
    return {
        "found": found,
        "subjects": subjects,
        "ids": {one.sha256 or one.name: f"model-{n}" for n, one in enumerate(subjects)},
        "marked": any(one.marks for one in subjects),
        "judged": any(marks.QUALITY in one.marks for one in subjects),
        "plots": plots.quality_plots(subjects),
        "latencies": latencies,
        "timed": latencies or gathered.comparisons or gathered.failures,
        "comparisons": gathered.comparisons,
        "failures": gathered.failures,
        "searches": gathered.searches,
        "trainings": [training(name, run) for name, run in found.runs.items()],
        "bundles": found.bundles or gathered.verified,
        "verified": gathered.verified,
        "verify": lambda one: f"edgeeff verify {word(found.folder / one.path)}",
        "again": f"edgeeff report {word(found.folder)}",
        "layers_plot": lambda one: plots.layers_plot(one.layers, one.name),
        "worst_layers": _worst_layers,
        "shown_changes": _shown_changes,
        "coverage_plot": _coverage_plot,
        "trials": marks.marked_trials,
        "commands": _commands,
    }


def _worst_layers(subject: Subject) -> list[LayerError]:
    return sorted(subject.layers, key=lambda layer: layer.own_db)[:WORST_LAYERS]


def _shown_changes(quality: Quality) -> tuple[Changed, ...]:
    return quality.changes[:SHOWN]


def _coverage_plot(subject: Subject) -> Plot | None:
    """How ranges grew with the calibration pictures, if the manifest says it."""
    calibration = subject.origin.calibration
    if calibration is None or not calibration.curve:
        return None
    return plots.coverage_plot(calibration.curve, subject.name)


def _commands(subject: Subject) -> list[Source]:
    """The documents behind a model's figures that say how to make them again."""
    sources = [quality.source for quality in subject.qualities]
    sources += [latency.source for latency in subject.latencies]
    if subject.layers_source is not None:
        sources.append(subject.layers_source)
    return list(dict.fromkeys(source for source in sources if source.command))
