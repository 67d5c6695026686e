"""Everything that is known of each model, put together by the hash of its file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from edgeeff import foreign
from edgeeff.accelerators.plan import HARDWARE
from edgeeff.benchmarking.comparison import Comparison
from edgeeff.errors import EdgeeffError, InputError
from edgeeff.evaluation.layers.report import LayerError
from edgeeff.fitting.fitted import parse_fitted
from edgeeff.reporting import reading
from edgeeff.reporting.facts import COMPILER, Facts, Group, Placement
from edgeeff.reporting.figures import Latency, Origin, Quality, Source, Verified
from edgeeff.reporting.finding import Document, Found, Refused
from edgeeff.reporting.scalings import scaling, scalings_latency
from edgeeff.reporting.searches import Search, search, winners_latency
from edgeeff.shell import quoted
from edgeeff.tflite.manifest import Manifest


@dataclass
class Subject:
    """A model, and what the folder says of it.

    Attributes:
        name: of its file, shortest place first.
        sha256: of the file; empty where no document says it.
        paths: where it lies in the folder; none if only documents are there.
        size: in bytes, if known.
        facts: read from the file, if it is there.
        manifest: its manifest, if there is one.
        origin: the same, as far as it is said in objects.
        qualities: accuracy and fidelity, on different pictures.
        latencies: on different devices.
        layers: the error of each layer, and where it stands.
        placements: which operators accelerators take.
        marks: what it is the best at among the models of its network.
    """

    name: str
    sha256: str
    paths: list[str] = field(default_factory=list)
    size: int | None = None
    facts: Facts | None = None
    manifest: Manifest | None = None
    manifest_path: str = ""
    origin: Origin = field(default_factory=Origin)
    qualities: list[Quality] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    layers: tuple[LayerError, ...] = ()
    layers_source: Source | None = None
    placements: list[Placement] = field(default_factory=list)
    marks: tuple[str, ...] = ()

    @property
    def variant(self) -> str:
        """The network's name, if the manifest says it."""
        return (self.manifest.variant or "") if self.manifest else ""

    @property
    def classes(self) -> int | None:
        """Number of outputs, if known."""
        if self.manifest is not None:
            return self.manifest.classes
        return self.facts.classes if self.facts else None

    @property
    def parameters(self) -> int | None:
        """Weights and biases, if the file is there."""
        return self.facts.parameters if self.facts else None

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of one run, likewise."""
        return self.facts.macs if self.facts else None

    @property
    def trained(self) -> bool:
        """Whether nothing says that its weights are random."""
        weights = self.manifest.weights if self.manifest else None
        return weights is None or weights.trained

    @property
    def accuracy(self) -> Quality | None:
        """The figures on the most labelled pictures."""
        labelled = [quality for quality in self.qualities if quality.top1]
        return max(labelled, key=lambda quality: quality.images, default=None)

    @property
    def fidelity(self) -> Quality | None:
        """The comparison with the float network on the most pictures."""
        compared = [quality for quality in self.qualities if quality.compared]
        return max(compared, key=lambda quality: quality.images, default=None)

    @property
    def best_latency(self) -> Latency | None:
        """The least median measured on hardware."""
        real = [one for one in self.latencies if one.figure.provenance == HARDWARE]
        return min(real, key=lambda one: one.figure.median, default=None)


@dataclass(frozen=True)
class Failure:
    """A model that could not be measured."""

    model: str
    target: str
    device: str
    error: str
    path: str


@dataclass
class Gathered:
    """The models of a folder, and what documents say beside."""

    subjects: list[Subject] = field(default_factory=list)
    comparisons: list[tuple[Comparison, str]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    verified: list[Verified] = field(default_factory=list)
    searches: list[Search] = field(default_factory=list)

    def subject(self, name: str, sha256: str) -> Subject:
        """The model of a hash, or the only one of that file's name; a new one if there is none."""
        name = PurePath(name.replace("\\", "/")).name
        if sha256:
            found = [one for one in self.subjects if one.sha256 == sha256]
        else:
            found = [one for one in self.subjects if one.name == name]
        if len(found) == 1:
            return found[0]
        self.subjects.append(Subject(name, sha256))
        return self.subjects[-1]


