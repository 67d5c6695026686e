"""The pass that times pictures' stages apart: ``--images DIR``."""

from __future__ import annotations

import statistics
from pathlib import Path

from edgeeff.benchmarking.measurement import Stages
from edgeeff.benchmarking.session import Pass
from edgeeff.devices import Bench
from edgeeff.devices.worker_bench import WorkerBench
from edgeeff.errors import UsageError
from edgeeff.evaluation.inputs import find_preprocessing
from edgeeff.evaluation.normalisation import Normalisation
from edgeeff.pictures.images import read_images

MOST = 50
"""Pictures that are timed; a folder may hold more."""


def picture_stages(
    folder: Path, said: Normalisation | None = None, *, device: str = "local"
) -> Pass:
    """A pass for ``session.measure`` that classifies the pictures of a folder.

    A board gets the pictures as they are: decoding and resizing are its own work.

    Args:
        folder: with pictures, on this computer.
        said: of models whose metadata says nothing.
        device: the address of where it will run.

    Raises:
        UsageError: a phone (at once).
        InputError: no pictures there (at once), no known preprocessing (in the pass).
    """
    if device.partition(":")[0] == "android":
        raise _not_on_phones()
    paths = [picture.path.resolve() for picture in read_images(folder).pictures[:MOST]]

    def stages(bench: Bench) -> Stages:
        if not isinstance(bench, WorkerBench):
            raise _not_on_phones()
        model = bench.here
        how = find_preprocessing(model, otherwise=said.of(model) if said else None)
        bench.load()
        bench.warm_up()
        times = bench.pictures(paths, how)
        medians = (
            statistics.median(stage) / 1e6
            for stage in (times.preprocessing_ns, times.invoke_ns, times.postprocessing_ns)
        )
        return Stages(len(paths), *medians)

    return stages


def _not_on_phones() -> UsageError:
    return UsageError(
        "--images cannot be timed on phones: benchmark_model takes tensors, it neither decodes "
        "nor resizes pictures, and an app does both in its own way",
        "--device local or ssh://…; on the phone time these stages in the app",
    )
