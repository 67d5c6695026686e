"""Real networks and photographs, made once for all tests."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
from PIL import Image

from tests import networks

hypothesis.settings.register_profile("without a clock", deadline=None)
hypothesis.settings.load_profile("without a clock")

SCIKIT_IMAGE = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
DELEGATE = Path(__file__).parent / "accelerators" / "delegate" / "double.c"
TFLITE_RUNTIME = (
    *("tflite-runtime==2.14.0", "numpy<2", "click", "rich"),
    *("pillow", "psutil", "flatbuffers", "threadpoolctl"),
)
"""As ``.ci/run`` installs them; CONTRIBUTING.md lists them too."""
SCIKIT_LEARN = ("china.jpg", "flower.jpg")


def pytest_collection_finish() -> None:
    """Leave what was imported out of garbage collections: TensorFlow's objects take a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """A shell starts a background job with SIGINT ignored, which its children would inherit."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def photographs() -> dict[str, Image.Image]:
    """RGB pictures that ship with scikit-image and scikit-learn, by name without suffix."""
    import skimage
    import sklearn.datasets

    folders = {
        Path(skimage.__file__).parent / "data": SCIKIT_IMAGE,
        Path(sklearn.datasets.__file__).parent / "images": SCIKIT_LEARN,
    }
    return {
        Path(name).stem: Image.open(folder / name).convert("RGB")
        for folder, names in folders.items()
        for name in names
    }


@pytest.fixture(scope="session")
def network_folder(request: pytest.FixtureRequest) -> Path:
    """Where made networks are kept from one run to the next."""
    return request.config.rootpath / ".pytest_cache"


@pytest.fixture(scope="session")
def lite0_float(network_folder: Path) -> Path:
    """Lite0 with its real ImageNet weights at 224, float32, ending in softmax."""

    def make(path: Path) -> None:
        from edgeeff.architectures.variants import find_variant
        from edgeeff.network import weights
        from edgeeff.network.builder import build
        from edgeeff.network.export import export
        from edgeeff.pictures.preprocessing import Preprocessing

        variant = find_variant("lite0")
        model = build(variant)
        weights.load(model, variant, "imagenet")
        export(model, path, preprocessing=Preprocessing.of(variant))

    return networks.kept(network_folder, "lite0-float32.tflite", make)


@pytest.fixture(scope="session")
def tiny_float(network_folder: Path) -> Path:
    """A small swish and squeeze-excite network, 32x32, ten classes, random weights."""

    def make(path: Path) -> None:
        from edgeeff.network.export import export
        from edgeeff.pictures.preprocessing import Preprocessing

        variant = networks.tiny_variant()
        model = networks.untrained(variant, pictures=32)
        export(model, path, preprocessing=Preprocessing.of(variant))

    return networks.kept(network_folder, "tiny-float32.tflite", make)


@pytest.fixture(scope="session")
def b0_float(network_folder: Path) -> Path:
    """B0 at 224 with random weights and BatchNorm statistics of synthetic pictures."""

    def make(path: Path) -> None:
        from edgeeff.architectures.variants import find_variant
        from edgeeff.network.export import export
        from edgeeff.pictures.preprocessing import Preprocessing

        variant = find_variant("b0")
        model = networks.untrained(variant, pictures=8)
        export(model, path, preprocessing=Preprocessing.of(variant))

    return networks.kept(network_folder, "b0-float32.tflite", make)


@pytest.fixture(autouse=True)
def _any_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output is that of a pipe, whatever terminal the tests run in."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def user_folder(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_float: Path,
    photographs: dict[str, Image.Image],
) -> Path:
    """``float32.tflite``, ``int8.tflite``, the manifest of each, and labelled ``photos``."""
    import edgeeff
    from edgeeff.tflite.float_model import FloatModel
    from edgeeff.tflite.manifest import describe, path_of

    place = tmp_path_factory.mktemp("user")
    for number, (name, picture) in enumerate(photographs.items()):
        path = place / "photos" / str(number % networks.TINY_CLASSES) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.resize((48, 48)).save(path)
    source = place / "float32.tflite"
    source.write_bytes(tiny_float.read_bytes())
    preprocessing = edgeeff.Preprocessing.of(networks.tiny_variant())
    manifest = describe(
        source.name, source.read_bytes(), "float32", FloatModel(source.read_bytes(), preprocessing)
    )
    path_of(source).write_text(manifest.document())
    made = edgeeff.quantize(source, edgeeff.Settings(recipe="int8", output=place / "made"))
    for file in (made.model, path_of(made.model)):
        file.rename(place / f"int8{file.suffix}")
    return place


@pytest.fixture(scope="session")
def delegate(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles the delegate double; macros choose how it misbehaves (see ``double.c``)."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: install gcc")
    folder = tmp_path_factory.mktemp("delegates")

    def build(*macros: str) -> Path:
        library = folder / f"libdouble{''.join(f'-{macro.lower()}' for macro in macros)}.so"
        if not library.exists():
            flags = [f"-D{macro}" for macro in macros]
            subprocess.run(
                [compiler, "-shared", "-fPIC", "-O1", *flags, "-o", str(library), str(DELEGATE)],
                check=True,
            )
        return library

    return build


@pytest.fixture(scope="session")
def tflite_runtime_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has tflite-runtime and what edgeeff needs beside it, but not ai-edge-litert.

    The one that ``EDGEEFF_TFLITE_RUNTIME_PYTHON`` names, or one that is made here.
    """
    named = os.environ.get("EDGEEFF_TFLITE_RUNTIME_PYTHON")
    if named is not None:
        return Path(named)
    if sys.version_info[:2] not in ((3, 10), (3, 11)):
        pytest.skip("EDGEEFF_TFLITE_RUNTIME_PYTHON names no Python with tflite-runtime")
    folder = tmp_path_factory.mktemp("tflite-runtime")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", *TFLITE_RUNTIME]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"tflite-runtime cannot be installed: {done.stderr.strip()[-200:]}")
    return python
