"""Runs an installed edgeeff outside its checkout: ``python .ci/smoke.py [workers] [quantize]``.

The base install is always tried. ``workers``: measuring too, which needs Linux or macOS.
``quantize``: that extra is installed; without, its command has to say so. Ends with 1 if a command
gives another exit status than it should, or no JSON.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

MODELS = Path(__file__).parent.parent / "tests" / "tflite" / "data"
PREPROCESSING = ("--mean", "127.5", "--std", "127.5")
PAIR = ("int8.tflite", "--reference", "float32.tflite")

BASE = {
    ("--version",): 0,
    ("variants", "b0"): 0,
    ("recipes", "int8"): 0,
    ("inspect", "int8.tflite", "--check", "gpu"): 0,
    ("evaluate", *PAIR, "--data", "photos", "--ignore-labels", *PREPROCESSING): 0,
    ("evaluate", "int8.tflite", "--data", "nowhere", *PREPROCESSING): 2,
    ("convert", "--variant", "lite0"): 4,
}
WORKERS = {
    ("doctor",): 0,
    ("benchmark", "float32.tflite", "int8.tflite", "--quick"): 0,
    ("compare", "float32.tflite", "int8.tflite", "--quick"): 0,
}
QUANTIZE = ("quantize", "float32.tflite", "--output", "made", *PREPROCESSING)
QUANTIZED = ("inspect", "made/float32-int8.tflite")


def expected(parts: set[str]) -> dict[tuple[str, ...], int]:
    """The exit status of each command line."""
    quantize = {QUANTIZE: 0, QUANTIZED: 0} if "quantize" in parts else {QUANTIZE: 4}
    return BASE | (WORKERS if "workers" in parts else {}) | quantize


def prepare(folder: Path) -> None:
    """Two tiny models and a few pictures."""
    for name in ("float32", "int8"):
        shutil.copy(MODELS / f"tiny-{name}.tflite", folder / f"{name}.tflite")
    (folder / "photos").mkdir()
    for red in range(0, 250, 50):
        Image.new("RGB", (48, 48), (red, 100, 50)).save(folder / "photos" / f"{red}.png")


def failures(parts: set[str], folder: Path) -> list[str]:
    """What went another way than expected, a line each."""
    found = []
    for words, status in expected(parts).items():
        plain = len(words) == 1
        command = [sys.executable, "-m", "edgeeff", *words, *(() if plain else ("--json",))]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        print(f"{done.returncode} edgeeff {' '.join(words)}", flush=True)
        if done.returncode != status:
            found.append(f"{' '.join(words)}: {done.returncode}, not {status}\n{done.stderr}")
        elif not plain:
            json.loads(done.stdout)
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        trouble = failures(set(sys.argv[1:]), Path(folder))
    print("\n".join(trouble), file=sys.stderr)
    sys.exit(bool(trouble))
