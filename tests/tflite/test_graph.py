"""A graph that is changed, packed and read again says what it said before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeeff.errors import InputError
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import cut_at_logits, final_activation
from edgeeff.tflite.reader import parse_model
from edgeeff.tflite.runner import Runner
from edgeeff.tflite.weights import from_per_channel, per_channel
from tests.tflite import objects, tiny


def read(path: Path = tiny.FLOAT32) -> Graph:
    return Graph.of(path.read_bytes())


def said(graph: Graph) -> tuple[object, ...]:
    """All that a graph says, in values that compare."""
    constants = [
        None if (v := graph.values(t.index)) is None else v.tobytes() for t in graph.tensors
    ]
    return graph.tensors, constants, graph.operators, graph.inputs, graph.outputs


def answer(graph: Graph) -> np.ndarray:
    runner = Runner(graph.content())
    (image,) = runner.inputs
    values = np.random.default_rng(0).uniform(-1, 1, image.shape).astype(image.dtype)
    return runner.run(values)[0]


def narrow(graph: Graph, place: int) -> bool:
    """Whether all that comes behind an operator sees nothing but its result."""
    back = graph.copy()
    back.cut(inputs=[graph.operators[place].output], outputs=graph.outputs)
    made = {*back.inputs, *(tensor for o in back.operators for tensor in o.outputs)}
    read = {tensor for o in back.operators for tensor in o.inputs}
    return all(tensor in made or graph.tensor(tensor).constant for tensor in read)


NARROW = [place for place in range(len(read().operators) - 1) if narrow(read(), place)]


def weighted(graph: Graph, place: int = 0):
    return [operator for operator in graph.operators if operator.weighted][place]


@pytest.mark.parametrize("path", tiny.ALL, ids=lambda path: path.stem)
def test_an_unchanged_graph_is_packed_as_litert_packs_it(path: Path) -> None:
    content = path.read_bytes()
    assert Graph.of(content).content() == objects.pack(objects.unpack(content))


@pytest.mark.parametrize("path", [*tiny.ALL, tiny.INT8_METADATA], ids=lambda path: path.stem)
def test_what_is_packed_says_what_was_read(path: Path) -> None:
    model = parse_model(path.read_bytes())
    again = parse_model(Graph(model).content())
    assert said(Graph(again)) == said(Graph(model))
    assert again.signatures == model.signatures
    assert again.metadata == model.metadata
    assert again.description == model.description


def test_a_graph_of_several_subgraphs_keeps_the_others() -> None:
    def double(model) -> None:
        model.subgraphs.append(objects.unpack(tiny.FLOAT32.read_bytes()).subgraphs[0])

    again = parse_model(Graph.of(tiny.changed(tiny.FLOAT32, double)).content())
    assert len(again.graphs) == 2
    assert again.graphs[1].operators == again.graphs[0].operators


class TestConstants:
    def test_weights_of_another_shape_take_the_place_of_the_old(self) -> None:
        graph = read()
        layer = weighted(graph)
        kernel = graph.weights(layer)
        graph.set_weights(layer, np.concatenate([kernel, kernel]))
        again = Graph.of(graph.content())
        assert np.array_equal(again.weights(layer), np.concatenate([kernel, kernel]))
        assert again.shape(layer.inputs[1]) == (2 * kernel.shape[0], *kernel.shape[1:])

    def test_are_read_only(self) -> None:
        graph = read()
        with pytest.raises(ValueError, match="read-only"):
            graph.weights(weighted(graph))[:] = 0

    def test_one_that_shares_its_bytes_is_changed_alone(self) -> None:
        def share(model) -> None:
            tensors = model.subgraphs[0].tensors
            first, second = (t for t in tensors if t.name in (b"bias one", b"bias two"))
            second.buffer = first.buffer

        graph = Graph.empty()
        one, two = (graph.add_constant(f"bias {n}", np.ones(3, np.float32)) for n in ("one", "two"))
        model = objects.unpack(graph.content())
        share(model)
        graph = Graph.of(objects.pack(model))
        assert graph.tensor(one).buffer == graph.tensor(two).buffer
        graph.set_values(one, np.zeros(3, np.float32))
        again = Graph.of(graph.content())
        assert again.values(one).tolist() == [0, 0, 0]
        assert again.values(two).tolist() == [1, 1, 1]

    def test_that_are_no_floats_are_refused_as_weights(self) -> None:
        graph = read(tiny.INT8)
        with pytest.raises(InputError, match="not float32"):
            graph.weights(weighted(graph))


class TestEdits:
    def test_a_copy_is_changed_alone(self) -> None:
        graph = read()
        before = said(graph)
        copy = graph.copy()
        copy.set_weights(weighted(copy), 2 * copy.weights(weighted(copy)))
        copy.remove(copy.operators[-1])
        copy.attach("note", b"x")
        assert said(graph) == before
        assert graph.attached("note") is None

    def test_a_layer_between_a_tensor_and_its_readers(self) -> None:
        """Doubling what a layer makes, and halving it again before anyone reads it."""
        graph = read()
        made = graph.operators[1].output
        half = graph.add_constant("half", np.float32([0.5]))
        two = graph.add_constant("two", np.float32([2.0]))
        doubled, back = (graph.add_tensor(name, graph.shape(made)) for name in ("doubled", "back"))
        graph.redirect(made, back)
        graph.add_operator("MUL", [made, two], [doubled], {"fused_activation_function": "NONE"})
        last = graph.add_operator("MUL", [doubled, half], [back])
        assert graph.producer[back] == last
        assert [operator.kind for operator in graph.consumers[made]] == ["MUL"]
        assert back in graph.activations
        assert np.allclose(answer(graph), answer(read()), atol=1e-6)

    def test_a_removed_operator_is_not_found_any_more(self) -> None:
        graph = read()
        last = graph.operators[-1]
        graph.remove(last)
        assert last.output not in graph.producer
        assert all(last not in readers for readers in graph.consumers.values())

    def test_a_renamed_tensor_renames_the_operator_that_makes_it(self) -> None:
        graph = read()
        graph.rename(graph.output, "answer")
        assert graph.producer[graph.output].name == "answer"
        assert Graph.of(graph.content()).operators[-1].name == "answer"

    def test_a_tensor_is_made_by_one_operator(self) -> None:
        graph = read()
        with pytest.raises(ValueError, match="made already"):
            graph.add_operator("RELU", [graph.input], [graph.output])

    def test_another_input_and_output_are_those_of_the_signature(self) -> None:
        graph = read()
        outer = graph.add_tensor("outer", graph.shape(graph.input))
        result = graph.add_tensor("result", graph.shape(graph.output))
        graph.add_operator("RELU", [outer], [graph.input])
        graph.add_operator("RELU", [graph.output], [result])
        graph.set_input(outer)
        graph.set_output(result)
        (signature,) = parse_model(graph.content()).signatures
        assert list(signature.inputs.values()) == [outer]
        assert list(signature.outputs.values()) == [result]

    def test_all_outputs_of_an_operator_are_known(self) -> None:
        graph = Graph.empty()
        axis = graph.add_constant("axis", np.array(1, np.int32))
        image, *halves = (
            graph.add_tensor(name, shape)
            for name, shape in (("image", (1, 4)), ("a", (1, 2)), ("b", (1, 2)))
        )
        split = graph.add_operator("SPLIT", [axis, image], halves, {"num_splits": 2})
        graph.cut(inputs=[image], outputs=halves)
        assert [graph.producer[half] for half in halves] == [split, split]
        assert graph.activations == (image, *halves)
        picture = np.float32([[1, 2, 3, 4]])
        assert [half.tolist() for half in Runner(graph.content()).run(picture)] == [
            [[1, 2]],
            [[3, 4]],
        ]

    def test_layers_in_two_groups_of_channels_answer_as_the_whole(self) -> None:
        """Convolution, swish, depthwise convolution and swish, once for each half."""
        graph = read()
        *chain, last = graph.operators[:6]
        halves = []
        for part in (slice(0, 4), slice(4, 8)):
            here: dict[int, int] = {}
            for operator in (*chain, last):
                inputs = [here.get(tensor, tensor) for tensor in operator.inputs]
                if operator.weighted:
                    rows = per_channel(operator, graph.weights(operator))[part]
                    like = graph.weights(operator)
                    like = like[..., part] if "DEPTHWISE" in operator.kind else like[part]
                    kernel = from_per_channel(operator, rows, like)
                    inputs[1] = graph.add_constant(f"{operator.name}/kernel/{part}", kernel)
                    bias = graph.bias(operator)[part]
                    inputs[2] = graph.add_constant(f"{operator.name}/bias/{part}", bias)
                shape = (*graph.shape(operator.output)[:-1], 4)
                here[operator.output] = graph.add_tensor(f"{operator.name}/{part}", shape)
                graph.add_like(operator, inputs, [here[operator.output]])
            halves.append(here[last.output])
        graph.remove(*chain, last)
        graph.add_operator("CONCATENATION", halves, [last.output], {"axis": 3})
        assert np.allclose(answer(graph), answer(read()), atol=1e-6)

    def test_options_that_are_left_out_have_their_default(self) -> None:
        graph = read()
        made = graph.add_tensor("made", graph.shape(graph.input))
        kernel = graph.add_constant("kernel", np.ones((1, 1, 1, 3), np.float32))
        bias = graph.add_constant("bias", np.zeros(3, np.float32))
        strides = {"stride_h": 1, "stride_w": 1, "depth_multiplier": 1}
        graph.add_operator("DEPTHWISE_CONV_2D", [graph.input, kernel, bias], [made], strides)
        (found,) = (o for o in Graph.of(graph.content()).operators if o.name == "made")
        assert found.options == graph.producer[made].options
        assert (found.options["padding"], found.options["dilation_h_factor"]) == ("SAME", 1)
        assert found.activation == "NONE"

    def test_options_of_another_kind_of_operator_are_refused(self) -> None:
        graph = read()
        made = graph.add_tensor("made", graph.shape(graph.input))
        with pytest.raises(ValueError, match="MUL has no option stride_h"):
            graph.add_operator("MUL", [graph.input, graph.input], [made], {"stride_h": 1})

    def test_an_operator_that_reads_what_nothing_makes_is_not_packed(self) -> None:
        graph = read()
        graph.remove(graph.operators[3])
        with pytest.raises(ValueError, match="reads tensor 13 before it is written"):
            graph.content()


class TestAttachments:
    def test_take_the_place_of_those_of_the_same_name(self) -> None:
        graph = read()
        graph.attach("note", b"first")
        graph.attach("note", b"second")
        assert Graph.of(graph.content()).attached("note") == b"second"

    def test_can_be_taken_off(self) -> None:
        graph = read()
        graph.attach("note", b"first")
        graph.detach("note")
        assert "note" not in parse_model(graph.content()).metadata


class TestCuts:
    @pytest.mark.parametrize("path", [tiny.FLOAT32, tiny.INT8_FLOAT_ENDS], ids=lambda p: p.stem)
    def test_at_the_logits_leaves_the_softmax_out(self, path: Path) -> None:
        cut = cut_at_logits(read(path))
        assert (cut.output,) == final_activation(read(path)).inputs
        assert "SOFTMAX" not in {operator.kind for operator in cut.operators}
        assert Runner(cut.content()).outputs

    def test_without_a_softmax_changes_nothing(self) -> None:
        cut = cut_at_logits(read())
        assert final_activation(cut) is None
        assert said(cut_at_logits(cut)) == said(cut)

    @pytest.mark.parametrize("place", NARROW)
    def test_in_two_make_the_whole(self, place: int) -> None:
        whole, front, back = read(), read(), read()
        middle = whole.operators[place].output
        front.cut(outputs=[middle])
        back.cut(inputs=[middle], outputs=[whole.output])
        between = answer(front)
        assert np.array_equal(Runner(back.content()).run(between)[0], answer(whole))


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


EDITS = ("relu", "scale", "rename", "attach", "cut")


@st.composite
def edited(draw: st.DrawFn) -> Graph:
    """The tiny network after edits that leave it whole, in any order."""
    graph = read(draw(st.sampled_from(tiny.ALL)))
    for edit in draw(st.lists(st.sampled_from(EDITS), max_size=6)):
        operators = graph.operators
        made = draw(st.sampled_from(operators)).output
        if edit == "relu":
            added = graph.add_tensor(draw(NAMES), graph.shape(made), graph.tensor(made).dtype)
            graph.redirect(made, added)
            graph.add_operator("RELU", [made], [added])
        elif edit == "scale":
            values = np.float32(draw(st.lists(st.floats(width=32), min_size=1, max_size=3)))
            number = graph.add_constant(draw(NAMES), values)
            product = graph.add_tensor(draw(NAMES), graph.shape(made), scale=0.5, zero_point=3)
            graph.add_operator("MUL", [made, number], [product])
        elif edit == "rename":
            graph.rename(made, draw(NAMES))
        elif edit == "attach":
            graph.attach(draw(NAMES), draw(st.binary(min_size=1, max_size=9)))
        else:
            graph.cut(outputs=[made])
    return graph


@settings(max_examples=60, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(edited())
def test_an_edited_graph_is_the_same_after_packing_and_reading(graph: Graph) -> None:
    again = Graph.of(graph.content())
    assert said(again) == said(graph)
    assert dict(again.producer) == dict(graph.producer)
    assert dict(again.consumers) == dict(graph.consumers)
    assert again.content() == graph.content()


def test_what_no_operator_uses_is_dropped_and_the_rest_renumbered() -> None:
    graph = read()
    before = answer(graph)
    unused = graph.add_constant("unused", np.zeros(1000, np.float32))
    kept = graph.drop_unused()
    assert unused not in kept
    assert sorted(kept.values()) == list(range(len(graph.tensors)))
    assert "unused" not in {tensor.name for tensor in graph.tensors}
    assert np.array_equal(answer(graph), before)
