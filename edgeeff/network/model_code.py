"""What a saved model would run when it is loaded: refused unless the user allows it.

A Keras configuration names classes and functions that the loader looks up and calls, a Lambda
layer is compiled Python, and a SavedModel may hold operators that read and write files. Only
what the layers, initializers and activations of Keras need passes; everything else counts as
code, whatever it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from edgeeff.errors import InputError

ALLOW = (
    "if you trust who made it: --allow-code; or build it in Python and give it to "
    "edgeeff.convert_model"
)

ABSENT = (
    "a class or function of your own is not in its file: build the model in Python and give it to "
    "edgeeff.convert_model"
)

NOT_IN_FILES = re.compile(r"[^>]+>[^>]+|__main__\..+")
"""Names of classes that a program registered (``package>Class``), or had itself."""

MODULES = re.compile(
    r"(?:tf_)?keras(?:\.layers(?:\.experimental(?:\.preprocessing)?)?|\.models|\.initializers"
    r"|\.regularizers|\.constraints|\.activations|\.mixed_precision)?"
)
"""Public places of what configurations of layers speak of."""

FROM_KERAS = re.compile(r"(?:tf_)?keras\b|tensorflow\b|builtins$")
"""Modules of classes that are there wherever Keras is."""

INTERNAL = re.compile(r"(?:tf_)?keras\.src(?:\.\w+)+")

INTERNAL_CLASSES = frozenset({"Functional", "Sequential", "TFOpLambda", "SlicingOpLambda"})
"""Classes that have no public place, and those that older versions wrote with their own."""

COMPUTING = re.compile(r"keras\.src\.ops\.(?:image|linalg|math|nn|numpy)")
"""Where Keras 3 has its operations on tensors, each a class; others take functions."""

OUTSIDE = frozenset(
    {
        *("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
        *("StringLookup", "IntegerLookup", "TextVectorization"),
    }
)
"""Layers of Keras that are code, or read another file when they are made."""

INITIALIZERS = "tensorflow.python.ops.init_ops_v2"
"""Where TensorFlow's own initializers are, which EfficientNetV2 of keras.applications names."""

INITIALIZER_CLASSES = frozenset(
    {
        *("Zeros", "Ones", "Constant", "RandomUniform", "RandomNormal", "TruncatedNormal"),
        *("VarianceScaling", "GlorotUniform", "GlorotNormal", "Orthogonal", "Identity"),
    }
)
"""Those of them that take numbers alone."""

UNSEEN = ("compile_config", "build_config", "training_config")
"""Parts of a configuration that are not loaded, or are shapes only."""

OPERATIONS = re.compile(
    r"(?:math|nn|image|linalg|__operators__)\.\w+|compat\.v1\.(?:nn|math|image)\.\w+"
    r"|(?:compat\.v1\.)?(?:abs|add|argmax|cast|clip_by_value|concat|divide|einsum|exp|expand_dims"
    r"|gather|identity|matmul|maximum|minimum|multiply|ones_like|pad|pow|reduce_\w+|repeat|reshape"
    r"|reverse|roll|round|shape|sigmoid|sign|slice|split|sqrt|square|squeeze|stack|stop_gradient"
    r"|strided_slice|subtract|tanh|tensordot|tile|transpose|unstack|where|zeros_like)"
)
"""TensorFlow's functions that compute something of tensors, as TFOpLambda layers name them."""

STATEFUL = frozenset(
    {
        *("VarHandleOp", "ReadVariableOp", "AssignVariableOp", "VariableV2", "VarIsInitializedOp"),
        *("StatefulPartitionedCall", "PartitionedCall", "RestoreV2", "SaveV2", "Assert"),
        *("MergeV2Checkpoints", "NoOp", "Placeholder", "If", "While", "DisableCopyOnRead"),
        *("RandomUniform", "RandomStandardNormal", "RandomUniformInt", "TruncatedNormal"),
        *("StatefulUniform", "StatefulStandardNormalV2", "RngReadAndSkip", "StatelessIf"),
    }
)
"""Operators with a state that every SavedModel of a network has: variables, and their file."""

REACHING_OUT = re.compile(
    r"ReadFile|MatchingFiles|ImmutableConst|GenerateVocabRemapping|InitializeTable\w*|Reader\w+"
    r"|Debug\w+|Copy(?:Host)?|PyFuncStateless|\w*Dataset\w*"
)
"""Operators without a state that read or write files, some by an attribute, or run Python."""

SAVING = frozenset({"SaveV2", "RestoreV2", "MergeV2Checkpoints"})
"""Those of a SavedModel's variables: nothing that it computes needs them."""


def refuse_code(path: object, configuration: Any) -> None:
    """Refuse a Keras configuration that runs code of its own when it is loaded.

    Args:
        path: of the file, for messages.
        configuration: as JSON has it.

    Raises:
        InputError: names the layer, class or function.
    """
    for described, layer in _described(configuration, ""):
        what = _code(described)
        if what is not None:
            where = f"layer {layer!r} " if layer else ""
            hint = ABSENT if NOT_IN_FILES.fullmatch(what) else ALLOW
            raise InputError(f"{path}: {where}has code of its own ({what})", hint)


