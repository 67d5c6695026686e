"""Which operators does LiteRT's GPU delegate take? Ask it, and compare with our table.

    VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json XDG_RUNTIME_DIR=/tmp \
        .venv/bin/python benchmarks/gpu_operators.py

A model of every operator below, float and int8, is compiled for the GPU in a process of its own;
the delegate says how many of its operators it takes. ``edgeeff inspect --check gpu`` predicts the
same from ``edgeeff/prediction/gpu_rules.py``. The status is 1 if they differ for any model.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgeeff.accelerators.gpu import probe
from edgeeff.accelerators.gpu_runtime import compiled_model, read_messages, runtime_version
from edgeeff.prediction.gpu_check import check
from edgeeff.tflite.reader import read_model

IMAGE, VECTOR, FOUR = (1, 8, 8, 8), (1, 10), (4, 8, 8, 8)
OPEN_VECTOR, OPEN_ROWS = (None, 10), (1, 1, None, 8)


def operators(tf: Any) -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Name to a function of one tensor and that tensor's shape."""
    random = np.random.default_rng(0)

    def constant(*shape: int) -> Any:
        return tf.constant(random.normal(size=shape).astype(np.float32))

    kernel, depthwise, eight = constant(3, 3, 8, 8), constant(3, 3, 8, 1), constant(8)
    resize, nn, math = tf.compat.v1.image, tf.nn, tf.math
    border = [[0, 0], [1, 1], [1, 1], [0, 0]]
    image: dict[str, Callable[..., Any]] = {
        "abs": tf.abs,
        "add": lambda x: x + eight,
        "average pool": lambda x: nn.avg_pool2d(x, 2, 2, "VALID"),
        "cast": lambda x: tf.cast(x, tf.int32),
        "ceil": math.ceil,
        "concatenation": lambda x: tf.concat([x, nn.relu(x)], 3),
        "convolution": lambda x: nn.conv2d(x, kernel, 1, "SAME"),
        "cos": tf.cos,
        "cumsum": lambda x: tf.cumsum(x, 3),
        "depth to space": lambda x: nn.depth_to_space(x, 2),
        "depthwise": lambda x: nn.depthwise_conv2d(x, depthwise, [1, 1, 1, 1], "SAME"),
        "dilated": lambda x: nn.conv2d(x, kernel, 1, "SAME", dilations=2),
        "div": lambda x: x / (tf.abs(x) + 1),
        "elu": nn.elu,
        "equal": lambda x: tf.cast(tf.equal(x, eight), tf.float32),
        "exp": tf.exp,
        "floor": tf.floor,
        "floor div": lambda x: math.floordiv(x, 3.0),
        "floor mod": lambda x: math.floormod(x, 3.0),
        "gather": lambda x: tf.gather(x, [1, 3], axis=1),
        "gather nd": lambda x: tf.gather_nd(x, [[0, 1], [0, 2]]),
        "gelu": lambda x: nn.gelu(x, approximate=True),
        "greater": lambda x: tf.cast(x > 0.5, tf.float32),
        "hard swish": lambda x: x * nn.relu6(x + 3) / 6,
        "leaky relu": lambda x: nn.leaky_relu(x, 0.1),
        "less": lambda x: tf.cast(x < 0.5, tf.float32),
        "log": lambda x: math.log(tf.abs(x) + 1),
        "logical and": lambda x: tf.cast((x > 0) & (x < 1), tf.float32),
        "logistic": tf.sigmoid,
        "lrn": nn.local_response_normalization,
        "max pool": lambda x: nn.max_pool2d(x, 2, 2, "VALID"),
        "maximum": lambda x: tf.maximum(x, eight),
        "mean": lambda x: tf.reduce_mean(x, [1, 2]),
        "mean of depth": lambda x: tf.reduce_mean(x, [3], keepdims=True),
        "minimum": lambda x: tf.minimum(x, eight),
        "mirror pad": lambda x: tf.pad(x, border, mode="REFLECT"),
        "neg": tf.negative,
        "pad": lambda x: tf.pad(x, border),
        "pad with ones": lambda x: tf.pad(x, border, constant_values=1.0),
        "pow": lambda x: tf.pow(tf.abs(x), 2.5),
        "prelu": lambda x: nn.relu(x) + (-eight) * nn.relu(-x),
        "reduce max": lambda x: tf.reduce_max(x, [1, 2]),
        "reduce min": lambda x: tf.reduce_min(x, [1, 2]),
        "reduce prod": lambda x: tf.reduce_prod(x, [1, 2]),
        "relu": nn.relu,
        "relu6": nn.relu6,
        "reshape": lambda x: tf.reshape(x, [1, 512]),
        "resize": lambda x: resize.resize_bilinear(x, [16, 16], half_pixel_centers=True),
        "resize nearest": lambda x: resize.resize_nearest_neighbor(x, [16, 16]),
        "reverse": lambda x: tf.reverse(x, [1]),
        "round": tf.round,
        "rsqrt": lambda x: math.rsqrt(tf.abs(x) + 1),
        "select": lambda x: tf.where(x > 0.5, x, x * 2),
        "select broadcast": lambda x: tf.where(x[:, :, :, :1] > 0.5, x, eight),
        "sign": tf.sign,
        "sin": tf.sin,
        "slice": lambda x: tf.slice(x, [0, 1, 1, 0], [1, 4, 4, 8]),
        "space to batch": lambda x: tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]),
        "space to depth": lambda x: nn.space_to_depth(x, 2),
        "split": lambda x: tf.split(x, 2, 3)[0] * 2,
        "split v": lambda x: tf.split(x, [3, 5], 3)[1],
        "sqrt": lambda x: tf.sqrt(tf.abs(x)),
        "square": tf.square,
        "squared difference": lambda x: math.squared_difference(x, eight),
        "squeeze-excite": lambda x: x * tf.sigmoid(tf.reduce_mean(x, [1, 2], keepdims=True)),
        "strided slice": lambda x: x[:, ::2, ::2, :],
        "sub": lambda x: x - eight,
        "sum": lambda x: tf.reduce_sum(x, [1, 2]),
        "tanh": tf.tanh,
        "tile": lambda x: tf.tile(x, [1, 2, 1, 1]),
        "transpose": lambda x: tf.transpose(x, [0, 3, 1, 2]),
        "transposed conv": lambda x: nn.conv2d_transpose(x, kernel, [1, 16, 16, 8], 2),
        "a refused one between": lambda x: tf.tanh(tf.gather_nd(nn.relu(tf.exp(x)), [[0, 1]])),
    }
    vector: dict[str, Callable[..., Any]] = {
        "arg max": lambda x: tf.argmax(x, -1, output_type=tf.int32),
        "arg min": lambda x: tf.argmin(x, -1, output_type=tf.int32),
        "broadcast": lambda x: tf.broadcast_to(tf.reshape(x, [1, 1, 10]), [1, 8, 10]),
        "fully connected": lambda x: tf.matmul(x, constant(10, 16)),
        "l2": lambda x: nn.l2_normalize(x, -1),
        "log softmax": nn.log_softmax,
        "matmul": lambda x: tf.matmul(tf.reshape(x, [1, 10, 1]), tf.reshape(x, [1, 1, 10])),
        "one hot": lambda x: tf.one_hot(tf.cast(x, tf.int32), 10),
        "pack": lambda x: tf.stack([x, x * 2], 1),
        "softmax": nn.softmax,
        "top k": lambda x: math.top_k(x, 3)[0],
        "unpack": lambda x: tf.unstack(tf.reshape(x, [1, 2, 5]), axis=1)[0],
    }
    shaped = {
        "batch of four": (lambda x: nn.conv2d(x, kernel, 1, "SAME"), FOUR),
        "batch to space": (lambda x: tf.batch_to_space(x, [2, 2], [[0, 0], [0, 0]]), FOUR),
        "expand dims": (lambda x: tf.expand_dims(x, 1) + 1.0, OPEN_VECTOR),
        "squeeze": (lambda x: tf.squeeze(x, [1]) + 1.0, OPEN_ROWS),
        "five dimensions": (lambda x: x + 1.5, (1, 2, 4, 4, 8)),
    }
    named: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        name: (function, IMAGE) for name, function in image.items()
    }
    named |= {name: (function, VECTOR) for name, function in vector.items()}
    return named | shaped


