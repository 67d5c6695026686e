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

    python benchmarks/quantization.py --real-b0 FILE.pth --calibration FOLDER --judged FOLDER...

A B0 with torchvision's weights of ImageNet lineage, judged at its features (real_b0.py says how),
and the time per run of all files on one thread. Run it on a quiet processor, or with
``taskset -c 0 chrt -r 1`` before it.

Every row is printed as JSON when it is there (``results.py`` says what the fields mean). With
``--save benchmarks/results/NAME.json`` it also goes into that document, from which ``publish.py``
makes the tables of the documentation.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from quantizers import (
    CALIBRATION,
    LITERT_SETTINGS,
    STOCK,
    Way,
    against_outliers,
    by_seed,
    contributions,
    on_labelled,
    on_real_b0,
    shown,
    side_by_side,
)
from real_b0 import CALIBRATION as GIVEN
from real_b0 import CHOOSING, EVERY, JUDGED, chosen, feature_fields
from results import of_this_run, save
from subjects import (
    FLOAT,
    PREPROCESSING,
    Pixels,
    Subject,
    held_out,
    labelled,
    pictures,
    read_preprocessing,
    with_outliers,
)
from verdicts import (
    Fields,
    Labels,
    Made,
    Part,
    Verdict,
    accuracy_fields,
    agreement_fields,
    by_photograph_fields,
    cost_fields,
    fidelity_fields,
    peak_fields,
)

from edgeeff.accelerators.plan import Plan, preset
from edgeeff.benchmarking.comparison import Comparison
from edgeeff.benchmarking.run import benchmark
from edgeeff.evaluation.accuracy import ranks
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.fidelity import fidelity
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.tflite.graph import Graph

HERE = Path(__file__).parent
Logits = npt.NDArray[np.float32]

PHOTOGRAPHS_GIVEN = 100

SURE = 0.5
"""Probability of the float network's answer from which a picture counts as clear."""


class Bench:
    """A network with its float .tflite in a folder, where the ways leave theirs."""

    only = ""
    """What is in the names of the ways that ``stream`` and ``show_real_b0`` go; all, if empty."""

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


Rows = Iterator[Fields]


def latency_fields(models: Sequence[Path]) -> Part:
    """Time per run as a ratio to the first model's."""
    fields = latency_of(models, preset("quick", threads=1))
    return lambda it: fields(it.made.path)


def latency_of(models: Sequence[Path], plan: Plan) -> Callable[[Path], Fields]:
    """Time per run as a ratio to the first model's, by model."""
    found = benchmark(models, plan=plan)
    say(f"benchmark: {[failure.error.message for failure in found.failures] or 'all measured'}")
    by_model: dict[str, Comparison] = {it.model: it for it in found.comparisons}

    def fields(model: Path) -> Fields:
        if model == models[0]:
            return {"latency": {"ratio": 1.0}}
        against = by_model.get(model.name)
        if against is None or against.ratio is None or against.ci95 is None:
            return {}
        return {"latency": {"ratio": against.ratio, "ci95": list(against.ci95)}}

    return fields


def row(bench: Bench, it: Verdict, *parts: Part) -> Fields:
    """One row of the document; the fields of later parts replace those of earlier ones."""
    fields = named(bench, it.made.way)
    for part in parts:
        fields |= part(it)
    return fields


def named(bench: Bench, way: Way) -> Fields:
    """Which network, and which way it went."""
    fields: Fields = {"network": bench.name, "method": way.name}
    if way.recipe:
        fields["recipe"] = way.recipe
    fields["calibration"] = way.data
    if way.seed is not None:
        fields["seed"] = way.seed
    return fields


def compare(bench: Bench) -> Rows:
    """Everybody's int8 side by side, and whether edgeeff's is the same the second time."""
    seen = pictures(bench.subject, bench.preprocessing)
    np.save(bench.folder / CALIBRATION, seen.calibration)
    best, why = best_setting(bench, seen.choosing)
    made = [bench.make(way) for way in side_by_side(bench.subject)]
    made.insert(2, best)
    judge = Judge(bench, seen.judged, seen.labels)
    parts: list[Part] = [fidelity_fields, cost_fields, peak_fields]
    if seen.labels is not None:
        parts.append(accuracy_fields(judge.float_ranks()))
    verdicts = [judge(one) for one in made]
    parts.append(latency_fields([one.path for one in made]))
    for verdict in verdicts:
        yield row(bench, verdict, *parts)
    say(why)
    say(same_bytes(bench, made))


def stream(bench: Bench, judge: Judge, ways: Sequence[Way], *parts: Part) -> Rows:
    """A row for each way as soon as it is judged."""
    for way in (way for way in ways if bench.only in way.name):
        yield row(bench, judge(bench.make(way)), *parts)


ENOUGH = 2000
"""Pictures that tell the parts of a recipe apart; each judges twenty models."""


def take_apart(bench: Bench) -> Rows:
    """What each part of the default recipe contributes."""
    seen = pictures(bench.subject, bench.preprocessing)
    np.save(bench.folder / CALIBRATION, seen.calibration)
    labels = None if seen.labels is None else seen.labels[:ENOUGH]
    judge = Judge(bench, seen.judged[:ENOUGH], labels)
    parts: list[Part] = [fidelity_fields, cost_fields]
    if seen.labels is not None:
        parts.append(accuracy_fields(judge.float_ranks()))
    return stream(bench, judge, contributions(bench.subject), *parts)


