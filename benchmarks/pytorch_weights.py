"""Networks of PyTorch's libraries, converted, against the libraries' own predictions.

    python -m venv build/torch
    build/torch/bin/pip install torch torchvision timm transformers efficientnet_pytorch safetensors
    python benchmarks/pytorch_weights.py --torch build/torch/bin/python [--only timm:b0 ...]

For each library and network: random weights with re-estimated BatchNorm, saved by the library,
go through ``edgeeff`` to a float .tflite, and both get the same pictures. Printed is the largest
difference of a logit over the largest logit. Ends with status 1 if one is above 1e-4.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter
from edgeeff.architectures.variants import find_variant
from edgeeff.network.builder import build
from edgeeff.network.export import export
from edgeeff.network.weights import load
from edgeeff.state_dicts.reading import read
from edgeeff.tflite.runner import Runner

CLAIM = 1e-4
REFERENCES = Path(__file__).with_name("pytorch_references.py")
FORMATS = {"timm": "safetensors", "timm-tf": "safetensors", "efficientnet_pytorch": "legacy"}
"""What each library's weights are saved as here; the others as a zip archive."""


def difference(folder: Path, library: str, name: str) -> float:
    """The largest error of a logit, over the largest logit."""
    path = next(folder.glob("weights.*"))
    state = read(path, find_variant(name), library)
    model = build(state.variant)
    load(model, state.variant, state)
    export(
        model, folder / "float32.tflite", preprocessing=state.preprocessing(), activation="linear"
    )
    expected = np.load(folder / "pictures.npz")
    runner = Runner(folder / "float32.tflite")
    found = np.concatenate([runner.run(image[None])[0] for image in expected["image"]])
    return float(np.abs(found - expected["logits"]).max() / np.abs(expected["logits"]).max())


def rows(torch: str, only: list[str]) -> Iterator[tuple[str, str, float]]:
    listed = subprocess.run([torch, REFERENCES, "list"], capture_output=True, check=True)
    for library, names in json.loads(listed.stdout).items():
        for name in names:
            if only and f"{library}:{name}" not in only and library not in only:
                continue
            with tempfile.TemporaryDirectory() as folder:
                kind = FORMATS.get(library, "zip")
                make = [torch, REFERENCES, "make", folder, library, name, "--format", kind]
                subprocess.run(make, check=True, stderr=subprocess.DEVNULL)
                yield library, name, difference(Path(folder), library, name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", required=True, help="a Python with the libraries")
    parser.add_argument("--only", nargs="*", default=[], help="LIBRARY or LIBRARY:NETWORK")
    options = parser.parse_args()
    worst = 0.0
    print("| library | network | largest error of a logit |\n|-|-|-|")
    for library, name, error in rows(options.torch, options.only):
        print(f"| {library} | {name} | {error:.1e} |", flush=True)
        worst = max(worst, error)
    return int(worst > CLAIM)


if __name__ == "__main__":
    sys.exit(main())