def convert(tf: Any, function: Callable[..., Any], shape: tuple[Any, ...], *, int8: bool) -> bytes:
    spec = [tf.TensorSpec(shape, tf.float32)]
    traced = tf.function(function, input_signature=spec).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])
    if int8:
        sizes = [size or 1 for size in shape]
        random = np.random.default_rng(1)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [random.normal(size=sizes).astype(np.float32)] for _ in range(3)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


def ask(path: Path) -> None:
    """Print what the delegate takes of a model, as JSON."""
    count = len(read_model(path).operators)
    _, printed = compiled_model(path.read_bytes(), "fp32", 1)
    said = read_messages(printed, count)
    print(json.dumps({"delegated": said.delegated, "reasons": said.reasons}))


def asked(path: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--ask", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return (
        json.loads(answers[-1]) if answers else {"delegated": -1, "reasons": [done.stderr[-200:]]}
    )


def compare(path: Path, name: str) -> bool:
    model = read_model(path)
    predicted = check(model)
    said = asked(path)
    same = bool(predicted.mapped == said["delegated"])
    names = " ".join(f"{operator.kind}/{operator.version}" for operator in model.operators)
    mark = "  " if same else "! "
    print(
        f"{mark}{name:<30} predicted {predicted.mapped}, taken {said['delegated']} of "
        f"{len(model.operators)}: {names} {'; '.join(said['reasons'])}"
    )
    return same


def main() -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    status = probe()
    if status.state == "unavailable":
        print(f"{status.reason}: {status.fix}", file=sys.stderr)
        return 4
    print(f"{runtime_version()} on {status.adapter}, tensorflow {tf.__version__}")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (function, shape) in operators(tf).items():
            for int8 in (False, True):
                path = Path(folder) / "model.tflite"
                path.write_bytes(convert(tf, function, shape, int8=int8))
                results.append(compare(path, f"{name} {'int8' if int8 else 'float'}"))
    print(f"{sum(results)} of {len(results)} models as predicted")
    return 0 if all(results) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ask"]:
        ask(Path(sys.argv[2]))
    else:
        sys.exit(main())
