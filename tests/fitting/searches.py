"""A search that is made up, with figures of a machine that is."""

from __future__ import annotations

from pathlib import Path

from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.fitted import Fitted, Winner
from edgeeff.fitting.measured import HELD_OUT, SEARCH, SURVEY, Measured, Timing
from edgeeff.fitting.settings import FitSettings
from tests.fitting.machine import true_cost

SETTINGS = FitSettings(max_latency=30.0, precisions=("int8",))
FAILED = Measured(Candidate("lite4", 300, "int8"), SURVEY, error="crashed (SIGSEGV)")


def measured(variant: str, side: int, role: str = SURVEY) -> Measured:
    """A network as it was timed on the machine."""
    candidate = Candidate(variant, side, "int8")
    cost = true_cost(candidate)
    timing = Timing(cost, cost, (cost, cost), 30, "test-double", "litert", "a processor", 1.0)
    return Measured(candidate, role, candidate.counts.parameters, timing)


def a_search(folder: Path) -> Fitted:
    """Four networks that were timed, one that crashed, and a winner."""
    networks = (
        measured("lite0", 224),
        measured("edgetpu-s", 224),
        measured("lite1", 240, HELD_OUT),
        measured("lite2", 260, SEARCH),
        FAILED,
    )
    winner = networks[3]
    return Fitted(
        folder,
        SETTINGS,
        {"processor": "a processor"},
        networks,
        0,
        (),
        Winner(
            winner.candidate,
            ("m.tflite", "m.json"),
            "0" * 64,
            7,
            winner.timing,
            trained=False,
            command="edgeeff convert --variant lite2",
        ),
        finished=True,
    )
