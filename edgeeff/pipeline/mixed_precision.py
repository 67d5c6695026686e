"""Mixed precision by search: the few layers whose higher precision buys most for what it costs.

The network is corrected once. Then runs of neighbouring blocks are kept in float (their weights in
half precision, a third of the bytes) or int16 in turn, and what each takes off the error of the
logits is divided by the bytes or the time that it costs. The best joins the others for as long as
the budget lasts; what a run buys beside those already kept is measured again before it joins (a
lazy greedy search: Minoux 1978, "Accelerated greedy algorithms for maximizing submodular set
functions"). The outcome is a recipe.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.errors import UsageError
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.fidelity import image_errors
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.progress import Progress
from edgeeff.quantization.calibration.pictures import CalibrationSet
from edgeeff.quantization.corrections.corrected import Corrected, correct_network
from edgeeff.quantization.quantize import Ends, assemble, fed_by
from edgeeff.quantization.recipes.recipe import HigherPrecision, Recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner

LONGEST = 3
"""Blocks in a run: the rounding between two blocks goes only if both are kept."""

PICTURES = 24
"""On which runs are compared, at 224 pixels; fewer where pictures are larger."""

FEWEST_PICTURES = 6
USUAL_PIXELS = 224 * 224 * 24

SHARE = 0.02
"""Bytes beyond full int8 if no budget is given, as a share."""

TIMED_RUNS = 15
"""Alternating runs by which two models' times are compared."""

LEAST_PERCENT = 0.2
"""Less time than this cannot be told from none."""

BLOCK = re.compile(r"^(stem|block[0-9]+[a-z]|top|head)_")
"""The part of a layer's name that says to which block of an EfficientNet it belongs."""


@dataclass(frozen=True)
class Budget:
    """What the kept layers may cost; without either, 2% more bytes.

    Attributes:
        bytes: beyond the full-integer model. Only float16 is tried: int16 costs no bytes, only
            time.
        latency_percent: more time on this computer's CPU, one thread; float16 and int16 are tried.
    """

    bytes: int | None = None
    latency_percent: float | None = None

    def __post_init__(self) -> None:
        """Raises ``UsageError`` for budgets that cannot be meant."""
        if self.bytes is not None and self.latency_percent is not None:
            raise UsageError("two budgets", "--budget-bytes or --budget-latency, not both")
        if self.bytes is not None and self.bytes < 1:
            raise UsageError(f"a budget of {self.bytes} bytes", "it takes some to keep anything")
        if self.latency_percent is not None and not 0 <= self.latency_percent <= 1000:
            raise UsageError(f"a budget of {self.latency_percent:g}% time", "0 to 1000")

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions that are tried."""
        return ("float16",) if self.latency_percent is None else ("float16", "int16")


@dataclass(frozen=True)
class Kept:
    """One run of blocks in a higher precision, by itself or after those before it.

    Attributes:
        blocks: first to last.
        precision: ``float16`` or ``int16``.
        sqnr_db: mean over the pictures' noise, of the logits, with everything kept so far.
        added_bytes: beyond the full-integer model, with everything kept so far.
        slower_percent: likewise in time; ``None`` if the budget is in bytes.
    """

    blocks: tuple[str, ...]
    precision: str
    sqnr_db: float
    added_bytes: int
    slower_percent: float | None


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        recipe: the one it began with, its exceptions replaced by the layers to keep.
        whole: the full-integer model.
        sqnr_db: of that one on the same pictures, measured as in ``Kept``.
        kept: in the order in which they joined; empty if nothing was worth its cost.
        tried: every run within the budget by itself, what buys most for its cost first.
        pictures: on how many calibration pictures this was decided.
    """

    recipe: Recipe
    whole: bytes
    sqnr_db: float
    kept: tuple[Kept, ...]
    tried: tuple[Kept, ...]
    pictures: int

    def to_json(self) -> dict[str, Any]:
        """All but the recipe and the full-integer model as JSON values."""
        return {
            "sqnr_db": self.sqnr_db,
            "pictures": self.pictures,
            "kept": [asdict(run) for run in self.kept],
            "tried": [asdict(run) for run in self.tried],
        }


def check_searchable(recipe: Recipe) -> None:
    """Refuse a recipe that has nothing to search in. Raises ``UsageError``."""
    if recipe.scheme != "int8" or recipe.exceptions:
        raise UsageError(
            f"--mixed searches with a full-integer int8 recipe, not with {recipe.name}",
            "--recipe int8, int8-swish or a recipe of your own without exceptions",
        )


