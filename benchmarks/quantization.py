"""Compare int8 of edgeeff and of others on pictures that none of them has seen.

    python benchmarks/quantization.py lite0 lite1 lite2
    python benchmarks/quantization.py b0=b0.weights.h5

Side by side: TFLiteConverter (full integer, per channel), litert-quantizer's default and its best
setting, edgeeff's default recipe without data and with pictures, and ``int8-mixed``. For a
variant's name the network has the packaged ImageNet weights and the pictures are crops of every
other photograph of scikit-image and scikit-learn, judged on crops of the rest; for a file
that ``fashion_mnist.py`` trained they are 100 training pictures, judged on the 10,000 of the test.
Fidelity is measured at the logits against the float network. Each way runs in a process of its
own: seconds (of the step from float to int8, imports and export apart) and peak memory are its
alone. Latency is a ratio to TFLiteConverter's file, measured in turn on one thread.

    python benchmarks/quantization.py --contributions lite0

The default recipe, whole and with one part off at a time, on the same pictures.

    python benchmarks/quantization.py --held-out lite0 lite1 lite2

edgeeff's recipes, most of them without data, and TFLiteConverter with crops of every other
photograph of scikit-image and scikit-learn, on 740 crops of 185 photographs of animals, tools and
buildings that nothing was ever tuned on (Debian's gcompris-qt-data).

    python benchmarks/quantization.py --seeds lite0 lite1 lite2

The same pictures: the default recipe with several seeds, which chance alone tells apart.

    python benchmarks/quantization.py --outliers lite0 lite1 lite2

The same pictures, and a network in which single channels reach 256 times as far as the others.

    python benchmarks/quantization.py --labelled DATA [--calibration DATA] lite0 lite1 lite2

What accuracy is left: labelled ImageNet pictures, as `edgeeff evaluate --data` takes them and
imagenet.py lists them. With --calibration, the quantizers that want pictures get 100 of those.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from quantizers import (
    CALIBRATION,
    LITERT_SETTINGS,
    Way,
    against_outliers,
    by_seed,
    contributions,
    on_labelled,
    shown,
    side_by_side,
)
from subjects import (
    FLOAT,
    HELD_OUT_CROPS,
    PREPROCESSING,
    Pixels,
    Subject,
    held_out,
    labelled,
    pictures,
    read_preprocessing,
    with_outliers,
)

from edgeeff.accelerators.plan import preset
from edgeeff.benchmarking.comparison import Comparison
from edgeeff.benchmarking.run import benchmark
from edgeeff.evaluation.accuracy import ranks, wilson
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.fidelity import Fidelity, fidelity
from edgeeff.evaluation.paired import drop
from edgeeff.pictures.preprocessing import Preprocessing

HERE = Path(__file__).parent
Logits = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

PHOTOGRAPHS_GIVEN = 100

SURE = 0.5
"""Probability of the float network's answer from which a picture counts as clear."""


@dataclass(frozen=True)
class Made:
    """An int8 .tflite and what it took."""

    way: Way
    path: Path
    seconds: float
    peak_bytes: int

    @property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


class Bench:
    """A network with its float .tflite in a folder, where the ways leave theirs."""

    def __init__(self, subject: Subject, folder: Path, name: str = "") -> None:
        """Export the float network, unless it is there."""
        self.subject, self.folder, self.name = subject, folder, name or subject.name
        self.float_model = folder / FLOAT
        if not self.float_model.exists():
            _alone("subjects.py", subject.word, str(folder))
        self.preprocessing = read_preprocessing(folder)

    def with_outliers(self) -> Bench:
        """The same function, with outlier channels, in a folder of its own."""
        folder = self.folder / "outliers"
        folder.mkdir()
        (folder / FLOAT).write_bytes(with_outliers(self.float_model.read_bytes()))
        for name in (PREPROCESSING, CALIBRATION):
            shutil.copy(self.folder / name, folder)
        return Bench(self.subject, folder, f"{self.name} with outliers")

    def make(self, way: Way, again: str = "") -> Made:
        """Go one way in a process of its own."""
        say(f"{self.name}: {way.key}")
        path = self.folder / f"{way.key}{again}.tflite".replace("/", "-").replace(" ", "-")
        word, folder = self.subject.word, str(self.folder)
        told = _alone("quantizers.py", word, folder, way.key, str(path))
        found = json.loads(told.splitlines()[-1])
        return Made(way, path, found["seconds"], found["peak_bytes"])


