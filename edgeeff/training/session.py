"""One process at work on a run: its devices, its network and its pictures."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import numpy as np
import safetensors.numpy
import tensorflow as tf
from numpy.typing import NDArray

from edgeeff import foreign
from edgeeff.architectures.variants import Variant
from edgeeff.errors import InputError, UsageError
from edgeeff.network.weights import SAFETENSORS_FORMAT
from edgeeff.pictures.images import Skipped
from edgeeff.progress import Advance, Progress
from edgeeff.training import batchnorm, runs
from edgeeff.training.data.batches import Share, judging_batches, training_batches
from edgeeff.training.data.pictures import Pictures
from edgeeff.training.data.reading import judged, kept_whole
from edgeeff.training.data.sets import DataSet
from edgeeff.training.devices import chosen_strategy, is_chief
from edgeeff.training.filling import fill
from edgeeff.training.learner import Learner
from edgeeff.training.memory import check_memory, picture_bytes
from edgeeff.training.network import Built, built, freeze_batchnorm, named_weights
from edgeeff.training.runs import Epoch, Run
from edgeeff.training.schedule import Phase, Plan, plan
from edgeeff.training.settings import TrainingSettings
from edgeeff.training.start import find_start

JUDGED_AT_ONCE = 64
LOOK_EVERY = 8
"""Steps after which the loss is looked at: each look waits for the device."""

UNEVEN = 3.0
"""``class_weights = "auto"`` acts where one class has so many times another's pictures."""


