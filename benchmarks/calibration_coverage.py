"""How many calibration pictures are enough: coverage against accuracy.

    python benchmarks/calibration_coverage.py efficientnet-lite0-float32.tflite

The file is what `edgeeff convert --variant lite0 --float32` writes. Ranges are the extremes of
the pictures (recipe int8-plain), so that everything depends on these. Pictures are drawn at
random, several times for each number: crops of every other photograph of scikit-image and
scikit-learn, judged on crops of the rest; and Fashion-MNIST (Debian's dataset-fashion-mnist),
judged on others of it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from fashion_mnist import read
from photographs import photographs
from PIL import Image
from quantization import Logits
from results import SAVE, of_this_run, save
from subjects import CROPS, Pixels, crops, opened

from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.fidelity import fidelity
from edgeeff.evaluation.inputs import find_preprocessing
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.quantization.calibration.coverage import Coverage
from edgeeff.quantization.calibration.pictures import CalibrationSet
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import cut_at_logits

COUNTS = (2, 4, 8, 16, 32, 64, 100)
DRAWS = 4
JUDGED = 100
RECIPE = "int8-plain"


def main(path: Path, document: Path | None) -> None:
    content = cut_at_logits(Graph.of(path.read_bytes())).content()
    preprocessing = find_preprocessing(path)
    for name, (pool, judged) in picture_sets(preprocessing).items():
        truth = answers(content, judged, preprocessing)
        for count in COUNTS:
            drawn = [quantized(content, preprocessing, pool, count, seed) for seed in range(DRAWS)]
            found = [fidelity(truth, answers(made, judged, preprocessing)) for made, _ in drawn]
            widened = [reach.widened for _, reach in drawn]
            row = {
                "network": path.stem.removeprefix("efficientnet-").removesuffix("-float32"),
                "method": f"edgeeff {RECIPE}",
                "calibration": name,
                "given": count,
                "widened": [min(widened), max(widened)],
                "enough": sum(reach.enough for _, reach in drawn),
                "draws": DRAWS,
                "sqnr_db": float(np.mean([f.sqnr_db for f in found])),
                "kl_of_draws": sorted(f.kl for f in found if f.kl is not None),
            }
            print(json.dumps(row), flush=True)
            if document is not None:
                save(document, of_this_run([row]))


def answers(content: bytes, pictures: Pixels, preprocessing: Preprocessing) -> Logits:
    """What a model says, float32 [pictures, classes]."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        classifier = Classifier(path, preprocessing)
        return np.concatenate([classifier(picture[None]).logits for picture in pictures])


def picture_sets(preprocessing: Preprocessing) -> dict[str, tuple[Pixels, Pixels]]:
    """Pictures to draw from and pictures to judge by."""
    images = opened(sorted(photographs(), key=lambda file: file.name))
    pool = crops(images[::2], preprocessing, CROPS, seed=1)
    judged = crops(images[1::2], preprocessing, JUDGED // len(images[1::2]), seed=2)
    clothes = np.stack(
        [
            preprocessing.pixels(Image.fromarray(picture).convert("RGB"))
            for picture in read("t10k")[0][: len(pool) + JUDGED]
        ]
    )
    return {
        "photographs": (pool, judged),
        "Fashion-MNIST": (clothes[JUDGED:], clothes[:JUDGED]),
    }


def quantized(
    content: bytes, preprocessing: Preprocessing, pool: Pixels, count: int, seed: int
) -> tuple[bytes, Coverage]:
    chosen = np.random.default_rng(seed).permutation(len(pool))[:count]
    names = tuple(map(str, chosen))
    pictures = CalibrationSet("drawn", pool[chosen], names, names)
    reached: list[Coverage | None] = []
    made = quantize_model(
        FloatModel(content, preprocessing), find_recipe(RECIPE), pictures, covered=reached.append
    )
    assert reached[0] is not None
    return made, reached[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, metavar="FLOAT.tflite")
    parser.add_argument(SAVE, type=Path, metavar="FILE.json", help="put the rows into this")
    chosen = parser.parse_args()
    main(chosen.model, chosen.save)
