"""The Swift of a bundle: it parses, and where there is a Swift toolchain it is compiled and run.

LiteRT is a double with its signatures (``ios/LiteRT.swift``), so that what is shown is: the sample
compiles against LiteRT's API, turns and prepares pictures to the byte, reads the bundle, and judges
what an accelerator gives. ``Picture.swift`` needs Apple's frameworks and is parsed only. No iPhone
and no LiteRT runs here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import edgeeff
from edgeeff.bundling.build import Bundled
from tests.bundling.exif import ORIENTATION

pytestmark = [pytest.mark.swift, pytest.mark.slow]

PARSER = ("tree-sitter==0.26.1", "tree-sitter-swift==0.7.4")
DOUBLES = Path(__file__).parent / "ios"

PARSE = """
import sys
import tree_sitter, tree_sitter_swift
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_swift.language()))
for path in sys.argv[1:]:
    if parser.parse(open(path, "rb").read()).root_node.has_error:
        print(path)
"""


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Names the files that are no Swift."""
    folder = tmp_path_factory.mktemp("parser")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), *PARSER]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"tree-sitter cannot be installed: {done.stderr.strip()[-200:]}")

    def parse(*paths: Path) -> str:
        command = [sys.executable, "-c", PARSE, *map(str, paths)]
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    return parse


def test_parses_and_a_broken_file_does_not(
    parser: Callable[..., str], bundled: Bundled, tmp_path: Path
) -> None:
    samples = sorted((bundled.path / "samples/ios").glob("*.swift"))
    assert len(samples) == 5
    assert parser(*samples) == ""
    broken = tmp_path / "broken.swift"
    broken.write_text(samples[0].read_text().replace("{", "", 1))
    assert parser(broken) == f"{broken}\n"


@pytest.fixture(scope="module")
def app(bundled: Bundled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample in an app around it, for this machine."""
    swiftc = shutil.which("swiftc")
    if swiftc is None:
        pytest.skip("no Swift toolchain: Debian 12 and the package indexes have none")
    folder = tmp_path_factory.mktemp("swift")
    library = ["-emit-library", "-static", "-emit-module", "-module-name", "LiteRT"]
    words = [swiftc, "-parse-as-library", *library, str(DOUBLES / "LiteRT.swift")]
    subprocess.run(words, cwd=folder, check=True)
    samples = [str(path) for path in (bundled.path / "samples/ios").glob("*.swift")]
    samples = [path for path in samples if not path.endswith("Picture.swift")]
    words = [swiftc, "-O", "-I", ".", *samples, str(DOUBLES / "main.swift"), "libLiteRT.a"]
    subprocess.run([*words, "-o", "app"], cwd=folder, check=True)
    return folder / "app"


@pytest.fixture(scope="module")
def run(app: Path, answers: Path, bundled: Bundled) -> Callable[..., Any]:
    def call(gpu: str, *words: object) -> Any:
        environment = {**os.environ, "ANSWERS": str(answers), "GPU": gpu}
        command = [str(app), str(bundled.path), *map(str, words)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


def test_names_the_classes_of_the_bytes_that_edgeeff_makes(
    run: Callable[..., Any], bundled: Bundled, pictures: list[Path], tmp_path: Path
) -> None:
    # The double answers for inputs that are edgeeff's own to the byte, and fails for others.
    labels = (bundled.path / "labels.txt").read_text().splitlines()
    words: list[object] = []
    for picture in pictures:
        with Image.open(picture) as stored:
            raw = tmp_path / f"{picture.stem}.rgba"
            raw.write_bytes(np.asarray(stored.convert("RGBA")).tobytes())
            words += [*stored.size, stored.getexif().get(ORIENTATION, 1), raw]
    for found, model in zip(run("close", *words), bundled.document.models, strict=True):
        for picture, classes in zip(pictures, found["answers"], strict=True):
            read = edgeeff.read_images(picture)
            (expected,) = edgeeff.evaluate(bundled.path / model.file, read, top=5).predictions
            assert classes == [labels[number] for number in expected.classes]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_pictures_as_their_exif_says(
    run: Callable[..., Any], answers: Path, pictures: list[Path], tmp_path: Path, orientation: int
) -> None:
    upright = Image.open(pictures[0]).convert("RGBA")
    undone = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undone[orientation]) if orientation in undone else upright
    (tmp_path / "raw").write_bytes(np.asarray(stored).tobytes())
    run("close", *stored.size, orientation, tmp_path / "raw")


@pytest.mark.parametrize(
    ("gpu", "good", "suspected"),
    [
        ("close", True, ""),
        ("equal", False, "every bit is as on a CPU: probably one did the work"),
        ("part", False, "not every operator ran there: the CPU did part or all"),
    ],
)
def test_the_work_of_a_cpu_is_not_taken_for_that_of_a_gpu(
    run: Callable[..., Any], gpu: str, good: bool, suspected: str
) -> None:
    for found in run(gpu):
        checks = found["checks"]
        assert checks["CPU"] == {"good": True, "suspect": "", "differing": 0}
        assert (checks["GPU"]["good"], checks["GPU"]["suspect"]) == (good, suspected)
        assert checks["NPU"] == {"failed": "compilation"}


def test_a_gpu_that_computes_something_else_does_not_pass(run: Callable[..., Any]) -> None:
    integer, _ = run("wrong")
    assert integer["checks"]["GPU"]["good"] is False
    assert integer["checks"]["GPU"]["suspect"] == ""
