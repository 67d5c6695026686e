"""Documents and manifests read into values with checked types.

Each reader takes the fields of one document and raises ``InputError`` where they are not as its
schema says. Nothing here looks at a file.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgeeff import foreign
from edgeeff.accelerators.plan import PRESETS
from edgeeff.benchmarking.measurement import Figure
from edgeeff.evaluation.layers.report import LayerError
from edgeeff.reporting.figures import (
    Calibration,
    Changed,
    Latency,
    Measure,
    Origin,
    Quality,
    Source,
    Trial,
    Verified,
)
from edgeeff.tflite.manifest import Manifest

EDITED = "was it edited, or cut short?"

PRESET_OPTIONS = {"quick": "--quick", "mlperf": "--mlperf"}
"""The options of ``edgeeff benchmark`` for a plan."""


def origin(manifest: Manifest, where: str) -> Origin:
    """The parts of a manifest that are objects in it, checked.

    Raises:
        InputError: one is malformed.
    """
    with foreign.parsing(f"{where} is not a whole manifest", EDITED):
        recipe, verdict = manifest.recipe or {}, manifest.verdict
        return Origin(
            recipe=str(recipe.get("name", "")),
            recipe_text=str(recipe.get("text", "")),
            calibration=_calibration(manifest.calibration, where),
            faults=tuple(map(str, verdict["faults"])) if verdict and not verdict["good"] else (),
            trials=tuple(_trial(entry, where) for entry in manifest.tried or ()),
        )


def _calibration(fields: Mapping[str, Any] | None, where: str) -> Calibration | None:
    if fields is None:
        return None
    coverage = fields.get("coverage") or {}
    curve = coverage.get("curve", {})
    columns = [curve.get(name, ()) for name in ("pictures", "mean", "worst")]
    found = Calibration(
        count=fields["count"],
        source=str(fields["source"]),
        sha256=str(fields["sha256"]),
        curve=tuple(zip(*columns, strict=True)),
        verdict=str(coverage.get("verdict", "")),
    )
    plain = {name: value for name, value in vars(found).items() if name != "curve"}
    foreign.check_types(Calibration, plain, where)
    for row in found.curve:
        foreign.check_types(Measure, dict(zip(("value", "low", "high"), row, strict=True)), where)
    return found


def _trial(entry: Mapping[str, Any], where: str) -> Trial:
    drop = Measure(*(points / 100 for points in entry["drop"])) if entry["drop"] else None
    names = ("recipe", "bytes", "agreement", "sqnr_db")
    plain = {name: entry[name] for name in names}
    if plain["bytes"] < 1:
        raise ValueError(f"a file of {plain['bytes']} bytes")
    found = Trial(**plain, drop=drop, failed=tuple(map(str, entry["failed"])))
    foreign.check_types(Trial, vars(found), where)
    if drop is not None:
        foreign.check_types(Measure, vars(drop), where)
    return found


def quality(fields: Mapping[str, Any], source: Source, labels: Sequence[str] = ()) -> Quality:
    """The fields of an edgeeff.evaluation/1 document, or of a manifest's ``accuracy``.

    Args:
        fields: of the document.
        source: where they stand.
        labels: names of classes, for documents that have numbers alone.

    Raises:
        InputError: a part is missing or malformed.
    """
    with foreign.parsing(f"{source.path} is not a whole evaluation", EDITED):
        reference = fields["reference_accuracy"]
        changed = fields.get("changed")
        found = Quality(
            model=str(fields["model"]),
            sha256=fields.get("sha256") or "",
            pictures=str(fields.get("data") or "pictures that it does not name"),
            images=fields["images"],
            top1=_measure(fields["top1"]),
            top5=_measure(fields["top5"]),
            reference_top1=_measure(reference["top1"]) if reference else None,
            drop=_measure(fields["top1_drop"]),
            **_fidelity(fields["fidelity"]),
            changed=None if changed is None else changed["count"],
            changes=tuple(_changed(one, labels) for one in changed["pictures"]) if changed else (),
            source=Source(source.path, source.sha256, source.command or _evaluate(fields)),
        )
    _check(found, source.path)
    return found


def fidelity(fields: Mapping[str, Any], model: str, sha256: str, source: Source) -> Quality:
    """What a manifest says of how close a model is to its float network."""
    with foreign.parsing(f"{source.path} has a malformed fidelity", EDITED):
        found = Quality(
            model=model,
            sha256=sha256,
            pictures=str(fields.get("pictures", "pictures that it does not name")),
            images=fields["images"],
            top1=None,
            top5=None,
            reference_top1=None,
            drop=None,
            **_fidelity(fields),
            changed=None,
            changes=(),
            source=source,
        )
    _check(found, source.path)
    return found


def latencies(
    fields: Mapping[str, Any], machines: Mapping[str, Mapping[str, Any]], source: Source
) -> Iterator[Latency]:
    """The measurements of a document, with the machine behind each device.

    Raises:
        InputError: a part is missing or malformed.
    """
    for entry in fields.get("measurements", ()):
        figure = Figure.of(entry, source.path)
        with foreign.parsing(f"{source.path} is not a whole benchmark document", EDITED):
            delegate = entry.get("delegate") or {}
            found = Latency(
                figure=figure,
                size=entry["bytes"],
                p90=entry["latency_ms"]["p90"],
                runs=entry["runs"],
                processor=str(machines.get(figure.device, {}).get("processor") or ""),
                adapter=str(entry.get("adapter", "")),
                delegate=str(delegate.get("name", "")),
                nodes=delegate.get("nodes"),
                delegated=delegate.get("delegated"),
                peak_memory=entry.get("peak_memory_bytes"),
                warnings=tuple(map(str, entry.get("warnings", ()))),
                source=Source(source.path, source.sha256, _benchmark(entry)),
            )
        foreign.check_types(Latency, vars(found), source.path)
        yield found


def layer_errors(fields: Mapping[str, Any], where: str) -> tuple[LayerError, ...]:
    """The layers of ``inspect --layers --json``; none in a document of ``inspect`` alone.

    Raises:
        InputError: a part is malformed.
    """
    with foreign.parsing(f"{where} has malformed layers", EDITED):
        layers = [layer for layer in fields["layers"] if "activation_sqnr_db" in layer]
        found = tuple(LayerError(**_decibels(layer)) for layer in layers)
    for error in found:
        known = {key: value for key, value in vars(error).items() if value != float("inf")}
        foreign.check_types(LayerError, known, where)
    return found


def verified(fields: Mapping[str, Any], source: Source) -> Verified:
    """The fields of an edgeeff.verification/1 document. Raises ``InputError``."""
    with foreign.parsing(f"{source.path} is not a whole verification", EDITED):
        where = fields["checked_with"]
        names = ("target", "device", "runtime", "machine")
        faults = tuple(map(str, fields["faults"]))
        if fields["good"] is not (not faults):
            raise ValueError("good and faults contradict")
        return Verified(
            sha256=str(fields["sha256"]),
            where=", ".join(str(where[name]) for name in names if where.get(name)),
            faults=faults,
            notes=tuple(map(str, fields.get("notes", ()))),
            source=source,
        )


def _decibels(layer: Mapping[str, Any]) -> dict[str, Any]:
    """A layer's fields; a ratio that is null is infinite, but there may be no weights."""
    read = dict(layer)
    for name in ("sqnr_db", "activation_sqnr_db"):
        read[name] = float("inf") if read[name] is None else read[name]
    for name in ("clipped", "used", "spread"):
        read[name] = 0.0 if read[name] is None else read[name]
    return read


