"""The pages of a bundle for people: README and model card, from what was measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeeff.benchmarking.measurement import Figure
from edgeeff.bundling.document import BundledModel, BundleDocument
from edgeeff.tflite.manifest import Manifest

NOT_MEASURED = "not measured"

CHIPS = (
    ("CPU", "cpu", ("int8", "dynamic", "weight-only", "float32")),
    ("GPU", "gpu", ("float16", "float32")),
    ("NPU that computes in integers", "npu", ("int8", "int16x8")),
    ("NPU that computes in float", "npu", ("float16",)),
    ("Edge TPU", "edgetpu", ("edgetpu",)),
)
"""Kind of chip, the target of `benchmark` that it is, and the precisions it takes, best first."""

HOW_TO_MAKE = {
    "float16": "`edgeeff convert` with `--float16` makes one",
    "edgetpu": "`edgeeff compile` makes one of the int8 file",
    "int8": "`edgeeff convert` with `--int8` makes one",
}


@dataclass(frozen=True)
class Described:
    """A model of the bundle and what was measured of it.

    Attributes:
        model: as in bundle.json.
        bytes: its size.
        manifest: ``None`` for a file from elsewhere.
        latencies: measured on hardware.
    """

    model: BundledModel
    bytes: int
    manifest: Manifest | None
    latencies: tuple[Figure, ...] = ()


def chip_table(models: Sequence[Described]) -> str:
    """Which file for which chip, as a Markdown table."""
    rows = ["| chip | file | bytes | accuracy | latency |", "|-|-|-|-|-|"]
    for chip, target, precisions in CHIPS:
        fitting = [m for p in precisions for m in models if m.model.precision == p]
        if not fitting:
            hint = HOW_TO_MAKE[precisions[0]]
            rows.append(f"| {chip} | none in this bundle: {hint} | | | |")
            continue
        best = fitting[0]
        cells = (f"`{best.model.file}`", f"{best.bytes:,}", _accuracy(best), _latency(best, target))
        rows.append(f"| {chip} | {' | '.join(cells)} |")
    return "\n".join(rows)


def readme(document: BundleDocument, models: Sequence[Described], labels: int | None) -> str:
    """The one page that comes first."""
    first = document.models[0]
    named = f"`labels.txt` names the {labels} classes" if labels else "The classes have no names"
    how = first.preprocessing
    return f"""# {_title(document)}

{_warnings(models)}An image classifier as `.tflite` files for apps, made by edgeeff.

{chip_table(models)}

"{NOT_MEASURED}" means what it says: nobody measured it for this bundle.

## Use it

1. Turn the picture upright, keep the middle square with {how["crop"]:g} of its short side, and
   resize that to {how["resolution"]} x {how["resolution"]} pixels ({how["interpolation"]}).
2. Feed RGB, row by row. {_feeding(document.models)}
3. The output has one score for each class: scale * (value - zero point), scale and zero point as in
   `bundle.json`. {named}.

Each sample does exactly this, to the byte, and checks itself with the golden vectors:

| sample | for |
|-|-|
| `samples/android/` | Kotlin with `CompiledModel`: copy the bundle into the app's assets |
| `samples/ios/` | Swift with `CompiledModel`: add the bundle as a folder reference |
| `samples/web/` | a page with LiteRT.js: its `index.html` says how to serve it |
| `samples/classify.py` | Python: `python samples/classify.py photo.jpg` |

The files carry TFLite metadata, so MediaPipe's `ImageClassifier` takes those with a `uint8` or
`float32` input; give it the square of step 1 as its region of interest.

## Check it

- `sha256sum --check SHA256SUMS`: the files are whole.
- `python samples/classify.py --check`: this machine computes the golden outputs.
- `edgeeff verify .`: both, with what differs and by how much.

`golden/` holds inputs and the expected outputs, raw values in the shape and type of the tensor,
little-endian; `bundle.json` lists them. They were computed by {document.runtime} on
{document.machine}. In an app, run them on each accelerator, as `selfCheck` of the samples does: an
integer model on the CPU gives equal bytes; a GPU is close, and bit-equal bytes from a "GPU" mean
that the CPU did the work.

What the network is, how good, and where it fails: [MODEL_CARD.md](MODEL_CARD.md).
"""


def model_card(document: BundleDocument, models: Sequence[Described]) -> str:
    """What the network is, what it was measured to do, and its limits."""
    parts = [
        f"# Model card: {_title(document)}\n",
        _warnings(models),
        _facts(document, models),
        "## Limits\n",
        *(f"- {limit}" for limit in _limits(models)),
        "",
        *(_one(described) for described in models),
    ]
    return "\n".join(parts)


def warnings(models: Sequence[Described]) -> list[str]:
    """What nobody may overlook, a sentence each."""
    found = []
    for described in models:
        manifest, file = described.manifest, described.model.file
        if manifest and manifest.weights and not manifest.weights.trained:
            found.append(f"{file} IS OF AN UNTRAINED NETWORK: ITS ANSWERS MEAN NOTHING.")
        if manifest and manifest.verdict and not manifest.verdict["good"]:
            faults = "; ".join(manifest.verdict["faults"])
            found.append(f"{file} WAS MEASURED AS RUINED BY QUANTIZATION: {faults}.")
    return found


def _title(document: BundleDocument) -> str:
    return _plain(f"{document.name} {document.version}".strip())


def _warnings(models: Sequence[Described]) -> str:
    return "".join(f"**WARNING: {_plain(warning)}**\n\n" for warning in warnings(models))


def _facts(document: BundleDocument, models: Sequence[Described]) -> str:
    first = next((m.manifest for m in models if m.manifest), None)
    weights = first.weights if first else None
    rows = {
        "author": _plain(document.author) or "not stated",
        "licence": _plain(document.license) or "not stated",
        "network": (first.variant if first else None) or "not known",
        "weights": _named(weights.source) if weights else "not known",
        "input": f"{document.models[0].input['shape'][1]} pixels square, RGB",
        "classes": str(document.models[0].output["shape"][-1]),
    }
    return "\n".join(["| | |", "|-|-|", *(f"| {k} | {v} |" for k, v in rows.items()), ""])


def _plain(text: str) -> str:
    """A text of any origin as Markdown that shows it and does nothing else."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text)