class Judge:
    """Pictures, and what the float network says of them."""

    def __init__(self, bench: Bench, judged: Pixels, labels: Labels | None = None) -> None:
        self.judged, self.labels = judged, labels
        self._preprocessing: Preprocessing = bench.preprocessing
        self.truth = self.logits(bench.float_model)
        highest = self.truth.max(axis=1, keepdims=True)
        self.sure = 1 / np.exp(self.truth - highest).sum(axis=1) >= SURE

    def logits(self, model: Path) -> Logits:
        """What a model says, float32 [pictures, classes]."""
        classifier = Classifier(model, self._preprocessing)
        return np.concatenate([classifier(picture[None]).logits for picture in self.judged])

    def __call__(self, made: Made) -> Verdict:
        """How close a model is to the float network."""
        logits = self.logits(made.path)
        right = None if self.labels is None else ranks(logits, self.labels)
        same = logits.argmax(axis=1) == self.truth.argmax(axis=1)
        return Verdict(made, fidelity(self.truth, logits), right, same, self.sure)

    def float_ranks(self) -> Labels:
        """How many classes the float network puts before the right one."""
        assert self.labels is not None
        return ranks(self.truth, self.labels)


@dataclass(frozen=True)
class Verdict:
    """A model and how it was judged.

    Attributes:
        made: the model.
        fidelity: to the float network.
        ranks: of the labels, if the pictures have any.
        same: whether the answer to each picture is the float network's.
        sure: whether the float network gives its answer at least ``SURE``.
    """

    made: Made
    fidelity: Fidelity
    ranks: Labels | None
    same: npt.NDArray[np.bool_]
    sure: npt.NDArray[np.bool_]


Cell = Callable[[Verdict], str]
Columns = Mapping[str, Cell]

COLUMNS: Columns = {
    "what": lambda it: it.made.way.name,
    "data": lambda it: it.made.way.data,
    "SQNR dB": lambda it: f"{it.fidelity.sqnr_db:.1f}",
    "median picture": lambda it: f"{it.fidelity.median_image_sqnr_db:.1f}",
    "agreement": lambda it: f"{it.fidelity.agreement:.1%} of {it.fidelity.images}",
    "KL": lambda it: f"{it.fidelity.kl:.4f}",
    "s": lambda it: f"{it.made.seconds:.1f}",
    "MB": lambda it: f"{it.made.path.stat().st_size / 1e6:.2f}",
}
HELD_OUT: Columns = {
    **COLUMNS,
    "agreement": lambda it: agreement(it.same, HELD_OUT_CROPS),
    "where float is sure": lambda it: f"{it.same[it.sure].mean():.1%} of {it.sure.sum()}",
}
PEAK: Columns = {"peak MB": lambda it: f"{it.made.peak_bytes / 1e6:.0f}"}


LABELLED: Columns = {
    name: COLUMNS[name] for name in ("what", "data", "SQNR dB", "median picture", "KL")
} | {"agreement": lambda it: _with_interval(it.same)}


def top1(float_ranks: Labels) -> Columns:
    """Accuracy, and what is lost of the float network's, in points with 95% intervals."""

    def accuracy(it: Verdict) -> str:
        assert it.ranks is not None
        return _with_interval(it.ranks == 0)

    def lost(it: Verdict) -> str:
        assert it.ranks is not None
        found = drop(float_ranks, it.ranks)
        low, high = found.interval
        return f"{100 * found.value:.2f} ({100 * low:.2f} to {100 * high:.2f})"

    return {"top-1": accuracy, "points lost": lost}


def _with_interval(found: npt.NDArray[np.bool_]) -> str:
    share = wilson(int(found.sum()), len(found))
    return f"{share.value:.2%} ({share.low:.1%} to {share.high:.1%})"


def latency(models: Sequence[Path]) -> Columns:
    """Time per run as a ratio to the first model's."""
    found = benchmark(models, plan=preset("quick", threads=1))
    say(f"benchmark: {[failure.error.message for failure in found.failures] or 'all measured'}")
    by_model: dict[str, Comparison] = {it.model: it for it in found.comparisons}

    def ratio(it: Verdict) -> str:
        if it.made.path == models[0]:
            return "1"
        against = by_model.get(it.made.path.name)
        if against is None or against.ratio is None or against.ci95 is None:
            return "not measured"
        low, high = against.ci95
        return f"{against.ratio:.3f} ({low:.3f} to {high:.3f})"

    return {"latency": ratio}


