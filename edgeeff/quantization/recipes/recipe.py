"""Recipes: what is quantized how, as data in TOML.

A recipe has a scheme, a rule for the ranges of activations, corrections in order, and
exceptions. ``calibration/*.toml`` holds the named ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeeff import files, foreign
from edgeeff.errors import InputError, UsageError, unknown_name
from edgeeff.foreign import shown
from edgeeff.quantization.recipes import layer_names, shipped
from edgeeff.quantization.recipes.idle import idle_values

SCHEMES = ("int8", "int16x8", "dynamic", "weight-only", "float16", "float32")
STATIC = ("int8", "int16x8")
"""Schemes that quantize activations by ranges, and so need calibration."""

PRECISIONS = ("int16", "float16", "float")
FLOATING = frozenset({"float16", "float"})
"""The precisions whose layers compute in float."""

ORDER = ("equalize", "group", "split", "clip", "round", "bias")
"""Corrections in the only order that makes sense: each works on what the former left."""

MEASURED = "measured.toml"
"""The file beside the named recipes that is none: their figures (``measured``)."""

CORRECTED = {
    "int8": ORDER,
    "int16x8": ORDER,
    "dynamic": ("equalize", "clip", "round", "bias"),
    "weight-only": ("clip", "round", "bias"),
}
"""The corrections that a scheme can have: those of what it quantizes."""


@dataclass(frozen=True)
class Ranges:
    """How the range of an activation is found.

    Attributes:
        estimator: for what pictures show: ``minmax``, ``percentile``, ``mse``, ``entropy``,
            ``geometric``.
        percentile: percent of all values inside, for ``percentile``.
        batchnorm: ``always``: BatchNorm's word counts above pictures where it has one;
            ``without-data``: only if the pictures are synthetic.
        deviations: BatchNorm's range is its mean and so many deviations on both sides.
        logits_percent: percent of the pictures whose logits are inside, before the margin.
        logits_margin: factor on the largest logit if the pictures are synthetic.
        logits_margin_data: the same with the user's pictures.
        headroom: factor on every range that only pictures tell. Of 16 bits a few are left for
            pictures that reach far beyond all others.
        swish_end: how far below zero the input of a swish is told apart: what lies below makes
            next to nothing (swish of -8 is -0.003).
        odd: pictures in which a tenth of the activations reach more than so many times as far as
            in the picture in the middle do not calibrate, a tenth of all at most; 0: all do.
    """

    estimator: str = "minmax"
    percentile: float = 99.99
    batchnorm: str = "always"
    deviations: float = 4.0
    logits_percent: float = 97.0
    logits_margin: float = 1.6
    logits_margin_data: float = 1.3
    headroom: float = 1.0
    swish_end: float = 8.0
    odd: float = 0.0


@dataclass(frozen=True)
class Equalize:
    """Scale channels to similar ranges where the functions between are linear or ReLU.

    Attributes:
        exponent: 1 makes all ranges equal, 0 changes nothing.
        limit: largest factor that brings a channel to the median.
        outlier: a channel that reaches so many times as far as the median one, or that much less
            far, is brought to the median.
    """

    exponent: float = 0.5
    limit: float = 65536.0
    outlier: float = 1.5


@dataclass(frozen=True)
class Group:
    """Give groups of channels scales of their own where channels differ much (``grouping``).

    Attributes:
        most: groups in one region.
        narrow: regions of fewer channels are not taken apart, but scaled through their swishes:
            layers that make a few channels of a large picture take as long as those of many.
        unit: sizes are multiples of it, as the kernels like them.
        enough_db: predicted signal to noise ratio, of what a region adds to, that needs no more
            groups.
    """

    most: int = 4
    narrow: int = 64
    unit: int = 8
    enough_db: float = 24.0


@dataclass(frozen=True)
class Split:
    """Copy the channels of the first convolution whose rounding hurts most (``splitting``).

    Attributes:
        channels: copies to add to those that take the places of idle channels; multiples of 8
            suit the kernels.
        pictures: on which it is measured which channels those are.
    """

    channels: int = 0
    pictures: int = 4


@dataclass(frozen=True)
class Clip:
    """Cut off the largest weights of a channel where that lessens its squared error.

    Attributes:
        least: smallest share of the largest weight that may become the limit.
    """

    least: float = 0.5


@dataclass(frozen=True)
class Round:
    """How weights are rounded.

    Attributes:
        method: ``nearest`` or ``gptq``.
        pictures: so many are replayed for ``gptq``.
        synthetic: share of them that is synthetic although there are calibration pictures, which
            never vary in all the ways that an app's will. Not with ``Bias.means = "measured"``,
            which compares what the same pictures do.
        damping: share of the mean diagonal added to each Hessian.
        target: what the rounded weights are to keep: ``weights``, or ``outputs``: what the float
            layer makes of float inputs, from the inputs that the quantized network gives it (with
            the user's pictures; made-up ones are too unlike them).
        ridge: for ``outputs``: how much a weight costs that differs from the float one, as a share
            of the mean diagonal.
    """

    method: str = "gptq"
    pictures: int = 24
    synthetic: float = 0.5
    damping: float = 0.1
    target: str = "weights"
    ridge: float = 1.0


@dataclass(frozen=True)
class Bias:
    """Shift biases by the mean error that rounding leaves.

    Attributes:
        means: of the layers' inputs: ``batchnorm`` (pictures where it is silent) or
            ``pictures``; ``measured`` compares the float network with the quantized one.
    """

    means: str = "batchnorm"


@dataclass(frozen=True)
class HigherPrecision:
    """What is kept in a higher precision.

    Attributes:
        precision: ``int16`` (activations); ``float``; ``float16``: computes in float, its weights
            are stored in half precision, a third of the bytes that float adds to int8.
        operators: operator types such as ``ADD``; empty: any.
        layers: a regular expression found in the layer's name; empty: any.
    """

    precision: str
    operators: tuple[str, ...] = ()
    layers: str = ""


Correction = Equalize | Group | Split | Clip | Round | Bias
CORRECTIONS: Mapping[str, type[Any]] = {
    "equalize": Equalize,
    "group": Group,
    "split": Split,
    "clip": Clip,
    "round": Round,
    "bias": Bias,
}
CHOICES: Mapping[tuple[type[Any], str], tuple[str, ...]] = {
    (Ranges, "estimator"): ("minmax", "percentile", "mse", "entropy", "geometric"),
    (Ranges, "batchnorm"): ("always", "without-data"),
    (Round, "method"): ("nearest", "gptq"),
    (Round, "target"): ("weights", "outputs"),
    (Bias, "means"): ("batchnorm", "pictures", "measured"),
}
LIMITS: Mapping[tuple[type[Any], str], tuple[float, float]] = {
    (Ranges, "percentile"): (50.0, 100.0),
    (Ranges, "deviations"): (0.5, 256.0),
    (Ranges, "logits_percent"): (50.0, 100.0),
    (Ranges, "logits_margin"): (1.0, 8.0),
    (Ranges, "logits_margin_data"): (1.0, 8.0),
    (Ranges, "headroom"): (1.0, 64.0),
    (Equalize, "exponent"): (0.0, 1.0),
    (Equalize, "limit"): (1.0, 2.0**24),
    (Equalize, "outlier"): (1.0, 2.0**24),
    (Ranges, "swish_end"): (1.0, 1024.0),
    (Ranges, "odd"): (0.0, 1e6),
    (Group, "most"): (1, 16),
    (Group, "narrow"): (0, 4096),
    (Group, "unit"): (1, 64),
    (Group, "enough_db"): (0.0, 100.0),
    (Split, "channels"): (0, 256),
    (Split, "pictures"): (1, 64),
    (Clip, "least"): (0.05, 1.0),
    (Round, "pictures"): (1, 4096),
    (Round, "synthetic"): (0.0, 1.0),
    (Round, "damping"): (1e-6, 100.0),
    (Round, "ridge"): (1e-6, 1e6),
}


@dataclass(frozen=True)
class Recipe:
    """One way to quantize a network.

    Attributes:
        name: as on the command line.
        summary: what it is for, one line.
        scheme: one of ``SCHEMES``.
        ranges: of activations.
        corrections: in order.
        exceptions: later ones win.
        text: the TOML it was read from.
    """

    name: str
    summary: str = ""
    scheme: str = "int8"
    ranges: Ranges = Ranges()
    corrections: tuple[Correction, ...] = ()
    exceptions: tuple[HigherPrecision, ...] = ()
    text: str = ""

    def correction(self, kind: type[Any]) -> Any:
        """The correction of a type, or ``None``."""
        return next((c for c in self.corrections if isinstance(c, kind)), None)

    @property
    def parts(self) -> dict[str, Any]:
        """The recipe itself, its ranges and each kind of correction, with defaults if absent."""
        kinds = {kind: self.correction(type_) or type_() for kind, type_ in CORRECTIONS.items()}
        return {"recipe": self, "ranges": self.ranges, **kinds}

    @property
    def static(self) -> bool:
        """Whether activations are quantized, by ranges that calibration finds."""
        return self.scheme in STATIC

    @property
    def calibrated(self) -> bool:
        """Whether it needs to know the activations."""
        return self.static or bool(self.corrections)


def named_recipes() -> dict[str, Recipe]:
    """The recipes that edgeeff ships, by name."""
    folder = shipped.folder()
    files = {entry.name: entry for entry in folder.iterdir() if entry.name.endswith(".toml")}
    texts = {name[:-5]: file.read_text("utf-8") for name, file in files.items() if name != MEASURED}
    return {name: parse(name, texts[name]) for name in sorted(texts)}


def find_recipe(name: str) -> Recipe:
    """A shipped recipe by name, or the one in a ``.toml`` file.

    Raises:
        UsageError: no recipe of that name.
        InputError: a file that is no recipe; says which key is wrong.
    """
    if name.endswith(".toml"):
        content = files.read_bytes(Path(name), foreign.MOST_RECIPE)
        return parse(Path(name).stem, content.decode("utf-8", "replace"))
    recipes = named_recipes()
    if name not in recipes:
        raise unknown_name("recipe", name, recipes, "a file's name ends in .toml")
    return recipes[name]


def parse(name: str, text: str) -> Recipe:
    """Read a recipe. ``InputError`` for what is empty, unknown, malformed or without effect."""
    table = foreign.toml_table(text, f"recipe {name} is not TOML", "see edgeeff recipes NAME")
    allowed = {"summary", "scheme", "ranges", "corrections", "exceptions"}
    _refuse_unknown(name, "recipe", table, allowed)
    if not set(table) - {"summary"}:
        raise _bad(name, "nothing in it says how to quantize", 'such as scheme = "int8"')
    scheme = table.get("scheme", "int8")
    if scheme not in SCHEMES:
        raise _bad(name, f"scheme {shown(scheme)}", f"one of {', '.join(SCHEMES)}")
    recipe = Recipe(
        name,
        _summary(name, table),
        scheme,
        _build(name, "ranges", Ranges, table.get("ranges", {})),
        tuple(_correction(name, entry) for entry in _tables(name, table, "corrections")),
        tuple(_exception(name, entry) for entry in _tables(name, table, "exceptions")),
        text,
    )
    _check_order(recipe)
    for idle in idle_values(recipe.parts):
        what = f"{idle.part}.{idle.key} = {shown(idle.value)} does nothing with {idle.beside}"
        raise _bad(name, what, f"leave it out: it goes with {idle.wanted}")
    return recipe


def _summary(name: str, table: Mapping[str, Any]) -> str:
    summary = table.get("summary", "")
    if not isinstance(summary, str):
        raise _bad(name, f"summary {shown(summary)}", "a line of text in quotes")
    return summary


def _check_order(recipe: Recipe) -> None:
    kinds = [kind for c in recipe.corrections for kind in ORDER if type(c) is CORRECTIONS[kind]]
    if kinds != sorted(set(kinds), key=ORDER.index):
        raise _bad(recipe.name, f"corrections in the order {kinds}", f"the order is {list(ORDER)}")
    if not recipe.static and recipe.exceptions:
        raise _bad(
            recipe.name,
            f"exceptions with scheme {recipe.scheme}",
            f"they go with {' and '.join(STATIC)}",
        )
    refused = [kind for kind in kinds if kind not in CORRECTED.get(recipe.scheme, ())]
    if refused:
        allowed = ", ".join(scheme for scheme in CORRECTED if refused[0] in CORRECTED[scheme])
        raise _bad(
            recipe.name,
            f"correction {refused[0]} with scheme {recipe.scheme}",
            f"it goes with {allowed}",
        )


def _correction(name: str, entry: Mapping[str, Any]) -> Correction:
    kind = entry.get("kind")
    if not isinstance(kind, str) or kind not in CORRECTIONS:
        raise _bad(name, f"correction of kind {shown(kind)}", f"one of {', '.join(CORRECTIONS)}")
    fields = {key: value for key, value in entry.items() if key != "kind"}
    built: Correction = _build(name, f"correction {kind}", CORRECTIONS[kind], fields)
    return built


def _exception(name: str, entry: Mapping[str, Any]) -> HigherPrecision:
    _refuse_unknown(name, "exception", entry, {"precision", "operators", "layers"})
    precision, layers = entry.get("precision"), entry.get("layers", "")
    operators = entry.get("operators", [])
    if precision not in PRECISIONS:
        raise _bad(name, f"exception of precision {shown(precision)}", " or ".join(PRECISIONS))
    if not isinstance(operators, list) or not all(isinstance(o, str) for o in operators):
        raise _bad(name, "exception whose operators are no list of names", 'such as ["ADD"]')
    if not isinstance(layers, str):
        raise _bad(name, f"layers {shown(layers)}", "a regular expression in quotes")
    if not operators and not layers:
        raise _bad(name, "exception for nothing", "give operators, layers or both")
    fault = layer_names.fault(layers)
    if fault:
        raise _bad(name, f"layers {shown(layers)}", f"not a regular expression: {fault}")
    return HigherPrecision(precision, tuple(operators), layers)


def _build(name: str, part: str, kind: type[Any], fields: Any) -> Any:
    """A dataclass from a table, every key and value checked."""
    if not isinstance(fields, dict):
        raise _bad(name, f"{part} that is no table", "see edgeeff recipes NAME")
    types = {field.name: type(field.default) for field in dataclasses.fields(kind)}
    _refuse_unknown(name, part, fields, set(types))
    for key, value in fields.items():
        choices = CHOICES.get((kind, key))
        if choices and value not in choices:
            raise _bad(name, f"{part}.{key} = {shown(value)}", f"one of {', '.join(choices)}")
        fits = isinstance(value, types[key]) or (types[key] is float and type(value) is int)
        if not fits or isinstance(value, bool):
            raise _bad(name, f"{part}.{key} = {shown(value)}", foreign.taken(types[key]))
        low, high = LIMITS.get((kind, key), (None, None))
        if low is not None and high is not None and not low <= value <= high:
            raise _bad(name, f"{part}.{key} = {shown(value)}", f"between {low:g} and {high:g}")
    return kind(**fields)


def _tables(name: str, table: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    entries = table.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _bad(name, f"{key} that is no array of tables", f"written [[{key}]]")
    return entries


def _refuse_unknown(name: str, part: str, fields: Mapping[str, Any], known: set[str]) -> None:
    for key in fields:
        if key not in known:
            error = unknown_name(f"key in {part}", key, known)
            raise InputError(f"recipe {name}: {error.message}", error.hint)


def _bad(name: str, what: str, hint: str) -> InputError:
    return InputError(f"recipe {name}: {what}", hint)


def kept_precisions(recipe: Recipe, layers: Mapping[str, str]) -> dict[str, str]:
    """Which layers of a network a recipe keeps in a higher precision.

    Args:
        recipe: whose exceptions; later ones win.
        layers: operator type by layer name.

    Returns:
        One of ``PRECISIONS`` by layer name.

    Raises:
        UsageError: an exception no layer fits.
        InputError: a regular expression that takes too long.
    """
    kept: dict[str, str] = {}
    for exception in recipe.exceptions:
        of_kind = [
            name
            for name, kind in layers.items()
            if not exception.operators or kind in exception.operators
        ]
        fits = layer_names.fitting(exception.layers, of_kind)
        if not fits:
            kinds = f" that are {' or '.join(exception.operators)}" if exception.operators else ""
            called = f" called {exception.layers!r}" if exception.layers else ""
            raise UsageError(
                f"recipe {recipe.name} keeps layers{kinds}{called}, and this network has none",
                "edgeeff inspect --tensors lists the layers",
            )
        kept.update(dict.fromkeys(fits, exception.precision))
    return kept