def search(
    model: FloatModel,
    recipe: Recipe,
    calibration: CalibrationSet,
    budget: Budget | None = None,
    *,
    ends: Ends | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Search:
    """Find the layers to keep in a higher precision.

    Args:
        model: the float network.
        recipe: of scheme int8, without exceptions.
        calibration: pictures; some of them compare the candidates.
        budget: what they may cost; ``None``: 2% more bytes.
        ends: types of input and output; ``None``: bytes.
        seed: of everything drawn at random. With a budget in bytes the same arguments give the
            same result; with one in time it follows the clock.
        threads: kernel threads, for the calibration.
        progress: told of every stage.

    Raises:
        UsageError: a recipe that has nothing to search in.
        InputError: a model or pictures that cannot be used.
    """
    check_searchable(recipe)
    progress = progress or Progress()
    network = correct_network(
        model, recipe, calibration, seed=seed, threads=threads, progress=progress
    )
    preprocessing = model.preprocessing
    pictures, ends = _few(calibration.pictures, preprocessing), ends or Ends()
    trial = _Trial(network, recipe, preprocessing, pictures, budget or Budget(), ends)
    start, runs = trial.start, trial.runs()
    with progress.stage("try layers to keep", len(runs)) as advance:
        tried = []
        for run in runs:
            found = trial.measured((), run)
            tried += [found] if found else []
            advance(1)
    tried.sort(key=lambda run: _worth(start, run), reverse=True)
    with progress.stage("choose layers to keep"):
        kept = _greedy(trial, start, tried)
    chosen = trial.with_kept([(run.blocks, run.precision) for run in kept])
    whole, runs_tried = trial.whole, tuple(tried)
    return Search(_spelled(chosen), whole, start.sqnr_db, tuple(kept), runs_tried, len(pictures))


def _spelled(recipe: Recipe) -> Recipe:
    """The recipe with its exceptions in its text, so that it can be used again as a file."""
    # A JSON string is a TOML string too, whatever a layer is called.
    added = "".join(
        f'\n[[exceptions]]\nprecision = "{kept.precision}"\nlayers = {json.dumps(kept.layers)}\n'
        for kept in recipe.exceptions
    )
    return replace(recipe, name=f"{recipe.name} --mixed", text=recipe.text.rstrip() + "\n" + added)


def blocks_of(graph: Graph) -> dict[str, tuple[str, ...]]:
    """The layers of each block, in order of execution.

    An EfficientNet that edgeeff exported has its blocks in its names. Elsewhere each layer with
    weights begins a block, up to the next one. The last operator is of none: it makes the bytes
    that an app reads.
    """
    found: dict[str, list[str]] = {}
    named = any(BLOCK.match(operator.name) for operator in graph.operators)
    current = graph.operators[0].name
    for operator in graph.operators:
        if operator.output not in graph.activations or operator.output == graph.output:
            continue
        match = BLOCK.match(operator.name)
        if match or operator.weighted or (named and BLOCK.match(current + "_")):
            current = match[1] if match else operator.name
        found.setdefault(current, []).append(operator.name)
    return {block: tuple(layers) for block, layers in found.items()}


Run = tuple[tuple[str, ...], str]
"""Names of blocks and their precision."""


class _Trial:
    """One network, corrected once, on which runs of blocks are tried.

    Each is judged at the logits as the file gives them: a layer that is kept in float before a
    softmax in integers gives its answers to that one's grid.
    """

    def __init__(
        self,
        network: Corrected,
        recipe: Recipe,
        preprocessing: Preprocessing,
        pictures: npt.NDArray[np.uint8],
        budget: Budget,
        ends: Ends,
    ) -> None:
        self.recipe, self.preprocessing, self.budget = recipe, preprocessing, budget
        self.pictures, self.ends = pictures, ends
        self.blocks = blocks_of(network.graph)
        self.truth = self._logits(network.in_float(network.unrounded))
        self.network = fed_by(network, preprocessing, ends)
        self.whole = assemble(self.network, recipe, preprocessing, ends)
        timed = budget.latency_percent is not None
        self.start = Kept((), "", self._sqnr_db(self.whole), 0, 0.0 if timed else None)

    def runs(self) -> list[Run]:
        """All runs of up to ``LONGEST`` blocks in each precision that the budget lets try."""
        names = list(self.blocks)
        return [
            (tuple(names[start : start + length]), precision)
            for precision in self.budget.precisions
            for length in range(1, LONGEST + 1)
            for start in range(len(names) - length + 1)
        ]

    def measured(self, before: Sequence[Kept], run: Run) -> Kept | None:
        """A run beside those that are kept already; ``None`` if that is over the budget."""
        blocks, precision = run
        recipe = self.with_kept([*((kept.blocks, kept.precision) for kept in before), run])
        content = assemble(self.network, recipe, self.preprocessing, self.ends)
        slower, added = None, len(content) - len(self.whole)
        if self.budget.latency_percent is not None:
            slower = 100 * (_times_as_long(content, self.whole) - 1)
            affordable = slower <= self.budget.latency_percent
        else:
            most = self.budget.bytes
            affordable = added <= (SHARE * len(self.whole) if most is None else most)
        if not affordable:
            return None
        return Kept(blocks, precision, self._sqnr_db(content), added, slower)

    def with_kept(self, runs: Sequence[Run]) -> Recipe:
        """The recipe that keeps these runs."""
        names = {precision: _pattern(self.blocks, runs, precision) for _, precision in runs}
        exceptions = tuple(HigherPrecision(key, layers=names[key]) for key in names)
        return replace(self.recipe, exceptions=exceptions)

    def _logits(self, model: bytes | Graph) -> npt.NDArray[np.float32]:
        return Classifier(model, self.preprocessing)(self.pictures).logits

    def _sqnr_db(self, content: bytes) -> float:
        errors = image_errors(self.truth, self._logits(content))
        # Of the mean over pictures, each by its own signal: none owns the sum.
        return float(
            -10 * np.log10((errors.noise / np.maximum(errors.signal, 1e-30)).mean() + 1e-12)
        )


def _greedy(trial: _Trial, start: Kept, tried: Sequence[Kept]) -> list[Kept]:
    """Let the runs join, the one that buys most for its cost first, within the budget."""
    kept: list[Kept] = []
    waiting = {(run.blocks, run.precision): _worth(start, run) for run in tried}
    while waiting:
        best = max(waiting, key=lambda run: waiting[run])
        if waiting.pop(best) <= 0:
            break
        taken = {block for run in kept for block in run.blocks}
        fresh = tuple(block for block in best[0] if block not in taken)
        if not fresh:
            continue
        found = trial.measured(kept, (fresh, best[1]))
        worth = _worth(kept[-1] if kept else start, found) if found else 0.0
        if found is None or worth <= 0:
            continue
        if waiting and worth < max(waiting.values()):
            waiting[fresh, best[1]] = worth
        else:
            kept.append(found)
    return kept


def _worth(before: Kept, after: Kept) -> float:
    """Noise that went by a step, for each byte or percent of time that came."""
    gain = float(10 ** (-before.sqnr_db / 10) - 10 ** (-after.sqnr_db / 10))
    if before.slower_percent is not None and after.slower_percent is not None:
        return gain / max(after.slower_percent - before.slower_percent, LEAST_PERCENT)
    return gain / max(after.added_bytes - before.added_bytes, 1)


def _pattern(blocks: Mapping[str, Sequence[str]], runs: Sequence[Run], precision: str) -> str:
    """A regular expression for the layers of the runs of one precision."""
    chosen = [block for run in runs if run[1] == precision for block in run[0]]
    ordered = [block for block in blocks if block in chosen]
    words = []
    for block in ordered:
        others = [name for name in blocks[block] if not name.startswith(f"{block}_")]
        if len(others) < len(blocks[block]):
            words.append(f"{block}_")
        words += [f"{re.escape(name)}$" for name in others]
    return f"^(?:{'|'.join(words)})"


def _few(pictures: npt.NDArray[np.uint8], preprocessing: Preprocessing) -> npt.NDArray[np.uint8]:
    """So many of the pictures that large ones take no longer than usual ones."""
    fit = USUAL_PIXELS // math.prod(preprocessing.shape[:2])
    count = min(len(pictures), PICTURES, max(FEWEST_PICTURES, fit))
    return pictures[[i * len(pictures) // count for i in range(count)]]


def _times_as_long(content: bytes, other: bytes) -> float:
    """How many times as long a model takes as another: the median of alternating runs."""
    runners = [Runner(model, threads=1) for model in (content, other)]
    fed = [np.zeros(info.shape, info.dtype) for info in (runner.inputs[0] for runner in runners)]
    ratios = []
    for _ in range(TIMED_RUNS):
        seconds = []
        for runner, values in zip(runners, fed, strict=True):
            start = time.perf_counter()
            runner.run(values)
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
    return float(np.median(ratios))
