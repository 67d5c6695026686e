"""Compare int8 recipes with TensorFlow's own converter on photographs none of them has seen.

    python benchmarks/quantization.py lite0 lite1 lite2

For each variant with packaged ImageNet weights: edgeeff's recipes without any data, and
TFLiteConverter with photographs (full integer, per channel). Its calibration pictures are crops
of every other photograph of scikit-image and scikit-learn, the evaluation pictures crops of the
rest. Fidelity is measured at the logits against the float network.

    python benchmarks/quantization.py --scenes lite0 lite1 lite2

The same on 400 crops of the eight photographs that show ordinary scenes (no text, texture,
microscope or telescope). All are needed for evaluation: only the recipes without data are run.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from photographs import photographs
from PIL import Image

from edgeeff.evaluation.fidelity import Fidelity, fidelity
from edgeeff.litert.runner import Runner, dequantize, quantize
from edgeeff.preprocessing import Preprocessing
from edgeeff.quantization.calibration import CalibrationSet, synthetic_set
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipe import find_recipe
from edgeeff.variants import find_variant

Pixels = npt.NDArray[np.uint8]
CROPS = 12
SCENES = (
    "astronaut",
    "camera",
    "chelsea",
    "china",
    "coffee",
    "flower",
    "motorcycle_left",
    "rocket",
)
SCENE_CROPS = 50
RECIPES = ("int8", "int8-split", "int8-mixed", "int8-bias", "int8-plain", "int16x8", "dynamic")


def main(names: list[str]) -> None:
    print("| network | what | data | SQNR dB | median picture | agreement | KL | s | MB |")
    print("|-|-|-|-|-|-|-|-|-|")
    scenes = "--scenes" in names
    files = sorted(photographs(), key=lambda file: file.name)
    with tempfile.TemporaryDirectory() as folder:
        for name in [word for word in names if word != "--scenes"]:
            if scenes:
                measure(name, [], [f for f in files if f.stem in SCENES], Path(folder))
            else:
                measure(name, files[::2], files[1::2], Path(folder))


def measure(name: str, calibration: list[Path], evaluation: list[Path], folder: Path) -> None:
    import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter
    from edgeeff.export import export
    from edgeeff.network.builder import build
    from edgeeff.network.weights import load

    variant = find_variant(name)
    preprocessing = Preprocessing.of(variant)
    network = build(variant)
    load(network, variant, "imagenet")
    path = folder / f"{name}.tflite"
    export(network, path, preprocessing=preprocessing, logits=True)
    content = path.read_bytes()
    count = CROPS if calibration else SCENE_CROPS
    judged = crops(evaluation, preprocessing, count, seed=1)
    truth = answers(content, judged, preprocessing)
    for recipe in RECIPES:
        start = time.perf_counter()
        made_up = synthetic_set(48, preprocessing)
        made = quantize_model(content, find_recipe(recipe), preprocessing, made_up)
        seconds = time.perf_counter() - start
        found = fidelity(truth, answers(made, judged, preprocessing))
        row(name, f"edgeeff {recipe}", "none", found, seconds, len(made))
    if not calibration:
        return
    photographed = crops(calibration, preprocessing, CROPS, seed=2)
    names = tuple(str(number) for number in range(len(photographed)))
    own = CalibrationSet("photographs", photographed, names, names)
    start = time.perf_counter()
    made = quantize_model(content, find_recipe("int8"), preprocessing, own)
    seconds = time.perf_counter() - start
    found = fidelity(truth, answers(made, judged, preprocessing))
    row(name, "edgeeff int8", "photographs", found, seconds, len(made))
    start = time.perf_counter()
    stock = stock_converter(network, photographed, preprocessing)
    seconds = time.perf_counter() - start
    found = fidelity(truth, answers(stock, judged, preprocessing))
    row(name, "TFLiteConverter int8", "photographs", found, seconds, len(stock))


def crops(files: list[Path], preprocessing: Preprocessing, count: int, *, seed: int) -> Pixels:
    """Square crops of 60 to 100% of the short side, at random places."""
    random = np.random.default_rng(seed)
    found = []
    for file in files:
        image = Image.open(file).convert("RGB")
        for _ in range(count):
            side = int(min(image.size) * random.uniform(0.6, 1.0))
            left, top = (int(random.integers(0, size - side + 1)) for size in image.size)
            square = image.crop((left, top, left + side, top + side))
            found.append(preprocessing.pixels(square))
    return np.stack(found)


def answers(
    content: bytes, pictures: Pixels, preprocessing: Preprocessing
) -> npt.NDArray[np.float32]:
    """The logits of each picture, dequantized, float32 [pictures, classes]."""
    runner = Runner(content)
    image, logits = runner.inputs[0], runner.outputs[0]
    found = []
    for picture in pictures:
        raw: Any = picture[None]
        if image.dtype != np.uint8:
            raw = quantize(preprocessing.normalised(picture)[None], image)
        found.append(dequantize(runner.run(raw)[0], logits))
    return np.concatenate(found)


def stock_converter(network: Any, pictures: Pixels, preprocessing: Preprocessing) -> bytes:
    """TensorFlow's own full-integer conversion of a Keras network."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [preprocessing.normalised(picture)[None]] for picture in pictures
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def row(name: str, what: str, data: str, found: Fidelity, seconds: float, size: int) -> None:
    print(
        f"| {name} | {what} | {data} | {found.sqnr_db:.1f} | {found.median_image_sqnr_db:.1f} "
        f"| {found.agreement:.1%} of {found.images} | {found.kl:.4f} | {seconds:.1f} "
        f"| {size / 1e6:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main(sys.argv[1:] or ["lite0", "lite1", "lite2"])
