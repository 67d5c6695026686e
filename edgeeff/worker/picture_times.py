"""What an app waits for, stage by stage: decode and resize a picture, run, read the answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.accelerators.session import Session
from edgeeff.errors import InputError
from edgeeff.pictures.images import open_rgb
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.tflite.feeding import feeding
from edgeeff.worker.sampling import Report

TOP = 5


@dataclass(frozen=True)
class PictureTimes:
    """Nanoseconds per picture and stage, in the pictures' order."""

    preprocessing_ns: tuple[int, ...]
    invoke_ns: tuple[int, ...]
    postprocessing_ns: tuple[int, ...]


def picture_times(
    session: Session,
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    *,
    report: Report,
) -> PictureTimes:
    """Classify pictures one by one with a clock between the stages.

    Preprocessing reads and decodes the file, crops, resizes, normalises or quantizes, and sets
    the input; postprocessing copies the output and finds the five likeliest classes.

    Args:
        session: a model of one picture input [1, height, width, channels], warmed up.
        paths: the pictures.
        preprocessing: of the model's pictures.
        report: called after every picture.

    Raises:
        InputError: the model takes something else, or a picture cannot be read.
    """
    info = session.inputs[0]
    wanted = (1, *preprocessing.shape)
    if len(session.inputs) != 1 or info.shape != wanted:
        found = f"the model takes {info.shape}, not one picture {wanted}"
        raise InputError(found, "convert --batch 1")
    feed = feeding(info, preprocessing)
    clock = time.perf_counter_ns
    rows = []
    for number, path in enumerate(paths, 1):
        start = clock()
        pixels = preprocessing.pixels(open_rgb(path))[None]
        session.feed([feed(pixels)])
        fed = clock()
        session.invoke()
        invoked = clock()
        _likeliest(session.outputs()[0])
        rows.append((fed - start, invoked - fed, clock() - invoked))
        report(number)
    return PictureTimes(*(tuple(stage) for stage in zip(*rows, strict=True)))


def _likeliest(outputs: NDArray[Any]) -> NDArray[Any]:
    flat = outputs.reshape(-1)
    count = min(TOP, flat.size)
    return np.argpartition(-flat.astype(np.float32), count - 1)[:count]
