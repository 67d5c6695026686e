"""How far a float network itself moves when its pictures hardly change.

    python benchmarks/picture_noise.py lite0 b0=FILE.pth --judged FOLDER FOLDER

An int8 network cannot be expected to stay nearer to the float one than that one stays to itself
when a picture is saved again as JPEG. The pictures are those that ``quantization.py --real-b0``
judges. Each changes in three ways: by up to half a grey level, evenly distributed, which is what
rounding to bytes took away; by a grey level up, down or not at all, each as often; and by being
saved as JPEG of quality 90. What is printed is the SQNR of the outputs, features of a real B0 or
logits, as a row of JSON: median picture, all together, the worst, and the share of the pictures
with the same answer (of a real B0 behind the random classifier of ``real_b0.py``).
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from quantization import Bench
from real_b0 import EVERY, JUDGED, chosen, feature_fields, is_real_b0
from results import SAVE, of_this_run, save
from subjects import Pixels, Subject

from edgeeff.arrays import FloatArray
from edgeeff.evaluation.accuracy import wilson
from edgeeff.evaluation.fidelity import image_errors, sqnr_db, summary
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.tflite.runner import Runner

QUALITY = 90
SEED = 0


def half_a_level(picture: Pixels, random: np.random.Generator) -> FloatArray:
    return (picture + random.uniform(-0.5, 0.5, picture.shape)).astype(np.float32)


def one_level(picture: Pixels, random: np.random.Generator) -> FloatArray:
    moved = picture.astype(np.int64) + random.integers(-1, 2, picture.shape)
    return moved.clip(0, 255).astype(np.float32)


def saved_again(picture: Pixels, random: np.random.Generator) -> FloatArray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(file), np.float32)


Change = Callable[[Pixels, np.random.Generator], FloatArray]

CHANGES: dict[str, Change] = {
    "up to half a grey level": half_a_level,
    "a grey level up, down or none": one_level,
    f"JPEG of quality {QUALITY}": saved_again,
}


def outputs(runner: Runner, how: Preprocessing, pictures: list[FloatArray]) -> FloatArray:
    """Of pixels from 0 to 255, float32 [pictures, outputs]."""
    mean, std = (np.asarray(it, np.float32) for it in (how.mean, how.std))
    found = [np.asarray(runner.run(((it - mean) / std)[None])[0]) for it in pictures]
    return np.concatenate(found).reshape(len(pictures), -1)


def fields(truth: FloatArray, found: FloatArray, *, features: bool) -> dict[str, Any]:
    """How near the outputs stay."""
    if features:
        return feature_fields(truth, found)
    errors = image_errors(truth, found)
    whole = summary([errors])
    worst = min(map(sqnr_db, errors.signal.tolist(), errors.noise.tolist()))
    same = truth.argmax(axis=1) == found.argmax(axis=1)
    return {
        "sqnr_db": whole.sqnr_db,
        "median_image_sqnr_db": whole.median_image_sqnr_db,
        "worst_image_sqnr_db": worst,
        "agreement": wilson(int(same.sum()), len(same)).to_json(),
    }


def rows(subject: Subject, folders: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Of one network, every change of the pictures of each folder."""
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(subject, Path(scratch))
        how, runner = bench.preprocessing, Runner(bench.float_model, threads=1)
        for folder in folders:
            pictures = list(chosen(folder, how, JUDGED, EVERY))
            truth = outputs(runner, how, [it.astype(np.float32) for it in pictures])
            for name, change in CHANGES.items():
                random = np.random.default_rng(SEED)
                moved = outputs(runner, how, [change(it, random) for it in pictures])
                about = {"network": subject.name, "method": name, "calibration": "none"}
                found = fields(truth, moved, features=is_real_b0(subject.weights))
                yield {**about, "judged": folder.name, **found}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="+", metavar="NETWORK", help="lite0, or b0=FILE.pth")
    parser.add_argument("--judged", type=Path, nargs="+", metavar="FOLDER", required=True)
    parser.add_argument(SAVE, type=Path, metavar="FILE.json", help="put the rows into this")
    given = parser.parse_args()
    found = []
    for word in given.networks:
        for row in rows(Subject(word), given.judged):
            print(json.dumps(row), flush=True)
            found.append(row)
    if given.save:
        save(given.save, of_this_run(found))


if __name__ == "__main__":
    main()
