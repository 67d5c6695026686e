"""The pass that times pictures' stages apart: ``--images DIR``."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np

from edgeeff.benchmark.measurement import Stages
from edgeeff.benchmark.normalisation import Normalisation
from edgeeff.benchmark.session import Pass
from edgeeff.devices import Bench
from edgeeff.devices.worker_bench import WorkerBench
from edgeeff.errors import UsageError
from edgeeff.evaluation.classifier import fed
from edgeeff.evaluation.inputs import find_preprocessing
from edgeeff.images import read_images
from edgeeff.litert.runner import Runner
from edgeeff.preprocessing import Preprocessing

MOST = 50
"""Pictures that are timed; a folder may hold more."""


def picture_stages(folder: Path, said: Normalisation | None = None) -> Pass:
    """A pass for ``session.measure`` that classifies the pictures of a folder.

    Args:
        folder: with pictures, on the device that measures.
        said: of models whose metadata says nothing.

    Raises:
        InputError: no pictures there (at once), no known preprocessing (in the pass).
    """
    paths = [picture.path.resolve() for picture in read_images(folder).pictures[:MOST]]

    def stages(bench: Bench) -> Stages:
        if not isinstance(bench, WorkerBench):
            raise UsageError("--images works where edgeeff runs, not on phones", "--device local")
        model = Path(bench.model)
        how = find_preprocessing(model, otherwise=said.of(model) if said else None)
        bench.load()
        bench.warm_up()
        times = bench.pictures(paths, how, raw=_takes_bytes(model, how))
        medians = (
            statistics.median(stage) / 1e6
            for stage in (times.preprocessing_ns, times.invoke_ns, times.postprocessing_ns)
        )
        return Stages(len(paths), *medians)

    return stages


def _takes_bytes(model: Path, preprocessing: Preprocessing) -> bool:
    """Whether ``evaluation.fed`` gives the input the picture's bytes as they are."""
    info = Runner(model, threads=1).inputs[0]
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    return bool((fed(ramp, info, preprocessing) == ramp).all())