def gather(found: Found) -> Gathered:
    """Put together what was found. What is malformed is added to ``found.refused``."""
    gathered = Gathered()
    for model in found.models:
        subject = gathered.subject(model.path, model.facts.sha256)
        subject.paths.append(model.path)
        subject.facts, subject.size = model.facts, model.facts.bytes
        subject.placements = list(model.facts.placements)
        if model.manifest is not None and subject.manifest is None:
            _described(subject, model.manifest, _beside(model.path))
    for path, manifest in found.manifests.items():
        subject = gathered.subject(manifest.model, manifest.sha256)
        if subject.manifest is None:
            _described(subject, manifest, path)
    for subject in gathered.subjects:
        if not _guard(found, subject.manifest_path, _add_manifest, subject):
            subject.manifest, subject.origin, subject.qualities = None, Origin(), []
    for document in found.documents:
        add = _ADDERS.get(document.schema)
        if add is None:
            found.others.append(document.path)
        else:
            _guard(found, document.path, add, gathered, document)
    _name_apart(gathered.subjects)
    gathered.subjects.sort(key=lambda one: (one.variant, one.name.lower(), one.sha256))
    return gathered


def _described(subject: Subject, manifest: Manifest, path: str) -> None:
    subject.manifest, subject.manifest_path = manifest, path
    subject.size = subject.size or manifest.bytes


def _beside(path: str) -> str:
    return PurePath(path).with_suffix(".json").as_posix()


def _guard(found: Found, path: str, add: Callable[..., None], *words: object) -> bool:
    """Add what a file says; whether it could be used."""
    try:
        with foreign.parsing(f"{path} is malformed", reading.EDITED):
            add(*words)
    except EdgeeffError as error:
        found.refused.append(Refused(path, error.message))
        return False
    return True


def _add_manifest(subject: Subject) -> None:
    manifest = subject.manifest
    if manifest is None:
        return
    subject.origin = reading.origin(manifest, subject.manifest_path)
    source = Source(subject.manifest_path, manifest.sha256, manifest.command or "")
    if manifest.accuracy is not None:
        fields = {**manifest.accuracy, "sha256": manifest.sha256}
        subject.qualities.append(reading.quality(fields, source, manifest.labels or ()))
    if manifest.fidelity is not None:
        subject.qualities.append(
            reading.fidelity(manifest.fidelity, manifest.model, manifest.sha256, source)
        )


def _add_evaluation(gathered: Gathered, document: Document) -> None:
    source = Source(document.path, document.sha256)
    quality = reading.quality(document.fields, source)
    subject = gathered.subject(quality.model, quality.sha256)
    labels = (subject.manifest.labels if subject.manifest else None) or ()
    subject.qualities.append(reading.quality(document.fields, source, labels))


def _add_benchmark(gathered: Gathered, document: Document) -> None:
    fields, where = document.fields, document.path
    with foreign.parsing(f"{where} is not a whole benchmark document", reading.EDITED):
        devices = (fields.get("environment") or {}).get("devices", ())
        machines = {str(entry["device"]): dict(entry["before"]) for entry in devices}
    found = list(reading.latencies(fields, machines, Source(where, document.sha256)))
    comparisons = [_comparison(entry, where) for entry in fields.get("comparisons", ())]
    failures = [_failure(entry, where) for entry in fields.get("failures", ())]
    if not (found or comparisons or failures):
        raise InputError(f"{where} holds no measurements", reading.EDITED)
    for latency in found:
        subject = gathered.subject(latency.figure.model, latency.figure.sha256)
        subject.size = subject.size or latency.size
        subject.latencies.append(latency)
    gathered.comparisons += [(comparison, where) for comparison in comparisons]
    gathered.failures += failures