def _fidelity(fields: Mapping[str, Any] | None) -> dict[str, Any]:
    found = fields or {}
    return {
        "agreement": found.get("agreement"),
        "sqnr_db": found.get("sqnr_db"),
        "median_sqnr_db": found.get("median_image_sqnr_db"),
        "kl": found.get("kl"),
        "compared": fields is not None,
    }


def _measure(fields: Mapping[str, Any] | None) -> Measure | None:
    if fields is None:
        return None
    low, high = fields["ci95"]
    return Measure(fields["value"], low, high)


def _changed(fields: Mapping[str, Any], labels: Sequence[str]) -> Changed:
    before, after, label = fields["reference"], fields["model"], fields["label"]
    names: dict[int, str] = dict(enumerate(labels))
    names |= {answer["class"]: answer["name"] for answer in (before, after) if answer["name"]}
    return Changed(
        path=str(fields["path"]),
        sha256=str(fields["sha256"]),
        label="" if label is None else str(names.get(label, label)),
        before=str(names.get(before["class"], before["class"])),
        after=str(names.get(after["class"], after["class"])),
        sure=before["probability"],
    )


def _check(found: Quality, where: str) -> None:
    foreign.check_types(Quality, vars(found), where)
    for part in (found.top1, found.top5, found.reference_top1, found.drop):
        if part is not None:
            foreign.check_types(Measure, vars(part), where)
    for change in found.changes:
        foreign.check_types(Changed, vars(change), where)


def _evaluate(fields: Mapping[str, Any]) -> str:
    if not fields.get("data"):
        return ""
    words = ["edgeeff", "evaluate", str(fields["model"]), "--data", str(fields["data"])]
    if fields["reference"]:
        words += ["--reference", str(fields["reference"])]
    return shlex.join(words)


def _benchmark(entry: Mapping[str, Any]) -> str:
    plan = dict(entry.get("plan") or {})
    words = ["edgeeff", "benchmark", str(entry["model"]), "--target", str(entry["target"])]
    words += ["--device", str(entry["device"]), "--threads", str(entry["threads"])]
    name = str(plan.get("preset"))
    if name == "sustained":
        words += ["--sustained", f"{float(plan['min_seconds']):g}s"]
    if name in PRESET_OPTIONS:
        words.append(PRESET_OPTIONS[name])
    if name in PRESETS and plan["repeats"] != PRESETS[name].repeats:
        words += ["--repeats", str(plan["repeats"])]
    for key, value in dict(plan.get("options", {})).items():
        words += ["--option", f"{key}={value}"]
    return shlex.join(words)
