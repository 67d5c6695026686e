"""What quantization-aware training adds to the post-training network that it starts from.

    python benchmarks/qat.py b0=b0.weights.h5
    python benchmarks/qat.py b0=FILE.pth --data FOLDER --judged FOLDER...

A file that ``fashion_mnist.py`` trained learns from 2,000 training pictures, without their labels,
and is judged on the 10,000 of the test. A B0 with torchvision's weights of ImageNet lineage learns
from the pictures of --data, and is judged at its features (real_b0.py says how) on folders of which
--data has no picture that is judged. A hundred of the pictures calibrate. With ``--synthetic``
neither calibration nor training sees a photograph.

Every row is printed as JSON. ``cpu_seconds`` are those of the process, also of a busy machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import fashion_mnist
import numpy as np
from quantization import Bench, Judge
from real_b0 import EVERY, JUDGED, chosen, feature_fields, is_real_b0
from subjects import Pixels, Subject, enlarged, pictures
from verdicts import Fields

from edgeeff.evaluation.accuracy import ranks
from edgeeff.evaluation.fidelity import fidelity
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pipeline import policy
from edgeeff.pipeline.learning import CALIBRATING, MADE_UP, MOST
from edgeeff.pipeline.settings import QAT_STEPS, Settings
from edgeeff.quantization.calibration.pictures import CalibrationSet, folder_set, synthetic_set
from edgeeff.quantization.corrections.corrected import Corrected
from edgeeff.quantization.quantize import quantize_model
from edgeeff.tflite.float_model import FloatModel

SYNTHETIC = 48


def lessons(given: argparse.Namespace, preprocessing: Preprocessing) -> CalibrationSet:
    """The pictures to learn from."""
    if given.synthetic:
        return synthetic_set(MADE_UP, preprocessing, 2)
    if given.data is not None:
        return folder_set(given.data, preprocessing, count=MOST)
    train, _ = fashion_mnist.read("train")
    order = np.random.default_rng(0).permutation(len(train))[:MOST]
    return array_set("fashion-mnist", enlarged(train[order]))


def array_set(name: str, array: Pixels) -> CalibrationSet:
    """Pictures that no folder holds."""
    names = tuple(map(str, range(len(array))))
    return CalibrationSet(name, array, names, names)


def spread(pictures: CalibrationSet, count: int) -> CalibrationSet:
    """So many of them, evenly from the whole list."""
    total = len(pictures.pictures)
    taken = [i * total // count for i in range(min(count, total))]
    return array_set(pictures.source, pictures.pictures[taken])


def judge(bench: Bench, given: argparse.Namespace, content: bytes, fields: Fields) -> list[Fields]:
    """The rows of one file."""
    path = bench.folder / f"{fields['method']}.tflite"
    path.write_bytes(content)
    if is_real_b0(bench.subject.weights):
        rows = []
        for folder in given.judged:
            judged = Judge(bench, chosen(folder, bench.preprocessing, JUDGED, EVERY))
            found = feature_fields(judged.truth, judged.logits(path))
            rows.append({**fields, "judged": folder.name, **found})
        return rows
    seen = pictures(bench.subject, bench.preprocessing)
    assert seen.labels is not None
    judged = Judge(bench, seen.judged, seen.labels)
    logits = judged.logits(path)
    right = {"float_top1": judged.float_ranks(), "top1": ranks(logits, seen.labels)}
    accuracy = {name: float((found == 0).mean()) for name, found in right.items()}
    return [{**fields, **fidelity(judged.truth, logits).to_json(), **accuracy}]


def measure(bench: Bench, given: argparse.Namespace) -> list[Fields]:
    """Post-training, then the same with training."""
    from edgeeff.training.aware.learning import Plan
    from edgeeff.training.aware.training import train

    model = FloatModel(bench.float_model.read_bytes(), bench.preprocessing)
    settings = Settings(qat=True, qat_steps=given.steps)
    recipe = policy.plan(settings, policy.held_by(model.graph))
    seen = lessons(given, bench.preprocessing)
    few = spread(seen, SYNTHETIC if given.synthetic else CALIBRATING)
    if given.synthetic:
        few = synthetic_set(SYNTHETIC, bench.preprocessing)
    start = time.process_time()
    told: Fields = {}

    def trained(network: Corrected) -> Corrected:
        told["post"] = time.process_time() - start
        result = train(network, recipe, bench.preprocessing, seen.pictures, Plan(steps=given.steps))
        told["qat"] = time.process_time() - start
        told["result"] = result.to_json()
        return result.network

    shared: Fields = {"network": bench.name, "recipe": recipe.name, "pictures": len(seen.pictures)}
    shared["source"] = "synthetic" if given.synthetic else "photographs"
    after = quantize_model(model, recipe, few, trained=trained)
    before = quantize_model(model, recipe, few)
    rows = judge(
        bench, given, before, {**shared, "method": "post-training", "cpu_seconds": told["post"]}
    )
    fields = {**shared, "method": "qat", "cpu_seconds": told["qat"], **told["result"]}
    return rows + judge(bench, given, after, fields)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", metavar="NETWORK", help="b0=FILE.weights.h5 or b0=FILE.pth")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="to learn from")
    parser.add_argument("--judged", type=Path, nargs="+", metavar="FOLDER", default=[])
    parser.add_argument("--synthetic", action="store_true", help="learn from synthetic pictures")
    parser.add_argument("--steps", type=int, default=QAT_STEPS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Subject(given.network), Path(folder))
        for row in measure(bench, given):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
