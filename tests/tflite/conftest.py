import os
from pathlib import Path

import pytest


@pytest.fixture
def tflite_runtime_python() -> Path:
    """A Python that has tflite-runtime, click, rich and numpy < 2, but not ai-edge-litert."""
    path = os.environ.get("EDGEEFF_TFLITE_RUNTIME_PYTHON")
    if path is None:
        pytest.skip("EDGEEFF_TFLITE_RUNTIME_PYTHON names no Python with tflite-runtime")
    return Path(path)
