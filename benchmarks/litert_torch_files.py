"""Export three small networks of PyTorch with litert-torch, and say how far their files are off.

    python -m venv torch-venv && torch-venv/bin/pip install torch==2.13.0 litert-torch==0.10.0
    torch-venv/bin/python benchmarks/litert_torch_files.py FOLDER
    for file in FOLDER/*.tflite; do edgeeff quantize $file --mean 127.5 --std 127.5; done

It needs PyTorch and not edgeeff. The networks are inverted residuals with random weights, BatchNorm
re-estimated on random pictures: with ReLU6, with hard swish, and with SiLU and a softmax. Each is
written with channels first, as PyTorch takes them, and with channels last.
"""

from __future__ import annotations

import sys
from pathlib import Path

import litert_torch
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from torch import nn

SIDE, CLASSES, JUDGED = 96, 10, 8
BLOCKS = ((16, 1, 1), (24, 2, 4), (24, 1, 4), (40, 2, 4), (40, 1, 4))
"""Filters, stride and expansion of each."""

NETWORKS = {
    "relu6": (nn.ReLU6, False),
    "hard-swish": (nn.Hardswish, False),
    "silu": (nn.SiLU, True),
}
"""The activation, and whether a softmax is the end."""


def layer(
    taken: int, made: int, kernel: int, stride: int, groups: int, active: nn.Module
) -> nn.Module:
    padding = kernel // 2
    convolution = nn.Conv2d(taken, made, kernel, stride, padding, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(made, momentum=None), active)


class Residual(nn.Module):  # type: ignore[misc]  # torch is not there to be checked
    """An inverted residual."""

    def __init__(self, taken: int, made: int, stride: int, times: int, activation: type) -> None:
        super().__init__()
        wide = taken * times
        self.layers = nn.Sequential(
            layer(taken, wide, 1, 1, 1, activation()),
            layer(wide, wide, 3, stride, wide, activation()),
            layer(wide, made, 1, 1, 1, nn.Identity()),
        )
        self.added = stride == 1 and taken == made

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """As PyTorch calls it."""
        made = self.layers(values)
        return values + made if self.added else made


def network(activation: type, softmax: bool) -> nn.Module:
    """The network, ready to answer."""
    parts, filters = [layer(3, 16, 3, 2, 1, activation())], 16
    for made, stride, times in BLOCKS:
        parts.append(Residual(filters, made, stride, times, activation))
        filters = made
    parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(filters, CLASSES)]
    whole = nn.Sequential(*parts, nn.Softmax(-1) if softmax else nn.Identity())
    with torch.no_grad():
        whole.train()(torch.rand(16, 3, SIDE, SIDE) * 2 - 1)
    return whole.eval()


def answers(file: Path, pictures: np.ndarray) -> np.ndarray:
    runtime = Interpreter(str(file))
    runtime.allocate_tensors()
    given, made = runtime.get_input_details()[0]["index"], runtime.get_output_details()[0]["index"]
    found = []
    for picture in pictures:
        runtime.set_tensor(given, picture[None])
        runtime.invoke()
        found.append(runtime.get_tensor(made)[0])
    return np.stack(found)


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    pictures = torch.rand(JUDGED, 3, SIDE, SIDE) * 2 - 1
    for name, (activation, softmax) in NETWORKS.items():
        made = network(activation, softmax)
        with torch.no_grad():
            truth = made(pictures).numpy()
        last = litert_torch.to_channel_last_io(made, args=[0])
        for end, one, fed in (
            ("first", made, pictures),
            ("last", last, pictures.permute(0, 2, 3, 1)),
        ):
            file = folder / f"{name}-channels-{end}.tflite"
            fed = fed.contiguous()
            litert_torch.convert(one, (fed[:1],)).export(str(file))
            off = np.abs(answers(file, fed.numpy()) - truth).max() / np.abs(truth).max()
            print(f"{file.name}: {off:.1e} of the largest answer at most")


if __name__ == "__main__":
    main()
