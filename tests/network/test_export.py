"""A float .tflite speaks of layers, predicts as its weights should, and is always the same."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeeff.architectures.variants import find_variant
from edgeeff.errors import OutputError, UsageError
from edgeeff.network.builder import ACTIVATIONS, build
from edgeeff.network.export import export
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.tflite import statistics
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.reader import parse_model
from edgeeff.tflite.runner import Runner
from tests import networks

CATS = range(281, 286)
"""ImageNet's tabby, tiger cat, Persian, Siamese and Egyptian cat."""

TINY = networks.tiny_variant()


def probabilities(path: Path, picture: Any) -> np.ndarray:
    preprocessing = Preprocessing.of(find_variant("lite0"))
    image = preprocessing.normalised(preprocessing.pixels(picture))
    return Runner(path).run(image[None])[0][0]


@pytest.mark.parametrize(
    ("photograph", "classes"), [("coffee", [967]), ("camera", [872]), ("chelsea", CATS)]
)
def test_lite0_knows_photographs(lite0_float, photographs, photograph, classes) -> None:
    assert int(probabilities(lite0_float, photographs[photograph]).argmax()) in classes


@pytest.fixture(scope="module")
def untrained() -> Any:
    return networks.untrained(TINY, pictures=8)


def exported(variant: Any, path: Path, **options: Any) -> bytes:
    model = build(variant)
    export(model, path, preprocessing=Preprocessing.of(variant), **options)
    return path.read_bytes()


def names_of(content: bytes) -> list[str]:
    return [tensor.name for tensor in Graph.of(content).tensors]


def activations_of(content: bytes) -> list[str]:
    """Names of what each operator makes, in order."""
    return [operator.name for operator in Graph.of(content).operators]


def check_names(content: bytes, layers: set[str]) -> None:
    names = names_of(content)
    assert "" not in names
    assert [name for name, times in Counter(names).items() if times > 1] == []
    strangers = [name for name in names if name.partition("/")[0] not in layers]
    assert strangers in (["probabilities"], [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fixture", "name"), [("lite0_float", "lite0"), ("b0_float", "b0"), ("tiny_float", "tiny")]
)
def test_every_tensor_is_named_after_one_layer(fixture, name, request) -> None:
    variant = TINY if name == "tiny" else find_variant(name)
    layers = {layer.name for layer in build(variant, resolution=32).layers}
    check_names(request.getfixturevalue(fixture).read_bytes(), layers)


@pytest.mark.slow
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("base", ["tiny", *(it for it in networks.SMALLEST if it != "b0")])
def test_names_hold_for_every_family_and_activation(base, activation, tmp_path) -> None:
    family = TINY if base == "tiny" else find_variant(base)
    # Stages short enough to convert in a second, and weights of zero, which the converter
    # treats as constants to be shared.
    variant = replace(
        family,
        stages=tuple(replace(stage, repeats=min(stage.repeats, 2)) for stage in family.stages[:4]),
        activation=activation,
        resolution=32,
        classes=10,
    )
    content = exported(variant, tmp_path / "m.tflite")
    check_names(content, {layer.name for layer in build(variant).layers})
    assert activations_of(content)[-3:] == ["avg_pool", "logits", "probabilities"]


def test_lite_layers_are_named_after_what_they_end_in(lite0_float) -> None:
    assert activations_of(lite0_float.read_bytes())[:10] == [
        "stem_activation",
        "block1a_activation",
        "block1a_project_bn",
        "block2a_expand_activation",
        "block2a_activation",
        "block2a_project_bn",
        "block2b_expand_activation",
        "block2b_activation",
        "block2b_project_bn",
        "block2b_add",
    ]


def test_b_layers_keep_each_step_apart(b0_float) -> None:
    assert activations_of(b0_float.read_bytes())[3:14] == [
        "block1a_bn",
        "block1a_activation/logistic",
        "block1a_activation",
        "block1a_se_squeeze",
        "block1a_se_reduce/conv_2d",
        "block1a_se_reduce/logistic",
        "block1a_se_reduce",
        "block1a_se_expand/conv_2d",
        "block1a_se_expand",
        "block1a_se_excite",
        "block1a_project_bn",
    ]


def test_each_layer_has_constants_of_its_own_and_a_bias(tmp_path) -> None:
    # Untrained: all biases are zero, and the converter shares or drops them.
    graph = Graph.of(exported(TINY, tmp_path / "m.tflite"))
    uses = Counter(i for op in graph.operators for i in op.inputs[1:3])
    names = [tensor.name for tensor in graph.tensors]
    biases = [i for i, name in enumerate(names) if name.endswith("/bias")]
    kernels = [i for i, name in enumerate(names) if name.endswith("/kernel")]
    assert len(biases) == len(kernels) > 10
    assert all(uses[index] == 1 for index in [*biases, *kernels])
    assert len({graph.tensors[index].buffer for index in biases}) == len(biases)


@pytest.mark.parametrize(
    ("options", "output"),
    [({}, "probabilities"), ({"activation": "linear"}, "logits"), ({"batch": 3}, "probabilities")],
)
def test_the_file_says_its_ends_and_answers_as_the_network_does(
    untrained: Any, options: dict, output: str, tmp_path: Path
) -> None:
    batch = options.get("batch", 1)
    path = tmp_path / "m.tflite"
    export(untrained, path, preprocessing=Preprocessing.of(TINY), **options)
    (signature,) = parse_model(path.read_bytes()).signatures
    assert signature.key == "serving_default"
    assert list(signature.inputs) == ["image"]
    assert list(signature.outputs) == [output]
    pictures = networks.synthetic_batch(TINY, batch)
    (found,) = Runner(path).run(pictures)
    expected = untrained(pictures).numpy()
    if output == "probabilities":
        expected = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    assert found.shape == (batch, 10)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_statistics_speak_of_tensors_of_the_file(lite0_float) -> None:
    content = lite0_float.read_bytes()
    known = statistics.attached(Graph.of(content)).tensors
    assert set(known) <= set(names_of(content))
    # No squeeze-and-excitation: everything but the softmax is known.
    assert set(activations_of(content)) - set(known) == {"probabilities"}
    assert known["image"].mean.shape == (3,)


@pytest.mark.slow
def test_an_existing_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        exported(TINY, path)
    assert path.read_bytes() == b"mine"
    assert exported(TINY, path, force=True)[4:8] == b"TFL3"


def test_a_batch_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="batch of 0"):
        exported(TINY, tmp_path / "m.tflite", batch=0)


EXPORT = """
import sys
from pathlib import Path
from edgeeff.network.builder import build
from edgeeff.network.export import export
from edgeeff.pictures.preprocessing import Preprocessing
from tests import networks
tiny = networks.tiny_variant()
export(build(tiny), Path(sys.argv[1]), preprocessing=Preprocessing.of(tiny))
"""


@pytest.mark.slow
def test_bytes_are_the_same_in_every_process(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", EXPORT, str(tmp_path / seed)],
            check=True,
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed},
        )
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
