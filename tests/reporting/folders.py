"""Folders as users have them: five models, their figures, trainings and a bundle. No TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import edgeeff
from edgeeff import files
from edgeeff.benchmarking.document import benchmark_document
from edgeeff.benchmarking.environment import Environment
from edgeeff.evaluation.evaluate import evaluate
from edgeeff.evaluation.layers.report import layer_errors
from edgeeff.pictures.images import read_images
from edgeeff.pictures.preprocessing import of_family
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.tflite.float_model import FloatModel, Provenance
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.inspection import SCHEMA, inspect
from edgeeff.tflite.manifest import describe, path_of
from edgeeff.training.runs import Epoch, Run
from edgeeff.training.settings import TrainingSettings
from tests.benchmarking import makers
from tests.tflite import tiny

LITE = of_family("lite", 32)
WEIGHTS = Provenance("a package", "0" * 64, True)
NETWORK = FloatModel(tiny.FLOAT32.read_bytes(), LITE, variant="lite0", weights=WEIGHTS)
MODELS = {
    "tiny-float32.tflite": ("float32", 90.0, False),
    "tiny-float16.tflite": ("float16", 60.0, False),
    "tiny-int8.tflite": ("int8", 24.0, False),
    "tiny-int8-float-ends.tflite": ("dynamic", 30.0, False),
    "tiny-int8-metadata.tflite": ("int16x8", 6.0, True),
}
"""File to precision, SQNR of the median picture, and whether it is ruined."""

CURVE = {"pictures": [1, 2, 5, 10], "mean": [0.6, 0.7, 0.9, 1.0], "worst": [0.2, 0.4, 0.7, 1.0]}


def with_models(folder: Path) -> Path:
    """Five models with manifests."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (precision, decibels, ruined) in MODELS.items():
        path = folder / name
        path.write_bytes((tiny.DATA / name).read_bytes())
        add_manifest(path, precision, decibels, ruined=ruined)
    return folder


def add_manifest(path: Path, precision: str, decibels: float, *, ruined: bool = False) -> None:
    """Write the manifest of a model that was compared with its float network."""
    fidelity = {
        "images": 20,
        "agreement": 0.95,
        "sqnr_db": decibels,
        "median_image_sqnr_db": None if precision == "float32" else decibels,
        "kl": 0.01,
        "note": None,
        "pictures": "held out",
        "sha256": "1" * 64,
    }
    coverage = {
        "enough": True,
        "verdict": "enough",
        "activations": 9,
        "widened": {},
        "curve": CURVE,
    }
    calibration = {"source": "photos", "count": 10, "sha256": "2" * 64, "pictures": []}
    manifest = describe(
        path.name,
        path.read_bytes(),
        precision,
        NETWORK,
        recipe={"name": precision, "text": 'summary = "how"\n'},
        fidelity=fidelity,
        calibration={**calibration, "coverage": coverage},
        verdict={"good": not ruined, "faults": ["ruined"] if ruined else [], "try": None},
    )
    path_of(path).write_text(manifest.document(), "utf-8")


def add_evaluation(folder: Path, photos: Path, name: str = "tiny-int8.tflite") -> None:
    """What ``evaluate --json`` prints of a model on pictures with labels."""
    found = evaluate(folder / name, read_images(photos), reference=tiny.FLOAT32, preprocessing=LITE)
    (folder / f"evaluation-{Path(name).stem}.json").write_text(found.document(), "utf-8")


def add_latency(
    folder: Path, names: Sequence[str], file: str, *, provenance: str = "hardware"
) -> None:
    """A benchmark's document of some models."""
    measured = [
        replace(
            makers.measurement(2.0 + number, model=name, provenance=provenance),
            sha256=files.sha256(folder / name),
        )
        for number, name in enumerate(names)
    ]
    machine = {"processor": "a processor"}
    text = benchmark_document([Environment("local", machine, machine)], measured)
    (folder / file).write_text(text, "utf-8")


def add_layers(folder: Path) -> None:
    """What ``inspect --layers --json`` prints."""
    graphs = (Graph.of(files.read_bytes(path)) for path in (tiny.INT8, tiny.FLOAT32))
    errors = layer_errors(*graphs, list(synthetic_pictures(2, 32, seed=1)), LITE)
    fields = inspect(tiny.INT8).fields() | {"layers": [error.to_json() for error in errors]}
    (folder / "layers.json").write_text(files.document(SCHEMA, fields), "utf-8")


def add_run(folder: Path, name: str, epochs: int = 5) -> None:
    """A finished training."""
    run = Run(
        folder=folder / name,
        settings=TrainingSettings(variant="lite0", data=Path("flowers"), epochs=epochs),
        labels=("daisy", "rose"),
        preprocessing=LITE,
        weights=WEIGHTS,
        pictures={"train": 80, "val": 20, "test": 0, "skipped": 0},
        digest="3" * 64,
        built={"epsilon": 1e-3, "padding": "same", "strided": "projection"},
        plan={"epochs": epochs},
        environment={},
        epochs=tuple(
            Epoch(n, "all", 1e-3, 1 / n, 1 - 0.5 / n, 1.1 / n, 1 - 0.6 / n, 3.0, 27.0)
            for n in range(1, epochs + 1)
        ),
        finished=True,
    )
    run.folder.mkdir(parents=True)
    (run.folder / "run.json").write_text(run.document(), "utf-8")


def full(folder: Path, photos: Path) -> Path:
    """Five models, two trainings, four latency documents, and all else that the report shows."""
    with_models(folder)
    add_evaluation(folder, photos)
    add_evaluation(folder, photos, "tiny-float16.tflite")
    names = list(MODELS)
    add_latency(folder, names[:2], "latency-1.json")
    add_latency(folder, names[2:4], "latency-2.json")
    add_latency(folder, names[4:], "latency-3.json")
    add_latency(folder, names[:1], "latency-4.json", provenance="emulated")
    add_layers(folder)
    add_run(folder, "first")
    add_run(folder, "second", epochs=12)
    edgeeff.bundle([folder / "tiny-int8.tflite"], folder / "app.zip", texts=edgeeff.Texts("tiny"))
    (folder / "verified.json").write_text(edgeeff.verify(folder / "app.zip").text(), "utf-8")
    return folder
