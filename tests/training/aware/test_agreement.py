"""The trained network computes what its file computes, whatever layers it has."""

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import numpy as np
import pytest

from edgeeff.pictures.preprocessing import from_options
from edgeeff.pipeline import policy
from edgeeff.pipeline.settings import Settings
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.corrections.corrected import correct_network
from edgeeff.quantization.quantize import Ends, fed_by
from edgeeff.quantization.writing import writer
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.training.aware import agreement
from edgeeff.training.aware.network import FakeQuantized
from edgeeff.training.aware.operators import refuse_untrainable
from edgeeff.training.aware.shared_grids import shared_grids
from tests.small_classifiers import LAYERS, SmallClassifier

HOW = from_options(16, "127.5", "128", "bilinear:1")


@pytest.mark.parametrize("layer", LAYERS)
def test_each_operator_rounds_as_that_of_the_file(layer):
    net = SmallClassifier(16, seed=1)
    last = LAYERS[layer](net, net.convolution(net.image, 8, activation="RELU"))
    content = net.content(net.alone(net.dense(net.mean(last), 5), "SOFTMAX"))
    assert unlike(content) < 0.05


@pytest.mark.parametrize("vectors", [True, False])
def test_joined_vectors_keep_grids_of_their_own_and_joined_pictures_share_one(vectors):
    net = SmallClassifier(16, seed=1)
    sources = [net.convolution(net.image, 8, activation="RELU") for _ in range(2)]
    joined = net.concatenated(*(map(net.mean, sources) if vectors else sources))
    flat = joined if vectors else net.mean(joined)
    graph = Graph.of(net.content(net.alone(net.dense(flat, 5), "SOFTMAX")))
    (operator,) = (one for one in graph.operators if one.kind == "CONCATENATION")
    leaders = {shared_grids(graph)[tensor] for tensor in (*operator.inputs, operator.output)}
    assert len(leaders) == (3 if vectors else 1)


def unlike(content: bytes) -> float:
    """The largest share of an operator's values that the file has on another step."""
    model = FloatModel(content, HOW)
    recipe = policy.plan(Settings(), policy.held_by(model.graph))
    network = correct_network(model, recipe, synthetic_set(8, HOW))
    network = fed_by(network, HOW, Ends())
    refuse_untrainable(network.graph)
    written = Graph.of(writer.write(network.graph, recipe, network.grids, network.scales))
    picture = synthetic_set(1, HOW, 3).pictures.astype(np.int16) - 128
    given = network.grids[network.graph.input].dequantize(picture.astype(np.int8))
    return agreement.checked(FakeQuantized(network, written), written, given).share
