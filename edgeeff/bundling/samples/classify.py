"""Classify pictures with a model of this bundle, or check it: an example to copy from.

Needs: pip install ai-edge-litert numpy pillow

    python classify.py PICTURE...          the five likeliest classes of each picture
    python classify.py --check             run the golden vectors; status 1 if an answer is wrong
    python classify.py --model NAME ...    another file of models/ than the first
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

BUNDLE = Path(__file__).resolve().parent.parent

FLOAT_TOLERANCE = 1e-4
"""How far float kernels of two CPUs may be off, as a share of the largest value or of 1."""


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--model", help="name of a file in models/")
    parser.add_argument("--check", action="store_true")
    words = parser.parse_args()
    bundle = json.loads((BUNDLE / "bundle.json").read_text("utf-8"))
    models = {Path(model["file"]).name: model for model in bundle["models"]}
    if words.model not in (None, *models):
        parser.error(f"{words.model} is not a file in models/, which has {', '.join(models)}")
    model = models[words.model or next(iter(models))]
    interpreter = Interpreter(str(BUNDLE / model["file"]), num_threads=1)
    interpreter.allocate_tensors()
    if words.check and not check(interpreter, model):
        parser.exit(1, "answers are not those of the bundle\n")
    labels = bundle["labels"] and (BUNDLE / bundle["labels"]).read_text("utf-8").split("\n")
    for path in words.pictures:
        scores = classify(interpreter, model, Image.open(path))
        print(path)
        for number in np.argsort(-scores, kind="stable")[:5]:
            print(f"  {scores[number]:6.1%}  {labels[number] if labels else number}")


def classify(interpreter: Any, model: dict[str, Any], picture: Image.Image) -> Any:
    """The score of each class."""
    raw = run(interpreter, model_input(model, square(picture, model["preprocessing"])))
    output = model["output"]
    if output["scale"] is None:
        return raw[0].astype(np.float32)
    return output["scale"] * (raw[0].astype(np.float32) - output["zero_point"])


def run(interpreter: Any, values: Any) -> Any:
    """The raw output for a raw input."""
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def square(picture: Image.Image, how: dict[str, Any]) -> Any:
    """The middle square of an upright picture as the network was trained: uint8 [side, side, 3]."""
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):  # grey of 16 bits: the high byte
        high = np.clip(np.asarray(upright).astype(np.int64) >> 8, 0, 255)
        upright = Image.fromarray(high.astype(np.uint8))
    if upright.has_transparency_data:
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright.convert("RGBA"))
    upright = upright.convert("RGB")
    side = max(1, int(np.float32(how["crop"]) * np.float32(min(upright.size))))
    left, top = ((size - side + 1) // 2 for size in upright.size)
    pixels = np.asarray(upright.crop((left, top, left + side, top + side)))
    index, weight = taps(side, how["resolution"], how["interpolation"])
    across = sum(pixels[:, index[:, t]] * weight[None, :, t, None] for t in range(index.shape[1]))
    down = sum(across[index[:, t]] * weight[:, t, None, None] for t in range(index.shape[1]))
    return np.clip(np.rint(down), 0, 255).astype(np.uint8)


def taps(length: int, size: int, interpolation: str) -> tuple[Any, Any]:
    """Which pixels make each new one, with which weights: TensorFlow's first resize kernels."""
    position = np.arange(size, dtype=np.float32) * np.float32(length / size)
    before = np.floor(position).astype(np.int64)
    t = position - before.astype(np.float32)
    if interpolation == "bilinear":
        weights, first = [1 - t, t], 0
    else:  # bicubic, a = -0.75, read off a table of 1024 steps
        a, t, first = np.float32(-0.75), np.rint(t * 1024) / np.float32(1024), -1
        near = [((a + 2) * x - (a + 3)) * x * x + 1 for x in (t, 1 - t)]
        far = [((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a for x in (t, 1 - t)]
        weights = [far[0], near[0], near[1], far[1]]
    index = before[:, None] + np.arange(first, first + len(weights))
    return np.clip(index, 0, length - 1), np.stack(weights, axis=-1).astype(np.float32)


def model_input(model: dict[str, Any], pixels: Any) -> Any:
    """Pixels as the model's input takes them: as they are, normalised, or quantized."""
    tensor, how = model["input"], model["normalization"]
    if model["takes_bytes"]:
        return np.broadcast_to(pixels, tensor["shape"])
    values = (pixels.astype(np.float32) - np.float32(how["mean"])) / np.float32(how["std"])
    if tensor["scale"] is not None:
        limits = np.iinfo(tensor["dtype"])
        steps = np.rint(values.astype(np.float64) / tensor["scale"]) + tensor["zero_point"]
        values = np.clip(steps, limits.min, limits.max)
    return np.broadcast_to(values, tensor["shape"]).astype(tensor["dtype"])


def check(interpreter: Any, model: dict[str, Any]) -> bool:
    """Run the golden vectors and say how far each answer is off; whether all pass.

    An integer model gives the bytes of the golden vectors. One with float parts may be a step off.
    """
    good = True
    for vector in model["vectors"]:
        ends = [
            np.frombuffer((BUNDLE / vector[end]).read_bytes(), model[end]["dtype"]).reshape(
                model[end]["shape"]
            )
            for end in ("input", "output")
        ]
        off = np.abs(run(interpreter, ends[0]).astype(np.float64) - ends[1]).max()
        print(f"{vector['picture']}: {'equal' if off == 0 else f'off by {off:g}'}")
        steps = 0 if model["integer_only"] else 1
        largest = max(1.0, float(np.abs(ends[1].astype(np.float64)).max()))
        is_float = model["output"]["scale"] is None
        good &= bool(off <= (FLOAT_TOLERANCE * largest if is_float else steps))
    return good


if __name__ == "__main__":
    main()
