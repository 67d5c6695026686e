"""The ways to int8 that benchmarks/quantization.py compares, as tables.

    python benchmarks/quantizers.py lite0 FOLDER WAY MODEL.tflite

goes one of them in a process of its own, so that time and peak memory are its alone, and prints
both as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from subjects import FLOAT, Pixels, Subject, read_preprocessing

from edgeeff.accelerators.machine import peak_bytes
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pipeline import policy
from edgeeff.pipeline.conversion import SYNTHETIC_COUNT
from edgeeff.pipeline.settings import Settings
from edgeeff.quantization.calibration.pictures import CalibrationSet, synthetic_set
from edgeeff.quantization.recipes.recipe import (
    CHOICES,
    Bias,
    Clip,
    Correction,
    Equalize,
    Ranges,
    Recipe,
    Round,
    Split,
    find_recipe,
    named_recipes,
)
from edgeeff.tflite import statistics
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph

CALIBRATION = "calibration.npy"
NONE, PHOTOGRAPHS = "none", "photographs"
SHOWN_RECIPES = (
    "int8",
    "int8-split",
    "int8-mixed",
    "int8-bias",
    "int8-plain",
    "int16x8",
    "dynamic",
)


@dataclass(frozen=True)
class Task:
    """What every way gets: a network, and a folder with its float version and pictures."""

    subject: Subject
    folder: Path

    @property
    def content(self) -> bytes:
        """The float .tflite."""
        return (self.folder / FLOAT).read_bytes()

    @property
    def preprocessing(self) -> Preprocessing:
        """Of the network."""
        return read_preprocessing(self.folder)

    @property
    def photographs(self) -> Pixels:
        """The calibration pictures."""
        loaded: Pixels = np.load(self.folder / CALIBRATION)
        return loaded


class Watch:
    """Adds up the seconds that are spent in ``with watch:``."""

    seconds = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._start


@dataclass(frozen=True)
class Way:
    """One way to int8.

    Attributes:
        name: for the table.
        data: ``NONE`` or ``PHOTOGRAPHS``.
        recipe: the shipped recipe that it follows, if it does.
        seed: where several are compared.
        quantize: gives the int8 .tflite and times what makes it of a float .tflite: no imports,
            no export, no reading of files.
    """

    name: str
    data: str
    quantize: Callable[[Task, Watch], bytes]
    recipe: str = ""
    seed: int | None = None

    @property
    def key(self) -> str:
        """What tells it from the others."""
        seed = "" if self.seed is None else f", seed {self.seed}"
        return f"{self.name}, {self.data}{seed}"


def edgeeff(
    name: str,
    recipe: Recipe,
    data: str = NONE,
    *,
    batchnorm: bool = True,
    seed: int = 0,
    output: str = "",
) -> Way:
    """One of edgeeff's recipes.

    Without ``batchnorm`` those layers' statistics are kept from it; ``output`` is the type in which
    an integer network answers, bytes if empty.
    """

    def quantize(task: Task, watch: Watch) -> bytes:
        for imported_when_needed in ("ai_edge_litert.interpreter", "litert_quantizer.quantizer"):
            importlib.import_module(imported_when_needed)
        from edgeeff.quantization.quantize import Ends, quantize_model

        ends = Ends(output=output) if output else None
        preprocessing = task.preprocessing
        content = task.content if batchnorm else _without_statistics(task.content)
        given = _as_set(task.photographs) if data == PHOTOGRAPHS else None
        with watch:
            seen = given or synthetic_set(SYNTHETIC_COUNT, preprocessing)
            model = FloatModel(content, preprocessing)
            return quantize_model(model, recipe, seen, ends=ends, seed=seed)

    shipped = recipe.name if batchnorm and recipe == named_recipes().get(recipe.name) else ""
    return Way(f"edgeeff {name}", data, quantize, shipped)


def _as_set(pictures: Pixels) -> CalibrationSet:
    names = tuple(str(number) for number in range(len(pictures)))
    return CalibrationSet(PHOTOGRAPHS, pictures, names, names)


def _without_statistics(content: bytes) -> bytes:
    graph = Graph.of(content)
    statistics.detach(graph)
    return graph.content()


def _stock(task: Task, watch: Watch) -> bytes:
    """TensorFlow's own full-integer conversion of the Keras network."""
    network, preprocessing = task.subject.build()
    import tensorflow as tf
    import tf_keras

    pictures = task.photographs
    output = tf_keras.layers.Activation(task.subject.ending)(network.output)
    whole_network = tf_keras.Model(network.input, output)
    converter = tf.lite.TFLiteConverter.from_keras_model(whole_network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [preprocessing.normalised(picture)[None]] for picture in pictures
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    # It exports, calibrates and quantizes in one call: only what follows the export is timed.
    whole = converter._optimize_tflite_model

    def timed(*arguments: Any, **options: Any) -> Any:
        with watch:
            return whole(*arguments, **options)

    converter._optimize_tflite_model = timed
    return bytes(converter.convert())


STOCK = Way("TFLiteConverter int8", PHOTOGRAPHS, _stock)

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
WEIGHTS: Mapping[str, tuple[str, ...]] = {
    "MIN_MAX_UNIFORM_QUANT": (),
    "OCTAV": CONVOLUTIONS,
    "MSE": CONVOLUTIONS,
}
"""litert-quantizer's algorithms for the weights of convolutions. Of its others Hadamard rotation,
OSCAR and GPTQ take dense layers only, and GPTQ's 8-bit kernels come out four bytes a value, which
no runtime reads right (0.11)."""

AVERAGE, WIDEST = "moving average", "min/max"
RANGES = (AVERAGE, WIDEST)
"""How its calibration joins the pictures' ranges; the first is its default."""


def litert_quantizer(name: str, weights: str, ranges: str) -> Way:
    """litert-quantizer's static int8 with one of its algorithms and calibrations."""

    def quantize(task: Task, watch: Watch) -> bytes:
        from litert_quantizer import algorithm_manager, calibrator, quantizer, recipe
        from litert_quantizer import recipe_manager as manager
        from litert_quantizer.qtyping import TFLOperationName
        from litert_quantizer.utils import qsv_utils

        # The statistics are of use to edgeeff alone, and would count as bytes of the result.
        content = _without_statistics(task.content)
        preprocessing, pictures = task.preprocessing, task.photographs
        image = _input_name(content)
        rules = manager.RecipeManager()
        rules.load_quantization_recipe(recipe.static_wi8_ai8())
        algorithm = algorithm_manager.AlgorithmName[weights]
        for kind in WEIGHTS[weights]:
            rules.add_static_config(".*", TFLOperationName(kind), 8, 8, algorithm_key=algorithm)
        merge = {"qsv_update_func": qsv_utils.min_max_update} if ranges == WIDEST else {}
        with watch:
            look = calibrator.Calibrator(content, **merge)
            feed = [{image: preprocessing.normalised(picture)[None]} for picture in pictures]
            look.calibrate({"serving_default": feed}, rules)
            writer = quantizer.Quantizer(bytearray(content), rules.get_quantization_recipe())
            return bytes(writer.quantize(look.get_model_qsvs()).quantized_model)

    return Way(name, PHOTOGRAPHS, quantize)


def _input_name(content: bytes) -> str:
    """What the float network's signature calls its picture."""
    from edgeeff.tflite.reader import parse_model

    return parse_model(content, FLOAT).inputs[0].name


LITERT_DEFAULT = litert_quantizer("litert-quantizer default", "MIN_MAX_UNIFORM_QUANT", AVERAGE)
LITERT_SETTINGS = {
    (weights, ranges): litert_quantizer(f"litert-quantizer {weights}, {ranges}", weights, ranges)
    for weights in WEIGHTS
    for ranges in RANGES
}


def default_recipe(subject: Subject) -> Recipe:
    """What ``edgeeff convert --int8`` takes for the network."""
    return policy.plan(Settings(), policy.expected_of(subject.variant))


def side_by_side(subject: Subject) -> list[Way]:
    """Everybody's int8, the stock converter first; litert-quantizer's best is chosen apart."""
    recipe = default_recipe(subject)
    return [
        STOCK,
        LITERT_DEFAULT,
        edgeeff(recipe.name, recipe),
        edgeeff(recipe.name, recipe, PHOTOGRAPHS),
        edgeeff("int8-mixed", find_recipe("int8-mixed")),
    ]


def shown(subject: Subject) -> list[Way]:
    """The stock converter, the default recipe without data and with pictures, and the others."""
    whole = default_recipe(subject)
    others = [edgeeff(name, find_recipe(name)) for name in SHOWN_RECIPES if name != whole.name]
    return [STOCK, edgeeff(whole.name, whole), edgeeff(whole.name, whole, PHOTOGRAPHS), *others]


def on_labelled(subject: Subject) -> list[Way]:
    """The stock converter, the default recipe without data and with pictures, and two others."""
    mixed, plain = (edgeeff(name, find_recipe(name)) for name in ("int8-mixed", "int8-plain"))
    return [*shown(subject)[:3], mixed, plain]


def on_real_b0(subject: Subject) -> list[Way]:
    """Plain int8 first, the default recipe without data and with, the others."""
    recipes = [default_recipe(subject), find_recipe("int8-swish-mixed")]
    plain, *others = (
        edgeeff(name, find_recipe(name))
        for name in ("int8-plain", "int8-mixed", "weight-only", "dynamic")
    )
    own = [edgeeff(one.name, one, data) for one in recipes for data in (NONE, PHOTOGRAPHS)]
    # Bytes would round the features of 16 bits to 8; probabilities hardly feel it.
    sixteen = edgeeff("int16x8", find_recipe("int16x8"), output="float32")
    return [plain, *own, STOCK, LITERT_DEFAULT, *others, sixteen]


SEEDS = 4


def by_seed(subject: Subject) -> Iterator[Way]:
    """The default recipe with several seeds, without data and with."""
    whole = default_recipe(subject)
    for data in (NONE, PHOTOGRAPHS):
        for seed in range(SEEDS):
            yield replace(edgeeff(whole.name, whole, data, seed=seed), seed=seed)


def against_outliers(subject: Subject) -> list[Way]:
    """What others do, and the default recipe."""
    whole, plain = default_recipe(subject), find_recipe("int8-plain")
    return [
        LITERT_SETTINGS["OCTAV", WIDEST],
        edgeeff(plain.name, plain),
        edgeeff(whole.name, whole),
    ]


PARTS: Mapping[str, tuple[type[Correction], Correction | None]] = {
    "equalization": (Equalize, None),
    "copies": (Split, None),
    # Without any correction "round" the bias would not know what rounding does to the weights.
    "GPTQ": (Round, Round("nearest")),
    "bias correction": (Bias, None),
}
"""What is switched off: a correction, and what takes its place."""


def _without(whole: Recipe, part: str) -> Recipe:
    kind, other = PARTS[part]
    kept = [other if isinstance(one, kind) else one for one in whole.corrections]
    return replace(whole, corrections=tuple(one for one in kept if one is not None))


def contributions(subject: Subject) -> list[Way]:
    """The default recipe whole, then with one part off or changed, without data and with."""
    whole = default_recipe(subject)
    changed = {
        f"{whole.name} without {part}": _without(whole, part)
        for part, (kind, _) in PARTS.items()
        if whole.correction(kind)
    }
    kinds = [type(one) for one in whole.corrections]
    place = kinds.index(Round)
    clipped = (*whole.corrections[:place], Clip(), *whole.corrections[place:])
    changed[f"{whole.name} with clipping"] = replace(whole, corrections=clipped)
    found = []
    for data in (NONE, PHOTOGRAPHS):
        found.append(edgeeff(whole.name, whole, data))
        found += [edgeeff(name, recipe, data) for name, recipe in changed.items()]
        found += _by_estimator(whole, data)
    alone = _with_rounding(whole, synthetic=0.0)
    found.append(edgeeff(f"{whole.name}, GPTQ on photographs alone", alone, PHOTOGRAPHS))
    return found


def _with_rounding(whole: Recipe, **changes: Any) -> Recipe:
    changed = [replace(c, **changes) if type(c) is Round else c for c in whole.corrections]
    return replace(whole, corrections=tuple(changed))


def _by_estimator(whole: Recipe, data: str) -> list[Way]:
    """Without BatchNorm's statistics, which would leave an estimator next to nothing to say."""
    own = whole.ranges.estimator
    others = [name for name in CHOICES[Ranges, "estimator"] if name != own]
    return [
        edgeeff(
            f"{whole.name} without BatchNorm, ranges {name}",
            replace(whole, ranges=replace(whole.ranges, estimator=name)),
            data,
            batchnorm=False,
        )
        for name in (own, *others)
    ]


def known_ways(subject: Subject) -> dict[str, Way]:
    """All of the above by key."""
    ways = [*side_by_side(subject), *LITERT_SETTINGS.values(), *shown(subject)]
    ways += on_real_b0(subject)
    return {way.key: way for way in [*ways, *by_seed(subject), *contributions(subject)]}


def main(word: str, folder: str, key: str, model: str) -> None:
    task, watch = Task(Subject(word), Path(folder)), Watch()
    made = known_ways(task.subject)[key].quantize(task, watch)
    Path(model).write_bytes(made)
    print(json.dumps({"seconds": watch.seconds, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
