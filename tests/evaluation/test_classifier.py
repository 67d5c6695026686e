"""A classifier gets what its input type needs and gives answers and logits."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.errors import InputError
from edgeeff.evaluation.classifier import Classifier, batches
from edgeeff.pictures.preprocessing import of_family
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.tflite.feeding import feeding
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner
from tests.tflite import tiny

LITE = of_family("lite", 32)


def pictures(count: int) -> np.ndarray:
    return np.stack(list(synthetic_pictures(count, 32)))


class TestClassifier:
    def test_logits_are_those_before_the_softmax(self):
        answers = Classifier(tiny.FLOAT32, LITE)(pictures(1))
        assert answers.outputs.shape == answers.logits.shape == (1, 10)
        shifted = np.exp(answers.logits - answers.logits.max())
        np.testing.assert_allclose(answers.outputs, shifted / shifted.sum(), rtol=1e-4)

    def test_logits_are_as_the_softmax_weighs_them(self):
        graph = Graph.of(tiny.FLOAT32.read_bytes())
        (softmax,) = (o for o in graph.operators if o.kind == "SOFTMAX")
        graph.update(softmax, options={"beta": 0.25})
        tested = Classifier(graph.content(), LITE)
        answers = tested(pictures(2))
        found = tested.probabilities(answers.logits)
        np.testing.assert_allclose(found, answers.outputs, rtol=1e-4)

    @pytest.mark.parametrize("path", tiny.ALL, ids=lambda path: path.stem)
    def test_outputs_are_what_plain_litert_gives(self, path):
        picture = pictures(1)
        answers = Classifier(path, LITE)(picture)
        plain = Interpreter(model_path=str(path))
        plain.allocate_tensors()
        (asked,), (given,) = plain.get_input_details(), plain.get_output_details()
        plain.set_tensor(asked["index"], feeding(Runner(path).inputs[0], LITE)(picture))
        plain.invoke()
        np.testing.assert_array_equal(answers.outputs, plain.get_tensor(given["index"]))

    def test_quantized_logits_are_near_the_float_ones(self):
        # Noise is what the file was calibrated with.
        noise = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
        exact = Classifier(tiny.FLOAT32, LITE)(noise).logits
        near = Classifier(tiny.INT8, LITE)(noise).logits
        assert 0 < abs(exact - near).max() < 0.1 * abs(exact).max()

    def test_another_resolution_is_refused(self):
        with pytest.raises(InputError, match=r"\[32, 32, 3\].*224"):
            Classifier(tiny.FLOAT32, of_family("lite", 224))

    def test_a_batch_of_nothing_is_refused(self):
        graph = Graph.empty()
        image, answer = graph.add_tensor("image", (0, 32, 32, 3)), graph.add_tensor("mean", (0, 3))
        axes = graph.add_constant("axes", np.array([1, 2], np.int32))
        graph.add_operator("MEAN", [image, axes], [answer])
        graph.cut(inputs=[image], outputs=[answer])
        with pytest.raises(InputError, match=r"input of shape \[0, 32, 32, 3\]"):
            Classifier(graph.content(), LITE)

    def test_a_file_that_is_no_model_is_refused(self, tmp_path):
        path = tmp_path / "model.tflite"
        path.write_bytes(b"no model")
        with pytest.raises(InputError, match=r"model\.tflite"):
            Classifier(path, LITE)

    def test_answers_that_are_no_numbers_are_refused_and_not_ranked(self):
        graph = Graph.of(tiny.FLOAT32.read_bytes())
        layer = next(o for o in graph.operators if o.kind == "FULLY_CONNECTED")
        graph.set_weights(layer, np.full_like(graph.weights(layer), np.nan))
        with pytest.raises(InputError, match="not finite numbers"):
            Classifier(graph.content(), LITE)(pictures(1))

    @pytest.mark.parametrize("outputs", [(), (1, 2)])
    def test_a_model_of_no_output_or_two_is_refused(self, outputs):
        graph = Graph.of(tiny.FLOAT32.read_bytes())
        graph.expose(outputs)
        with pytest.raises(InputError, match=f"1 input and {len(outputs)} outputs"):
            Classifier(graph.content(), LITE)


@given(st.lists(st.integers(), max_size=30), st.integers(1, 8))
def test_batches_keep_order_and_lose_nothing(items, size):
    parts = list(batches(items, size))
    assert [item for part in parts for item in part] == items
    assert all(len(part) == size for part in parts[:-1])
    assert all(parts)