class Session:
    """The network and the pictures of a run, in memory, and its devices.

    Attributes:
        variant: the network, built as its first weights want it.
        chief: whether this process is the one of all workers that writes.
        weights: that the run began with.
        preprocessing: of the network.
        skipped: pictures that cannot be read.
        plan: what the run does.
        best: the weights that judged best so far, as a file.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        variant: Variant,
        data: DataSet,
        former: Run | None,
        *,
        scratch: Path,
        progress: Progress,
    ) -> None:
        """Build the network and read the pictures.

        Args:
            settings: of the run.
            variant: its network.
            data: its pictures.
            former: the run so far; ``None``: it begins.
            scratch: a folder for pictures that memory has no room for.
            progress: told of every stage.

        Raises:
            InputError, UsageError: as ``train``.
        """
        self._settings, self._data = settings, data
        self._strategy = chosen_strategy(settings.strategy)
        self._parts = self._strategy.num_replicas_in_sync
        self.chief = is_chief(self._strategy)
        with progress.stage("build network"):
            network = self._built(variant, former)
        # Before the pictures are read, which takes minutes where there are many.
        batch = self._planned(len(data.train.labels)).batch
        check_memory(network.model, batch // self._parts, variant.name)
        self._read(scratch, progress)
        self.plan = self._planned(len(self._pixels))
        if batchnorm.frozen(settings.batchnorm, self.plan, trained=self._trained):
            freeze_batchnorm(network.model)
        self._learner = Learner(
            network,
            settings,
            self._strategy,
            batch=self.plan.batch,
            class_weights=self._class_weights,
        )
        self.best = b""
        self._phase: Phase | None = None
        self._batches: Iterator[Any] | None = None

    def _planned(self, pictures: int) -> Plan:
        return plan(self._settings, pictures, trained=self._trained, parts=self._parts)

    @property
    def _trained(self) -> bool:
        """Whether the layers below the classifier began with weights that know something."""
        return self.weights.source != "none"

    def _built(self, variant: Variant, former: Run | None) -> Built:
        """The network with the weights to begin with; those of a former run come later."""
        classes = self._data.classes
        if former is not None and former.epochs:
            variant = former.variant
        else:
            start = find_start(variant, self._settings, whole=self._data.whole)
            variant = start.variant
        self.variant = variant
        with self._strategy.scope():
            network = built(variant, len(classes), self._settings, synchronised=self._parts > 1)
            if former is not None and former.epochs:
                self.weights, self.preprocessing = former.weights, former.preprocessing
            else:
                self.weights, self.preprocessing = fill(network.model, start, classes)
        return network

    def _read(self, scratch: Path, progress: Progress) -> None:
        train, val = self._data.train, self._data.val
        side = self.preprocessing.resolution
        with progress.stage("read pictures", len(train.labels) + len(val.labels)) as advance:
            self._pixels = kept_whole(train, side, scratch=scratch, advance=advance)
            self._judged = judged(val, self.preprocessing, scratch=scratch, advance=advance)
        self.skipped: tuple[Skipped, ...] = (*self._pixels.skipped, *self._judged.skipped)
        self._counts = np.bincount(self._pixels.labels, minlength=len(self._data.classes))
        if self._counts.min() == 0:
            name = self._data.classes[int(self._counts.argmin())]
            first = self.skipped[0]
            raise InputError(
                f"no training picture of the class {name!r} can be read",
                f"the first of all: {first.path}: {first.reason}",
            )

    @property
    def _class_weights(self) -> NDArray[np.float32]:
        """How much a picture of each class counts: 1 in the mean over all pictures."""
        how, counts = self._settings.class_weights, self._counts
        if how == "none" or (how == "auto" and counts.max() <= UNEVEN * counts.min()):
            return np.ones(len(counts), np.float32)
        return np.asarray(counts.sum() / (len(counts) * counts), np.float32)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user must be told, a sentence each."""
        found = list(self.weights.notes)
        if self.skipped:
            first = self.skipped[0]
            found.append(
                f"{len(self.skipped)} pictures cannot be read and are left out, the first: "
                f"{first.path}: {first.reason}"
            )
        if self.plan.batch < self._settings.batch:
            found.append(f"a step takes {self.plan.batch} pictures, for there are few")
        told = batchnorm.note(self._settings.batchnorm, self.plan, trained=self._trained)
        if told:
            found.append(told)
        if (self._class_weights != 1).any():
            found.append("the classes are uneven: pictures of rare ones count more")
        return tuple(found)

    def environment(self) -> dict[str, Any]:
        """What is computed on, as JSON values."""
        return {
            "strategy": type(self._strategy).__name__,
            "devices": self._parts,
            "gpus": [
                str(tf.config.experimental.get_device_details(one).get("device_name", one.name))
                for one in tf.config.list_physical_devices("GPU")
            ],
        }

    def summary(self) -> str:
        """The layers of the network as Keras prints them."""
        out = io.StringIO()
        self._learner.network.model.summary(print_fn=lambda line: out.write(f"{line}\n"))
        return out.getvalue()

    def epoch(self, number: int, advance: Advance) -> Epoch:
        """Train epoch ``number``, counted from 0, and judge it.

        Raises:
            InputError: the loss is no number any more.
        """
        begin = time.perf_counter()
        phase = self._enter(number)
        losses, right = self._steps(number, advance)
        trained, pictures = time.perf_counter() - begin, self.plan.steps * self.plan.batch
        batches = judging_batches(self._judged, self.preprocessing, JUDGED_AT_ONCE)
        val_loss, val_top1 = self._learner.judge(batches)
        loss = float(np.mean(losses))
        # The last step may have ruined the weights after its own loss was a number.
        if not np.isfinite((loss, val_loss)).all():
            raise self._diverged(number)
        return Epoch(
            epoch=number + 1,
            phase=phase.name,
            learning_rate=float(phase.rates[(number + 1 - phase.first) * self.plan.steps - 1]),
            loss=loss,
            accuracy=right / pictures,
            val_loss=val_loss,
            val_top1=val_top1,
            seconds=time.perf_counter() - begin,
            images_per_second=pictures / trained,
        )

    def _enter(self, number: int) -> Phase:
        """Begin the phase of an epoch, if it is another one."""
        phase = self.plan.phase(number)
        if phase is not self._phase:
            self._learner.begin(phase)
            self._phase = phase
        return phase

    def _steps(self, number: int, advance: Advance) -> tuple[list[float], int]:
        """The losses of an epoch's steps, and how many pictures were named right meanwhile."""
        if self._batches is None:
            self._batches = self._begun_batches(number)
        losses: list[float] = []
        right = 0
        for first in range(0, self.plan.steps, LOOK_EVERY):
            count = min(LOOK_EVERY, self.plan.steps - first)
            made = [self._learner.step(*next(self._batches)) for _ in range(count)]
            losses += [float(loss) for loss, _ in made]
            right += sum(int(hits) for _, hits in made)
            if not np.isfinite(losses[-1]):
                raise self._diverged(number)
            advance(count)
        return losses, right

    def _begun_batches(self, number: int) -> Iterator[Any]:
        """The steps of all epochs from this one on."""

        def mine(context: tf.distribute.InputContext) -> Any:
            workers = context.num_input_pipelines
            share = Share(context.input_pipeline_id, workers, self._parts // workers)
            return training_batches(
                self._pixels,
                self.preprocessing,
                self._settings.augmentation,
                mirrored=self._data.mirrored,
                classes=len(self._data.classes),
                batch=self.plan.batch,
                seed=self._settings.seed,
                epochs=range(number, self.plan.epochs),
                share=share,
            )

        return iter(self._strategy.distribute_datasets_from_function(mine))

    def _diverged(self, number: int) -> InputError:
        kept = (
            f"{runs.BEST} and {runs.LAST} hold what was there before"
            if number
            else "nothing is lost"
        )
        return InputError(
            f"the loss of epoch {number + 1} is no number any more: training has stopped, {kept}",
            f"a --learning-rate below {float(self.plan.phase(number).rates.max()):g} may help",
        )

    def average(self) -> bytes:
        """The weights that are judged and kept, as a file."""
        return safetensors.numpy.save(self._learner.average(), {"format": SAFETENSORS_FORMAT})

    def state(self) -> bytes:
        """All that the next step depends on, as a file."""
        state = {name: np.asarray(one, order="C") for name, one in self._learner.state().items()}
        return safetensors.numpy.save(state)

    def restore(self, run: Run) -> None:
        """Go on after the last epoch of a run. Raises ``InputError`` for a damaged state."""
        self._enter(len(run.epochs) - 1)
        self.best = runs.checked(run, runs.BEST)
        with foreign.parsing(f"{run.folder / runs.STATE} is no state of this run"):
            self._learner.restore(safetensors.numpy.load(runs.checked(run, runs.STATE)))

    def judge_best(self, pictures: Pictures, progress: Progress) -> float:
        """Share of pictures that the best weights name right."""
        best = safetensors.numpy.load(self.best)
        # In the order of the network: workers exchange values as they assign them, and a file's
        # names come in an order of their own.
        for name, variable in named_weights(self._learner.network.averaged).items():
            variable.assign(best[name])
        with progress.stage("read test pictures", len(pictures.labels)) as advance:
            found = judged(pictures, self.preprocessing, advance=advance)
        with progress.stage("judge by test pictures"):
            batches = judging_batches(found, self.preprocessing, JUDGED_AT_ONCE)
            return self._learner.judge(batches)[1]

    @contextlib.contextmanager
    def out_of_memory(self) -> Iterator[None]:
        """Turn a device's lack of memory into a line that says what would fit."""
        try:
            yield
        except tf.errors.ResourceExhaustedError as error:
            fits = max(1, self.plan.batch // 2)
            size = picture_bytes(self._learner.network.model) / 1e6
            raise UsageError(
                f"the device has no memory for a step of {self.plan.batch} pictures, "
                f"{size:,.0f} MB each",
                f"--batch {fits} takes half of it; what was done so far is in the run's folder",
            ) from error
