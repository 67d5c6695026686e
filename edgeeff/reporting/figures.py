"""What the report shows of a model, as values. Nothing here looks at a file or a document."""

from __future__ import annotations

from dataclasses import dataclass

from edgeeff.benchmarking.measurement import Figure


@dataclass(frozen=True)
class Source:
    """Where a figure comes from.

    Attributes:
        path: of the document, from the folder of the report.
        sha256: of the document.
        command: makes it again; empty where the document does not say how it was made.
    """

    path: str
    sha256: str
    command: str = ""


@dataclass(frozen=True)
class Measure:
    """A share, 0..1, with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Changed:
    """A picture that a model answers in another way than its float network.

    Attributes:
        path: as the document has it.
        sha256: of the picture's file.
        label: its right class, as its name or number; empty if not known.
        before: the float network's answer, likewise.
        after: the model's.
        sure: the probability that the float network gave.
    """

    path: str
    sha256: str
    label: str
    before: str
    after: str
    sure: float


@dataclass(frozen=True)
class Quality:
    """How good a model is on some pictures.

    Attributes:
        model: the file's name, as the document has it.
        sha256: of the model; empty in documents of older versions.
        pictures: what they are, in words.
        images: how many.
        top1: accuracy; ``None`` without labels.
        top5: likewise.
        reference_top1: of the float network, likewise.
        drop: of top-1 below it, as a share: value, low and high; ``None`` likewise.
        agreement: share of pictures with the float network's answer.
        sqnr_db: of all logits together; ``None``: not measured, or no difference.
        median_sqnr_db: of the median picture, likewise.
        kl: divergence in nats.
        compared: whether there was a float network to compare with.
        changed: how many pictures have another answer; ``None`` if that was not counted.
        changes: some of them.
    """

    model: str
    sha256: str
    pictures: str
    images: int
    top1: Measure | None
    top5: Measure | None
    reference_top1: Measure | None
    drop: Measure | None
    agreement: float | None
    sqnr_db: float | None
    median_sqnr_db: float | None
    kl: float | None
    compared: bool
    changed: int | None
    changes: tuple[Changed, ...]
    source: Source

    @property
    def exact(self) -> bool:
        """Whether the logits were compared and did not differ."""
        return self.compared and self.median_sqnr_db is None


@dataclass(frozen=True)
class Latency:
    """A measured latency and what it was measured on."""

    figure: Figure
    size: int
    p90: float
    runs: int
    processor: str
    adapter: str
    delegate: str
    nodes: int | None
    delegated: int | None
    peak_memory: int | None
    warnings: tuple[str, ...]
    source: Source

    @property
    def place(self) -> str:
        """Where it was measured, in words: figures of other places are not to be compared."""
        figure = self.figure
        where = self.processor or self.adapter or "unknown hardware"
        device = "" if figure.device == "local" else f" of {figure.device}"
        threads = f"{figure.threads} thread{'' if figure.threads == 1 else 's'}"
        options = "".join(f", {key} {value}" for key, value in sorted(figure.options.items()))
        return f"{figure.target}{device}, {where}, {threads}{options}"


@dataclass(frozen=True)
class Trial:
    """A recipe that an accuracy gate tried.

    Attributes:
        drop: of top-1 below the float network, as a share.
        failed: which limits it is outside of, in words.
    """

    recipe: str
    bytes: int
    agreement: float | None
    sqnr_db: float | None
    drop: Measure | None
    failed: tuple[str, ...]


@dataclass(frozen=True)
class Calibration:
    """The pictures that decided ranges.

    Attributes:
        curve: pictures, share of the final ranges in the mean, and of the range with the least;
            none for data-free calibration.
        verdict: whether they are enough, in words.
    """

    count: int
    source: str
    sha256: str
    curve: tuple[tuple[float, float, float], ...] = ()
    verdict: str = ""


@dataclass(frozen=True)
class Origin:
    """What a manifest says of how a model was made.

    Attributes:
        recipe: its name; empty if none is told.
        recipe_text: in full.
        faults: what shows that it does not answer as its float network.
    """

    recipe: str = ""
    recipe_text: str = ""
    calibration: Calibration | None = None
    faults: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True)
class Verified:
    """What ``verify`` said of a bundle.

    Attributes:
        sha256: of the bundle's ``SHA256SUMS``.
        where: device, accelerator, runtime and machine, in words.
        faults: what is wrong; none in a good one.
        notes: such as that no hardware gave the answers.
    """

    sha256: str
    where: str
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    source: Source
