"""The cpu target in an environment that has tflite-runtime and nothing newer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import edgeeff
from tests.tflite import tiny

ROOT = Path(edgeeff.__file__).parent.parent
PACKAGES = (
    *("tflite-runtime==2.14.0", "numpy<2"),
    *("click", "flatbuffers", "pillow", "psutil", "rich"),
)

pytestmark = [
    pytest.mark.tflite_runtime,
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.version_info[:2] not in ((3, 10), (3, 11)),
        reason="tflite-runtime has wheels for Python 3.10 and 3.11 only",
    ),
]


@pytest.fixture(scope="module")
def old_python(tmp_path_factory):
    """The Python of an environment of its own."""
    folder = tmp_path_factory.mktemp("old")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", *PACKAGES]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"tflite-runtime cannot be installed: {done.stderr.strip()[-200:]}")
    return python


def run(python, *words):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [python, "-m", "edgeeff", *words],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )


def test_a_model_is_measured_and_the_runtime_named(old_python):
    done = run(old_python, "benchmark", str(tiny.FLOAT32), str(tiny.INT8), "--quick", "--json")
    assert done.returncode == 0, done.stderr
    floating, integer = json.loads(done.stdout)["measurements"]
    assert floating["runtime"] == "tflite-runtime 2.14.0"
    assert floating["delegate"]["name"] == "XNNPACK"
    # This runtime's default delegate leaves int8 operators to the runtime's own kernels.
    assert integer["delegate"]["delegated"] == 0
    assert any("XNNPACK left" in word for word in integer["warnings"])


def test_the_profile_says_what_it_needs(old_python):
    done = run(old_python, "benchmark", str(tiny.FLOAT32), "--quick", "--json", "--profile")
    (found,) = json.loads(done.stdout)["measurements"]
    assert found["profile"] is None
    assert any("ai-edge-litert" in word for word in found["warnings"])


def test_the_doctor_names_the_runtime(old_python):
    findings = json.loads(run(old_python, "doctor", "--json").stdout)["findings"]
    states = {(entry["kind"], entry["name"]): entry["state"] for entry in findings}
    assert states["package", "ai-edge-litert"] == "missing"
    assert states["package", "tflite-runtime"] == "found"
    assert states["target", "cpu"] == "found"
