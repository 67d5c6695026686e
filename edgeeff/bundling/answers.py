"""What a model answers to its golden vectors somewhere, and what that says of the place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from edgeeff.accelerators.plan import HARDWARE, Facts
from edgeeff.bundling import golden
from edgeeff.bundling.document import BundledModel
from edgeeff.bundling.golden import Allowed, Difference
from edgeeff.bundling.places import Opened
from edgeeff.errors import InputError

CLOSE = 0.1
"""How far another chip than a CPU may be off in a score: its kernels round differently."""


@dataclass(frozen=True)
class Answers:
    """What a model answered.

    Attributes:
        differences: of every golden vector that could be run.
        faults: what is wrong, a sentence each.
        notes: what to know of these answers.
        runtime: that ran it; empty if none did.
    """

    differences: tuple[Difference, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    runtime: str = ""


def compared(
    model: BundledModel,
    opened: Opened,
    read: Callable[[str], bytes],
    target: str,
    allowed: Allowed,
) -> Answers:
    """Run a model's golden vectors.

    Args:
        model: what the bundle says of it.
        opened: where it runs.
        read: gives the content of a file of the bundle.
        target: the accelerator.
        allowed: how far off passes on a CPU.
    """
    if target != "cpu":
        allowed = replace(allowed, absolute=CLOSE)
    found, faults = [], []
    if opened.sha256 != (given := hashlib.sha256(read(model.file)).hexdigest()):
        faults.append(f"{model.file}: its sha256 there is {opened.sha256}, not {given}")
    ends = (opened.input, opened.output)
    for vector in model.vectors:
        try:
            found.append(golden.compare(opened.run, ends, vector, read, allowed))
        except InputError as error:
            faults.append(f"{model.file}: {error.message}; {error.hint}".rstrip("; "))
            continue
        if not found[-1].within:
            faults.append(f"{model.file}: {found[-1].sentence()}")
    notes = _notes(opened.facts, model.file, target)
    if target != "cpu" and found and not any(each.differing for each in found):
        doubt = f"{model.file}: every bit is as on a CPU: probably one did the work of the {target}"
        # A program that stands for the accelerator is said to be one already.
        (faults if opened.facts.provenance == HARDWARE else notes).append(doubt)
    return Answers(tuple(found), tuple(faults), tuple(notes), opened.facts.runtime)


def _notes(facts: Facts, file: str, target: str) -> list[str]:
    notes = []
    if facts.provenance != HARDWARE:
        notes.append(f"these answers are of {facts.provenance}, not of hardware")
    if target != "cpu" and facts.nodes and facts.delegated is not None:
        left = facts.nodes - facts.delegated
        if left > 0:
            notes.append(f"{file}: {left} of {facts.nodes} operators ran on the CPU")
    return notes