DRAWS = 10_000


def agreement(same: npt.NDArray[np.bool_], crops: int) -> str:
    """With its 95% interval, by drawing photographs: crops of one succeed or fail together."""
    by_photograph = same.reshape(-1, crops).mean(axis=1)
    count = len(by_photograph)
    drawn = np.random.default_rng(0).choice(by_photograph, (DRAWS, count)).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{same.mean():.1%} of {len(same)} ({low:.1%} to {high:.1%})"


def print_head(columns: Iterable[str]) -> None:
    names = ["network", *columns]
    print(f"| {' | '.join(names)} |\n|{'-|' * len(names)}", flush=True)


def print_row(bench: Bench, columns: Columns, it: Verdict) -> None:
    cells = [bench.name, *(cell(it) for cell in columns.values())]
    print(f"| {' | '.join(cells)} |", flush=True)


def compare(bench: Bench) -> None:
    """Everybody's int8 side by side, and whether edgeeff's is the same the second time."""
    seen = pictures(bench.subject, bench.preprocessing)
    np.save(bench.folder / CALIBRATION, seen.calibration)
    best, why = best_setting(bench, seen.choosing)
    made = [bench.make(way) for way in side_by_side(bench.subject)]
    made.insert(2, best)
    judge = Judge(bench, seen.judged, seen.labels)
    columns = {**COLUMNS, **PEAK}
    if seen.labels is not None:
        columns |= top1(judge.float_ranks())
    verdicts = [judge(one) for one in made]
    columns |= latency([one.path for one in made])
    print_head(columns)
    for verdict in verdicts:
        print_row(bench, columns, verdict)
    print(f"\n{why}")
    print(same_bytes(bench, made))
    if seen.labels is not None:
        print(f"The float network's top-1: {_with_interval(judge.float_ranks() == 0)}.")
    print()


def stream(bench: Bench, judge: Judge, ways: Sequence[Way], columns: Columns) -> None:
    """A row for each way as soon as it is judged."""
    for way in ways:
        print_row(bench, columns, judge(bench.make(way)))


ENOUGH = 2000
"""Pictures that tell the parts of a recipe apart; each judges twenty models."""


def take_apart(bench: Bench) -> None:
    """What each part of the default recipe contributes."""
    seen = pictures(bench.subject, bench.preprocessing)
    np.save(bench.folder / CALIBRATION, seen.calibration)
    labels = None if seen.labels is None else seen.labels[:ENOUGH]
    judge = Judge(bench, seen.judged[:ENOUGH], labels)
    columns = dict(COLUMNS)
    if seen.labels is not None:
        columns |= top1(judge.float_ranks())
    print_head(columns)
    stream(bench, judge, contributions(bench.subject), columns)
    print()


def _held_out_judge(bench: Bench) -> Judge:
    """Photographs that nothing was tuned on; crops of others are left for calibration."""
    np.save(bench.folder / CALIBRATION, pictures(bench.subject, bench.preprocessing).calibration)
    return Judge(bench, held_out(bench.preprocessing))


def show_held_out(bench: Bench) -> None:
    """The recipes on photographs that nothing was tuned on."""
    judge = _held_out_judge(bench)
    stream(bench, judge, shown(bench.subject), HELD_OUT)


def show_labelled(bench: Bench, *, data: Path, calibration: Path | None) -> None:
    """Fidelity and accuracy on labelled pictures that no quantizer has seen."""
    seen = pictures(bench.subject, bench.preprocessing).calibration
    if calibration is not None:
        seen, _ = labelled(calibration, bench.preprocessing, PHOTOGRAPHS_GIVEN)
    np.save(bench.folder / CALIBRATION, seen)
    judge = Judge(bench, *labelled(data, bench.preprocessing))
    before = _with_interval(judge.float_ranks() == 0)
    columns = {**LABELLED, "float top-1": lambda _: before, **top1(judge.float_ranks())}
    print_head(columns)
    stream(bench, judge, on_labelled(bench.subject), columns)
    print()


