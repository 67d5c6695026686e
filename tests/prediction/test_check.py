import time

from hypothesis import given
from hypothesis import strategies as st

from edgeeff.prediction.check import parameter_bytes, partition
from tests.accelerators.graphs import GraphWriter, chain

SHAPE = (1, 2, 2, 4)


@st.composite
def graphs(draw):
    """A graph of up to twelve operators, each reading any earlier tensors, and their support."""
    writer = GraphWriter()
    tensors = [writer.tensor(SHAPE)]
    for _ in range(draw(st.integers(1, 12))):
        inputs = draw(st.lists(st.sampled_from(tensors), min_size=1, max_size=3))
        tensors.append(writer.add("ADD_N", inputs, SHAPE))
    graph = writer.model(tensors[:1], tensors[-1:]).graphs[0]
    count = len(graph.operators)
    return graph, draw(st.lists(st.booleans(), min_size=count, max_size=count))


@given(graphs())
def test_every_operator_is_in_one_piece_of_its_kind(made):
    graph, supported = made
    pieces = partition(graph, supported)
    kinds = {}
    for piece, kind in zip(pieces, supported, strict=True):
        assert piece >= 0
        assert kinds.setdefault(piece, kind) == kind


@given(graphs())
def test_pieces_run_one_after_the_other(made):
    graph, supported = made
    pieces = partition(graph, supported)
    made_by = {op.outputs[0]: piece for op, piece in zip(graph.operators, pieces, strict=True)}
    for operator, piece in zip(graph.operators, pieces, strict=True):
        assert all(made_by.get(tensor, 0) <= piece for tensor in operator.inputs)


@given(graphs())
def test_neighbouring_pieces_are_of_different_kinds(made):
    graph, supported = made
    pieces = partition(graph, supported)
    kind = dict(zip(pieces, supported, strict=True))
    assert all(kind[number] != kind[number + 1] for number in range(max(pieces)))


def test_a_row_of_operators_is_cut_where_the_kind_changes():
    graph = chain(*["RELU"] * 5).graphs[0]
    assert partition(graph, [True, True, False, True, False]) == [0, 0, 1, 2, 3]


def test_many_pieces_take_no_longer_than_one():
    graph = chain(*["RELU"] * 2000).graphs[0]
    begin = time.process_time()
    assert partition(graph, [True, False] * 1000) == list(range(2000))
    assert time.process_time() - begin < 1  # with a walk over all operators for each: 4 s


def test_constants_are_counted_once_and_only_where_they_are_taken():
    writer = GraphWriter()
    first = writer.tensor(SHAPE)
    shared = writer.tensor(SHAPE, values=1)
    other = writer.tensor(SHAPE, values=2)
    last = writer.add("ADD", [first, shared], SHAPE)
    last = writer.add("MUL", [last, shared], SHAPE)
    last = writer.add("SUB", [last, other], SHAPE)
    graph = writer.model([first], [last]).graphs[0]
    assert parameter_bytes(graph, [True, True, False]) == 16
    assert parameter_bytes(graph, [True, True, True]) == 32
