"""Pictures per second of fine-tuning: edgeeff beside keras.applications with model.fit.

    python benchmarks/training.py PICTURES [--variant b0] [--pictures 512] [--rounds 2]

Both fine-tune all layers of the same network at the same resolution, batch and precision from the
same random weights, with random crops, flips and colours, AdamW and label smoothing: Keras as its
guides do it, from ``image_dataset_from_directory`` with its augmentation layers, cached. PICTURES
is a folder of class folders. The two take turns, each in a process of its own; of each turn the
fastest epoch after the first counts, which builds the graph. Random weights: what is measured is
time alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

EPOCHS = 3


def ours(folder: Path, variant: str, batch: int) -> list[float]:
    """Pictures per second of each epoch of ``edgeeff.train``."""
    import edgeeff

    settings = edgeeff.TrainingSettings(
        variant=variant, data=folder, weights="none", epochs=EPOCHS, batch=batch, share=0.05
    )
    with tempfile.TemporaryDirectory() as made:
        run = edgeeff.train(settings, Path(made) / "run")
    return [one.images_per_second for one in run.epochs]


def keras(folder: Path, variant: str, batch: int) -> list[float]:
    """Pictures per second of each epoch of ``model.fit``."""
    import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

    # isort: split
    import tensorflow as tf
    import tf_keras

    from edgeeff.architectures.variants import find_variant

    side = find_variant(variant).resolution
    layers = tf_keras.layers
    data = tf_keras.utils.image_dataset_from_directory(
        folder, label_mode="categorical", image_size=(side, side), batch_size=None, shuffle=False
    )
    classes, count = len(data.class_names), len(data.file_paths)
    change = tf_keras.Sequential(
        [
            layers.RandomFlip("horizontal"),
            layers.RandomZoom((-0.4, 0.0)),
            layers.RandomBrightness(0.2),
            layers.RandomContrast(0.2),
        ]
    )
    made = getattr(tf_keras.applications, f"EfficientNet{variant.upper()}")
    network = made(weights=None, classes=classes, input_shape=(side, side, 3))
    network.compile(
        tf_keras.optimizers.AdamW(3e-4, weight_decay=0.02, global_clipnorm=1.0),
        tf_keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy"],
    )
    batches = (
        data.cache()
        .shuffle(1024)
        .batch(batch, drop_remainder=True)
        .map(lambda few, right: (change(few, training=True), right), tf.data.AUTOTUNE)
        .prefetch(2)
    )
    times: list[float] = []
    for _ in range(EPOCHS):
        begin = time.perf_counter()
        network.fit(batches, epochs=1, verbose=0)
        times.append(count // batch * batch / (time.perf_counter() - begin))
    return times


ROADS = {"edgeeff": ours, "keras.applications and model.fit": keras}


def some(folder: Path, count: int, place: Path) -> Path:
    """A folder of links to the first pictures of each class, so many in all."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    for one in classes:
        (place / one.name).mkdir(parents=True)
        for path in sorted(one.iterdir())[: count // len(classes)]:
            (place / one.name / path.name).symlink_to(path.resolve())
    return place


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures per second of fine-tuning.")
    parser.add_argument("folder", type=Path, help="class folders")
    parser.add_argument("--variant", default="b0", help="b0 to b7")
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--road", choices=list(ROADS), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.road:
        print(json.dumps(ROADS[chosen.road](chosen.folder, chosen.variant, chosen.batch)))
        return
    rows: dict[str, list[float]] = {name: [] for name in ROADS}
    with tempfile.TemporaryDirectory() as made:
        pictures = some(chosen.folder, chosen.pictures, Path(made) / "pictures")
        for _ in range(chosen.rounds):
            for name in ROADS:
                rows[name].append(_turn(name, pictures, chosen))
    for name, rates in rows.items():
        print(f"{name}: {', '.join(f'{rate:.2f}' for rate in rates)} pictures/s")
    first, second = (max(rates) for rates in rows.values())
    print(f"ratio: {first / second:.2f}")


def _turn(name: str, pictures: Path, chosen: argparse.Namespace) -> float:
    words: list[Any] = [sys.executable, __file__, pictures, "--road", name]
    words += ["--variant", chosen.variant, "--batch", chosen.batch]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True)
    rates: list[float] = json.loads(done.stdout.splitlines()[-1])
    return max(rates[1:])


if __name__ == "__main__":
    main()
