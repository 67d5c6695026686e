"""What reads files of unknown origin answers every mutant with a value or one clear error.

The same few by default; ``make fuzz`` goes on for a time, with other mutants every time.
A failure names the seed and the number of its mutant: ``EDGEEFF_FUZZ_SEED`` draws it again.
"""

from __future__ import annotations

import io
import json
import os
import random
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from edgeeff.architectures.variants import find_variant
from edgeeff.benchmarking.document import read_benchmark
from edgeeff.errors import EdgeeffError
from edgeeff.evaluation.inputs import find_preprocessing
from edgeeff.files import read_document
from edgeeff.fitting.fitted import parse_fitted
from edgeeff.pictures.class_names import read_labels
from edgeeff.pictures.images import open_rgb, read_images
from edgeeff.pictures.preprocessing import of_family
from edgeeff.quantization.recipes.recipe import kept_precisions, named_recipes, parse
from edgeeff.reporting.figures import Source
from edgeeff.reporting.searches import search as shown
from edgeeff.reporting.searches import winners_latency
from edgeeff.state_dicts.layouts import places
from edgeeff.state_dicts.origins import ORIGINS
from edgeeff.state_dicts.reading import is_state_dict
from edgeeff.state_dicts.reading import read as read_state_dict
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.manifest import read_manifest
from edgeeff.tflite.metadata import associated_files, read_metadata
from edgeeff.tflite.reader import read_model
from tests import mutants, png
from tests.fitting.searches import a_search
from tests.forked import worker
from tests.state_dicts import torch_files
from tests.tflite import tiny

SECONDS = float(os.environ.get("EDGEEFF_FUZZ_SECONDS", "0"))
MUTANTS = int(os.environ.get("EDGEEFF_FUZZ_MUTANTS", "200"))
"""How many of each kind are drawn, however long that takes; more only while seconds are left."""

SEED = int(os.environ.get("EDGEEFF_FUZZ_SEED", "0"))

SLOW = 10.0
"""Seconds that no mutant may take, where time counts."""

Reader = Callable[[Path], object]


@dataclass(frozen=True)
class Kind:
    """A kind of file: whole ones, how they are damaged, what reads them, and what lies beside."""

    suffix: str
    whole: Callable[[], list[bytes]]
    mutate: Callable[[bytes, random.Random], bytes]
    read: Reader
    beside: Mapping[str, bytes] = field(default_factory=dict)


def model(path: Path) -> None:
    graph = Graph(read_model(path))
    read_metadata(read_model(path))
    associated_files(path)
    graph.content()


def picture(path: Path) -> None:
    of_family("imagenet", 32).pixels(open_rgb(path))


FORMS = (("RGB", "JPEG"), ("RGBA", "PNG"), ("P", "PNG"), ("RGB", "WEBP"), ("L", "BMP"))


def pictures() -> list[bytes]:
    made = []
    for mode, form in FORMS:
        content = io.BytesIO()
        Image.effect_mandelbrot((40, 30), (-2, -1, 1, 1), 20).convert(mode).save(content, form)
        made.append(content.getvalue())
    return made


def recipe(path: Path) -> None:
    found = parse("mutant", path.read_bytes().decode("utf-8", "replace"))
    plain = [exception for exception in found.exceptions if not set("*+?{") & set(exception.layers)]
    if len(plain) == len(found.exceptions):
        kept_precisions(found, {"stem_conv": "CONV_2D", "block1a_add": "ADD"})


def manifest(path: Path) -> None:
    find_preprocessing(path.with_suffix(".tflite"))
    read_manifest(path.with_suffix(".tflite"))


def manifests() -> list[bytes]:
    from edgeeff.tflite.float_model import FloatModel, Provenance
    from edgeeff.tflite.manifest import describe

    weights = Provenance("tiny.h5", "0" * 64, True, ("a note",))
    network = FloatModel(
        tiny.INT8.read_bytes(), of_family("imagenet", 32), "tiny", weights, tuple("abcdefghij")
    )
    return [describe(tiny.INT8.name, tiny.INT8.read_bytes(), "int8", network).document().encode()]


def labels(path: Path) -> None:
    read_labels(path)


def listed(path: Path) -> None:
    read_images(path).take(3)


def benchmarks() -> list[bytes]:
    folder = Path(__file__).parent / "benchmarking" / "data"
    found = [path.read_bytes() for path in folder.glob("*.json")]
    return [content for content in found if json.loads(content).get("schema") == BENCHMARK]


def searches() -> list[bytes]:
    return [a_search(Path()).document().encode()]


def search(path: Path) -> None:
    found = parse_fitted(read_document(path, SEARCH), path.parent, path.name)
    shown(path.name, found)
    winners_latency(found, Source("a", "b"))


NARROW = replace(find_variant("b0"), width=0.125, stages=find_variant("b0").stages[:1], classes=2)
"""A network of one block, as narrow as it may be."""


def arrays() -> dict[str, np.ndarray]:
    """Its tensors, called as torchvision calls them."""
    found = places(ORIGINS["torchvision"].layout, NARROW)
    return {name: np.ones(place.shape, np.float32) for name, place in found.items()}


def safetensors_files() -> list[bytes]:
    return [safetensors.numpy.save(arrays())]