def show_seeds(bench: Bench) -> None:
    """The default recipe with several seeds on the same photographs."""
    judge = _held_out_judge(bench)
    for data, ways in by_seed(bench.subject).items():
        found = [judge(bench.make(way)).fidelity for way in ways]
        cells = [bench.name, data, *(cell(found) for cell in SEEDED.values())]
        print(f"| {' | '.join(cells)} |", flush=True)


def _mean_of(name: str, form: str) -> Callable[[Sequence[Fidelity]], str]:
    def cell(found: Sequence[Fidelity]) -> str:
        values = [getattr(one, name) for one in found]
        each = ", ".join(format(value, form) for value in values)
        return f"{format(sum(values) / len(values), form)} ({each})"

    return cell


SEEDED: Mapping[str, Callable[[Sequence[Fidelity]], str]] = {
    "SQNR dB, mean (each seed)": _mean_of("sqnr_db", ".1f"),
    "median picture": _mean_of("median_image_sqnr_db", ".1f"),
    "agreement": _mean_of("agreement", ".1%"),
    "KL": _mean_of("kl", ".4f"),
}


def show_outliers(bench: Bench) -> None:
    """What single channels that reach 256 times as far cost."""
    judge = _held_out_judge(bench)
    for network in (bench, bench.with_outliers()):
        stream(network, judge, against_outliers(bench.subject), HELD_OUT)


def best_setting(bench: Bench, choosing: Pixels) -> tuple[Made, str]:
    """litert-quantizer's setting whose median picture is best where calibration looked too."""
    judge = Judge(bench, choosing)
    tried = []
    for setting, way in LITERT_SETTINGS.items():
        verdict = judge(bench.make(way))
        tried.append((verdict.fidelity.median_image_sqnr_db, setting, verdict.made))
    tried.sort(key=lambda one: -one[0])
    listed = ", ".join(f"{' with '.join(setting)} {found:.1f}" for found, setting, _ in tried)
    text = (
        f"litert-quantizer's settings by the median picture's SQNR in dB on {len(choosing)} "
        f"pictures that neither calibrated nor are judged, the best first: {listed}."
    )
    _, setting, best = tried[0]
    named = replace(best.way, name=f"litert-quantizer best ({' with '.join(setting)})")
    return replace(best, way=named), text


def same_bytes(bench: Bench, made: Sequence[Made]) -> str:
    """Whether edgeeff's first model comes out the same in another process."""
    first = next(one for one in made if one.way.name.startswith("edgeeff"))
    second = bench.make(first.way, again="-again")
    same = "the same" if first.sha256 == second.sha256 else "ANOTHER"
    return f"{first.way.name} made twice: {same} sha256, {second.sha256[:16]}."


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _alone(script: str, *arguments: str) -> str:
    """Run a script in a fresh process; its output."""
    command = [sys.executable, str(HERE / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


MODES: Mapping[str, Callable[[Bench], None]] = {
    "--held-out": show_held_out,
    "--seeds": show_seeds,
    "--outliers": show_outliers,
    "--contributions": take_apart,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    modes = parser.add_mutually_exclusive_group()
    for flag, mode in MODES.items():
        modes.add_argument(
            flag, dest="mode", action="store_const", const=mode, help=mode.__doc__, default=compare
        )
    modes.add_argument("--labelled", type=Path, metavar="DATA", help=show_labelled.__doc__)
    parser.add_argument("--calibration", type=Path, metavar="DATA", help="with --labelled")
    parser.add_argument("networks", nargs="+", metavar="NETWORK", help="lite0, b0=FILE.weights.h5")
    chosen = parser.parse_args()
    if chosen.labelled:
        data, calibration = chosen.labelled, chosen.calibration
        chosen.mode = functools.partial(show_labelled, data=data, calibration=calibration)
    elif chosen.calibration:
        parser.error("--calibration goes with --labelled")
    if chosen.mode is show_seeds:
        print_head(["data", *SEEDED])
    elif chosen.mode in (show_held_out, show_outliers):
        print_head(HELD_OUT)
    for word in chosen.networks:
        with tempfile.TemporaryDirectory() as folder:
            chosen.mode(Bench(Subject(word), Path(folder)))


if __name__ == "__main__":
    main()
