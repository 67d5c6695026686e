"""A network that int8 ruins, which is not presented as a success."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeeff.cli import main
from edgeeff.pipeline.policy import safer
from edgeeff.quantization.recipes.recipe import kept_precisions, named_recipes
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.manifest import path_of
from tests.accelerators.graphs import GraphWriter

SIDE, CHANNELS, CLASSES = 16, 8, 5


@pytest.fixture(scope="module")
def collapsing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One channel reaches ten thousand times as far as those that tell the classes apart."""
    random, writer = np.random.default_rng(0), GraphWriter()

    def constant(shape: tuple[int, ...]) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    image = writer.tensor((1, SIDE, SIDE, 3), "float32")
    kernel, dense = constant((CHANNELS, 1, 1, 3)), constant((CLASSES, CHANNELS))
    kernel[0] *= 1e4
    dense[:, 0] = 0
    biases = [writer.tensor((n,), "float32", np.zeros(n)) for n in (CHANNELS, CLASSES)]
    wide = writer.add(
        "CONV_2D",
        (image, writer.tensor(kernel.shape, "float32", kernel), biases[0]),
        (1, SIDE, SIDE, CHANNELS),
        dtype="float32",
        options=schema.Conv2DOptionsT(strideH=1, strideW=1),
    )
    axes = writer.tensor((2,), "int32", [1, 2])
    options = schema.ReducerOptionsT()
    mean = writer.add("MEAN", (wide, axes), (1, CHANNELS), dtype="float32", options=options)
    logits = writer.add(
        "FULLY_CONNECTED",
        (mean, writer.tensor(dense.shape, "float32", dense), biases[1]),
        (1, CLASSES),
        dtype="float32",
        options=schema.FullyConnectedOptionsT(),
    )
    path = tmp_path_factory.mktemp("collapsing") / "net-float32.tflite"
    path.write_bytes(writer.content([image], [logits]))
    return path


def quantize(source: Path, output: Path, recipe: str) -> dict:
    words = [str(source), "--mean", "127.5", "--std", "127.5", "--recipe", recipe]
    with pytest.raises(SystemExit) as left:
        main(["quantize", *words, "--output", str(output)])
    assert left.value.code == 0
    made = next(output.glob("*.tflite"))
    return json.loads(path_of(made).read_text())["verdict"]


@pytest.mark.parametrize("recipe", ["int8-plain", "int8"])
def test_a_ruined_network_is_said_so_everywhere(collapsing, tmp_path, recipe, capfd):
    verdict = quantize(collapsing, tmp_path, recipe)
    said = capfd.readouterr()
    assert "WARNING: THIS MODEL DOES NOT ANSWER AS ITS FLOAT NETWORK DOES" in said.err
    assert "try --recipe weight-only" in said.err
    assert "BAD" in said.out
    assert not verdict["good"]
    assert "SQNR" in verdict["faults"][0]
    assert verdict["try"] == "weight-only"


def test_what_holds_is_not_warned_of(collapsing, tmp_path, capfd):
    verdict = quantize(collapsing, tmp_path, "weight-only")
    said = capfd.readouterr()
    assert "WARNING" not in said.err
    assert "answers as float" in said.out
    assert verdict == {"good": True, "faults": [], "try": None}


def test_dynamic_ranges_that_are_not_good_are_measured_beside_weights_alone(
    collapsing, tmp_path, capfd
):
    quantize(collapsing, tmp_path, "dynamic")
    note = re.search(
        r"note: dynamic has (-?[\d.]+) dB .*, weight-only of the same size ([\d.]+) dB: try "
        r"--recipe weight-only",
        " ".join(capfd.readouterr().err.split()),
    )
    assert note is not None
    dynamic, weights = map(float, note.groups())
    assert dynamic < 12 < 30 < weights


@pytest.mark.parametrize("names", ["of edgeeff", "of another maker"])
@pytest.mark.parametrize("recipe", named_recipes().values(), ids=named_recipes())
def test_what_is_advised_fits_the_network_and_ends_with_weights_alone(tiny_float, recipe, names):
    graph = Graph.of(tiny_float.read_bytes())
    if names == "of another maker":
        for number, tensor in enumerate(graph.activations):
            graph.rename(tensor, f"Conv2d_{number}")
    seen = [recipe]
    while (following := safer(seen[-1], graph)) is not None:
        layers = {operator.name: operator.kind for operator in graph.operators}
        assert kept_precisions(named_recipes()[following], layers) is not None
        seen.append(named_recipes()[following])
    assert len(seen) <= 3
    assert seen[-1].scheme in ("weight-only", "float16", "float32")
