"""A line of each command, with a name of unknown origin wherever it may stand."""

from __future__ import annotations

NAME = "modèle→中"
"""Of a file: what cp1252 has, what ASCII can say otherwise, and what neither has."""

WORDS: dict[str, list[str]] = {
    "variants": ["--phi", "0.5"],
    "train": ["--data", NAME],
    "fit": ["--max-latency", "10", "--device", NAME],
    "convert": ["--variant", "b0", "--dry-run", "--weights", NAME],
    "quantize": ["FLOAT", "--mean", "0", "--std", "1", "--recipe", "weight-only", "-v"],
    "recipes": ["int8"],
    "evaluate": ["INT8", "--data", "PICTURES", "--reference", "FLOAT", "--mean", "0", "--std", "1"],
    "inspect": ["INT8", "--check", "gpu", "--tensors"],
    "benchmark": ["FLOAT", "--target", NAME],
    "compare": [NAME, NAME],
    "compile": ["INT8", "--compiler", NAME],
    "bundle": ["INT8", "--output", NAME],
    "verify": [NAME],
    "report": [NAME],
    "doctor": [],
}
"""What to ask of each command; its files are called ``NAME``."""
