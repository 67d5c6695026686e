"""``bundle``: the files of one network, with all that an app team needs to use and check them."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeeff import files
from edgeeff.benchmarking.document import read_benchmark
from edgeeff.benchmarking.measurement import Figure
from edgeeff.bundling import card, golden, storage
from edgeeff.bundling.app_samples import app_samples
from edgeeff.bundling.document import BundledModel, BundleDocument
from edgeeff.errors import InputError, UsageError
from edgeeff.evaluation.inputs import BY_THE_FILE, find_labels, find_preprocessing
from edgeeff.pictures import class_names, images
from edgeeff.pictures.class_names import check_count, is_one_line
from edgeeff.pictures.preprocessing import SQUASH, Preprocessing
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.tflite.feeding import takes_bytes
from edgeeff.tflite.fixed_batch import OPEN, fix_batch
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.manifest import Manifest, end, read_manifest
from edgeeff.tflite.metadata import read_labels, read_metadata, read_preprocessing
from edgeeff.tflite.metadata_writer import Texts, normalization, write_metadata
from edgeeff.tflite.model import Model
from edgeeff.tflite.probe import probe
from edgeeff.tflite.reader import parse_model, read_model
from edgeeff.tflite.runner import TensorInfo, runtime_version

SYNTHETIC = 3
"""Made-up pictures that golden vectors are of if nobody gives any."""

LABELS = "labels.txt"


@dataclass(frozen=True)
class Bundled:
    """A bundle that was written.

    Attributes:
        path: the folder or zip.
        document: what its ``bundle.json`` says.
        files: the size of every file in it.
        notes: what nobody may overlook, a sentence each.
    """

    path: Path
    document: BundleDocument
    files: dict[str, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Source:
    """A model as it was given, and as it goes into the bundle."""

    path: Path
    content: bytes
    model: Model
    preprocessing: Preprocessing
    manifest: Manifest | None

    @property
    def runs(self) -> bool:
        """Whether LiteRT's CPU kernels can run it."""
        return not any(operator.custom for operator in self.model.operators)


def bundle(
    models: Sequence[Path],
    output: Path | None = None,
    *,
    texts: Texts | None = None,
    labels: Path | None = None,
    samples: Sequence[Path] = (),
    benchmarks: Sequence[Path] = (),
    force: bool = False,
) -> Bundled:
    """Put the files of one network together for an app team.

    The models get TFLite metadata where they have none, or where ``texts`` or ``labels`` say more.
    A batch that is left open becomes one picture.
    The same arguments give the same bytes, on the same runtime and machine.

    Args:
        models: ``.tflite`` files of one network in several precisions.
        output: a folder, or a file that ends in ``.zip``; ``None``: ``artifacts/NAME-bundle``.
        texts: name (empty: that of the first file without its precision), description, version,
            author and licence, of which nothing is known otherwise.
        labels: a file with class names; ``None``: those of the first model that has any.
        samples: pictures for golden vectors; none: synthetic ones.
        benchmarks: documents of ``benchmark --json`` whose figures of these files are shown.
        force: replace a bundle that is there.

    Raises:
        UsageError: no model, or two files of the same name.
        InputError: models of different networks, damaged ones, or labels that do not fit.
        OutputError: it exists already, or cannot be written.
    """
    _check_names(models)
    given = texts or Texts()
    name = given.name or _common_name(models[0])
    storage.check_name(name, "--name", "such as flowers")
    _check_texts(given)
    output = output or Path("artifacts") / f"{name}-bundle"
    files.refuse_file_name(output)
    files.refuse_existing(output, force=force)
    for path in models:
        if all(not operator.custom for operator in read_model(path).operators):
            probe(path)
    _check_one_network(models)
    names, told = _given_labels(labels, models) if labels else (_labels(models), ())
    sources = [_source(path, given, name, names) for path in models]
    figures = {path: read_benchmark(path).figures for path in benchmarks}
    unused = tuple(
        f"{path} has no figure of these files, measured on hardware."
        for path, found in figures.items()
        if not any(_measured(source, found) for source in sources)
    )
    every = [figure for found in figures.values() for figure in found]
    notes = (*told, *unused)
    parts = _Parts(replace(given, name=name), names, sources, samples, every, notes)
    return _written(output, parts, force)


@dataclass(frozen=True)
class _Parts:
    """What a bundle is made of."""

    texts: Texts
    labels: tuple[str, ...] | None
    sources: Sequence[_Source]
    samples: Sequence[Path]
    figures: Sequence[Figure]
    notes: tuple[str, ...] = ()


