"""One network being trained: its steps, its running average, and all of its state.

The loop is ours and not ``Model.fit``: a run that goes on after it was stopped has to end in the
same bits, which ``fit`` does not promise. Its callbacks save weights, not what the optimizer, the
average, the order of the pictures and the random layers need together; here the last two are
functions of seed, epoch and step, and the rest is one table of arrays. The parts are those of
Keras and ``tf.distribute``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from edgeeff.training.network import HEAD, Built, Tensor, copy, named_weights
from edgeeff.training.schedule import Phase
from edgeeff.training.settings import TrainingSettings

State = Mapping[str, NDArray[Any]]
"""Arrays by name: ``network/…``, ``average/…``, ``optimizer/…`` and ``step``."""

NOT_DECAYED = ["bias", "gamma", "beta"]
"""Names of variables that weight decay leaves alone."""


class _Rates(tf_keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc] # no types
    """The rate of each step, from a table; the last one stays."""

    def __init__(self, rates: NDArray[np.float32]) -> None:
        self._rates = rates

    def __call__(self, step: Tensor) -> Tensor:
        last = len(self._rates) - 1
        return tf.gather(tf.constant(self._rates), tf.minimum(tf.cast(step, tf.int32), last))


class Learner:
    """The network, its average and its optimizer, on the devices of a strategy."""

    _step: Callable[..., tuple[Tensor, Tensor]]
    """Of the phase that has begun."""

    def __init__(
        self,
        network: Built,
        settings: TrainingSettings,
        strategy: tf.distribute.Strategy,
        *,
        batch: int,
        class_weights: NDArray[np.float32],
    ) -> None:
        """Take a network, built in the scope of the strategy.

        Args:
            network: with the weights to begin with.
            settings: weight_decay, label_smoothing, average, clip, numbers.
            strategy: where it is computed.
            batch: pictures of a step on all devices together.
            class_weights: how much a picture of each class counts, float32 [classes].
        """
        self.network, self._settings, self._strategy = network, settings, strategy
        self._batch, self._class_weights = batch, class_weights
        self._optimizer: Any = None
        copy(network.model, network.averaged)
        self._judged = tf.function(self._judge, reduce_retracing=True)

    def begin(self, phase: Phase) -> None:
        """Train the layers of a phase from now on, with a fresh optimizer."""
        model, head = self.network.model, phase.name == "head"
        variables = (model.get_layer(HEAD) if head else model).trainable_variables
        with self._strategy.scope():
            optimizer = tf_keras.optimizers.AdamW(
                _Rates(phase.rates),
                weight_decay=self._settings.weight_decay,
                global_clipnorm=self._settings.clip,
            )
            optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
            if self._settings.numbers == "mixed_float16":
                optimizer = tf_keras.mixed_precision.LossScaleOptimizer(optimizer)
            optimizer.build(variables)
        self._optimizer = optimizer
        self._step = self._made_step(variables, training=not head)

    def step(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Learn from one batch: its loss, and how many pictures were named right, as scalars."""
        return self._step(images, targets)

    def judge(self, batches: Any) -> tuple[float, float]:
        """Mean loss and share of pictures that the averaged network names right."""
        loss, right, count = 0.0, 0, 0
        for images, labels in batches:
            losses, hits = self._judged(images, labels)
            loss += float(losses)
            right += int(hits)
            count += int(labels.shape[0])
        return loss / count, right / count

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next step depends on, and the pictures do not tell."""
        return {name: variable.numpy() for name, variable in self._variables().items()}

    def restore(self, state: State) -> None:
        """Go on from a state; ``begin`` was called with the phase that it is of.

        Raises:
            KeyError, ValueError: a state of another network or phase.
        """
        variables = self._variables()
        if set(variables) != set(state):
            raise KeyError(sorted(set(variables) ^ set(state))[0])
        for name, variable in variables.items():
            variable.assign(state[name])

    def average(self) -> dict[str, NDArray[np.float32]]:
        """The weights that are judged, by name."""
        weights = named_weights(self.network.averaged)
        return {name: np.asarray(weight.numpy(), np.float32) for name, weight in weights.items()}

    def _variables(self) -> dict[str, Any]:
        named = {"step": self.network.step}
        for part, model in (("network", self.network.model), ("average", self.network.averaged)):
            named |= {f"{part}/{name}": one for name, one in named_weights(model).items()}
        owned = self._optimizer.variables if self._optimizer else []
        owned = owned() if callable(owned) else owned
        return named | {f"optimizer/{number:04d}": one for number, one in enumerate(owned)}

    def _made_step(
        self, variables: list[Any], *, training: bool
    ) -> Callable[..., tuple[Tensor, Tensor]]:
        optimizer, model = self._optimizer, self.network.model
        scales = isinstance(optimizer, tf_keras.mixed_precision.LossScaleOptimizer)

        def on_device(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            with tf.GradientTape() as tape:
                logits = tf.cast(model(images, training=training), tf.float32)
                loss = tf.reduce_sum(self._losses(logits, targets)) / self._batch
                scaled = optimizer.get_scaled_loss(loss) if scales else loss
            gradients = tape.gradient(scaled, variables)
            if scales:
                gradients = optimizer.get_unscaled_gradients(gradients)
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
            hits = tf.argmax(logits, -1) == tf.argmax(targets, -1)
            return loss, tf.reduce_sum(tf.cast(hits, tf.int32))

        def step(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            loss, right = self._strategy.run(on_device, (images, targets))
            self._take_average()
            self.network.step.assign_add(1)
            total = tf.distribute.ReduceOp.SUM
            return (
                self._strategy.reduce(total, loss, axis=None),
                self._strategy.reduce(total, right, axis=None),
            )

        made: Callable[..., tuple[Tensor, Tensor]] = tf.function(step)
        return made

    def _losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each picture against its smoothed target, as its class counts."""
        smoothing, classes = self._settings.label_smoothing, len(self._class_weights)
        smooth = targets * (1 - smoothing) + smoothing / classes
        losses = tf.nn.softmax_cross_entropy_with_logits(smooth, logits)
        return losses * tf.reduce_sum(targets * self._class_weights, -1)

    def _take_average(self) -> None:
        """Move the average towards the weights; its first steps do not remember the beginning."""
        done = tf.cast(self.network.step, tf.float32)
        kept = tf.minimum(self._settings.average, (1 + done) / (10 + done))
        if self._settings.average == 0:
            kept = tf.constant(0.0)
        pairs = zip(self.network.averaged.weights, self.network.model.weights, strict=True)
        for average, weight in pairs:
            self._strategy.extended.update(average, _moved, args=(weight, 1 - kept), group=False)

    def _judge(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = tf.cast(self.network.averaged(images, training=False), tf.float32)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        hits = tf.argmax(logits, -1) == labels
        return tf.reduce_sum(losses), tf.reduce_sum(tf.cast(hits, tf.int32))


def _moved(average: Any, weight: Tensor, share: Tensor) -> Any:
    return average.assign_add(share * (tf.convert_to_tensor(weight) - average))
