"""The cpu target in an environment that has tflite-runtime and nothing newer."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import edgeeff
from tests.tflite import tiny

ROOT = Path(edgeeff.__file__).parent.parent
pytestmark = [
    pytest.mark.tflite_runtime,
    pytest.mark.slow,
]


def run(python, *words):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [python, "-m", "edgeeff", *words],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )


def test_a_model_is_measured_and_the_runtime_named(tflite_runtime_python):
    done = run(
        tflite_runtime_python, "benchmark", str(tiny.FLOAT32), str(tiny.INT8), "--quick", "--json"
    )
    assert done.returncode == 0, done.stderr
    floating, integer = json.loads(done.stdout)["measurements"]
    assert floating["runtime"] == "tflite-runtime 2.14.0"
    assert floating["delegate"]["name"] == "XNNPACK"
    # This runtime's default delegate leaves int8 operators to the runtime's own kernels.
    assert integer["delegate"]["delegated"] == 0
    assert any("XNNPACK left" in word for word in integer["warnings"])


def test_the_profile_says_what_it_needs(tflite_runtime_python):
    done = run(
        tflite_runtime_python, "benchmark", str(tiny.FLOAT32), "--quick", "--json", "--profile"
    )
    (found,) = json.loads(done.stdout)["measurements"]
    assert found["profile"] is None
    assert any("ai-edge-litert" in word for word in found["warnings"])


def test_the_doctor_names_the_runtime(tflite_runtime_python):
    findings = json.loads(run(tflite_runtime_python, "doctor", "--json").stdout)["findings"]
    states = {(entry["kind"], entry["name"]): entry["state"] for entry in findings}
    assert states["package", "ai-edge-litert"] == "missing"
    assert states["package", "tflite-runtime"] == "found"
    assert states["target", "cpu"] == "found"