def own_layers(configuration: Any) -> list[str]:
    """The layers with classes or functions that are not of Keras, as far as their file says so."""
    found = []
    for described, layer in _described(configuration, ""):
        kind, module = described["class_name"], str(described.get("module", "keras"))
        if kind == "function" and module == "builtins":
            found.append(f"{layer} with function {described.get('config')}")
        elif not FROM_KERAS.match(module):
            found.append(f"{layer} of class {kind}")
    return found


_UNKNOWN = re.compile(
    r"(?:Unknown|Could not (?:locate|interpret)) (layer|class|function|activation function)"
    r"(?: identifier)?:? '?([\w>]+)"
)


def unknown_part(said: str) -> str | None:
    """What Keras does not know of a configuration, by what it says of it; ``None``: nothing.

    Args:
        said: the message of its error, such as ``Unknown activation function: 'mine'. Please …``.
    """
    found = _UNKNOWN.search(said)
    return f"{found[1]} {found[2]}" if found else None


def refuse_operators(path: object, kinds: Iterable[str], stateful: Iterable[str]) -> None:
    """Refuse a SavedModel whose operators reach outside of the network.

    Args:
        path: of the folder, for messages.
        kinds: all operators in it.
        stateful: those of them that TensorFlow says have a state, or does not know.

    Raises:
        InputError: names the operator.
    """
    outside = (set(stateful) - STATEFUL) | {it for it in kinds if REACHING_OUT.fullmatch(it)}
    if outside:
        raise InputError(f"{path} has the operator {min(outside)}, which no network needs", ALLOW)


def refuse_saving(path: object, graph: Any) -> None:
    """Refuse a SavedModel that writes or reads variables' files while it is loaded or called.

    Args:
        path: of the folder, for messages.
        graph: one of its ``MetaGraphDef``.

    Raises:
        InputError: names the operator.
    """
    outside = _reached(graph) & SAVING
    if outside:
        raise InputError(f"{path} computes with {min(outside)}, which is for its variables", ALLOW)


def _reached(graph: Any) -> set[str]:
    """The kinds of operators that run when a SavedModel is loaded or called: not its saver's."""
    nodes = {node.name: node for node in graph.graph_def.node}
    functions = {it.signature.name: it.node_def for it in graph.graph_def.library.function}
    ends = [end.name for it in graph.signature_def.values() for end in it.outputs.values()]
    ends += [name for it in graph.collection_def.values() for name in it.node_list.value]
    # An output of several tensors has no name: anything may be behind it.
    waiting = [_node(end) for end in ends] if all(ends) else list(nodes)
    found: list[Any] = []
    while waiting:
        node = nodes.pop(waiting.pop(), None)
        if node is not None:
            found.append(node)
            waiting += map(_node, node.input)
    for name in graph.object_graph_def.concrete_functions:
        found += functions.pop(name, ())
    kinds: set[str] = set()
    while found:
        node = found.pop()
        kinds.add(node.op)
        values = node.attr.values()
        called = [it.name for value in values for it in (value.func, *value.list.func)]
        for name in (node.op, *called):
            found += functions.pop(name, ())
    return kinds


def _node(tensor: str) -> str:
    """The node whose output, or whose end (``^name``), an input is."""
    return tensor.removeprefix("^").partition(":")[0]


def _described(value: Any, layer: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Every object that names a class, with the layer it belongs to."""
    waiting = [(value, layer)]
    while waiting:
        value, layer = waiting.pop()
        inner = value if isinstance(value, list) else []
        if isinstance(value, Mapping):
            if "class_name" in value:
                inside = value.get("config")
                named = inside.get("name") if isinstance(inside, Mapping) else None
                layer = str(value.get("name") or named or layer)
                yield value, layer
            inner = [entry for key, entry in value.items() if key not in UNSEEN]
        waiting += [(entry, layer) for entry in reversed(inner)]


def _code(described: Mapping[str, Any]) -> str | None:
    """What of an object is code; ``None`` if nothing is."""
    kind, config = str(described["class_name"]), described.get("config")
    if kind in OUTSIDE:
        return "Lambda" if kind == "__lambda__" else kind
    module, name = described.get("module"), config if kind == "function" else kind
    if not isinstance(name, str) or not name.isidentifier():
        return str(name)
    function = kind == "function" and module == "builtins"
    if module is not None and not function and not _of_keras(str(module), name):
        return f"{module}.{name}"
    if kind == "TFOpLambda" and isinstance(config, Mapping):
        name = str(config.get("function"))
        return None if OPERATIONS.fullmatch(name) else name
    return None


def _of_keras(module: str, name: str) -> bool:
    """Whether a class or function of a module is one that networks are made of."""
    if COMPUTING.fullmatch(module):
        return name[0].isupper()
    if INTERNAL.fullmatch(module):
        return name in INTERNAL_CLASSES
    if module == INITIALIZERS:
        return name in INITIALIZER_CLASSES
    return MODULES.fullmatch(module) is not None