def pytorch_files() -> list[bytes]:
    with pytest.MonkeyPatch.context() as patch:
        torch_files.pretend_torch(patch)
        tensors = torch_files.of_arrays(arrays())
        wrapped = {"epoch": 3, "arch": "efficientnet_b0", "state_dict": tensors[0]}
        return [
            torch_files.state_dict(*tensors),
            torch_files.archive(*tensors),
            torch_files.archive(wrapped, tensors[1]),
        ]


def state_dict(path: Path) -> None:
    is_state_dict(path)
    read_state_dict(path, NARROW)


BENCHMARK, SEARCH = "edgeeff.benchmark/1", "edgeeff.fit/1"

KINDS: Mapping[str, Kind] = {
    "tflite": Kind(
        ".tflite",
        lambda: [path.read_bytes() for path in (*tiny.ALL, tiny.INT8_METADATA)],
        mutants.bytes_of,
        model,
    ),
    "picture": Kind(".png", pictures, mutants.bytes_of, picture),
    "safetensors": Kind(".safetensors", safetensors_files, mutants.ends_of, state_dict),
    "pytorch": Kind(".pth", pytorch_files, mutants.ends_of, state_dict),
    "recipe": Kind(
        ".toml",
        lambda: [found.text.encode() for found in named_recipes().values()],
        mutants.text_of,
        recipe,
    ),
    "manifest": Kind(
        ".json", manifests, mutants.json_of, manifest, {"mutant.tflite": tiny.INT8.read_bytes()}
    ),
    "labels": Kind(".txt", lambda: ["cat\ndog\ncafé\n".encode()], mutants.text_of, labels),
    "list": Kind(
        ".csv",
        lambda: [b"path,label\na.png,1\nb.png,2\n"],
        mutants.text_of,
        listed,
        dict.fromkeys(("a.png", "b.png"), png.of_one_colour(2, 2)),
    ),
    "benchmark": Kind(".json", benchmarks, mutants.json_of, read_benchmark),
    "search": Kind(".json", searches, mutants.json_of, search),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_whole_files_are_read_and_a_mutant_is_read_or_refused(kind: Kind, tmp_path: Path):
    whole = kind.whole()
    assert whole
    path = tmp_path / f"mutant{kind.suffix}"
    for name, content in kind.beside.items():
        (tmp_path / name).write_bytes(content)
    for content in whole:
        path.write_bytes(content)
        kind.read(path)
    until, number = time.monotonic() + SECONDS, 0
    while number < MUTANTS or time.monotonic() < until:
        draw = random.Random(f"{SEED} {number}")  # noqa: S311 - not for secrets
        path.write_bytes(kind.mutate(draw.choice(whole), draw))
        began = time.monotonic()
        answer = answered(kind, path)
        if answer:
            kept = Path(os.environ.get("EDGEEFF_FUZZ_KEEP", tmp_path)) / f"{number}{kind.suffix}"
            kept.write_bytes(path.read_bytes())
            pytest.fail(f"seed {SEED}, mutant {number} ({kept}): {answer}")
        slow = SECONDS and time.monotonic() - began > SLOW
        assert not slow, f"seed {SEED}, mutant {number} is slow"
        number += 1


def keras_files() -> list[bytes]:
    """A whole model as older Keras saves it, and its archive of today."""
    layers = [{"class_name": "Conv2D", "config": {"name": "stem_conv", "filters": 4}}]
    config = json.dumps({"class_name": "Functional", "config": {"layers": layers}})
    older, newer, archive = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with h5py.File(older, "w") as file:
        file.attrs["model_config"] = config
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"stem_conv"]
        group["stem_conv/stem_conv/kernel:0"] = np.ones((3, 3, 3, 4), np.float32)
    with h5py.File(newer, "w") as file:
        file["layers/conv2d/vars/0"] = np.ones((3, 3, 3, 4), np.float32)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("config.json", config)
        written.writestr("model.weights.h5", newer.getvalue())
    return [content.getvalue() for content in (older, newer, archive)]


@pytest.mark.slow
def test_a_mutant_of_keras_weights_is_read_or_refused(tmp_path: Path):
    """In a process of its own, as ``convert`` reads them: HDF5 is a native library."""
    whole, path = keras_files(), tmp_path / "mutant.h5"
    until, number, made = time.monotonic() + SECONDS, 0, 0
    with worker("keras weights") as ask:
        while number < MUTANTS or time.monotonic() < until:
            draw = random.Random(f"{SEED} {number}")  # noqa: S311 - not for secrets
            path.write_bytes(mutants.ends_of(draw.choice(whole), draw))
            answer = ask(path)
            if answer.wrong:
                kept = Path(os.environ.get("EDGEEFF_FUZZ_KEEP", tmp_path)) / f"{number}.h5"
                kept.write_bytes(path.read_bytes())
                pytest.fail(f"seed {SEED}, mutant {number} ({kept}): {answer.wrong}")
            number, made = number + 1, made + answer.made
    assert made


def answered(kind: Kind, path: Path) -> str:
    """What is wrong with the answer to a file; empty if it is read, or refused as it should be."""
    try:
        kind.read(path)
    except EdgeeffError as error:
        return "" if 0 < len(error.message) < 2000 else f"a message of {len(error.message)} letters"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