def _written(output: Path, parts: _Parts, force: bool) -> Bundled:
    contents: dict[str, bytes] = {}
    described = []
    with files.scratch_folder(output.absolute().parent) as scratch:
        for source in parts.sources:
            model, more = _bundled(source, scratch, parts.samples)
            contents |= more
            described.append(
                card.Described(
                    model, len(source.content), source.manifest, _measured(source, parts.figures)
                )
            )
    _check_answers([each.model for each in described], contents)
    document = BundleDocument(
        parts.texts.name,
        parts.texts.version,
        parts.texts.license,
        parts.texts.author,
        LABELS if parts.labels else None,
        runtime_version(),
        platform.machine(),
        tuple(each.model for each in described),
    )
    if parts.labels:
        contents[LABELS] = "".join(f"{label}\n" for label in parts.labels).encode()
    count = len(parts.labels) if parts.labels else None
    contents[storage.DOCUMENT] = document.document().encode()
    contents["README.md"] = card.readme(document, described, count).encode()
    contents["MODEL_CARD.md"] = card.model_card(document, described).encode()
    contents |= app_samples()
    storage.write_files(output, contents, force=force)
    sizes = {name: len(content) for name, content in sorted(contents.items())}
    return Bundled(output, document, sizes, (*card.warnings(described), *parts.notes))


def _bundled(
    source: _Source, scratch: Path, samples: Sequence[Path]
) -> tuple[BundledModel, dict[str, bytes]]:
    """A model's entry in bundle.json, and its files."""
    place = f"models/{source.path.name}"
    contents = {place: source.content}
    manifest = None
    if source.manifest is not None:
        manifest = f"models/{source.path.stem}.json"
        contents[manifest] = source.manifest.document().encode()
    vectors: tuple[Any, ...] = ()
    if source.runs:
        copy = scratch / source.path.name
        files.write_bytes(copy, source.content)
        pictures = _pictures(samples, source.preprocessing)
        folder = f"golden/{source.path.stem}"
        vectors, more = golden.make(copy, folder, source.preprocessing, pictures)
        contents |= more
    model, how = source.model, source.preprocessing
    info = TensorInfo.of(model.inputs[0])
    mean, std = normalization(info, how)
    return BundledModel(
        file=place,
        sha256=model.sha256,
        precision=_precision(source),
        integer_only=model.integer_only,
        input=end(model.inputs[0]),
        output=end(model.outputs[0]),
        preprocessing=how.to_json(),
        normalization={"mean": list(mean), "std": list(std)},
        takes_bytes=takes_bytes(info, how),
        manifest=manifest,
        vectors=vectors,
        without_vectors=None if source.runs else "it has operators that no CPU runs",
    ), contents


def _source(path: Path, texts: Texts, name: str, labels: tuple[str, ...] | None) -> _Source:
    preprocessing = find_preprocessing(path, hint=BY_THE_FILE)
    if preprocessing.interpolation == SQUASH:
        raise InputError(
            f"{path} takes whole pictures (--resize {SQUASH}), which no sample of a bundle makes",
            "quantize it with another --resize, such as bilinear:1",
        )
    if not preprocessing.usual:
        raise InputError(
            f"{path} takes pictures of {list(preprocessing.shape)}, which no sample of a bundle "
            "makes",
            "bundles are of networks that take square RGB pictures; docs/images.md says how others "
            "are made",
        )
    manifest, content = read_manifest(path), files.read_bytes(path)
    model = parse_model(content, str(path))
    given, left_open = content, OPEN in model.inputs[0].shape[:1]
    if left_open:
        # An app feeds one picture: buffers that it asks the runtime for have to have a size.
        content = fix_batch(Graph.of(content)).content()
        model = parse_model(content, str(path))
    if labels is not None:
        check_count(len(labels), model.classes)
    custom = any(operator.custom for operator in model.operators)
    if not custom and (left_open or not _says_all(model, path, texts, labels)):
        known = read_metadata(model)
        said = texts if known and known.name else replace(texts, name=name)
        content = write_metadata(content, preprocessing, labels=labels, texts=said, source=given)
        model = parse_model(content, str(path))
    if manifest is not None:
        named = list(labels) if labels else None
        manifest = replace(manifest, sha256=model.sha256, bytes=model.bytes, labels=named)
    return _Source(path, content, model, preprocessing, manifest)


def _says_all(model: Model, path: Path, texts: Texts, labels: tuple[str, ...] | None) -> bool:
    """Whether a file has metadata that says all this: then it stays as it was measured."""
    known = read_metadata(model)
    if known is None or not known.outputs or read_preprocessing(model) is None:
        return False
    own = read_labels(path, known.outputs[0])
    same = all(text in ("", getattr(known, field)) for field, text in vars(texts).items())
    return same and labels in (None, own)