def _add_inspection(gathered: Gathered, document: Document) -> None:
    fields, where = document.fields, document.path
    layers = reading.layer_errors(fields, where)
    with foreign.parsing(f"{where} is not a whole inspection", reading.EDITED):
        sha256, size = str(fields["sha256"]), int(fields["bytes"])
    if not layers:
        return
    subject = gathered.subject(PurePath(where).name, sha256)
    subject.size = subject.size or size
    subject.layers = layers
    command = f"edgeeff inspect {quoted(subject.name)} --layers --reference FLOAT.tflite --json"
    subject.layers_source = Source(where, document.sha256, command)


def _add_compilation(gathered: Gathered, document: Document) -> None:
    fields = document.fields
    with foreign.parsing(f"{document.path} is not a whole compilation", reading.EDITED):
        groups = tuple(
            Group(
                str(entry["operator"]),
                int(entry["count"]),
                bool(entry["mapped"]),
                "" if entry["mapped"] else str(entry["meaning"]),
            )
            for entry in fields["operators"]
        )
        mapped, rest, name = int(fields["mapped"]), int(fields["on_cpu"]), str(fields["model"])
        failure = fields["failure"]
        notes = () if failure is None else (f"it failed: {failure.get('message', failure)}",)
    found = Placement("edgetpu", COMPILER, mapped, mapped + rest, groups, notes)
    gathered.subject(name, "").placements.append(found)


def _add_verification(gathered: Gathered, document: Document) -> None:
    source = Source(document.path, document.sha256)
    gathered.verified.append(reading.verified(document.fields, source))


def _add_search(gathered: Gathered, document: Document) -> None:
    found = parse_fitted(document.fields, Path(document.path).parent, document.path)
    shown = search(document.path, found)
    gathered.searches.append(shown)
    source = Source(document.path, document.sha256, shown.command)
    _add_latency(gathered, winners_latency(found, source))


def _add_scaling(gathered: Gathered, document: Document) -> None:
    source = Source(document.path, document.sha256)
    shown, latency = (
        scaling(document.path, document.fields),
        scalings_latency(document.fields, source),
    )
    gathered.searches.append(shown)
    _add_latency(gathered, latency)


def _add_latency(gathered: Gathered, latency: Latency | None) -> None:
    if latency is not None:
        subject = gathered.subject(latency.figure.model, latency.figure.sha256)
        subject.size = subject.size or latency.size
        subject.latencies.append(latency)


_ADDERS = {
    "evaluation": _add_evaluation,
    "benchmark": _add_benchmark,
    "comparison": _add_benchmark,
    "inspection": _add_inspection,
    "compilation": _add_compilation,
    "verification": _add_verification,
    "fit": _add_search,
    "search": _add_scaling,
}


def _comparison(entry: Mapping[str, Any], where: str) -> Comparison:
    with foreign.parsing(f"{where} has a malformed comparison", reading.EDITED):
        interval = entry["ci95"]
        found = Comparison(
            **{
                **entry,
                "ci95": None if interval is None else (interval[0], interval[1]),
                "warnings": tuple(entry["warnings"]),
            }
        )
    foreign.check_types(Comparison, vars(found), where)
    return found


def _failure(entry: Mapping[str, Any], where: str) -> Failure:
    with foreign.parsing(f"{where} has a malformed failure", reading.EDITED):
        names = ("model", "target", "device", "error")
        return Failure(**{name: str(entry[name]) for name in names}, path=where)


def _name_apart(subjects: Sequence[Subject]) -> None:
    """Call models of one file name by their place, so that a reader can tell them apart."""
    counts = Counter(subject.name for subject in subjects)
    for subject in subjects:
        if counts[subject.name] > 1:
            subject.name = subject.paths[0] if subject.paths else f"{subject.name} (not here)"
