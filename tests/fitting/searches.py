"""Searches that are made up, with figures of a machine that is."""

from __future__ import annotations

from pathlib import Path

from edgeeff.architectures.variants import find_variant, scaling_grid
from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.fitted import Fitted, Winner
from edgeeff.fitting.measured import HELD_OUT, SEARCH, SURVEY, Measured, Timing
from edgeeff.fitting.search.found import Found
from edgeeff.fitting.search.halving import Round, Rung
from edgeeff.fitting.search.settings import SearchSettings
from edgeeff.fitting.search.sharing import Outcome
from edgeeff.fitting.search.space import candidates
from edgeeff.fitting.settings import FitSettings
from edgeeff.training.settings import TrainingSettings
from tests.fitting.machine import true_cost

SETTINGS = FitSettings(max_latency=30.0, precisions=("int8",))
TIMING = Timing(7.5, 8.0, (7.4, 7.6), 30, "hardware", "litert", "a processor")
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


def a_search_on_pictures(folder: Path) -> Found:
    """Two networks, one of which was trained to the end and timed."""
    base = find_variant("b0")
    chosen, other = candidates(base, scaling_grid(), most=2)
    rung = Round(
        Rung(2, 1),
        {chosen.variant.name: Outcome(0.5), other.variant.name: Outcome(None, "no number")},
    )
    return Found(
        folder,
        SearchSettings(TrainingSettings(dataset="digits"), max_latency=30.0, device="phone"),
        base,
        "fit 0",
        (chosen, other),
        {},
        (rung,),
        chosen,
        {
            **{"machine": "another", "folder": str(folder), "run": "run", "model": "m.tflite"},
            **{"sha256": "0" * 64, "precision": "int8", "weights": "none", "epochs": 9},
            **{"val_top1": 0.75, "test_top1": 0.72, "inside": True, "notes": ["a note"]},
            **{"bytes": 512_345, "latency_ms": TIMING.to_json()},
        },
    )