def _check_names(models: Sequence[Path]) -> None:
    if not models:
        raise UsageError("a bundle of no model", "name its .tflite files")
    names = [path.stem.lower() for path in models]
    twice = [path.name for path, name in zip(models, names, strict=True) if names.count(name) > 1]
    if twice:
        raise UsageError(f"two files are called {twice[0]}", "give each a name of its own")
    for path in models:
        storage.check_name(path.name, str(path.parent), "rename it")


def _check_one_network(models: Sequence[Path]) -> None:
    """Refuse files that cannot be of one network."""
    first, *others = [_network(path) for path in models]
    for path, other in zip(models[1:], others, strict=True):
        for what, known in other.items():
            if None not in (known, first[what]) and known != first[what]:
                raise InputError(
                    f"{models[0].name} has {first[what]} {what}, {path.name} {known}",
                    "a bundle holds one network; make one bundle for each",
                )


def _check_answers(models: Sequence[BundledModel], contents: Mapping[str, bytes]) -> None:
    """Refuse files whose answers to the same pictures have nothing in common."""
    run = [model for model in models if model.vectors]
    for first, other in zip(run[:1] * len(run), run[1:], strict=False):
        alike = golden.alike(first.vectors, other.vectors, contents.__getitem__)
        if alike is not None and alike < golden.ALIKE:
            raise InputError(
                f"{first.file} and {other.file} answer the same pictures like two networks, or one "
                "of them is ruined",
                "a bundle holds one network; make one bundle for each",
            )


def _network(path: Path) -> dict[str, object]:
    """What files of one network have in common; ``None`` where a file does not say."""
    golden.check_ends(read_model(path))
    manifest = read_manifest(path)
    weights = manifest.weights if manifest else None
    return {
        "classes": read_model(path).classes,
        "pixels a side": find_preprocessing(path, hint=BY_THE_FILE).resolution,
        "as its weights": f"{weights.source} {weights.sha256}" if weights else None,
    }


def _check_texts(texts: Texts) -> None:
    for option, text in vars(texts).items():
        if not is_one_line(text):
            raise UsageError(f"--{option} is not one line of text: {text!r}", "write one line")


def _given_labels(path: Path, models: Sequence[Path]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The class names of a file that fits the models, and what to say of them."""
    names = class_names.read_labels(path)
    for model in models:
        check_count(len(names), read_model(model).classes, path)
    return names, class_names.repeated(names, path)


def _labels(models: Sequence[Path]) -> tuple[str, ...] | None:
    """The class names that the files know, which must be the same ones."""
    known = {path: found for path in models if (found := find_labels(path))}
    for path, found in known.items():
        first, names = next(iter(known.items()))
        if found != names:
            one, two = next(pair for pair in zip(names, found, strict=True) if pair[0] != pair[1])
            raise InputError(
                f"{first.name} has a class {one!r} where {path.name} has {two!r}",
                "--labels FILE says which names are right",
            )
    return next(iter(known.values()), None)


def _common_name(path: Path) -> str:
    known = {precision for _, _, precisions in card.CHIPS for precision in precisions}
    stems = (path.stem.removesuffix(f"-{precision}") for precision in known)
    return next((stem for stem in stems if stem and stem != path.stem), path.stem)


def _pictures(samples: Sequence[Path], how: Preprocessing) -> list[tuple[str, Any]]:
    if samples:
        return [(path.name, how.pixels(images.open_rgb(path))) for path in samples]
    made = synthetic_pictures(SYNTHETIC, how.resolution)
    return [(f"synthetic picture {number}", pixels) for number, pixels in enumerate(made)]


def _precision(source: _Source) -> str:
    """That of the manifest, or what the constants and activations are."""
    if any(operator.kind == "edgetpu-custom-op" for operator in source.model.operators):
        return "edgetpu"
    if source.manifest is not None:
        return source.manifest.precision
    tensors = source.model.tensors
    constants = {tensor.dtype for tensor in tensors if tensor.constant}
    activations = {tensor.dtype for tensor in tensors if not tensor.constant}
    if source.model.integer_only:
        return "int16x8" if "int16" in activations else "int8"
    if "float16" in constants:
        return "float16"
    return "dynamic" if "int8" in constants else "float32"


def _measured(source: _Source, figures: Sequence[Figure]) -> tuple[Figure, ...]:
    """Figures of hardware that were measured of this file, as given or as it is in the bundle."""
    known = {source.model.sha256, files.sha256(source.path)}
    return tuple(f for f in figures if f.sha256 in known and f.provenance == "hardware")
