"""What ``convert`` and ``quantize`` print of what they made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from edgeeff.cli.figures import Rows, decibels, fidelity_rows, layer_name, pictures, share, share_of
from edgeeff.cli.terminal import Terminal
from edgeeff.shell import word

if TYPE_CHECKING:
    from edgeeff.pipeline.conversion import Conversion
    from edgeeff.tflite.float_model import Provenance

SIZES = ((1e9, 1e9, "GB"), (1e5, 1e6, "MB"), (0, 1e3, "kB"))
"""From so many bytes on, they are told in a unit of so many, of this name."""
NAMED_OPERATORS = 4


@contextlib.contextmanager
def trials_shown(terminal: Terminal) -> Iterator[None]:
    """Show what an accuracy gate tried before its error is reported."""
    from edgeeff.evaluation.gate import AccuracyGateFailed

    try:
        yield
    except AccuracyGateFailed as failed:
        _trials(terminal, [trial.to_json() for trial in failed.trials])
        raise


def summary(terminal: Terminal, made: Conversion, *, told: Sequence[str] = ()) -> None:
    """Print what a conversion made, and what to do next.

    Args:
        terminal: to print on.
        made: what came out.
        told: what was said before the work; notes that it holds are not said again.
    """
    manifest = made.manifest
    terminal.document(manifest.document())
    weights = manifest.weights
    if weights is not None and not weights.trained:
        terminal.warn("WARNING: THIS NETWORK IS UNTRAINED: ITS ANSWERS MEAN NOTHING")
    if manifest.verdict and not manifest.verdict["good"]:
        _ruined(terminal, manifest.verdict)
    for note in made.notes:
        if not any(note in said for said in told):
            terminal.note(note)
    rows = [
        ("size", f"{size_of(manifest.float_bytes)} float32 → {size_of(manifest.bytes)}"),
        ("weights", weights.source if weights else "of the file"),
        *_same_function(weights),
        ("recipe", (manifest.recipe or {}).get("name", "")),
        *corrections_rows(manifest.corrections),
        ("calibration", _calibration(manifest.calibration)),
        *_coverage(manifest.calibration),
        *learned_rows(manifest.qat),
        ("input", _end(manifest.input)),
        ("output", _end(manifest.output)),
        ("operators", _operators(manifest.operators, every=terminal.verbose)),
        ("integer only", "yes" if manifest.integer_only else "no"),
        *_fidelity(manifest.fidelity),
        *accuracy_rows(manifest.accuracy),
        *verdict_rows(manifest.verdict, manifest.fidelity, manifest.accuracy),
        ("took", _seconds(manifest.seconds, every=terminal.verbose)),
        ("peak memory", size_of(manifest.peak_memory_bytes)),
    ]
    terminal.pairs(rows, title=str(made.model))
    if manifest.fidelity and manifest.fidelity["note"]:
        terminal.say(manifest.fidelity["note"])
    if manifest.mixed:
        show_kept(terminal, manifest.mixed, manifest.fidelity)
    if manifest.tried:
        _trials(terminal, manifest.tried)
    if terminal.verbose:
        _curve(terminal, manifest.calibration)
    if made.model == made.reference:
        return
    terminal.say(f"\nfloat reference: {made.reference}")
    terminal.say("next, on pictures of your own:")
    model, reference = map(word, (made.model, made.reference))
    terminal.command(
        f"edgeeff evaluate {model}", f"--reference {reference}", "--data YOUR_PICTURES"
    )


NO_GAIN_DB = 0.1
"""Less than this is no gain of quantization-aware training, or of layers that are kept."""

SHIPPED = 0.95
"""Of 64 pictures a few whose best classes are nearly as likely may be answered otherwise."""


def learned_rows(qat: dict[str, Any] | None) -> Rows:
    """What quantization-aware training did."""
    if qat is None:
        return []
    steps = f"{qat['steps']} steps of {qat['batch']} of {qat['count']:,} pictures"
    gained = f"{qat['start_db']:.1f} to {qat['end_db']:.1f} dB on {qat['judged']} of them"
    if qat["end_db"] - qat["start_db"] < NO_GAIN_DB:
        gained += ": NO GAIN, the model without --qat is as good"
    same = f"same answer to {qat['same_answers']:.1%} of {qat['judged']} pictures as while trained"
    if qat["same_answers"] < SHIPPED:
        same += f": NOT WHAT WAS TRAINED, farthest off is {layer_name(qat['unlike_of'])}"
    return [("trained", f"{steps} ({qat['source']}), {gained}"), ("the file", same)]


def _same_function(weights: Provenance | None) -> Rows:
    if weights is None or weights.difference is None:
        return []
    apart = f"{weights.difference:.1g} apart at most"
    return [("float32", f"answers as the network it was made of: {apart}")]


def corrections_rows(found: dict[str, Any] | None) -> Rows:
    """What of a recipe helps this network, as far as that was looked at."""
    if found is None:
        return []
    better = found["sqnr_db"] - found["plain_db"]
    gain = f"{better:+.1f} dB by the mean of {pictures(found['pictures'])}"
    rows = [("against plain rounding", gain)]
    if found["left_out"]:
        cost = found["sqnr_db"] - found["whole_db"]
        said = (
            f"{cost:.1f} dB better without"
            if cost >= 0
            else f"worth {-cost:.1f} dB, but not the time"
        )
        median, whole = (f"{found[key]:.1f} dB" for key in ("median_db", "whole_median_db"))
        rows += [
            ("left out of the recipe", f"{', '.join(found['left_out'])}: {said}"),
            ("their median picture", f"{median}, and {whole} with all of the recipe"),
        ]
    return rows


def _trials(terminal: Terminal, trials: list[dict[str, Any]]) -> None:
    rows = [
        [
            trial["recipe"],
            size_of(trial["bytes"]),
            same_answers(trial),
            decibels(trial["sqnr_db"]),
            _drop(trial["drop"]),
            ", ".join(trial["failed"]) or "passed",
        ]
        for trial in trials
    ]
    columns = ["recipe", ">size", ">same top-1", ">SQNR", "top-1 drop", "limits"]
    terminal.table(columns, rows)


def same_answers(trial: dict[str, Any]) -> str:
    """The agreement as a count with its interval; the share alone if nobody counted."""
    from edgeeff.evaluation.accuracy import wilson

    agreement, images = trial["agreement"], trial.get("images")
    if agreement is None or not images:
        return share(agreement)
    same = round(agreement * images)
    found = wilson(same, images)
    return f"{same:,} of {images:,} ({found.low:.0%} to {found.high:.0%})"


def _drop(drop: Sequence[float] | None) -> str:
    return "unknown" if drop is None else f"{drop[0]:.2f} ({drop[1]:.2f} to {drop[2]:.2f})"


def show_kept(terminal: Terminal, mixed: dict[str, Any], held_out: dict[str, Any] | None) -> None:
    """Show what a search for layers to keep found, in the order in which they joined."""
    named = str if terminal.verbose else layer_name
    rows = [["nothing (full integer)", "", f"{mixed['sqnr_db']:.1f} dB", "", ""]]
    rows += [
        [
            ", ".join(map(named, run["blocks"])),
            run["precision"],
            f"{run['sqnr_db']:.1f} dB",
            f"{run['added_bytes'] / 1e3:.1f} kB",
            "" if run["slower_percent"] is None else f"{run['slower_percent']:+.1f}%",
        ]
        for run in mixed["kept"]
    ]
    columns = ["kept, one after the other", "in", ">SQNR", ">bytes", ">time"]
    chosen_on = f"{mixed['pictures']} calibration pictures, on which the layers were chosen"
    terminal.table(columns, rows, title=f"SQNR by the mean of {chosen_on}")
    if not mixed["kept"]:
        terminal.note("nothing was worth its cost within the budget: this is full int8")
    elif held_out is not None and mixed["full_integer"]["fidelity"] is not None:
        _held_out(terminal, mixed["full_integer"], held_out)


def _held_out(terminal: Terminal, whole: dict[str, Any], mixed: dict[str, Any]) -> None:
    """Compare a mixed network with full int8 on pictures that chose nothing."""
    kinds = {"median_image_sqnr_db": "median picture", "sqnr_db": "all together"}
    pairs = {kind: (whole["fidelity"][key], mixed[key]) for key, kind in kinds.items()}
    told = [
        f"{kind} {decibels(before)} → {decibels(after)}" for kind, (before, after) in pairs.items()
    ]
    size = size_of(whole["bytes"])
    terminal.say(
        f"from full int8 ({size}) on {mixed['images']} held-out pictures: {', '.join(told)}"
    )
    # Infinite is null, and cannot be surpassed.
    if all(b is None or (a is not None and a - b < NO_GAIN_DB) for b, a in pairs.values()):
        terminal.note(
            "on pictures that chose nothing these layers gain nothing: more --calibration "
            "pictures choose better, and full int8 (without --mixed) is as good"
        )


def size_of(count: int | None) -> str:
    """So many bytes in kB, MB or GB, powers of ten, whichever suits them."""
    if count is None:
        return "unknown"
    unit, name = next((unit, name) for least, unit, name in SIZES if count >= least)
    return f"{count / unit:.2f} {name}"


def _end(tensor: dict[str, Any]) -> str:
    words = f"{layer_name(tensor['name'])} {tensor['dtype']}{tensor['shape']}"
    if tensor["scale"] is None:
        return words
    return f"{words}, scale {tensor['scale']:.6g}, zero point {tensor['zero_point']}"


def _operators(counts: dict[str, int], *, every: bool) -> str:
    shown = [f"{count} {name}" for name, count in counts.items()]
    if every or len(shown) <= NAMED_OPERATORS + 1:
        return ", ".join(shown)
    rest = sum(list(counts.values())[NAMED_OPERATORS:])
    return f"{', '.join(shown[:NAMED_OPERATORS])} and {rest} others (-v names them)"


def _calibration(used: dict[str, Any] | None) -> str:
    if used is None:
        return "not needed"
    if used["source"] == "synthetic":
        known = "BatchNorm statistics and " if used["batchnorm"] else ""
        return f"no data: {known}{used['count']} synthetic pictures"
    return f"{pictures(used['count'])} of {used['source']}"


def _coverage(used: dict[str, Any] | None) -> Rows:
    found = (used or {}).get("coverage")
    return [("coverage", found["verdict"])] if found else []


def _curve(terminal: Terminal, used: dict[str, Any] | None) -> None:
    """How ranges grew with the calibration pictures."""
    found = (used or {}).get("coverage")
    if not found:
        return
    curve = found["curve"]
    columns = [">pictures", ">of the final ranges, mean", ">least covered"]
    rows = [
        [count, f"{mean:.1%}", f"{worst:.1%}"]
        for count, mean, worst in zip(curve["pictures"], curve["mean"], curve["worst"], strict=True)
    ]
    title = f"ranges that come from calibration pictures: {found['activations']}"
    terminal.table(columns, rows, title=title)


def _fidelity(found: dict[str, Any] | None) -> Rows:
    if found is None:
        return []
    source = found["pictures"]
    synthetic = source == "synthetic"
    kind = "synthetic pictures" if synthetic else f"pictures of {source}"
    on = f"on {found['images']:,} {kind}, which no step has seen"
    return [("against float", on), *fidelity_rows(found, synthetic=synthetic)]


def verdict_rows(
    found: dict[str, Any] | None,
    fidelity: dict[str, Any] | None,
    accuracy: dict[str, Any] | None,
) -> Rows:
    """Whether a model answers as float, and how many pictures tell that if they are few.

    Args:
        found: the verdict of a manifest.
        fidelity: likewise, on held-out pictures.
        accuracy: likewise, with the fidelity on the pictures of ``--eval-data``.
    """
    from edgeeff.evaluation.grades import few

    if found is None:
        return []
    if not found["good"]:
        return [("verdict", "BAD: DOES NOT ANSWER AS FLOAT")]
    seen = [one for one in (fidelity, (accuracy or {}).get("fidelity")) if one]
    most = max(seen, key=lambda one: one["images"])
    if not few(most["images"]):
        return [("verdict", "answers as float")]
    synthetic = most.get("pictures") == "synthetic"
    told = f"{most['images']} synthetic pictures" if synthetic else pictures(most["images"])
    return [("verdict", f"answers as float, as far as {told} can tell")]


def _ruined(terminal: Terminal, verdict: dict[str, Any]) -> None:
    """Say that a model is not what was asked for, and what to do about it."""
    terminal.warn("WARNING: THIS MODEL DOES NOT ANSWER AS ITS FLOAT NETWORK DOES: DO NOT SHIP IT")
    for fault in verdict["faults"]:
        terminal.warn(f"warning: {fault}")
    if verdict["try"]:
        terminal.warn(f"hint: try --recipe {verdict['try']}")


def accuracy_rows(found: dict[str, Any] | None) -> Rows:
    """What the pictures of ``--eval-data`` showed, labelled or not."""
    if found is None:
        return []
    from edgeeff.evaluation.accuracy import Share

    rows: Rows = [("of --eval-data", f"{pictures(found['images'])} of {found['data']}")]
    of_float = found["reference_accuracy"]
    for name, accuracy in (("top-1", found), ("top-1 of float", of_float or {})):
        if accuracy.get("top1") is not None:
            top1 = Share(accuracy["top1"]["value"], *accuracy["top1"]["ci95"])
            rows.append((name, share_of(top1, found["images"])))
    if found["top1_drop"] is not None:
        low, high = (100 * end for end in found["top1_drop"]["ci95"])
        points = 100 * found["top1_drop"]["value"]
        rows.append(("top-1 below float", f"{points:.2f} points ({low:.2f} to {high:.2f})"))
    return rows + (fidelity_rows(found["fidelity"]) if found["fidelity"] else [])


def _seconds(stages: dict[str, float], *, every: bool) -> str:
    total = f"{sum(stages.values()):.1f} s"
    if not every:
        return total
    return f"{total}: {', '.join(f'{name} {value:.1f}' for name, value in stages.items())}"