def _named(source: str) -> str:
    """Weights or pictures by the last part of their path: where they lay is nobody's business."""
    return _plain(Path(source).name)


def _code(text: str) -> str:
    """A name of any origin as code, also in a table."""
    return f"`{text.replace('`', chr(39))}`".replace("|", r"\|")


def _limits(models: Sequence[Described]) -> list[str]:
    limits = [
        "It names one of its classes for every picture, also for one that shows none of them.",
        "Pictures unlike those it was trained on are answered with unknown reliability.",
    ]
    for described in models:
        manifest, file = described.manifest, _code(described.model.file)
        if manifest is None:
            limits.append(f"{file} came without a manifest: nothing is known of how it was made.")
            continue
        if not manifest.accuracy:
            limits.append(f"The accuracy of {file} on labelled pictures was not measured.")
        if (manifest.calibration or {}).get("source") == "synthetic":
            limits.append(f"{file} was calibrated without any real picture.")
        if (manifest.fidelity or {}).get("pictures") == "synthetic":
            limits.append(f"{file} was compared with the float network on synthetic pictures only.")
        if manifest.weights:
            limits.extend(map(_plain, manifest.weights.notes))
    return list(dict.fromkeys(limits))


def _one(described: Described) -> str:
    model, manifest = described.model, described.manifest
    rows = {
        "precision": model.precision,
        "size": f"{described.bytes:,} bytes",
        "sha256": model.sha256,
        "input": _end(model.input),
        "output": _end(model.output),
        "accuracy": _accuracy(described),
        "latency": "; ".join(map(_timed, described.latencies)) or NOT_MEASURED,
        "golden vectors": model.without_vectors or str(len(model.vectors)),
    }
    if manifest is not None:
        calibration = manifest.calibration or {}
        rows["recipe"] = _plain((manifest.recipe or {}).get("name", ""))
        rows["calibration"] = (
            f"{calibration['count']} pictures, {_named(calibration['source'])}"
            if calibration
            else "none"
        )
        rows["against float"] = _fidelity(manifest.fidelity)
        rows["versions"] = _plain(", ".join(f"{k} {v}" for k, v in manifest.versions.items()))
    table = "\n".join(["| | |", "|-|-|", *(f"| {k} | {v} |" for k, v in rows.items())])
    return f"## {model.file}\n\n{table}\n"


def _accuracy(described: Described) -> str:
    manifest = described.manifest
    if manifest is None or not manifest.accuracy:
        return NOT_MEASURED
    top1, images = manifest.accuracy["top1"], manifest.accuracy["images"]
    if not top1:
        return NOT_MEASURED
    low, high = top1["ci95"]
    return f"top-1 {top1['value']:.2%} ({low:.1%} to {high:.1%}) of {images:,} pictures"


def _fidelity(found: dict[str, Any] | None) -> str:
    if not found:
        return NOT_MEASURED
    parts = [f"{found['images']} pictures ({_named(found['pictures'])})"]
    if found.get("agreement") is not None:
        parts.append(f"same top-1 for {found['agreement']:.1%}")
    if found.get("median_image_sqnr_db") is not None:
        parts.append(f"SQNR of the median picture {found['median_image_sqnr_db']:.1f} dB")
    return ", ".join(parts)


def _latency(described: Described, target: str) -> str:
    timed = [_timed(figure) for figure in described.latencies if figure.target == target]
    return "; ".join(timed) or NOT_MEASURED


def _timed(figure: Figure) -> str:
    low, high = figure.ci95
    where = _plain(
        f"{figure.target} of {figure.device}, {figure.runtime}, threads: {figure.threads}"
    )
    return f"{figure.median:.2f} ms ({low:.2f} to {high:.2f}; {where})"


def _end(tensor: dict[str, Any]) -> str:
    shape = ", ".join(map(str, tensor["shape"]))
    grid = ""
    if tensor["scale"] is not None:
        grid = f", scale {tensor['scale']:.9g}, zero point {tensor['zero_point']}"
    return f"{_code(tensor['name'])} {tensor['dtype']}[{shape}]{grid}"


def _feeding(models: Sequence[BundledModel]) -> str:
    plain = [f"`{model.file}`" for model in models if model.takes_bytes]
    parts = []
    if plain:
        parts.append(f"{', '.join(plain)}: the bytes as they are.")
    if len(plain) < len(models):
        parts.append(
            "Any other takes (pixel - mean) / std with `normalization` of `bundle.json`, quantized "
            "if the tensor has a scale."
        )
    return "\n   ".join(parts)