def _held_out_judge(bench: Bench) -> Judge:
    """Photographs that nothing was tuned on; crops of others are left for calibration."""
    np.save(bench.folder / CALIBRATION, pictures(bench.subject, bench.preprocessing).calibration)
    return Judge(bench, held_out(bench.preprocessing))


def show_held_out(bench: Bench) -> Rows:
    """The recipes on photographs that nothing was tuned on."""
    ways = shown(bench.subject)
    return stream(bench, _held_out_judge(bench), ways, *HELD_OUT)


HELD_OUT: tuple[Part, ...] = (fidelity_fields, cost_fields, by_photograph_fields)


def show_labelled(bench: Bench, *, data: Path, calibration: Path | None) -> Rows:
    """Fidelity and accuracy on labelled pictures that no quantizer has seen."""
    seen = pictures(bench.subject, bench.preprocessing).calibration
    if calibration is not None:
        seen, _ = labelled(calibration, bench.preprocessing, PHOTOGRAPHS_GIVEN)
    np.save(bench.folder / CALIBRATION, seen)
    judge = Judge(bench, *labelled(data, bench.preprocessing))
    parts = (fidelity_fields, cost_fields, agreement_fields, accuracy_fields(judge.float_ranks()))
    return stream(bench, judge, on_labelled(bench.subject), *parts)


def show_seeds(bench: Bench) -> Rows:
    """The default recipe with several seeds on the same photographs."""
    judge = _held_out_judge(bench)
    return stream(bench, judge, list(by_seed(bench.subject)), fidelity_fields)


def show_outliers(bench: Bench) -> Rows:
    """What single channels that reach 256 times as far cost."""
    judge = _held_out_judge(bench)
    for network in (bench, bench.with_outliers()):
        yield from stream(network, judge, against_outliers(bench.subject), *HELD_OUT)


def show_real_b0(
    bench: Bench, *, calibration: Path, judged: Sequence[Path], every: int = EVERY
) -> Rows:
    """Fidelity at the features of a real B0, then operators, bytes and time of each file."""
    preprocessing = bench.preprocessing
    np.save(bench.folder / CALIBRATION, chosen(calibration, preprocessing, GIVEN))
    pictures_of = {folder.name: chosen(folder, preprocessing, JUDGED, every) for folder in judged}
    judges = {name: Judge(bench, pictures) for name, pictures in pictures_of.items()}
    made = []

    def rows(one: Made) -> Rows:
        made.append(one)
        for name, judge in judges.items():
            found = feature_fields(judge.truth, judge.logits(one.path))
            yield named(bench, one.way) | {"judged": name} | found

    first, *others = on_real_b0(bench.subject)
    for way in (first, *(way for way in others if bench.only in way.name)):
        yield from rows(bench.make(way))
    if not bench.only:
        best, why = best_setting(bench, chosen(calibration, preprocessing, CHOOSING))
        yield from rows(best)
        say(why)
    paths = [one.path for one in made]
    times = latency_of([*paths, bench.float_model], replace(preset("quick"), **TURNS))
    for one in made:
        cost = {"seconds": one.seconds} | file_fields(one.path) | times(one.path)
        yield named(bench, one.way) | cost
    float_fields = file_fields(bench.float_model) | times(bench.float_model)
    yield {"network": bench.name, "method": "float32", "calibration": "none"} | float_fields


TURNS: Fields = {"threads": 1, "repeats": 5, "max_seconds": 3.0}
"""How the files of the real B0 are timed: in turn, in fresh processes."""


def file_fields(model: Path) -> Fields:
    """What is in a file."""
    content = model.read_bytes()
    return {"operators": len(Graph.of(content).operators), "megabytes": len(content) / 1e6}


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


Mode = Callable[[Bench], Rows]
MODES: Mapping[str, Mode] = {
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
    modes.add_argument("--real-b0", type=Path, metavar="FILE.pth", help=show_real_b0.__doc__)
    parser.add_argument(
        "--calibration", type=Path, metavar="DATA", help="with --labelled or --real-b0"
    )
    parser.add_argument("--judged", type=Path, nargs="+", metavar="FOLDER", help="with --real-b0")
    parser.add_argument(
        "--every", type=int, default=EVERY, metavar="N", help="picture of these, with --real-b0"
    )
    parser.add_argument("--save", type=Path, metavar="FILE.json", help="put the rows into this")
    parser.add_argument("--only", default="", metavar="TEXT", help="ways whose names have it")
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="lite0, b0=FILE.weights.h5")
    given = parser.parse_args()
    mode, words, first = given.mode, given.networks, STOCK.name
    if given.labelled:
        mode = functools.partial(show_labelled, data=given.labelled, calibration=given.calibration)
    elif given.real_b0:
        if not (given.calibration and given.judged):
            parser.error("--real-b0 takes --calibration and --judged")
        mode = functools.partial(
            show_real_b0,
            calibration=given.calibration,
            judged=given.judged,
            every=given.every,
        )
        words, first = [f"b0={given.real_b0}"], "edgeeff int8-plain"
    elif given.calibration:
        parser.error("--calibration goes with --labelled or --real-b0")
    if not words:
        parser.error("which network?")
    for word in words:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Subject(word), Path(folder))
            bench.only = given.only
            for found in mode(bench):
                print(json.dumps(found), flush=True)
                if given.save:
                    latency_to = first if "latency" in found else None
                    save(given.save, replace(of_this_run([found]), latency_to=latency_to))


if __name__ == "__main__":
    main()
