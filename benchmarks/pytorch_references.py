"""What PyTorch's libraries predict: state dicts with pictures and outputs, for pytorch_weights.py.

    python pytorch_references.py list
    python pytorch_references.py make FOLDER LIBRARY NETWORK [--format zip|legacy|safetensors]
    python pytorch_references.py tiny FOLDER

Runs where torch, torchvision, timm, transformers, efficientnet_pytorch and safetensors are
installed; edgeeff is not needed there. Weights are random, BatchNorm's scales and shifts too,
and its statistics are those of the pictures: with those of the initialisation, a deep network
answers nearly the same to every picture. ``list`` prints the networks of each library; ``make``
writes weights.* and pictures.npz (``image`` [n, height, width, 3], ``logits`` [n, classes]).
``tiny`` makes the data of edgeeff's tests, which need no PyTorch: a network of
torchvision's in both of PyTorch's formats and what it predicts, and a digest of the names and
shapes of every network's tensors.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

CLASSES = 10
PICTURES = 2
B = [f"b{number}" for number in range(8)]
LITE = [f"lite{number}" for number in range(5)]
EDGETPU = {"edgetpu-s": "es", "edgetpu-m": "em", "edgetpu-l": "el"}
NETWORKS = {
    "torchvision": B,
    "timm": [*B, *LITE, *EDGETPU],
    "timm-tf": [*B, *LITE, *EDGETPU],
    "efficientnet_pytorch": B,
    "transformers": B,
}
HUGGING_FACE = {
    # width, depth, image size, features, blocks whose input has an odd side
    "b0": (1.0, 1.0, 224, 1280, []),
    "b1": (1.0, 1.1, 240, 1280, [16]),
    "b2": (1.1, 1.2, 260, 1408, [5, 8, 16]),
    "b3": (1.2, 1.4, 300, 1536, [5, 18]),
    "b4": (1.4, 1.8, 380, 1792, [6]),
    "b5": (1.6, 2.2, 456, 2048, [13, 27]),
    "b6": (1.8, 2.6, 528, 2304, [31]),
    "b7": (2.0, 3.1, 600, 2560, [18]),
}
"""As transformers' convert_efficientnet_to_pytorch.py makes its published configurations."""


def network(library: str, name: str) -> tuple[Any, int]:
    """The untrained network, and the side of the pictures that its library feeds it."""
    if library == "torchvision":
        import torchvision

        made = torchvision.models.get_model(f"efficientnet_{name}", num_classes=CLASSES)
        weights = torchvision.models.get_model_weights(f"efficientnet_{name}")
        return made, weights.IMAGENET1K_V1.transforms().crop_size[0]
    if library.startswith("timm"):
        import timm

        prefix = "tf_" if library == "timm-tf" else ""
        full = f"{prefix}efficientnet_{EDGETPU.get(name, name)}"
        made = timm.create_model(full, num_classes=CLASSES)
        return made, made.default_cfg["input_size"][1]
    if library == "efficientnet_pytorch":
        from efficientnet_pytorch import EfficientNet

        side = EfficientNet.get_image_size(f"efficientnet-{name}")
        return EfficientNet.from_name(f"efficientnet-{name}", num_classes=CLASSES), side
    from transformers import EfficientNetConfig, EfficientNetForImageClassification

    width, depth, side, features, odd = HUGGING_FACE[name]
    config = EfficientNetConfig(
        width_coefficient=width,
        depth_coefficient=depth,
        image_size=side,
        hidden_dim=features,
        depthwise_padding=odd,
        num_labels=CLASSES,
    )
    return EfficientNetForImageClassification(config), side


def pictures(side: int) -> torch.Tensor:
    """Coarse shapes and fine noise, normalised: [pictures, 3, side, side]."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randn(PICTURES, 3, 7, 7, generator=generator)
    shapes = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic")
    return shapes + 0.3 * torch.randn(PICTURES, 3, side, side, generator=generator)


def reestimate(made: Any, image: torch.Tensor) -> None:
    """Draw BatchNorm's scales and shifts, then measure its statistics on the pictures."""
    generator = torch.Generator().manual_seed(2)
    norms = [layer for layer in made.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    for layer in norms:
        layer.momentum = 1.0
        torch.nn.init.uniform_(layer.weight, 0.6, 1.4, generator=generator)
        torch.nn.init.normal_(layer.bias, 0.0, 0.4, generator=generator)
    made.eval()
    for layer in norms:
        layer.train()
    made(image)
    made.eval()


def save(tensors: dict[str, torch.Tensor], folder: Path, kind: str) -> Path:
    """Write a state dict in one of three formats."""
    if kind == "safetensors":
        import safetensors.torch

        safetensors.torch.save_file(tensors, folder / "weights.safetensors")
        return folder / "weights.safetensors"
    zipped = kind == "zip"
    torch.save(tensors, folder / "weights.pth", _use_new_zipfile_serialization=zipped)
    return folder / "weights.pth"


def make(folder: Path, library: str, name: str, kind: str) -> None:
    torch.manual_seed(0)
    made, side = network(library, name)
    image = pictures(side)
    reestimate(made, image)
    found = made(image)
    logits = found.logits if hasattr(found, "logits") else found
    save(made.state_dict(), folder, kind)
    arrays = {"image": image.permute(0, 2, 3, 1).numpy(), "logits": logits.numpy()}
    np.savez(folder / "pictures.npz", **arrays)


def tiny(folder: Path) -> None:
    """B0's first three stages at a quarter of the width, for pictures of 32 pixels."""
    from torchvision.models.efficientnet import EfficientNet, MBConvConfig

    torch.manual_seed(0)
    stages = [(1, 3, 1, 32, 16, 1), (6, 3, 2, 16, 24, 2), (6, 5, 2, 24, 40, 2)]
    settings = [MBConvConfig(*stage, width_mult=0.25) for stage in stages]
    made = EfficientNet(settings, 0.0, last_channel=320, num_classes=CLASSES)
    image = pictures(32)
    reestimate(made, image)
    save(made.state_dict(), folder, "zip").rename(folder / "torchvision.zip.pth")
    save(made.state_dict(), folder, "legacy").rename(folder / "torchvision.legacy.pth")
    arrays = {"image": image.permute(0, 2, 3, 1).numpy(), "logits": made(image).numpy()}
    np.savez_compressed(folder / "torchvision.npz", **arrays)
    with torch.device("meta"):
        digests = {
            library: {name: digest(network(library, name)[0].state_dict()) for name in names}
            for library, names in NETWORKS.items()
        }
    (folder / "digests.json").write_text(json.dumps(digests, indent=1) + "\n")


def digest(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 of the names and shapes, counters of training steps left out."""
    counters = "num_batches_tracked"
    shapes = sorted((n, list(t.shape)) for n, t in tensors.items() if counters not in n)
    return hashlib.sha256(json.dumps(shapes).encode()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    making = commands.add_parser("make")
    making.add_argument("folder", type=Path)
    making.add_argument("library", choices=NETWORKS)
    making.add_argument("network")
    making.add_argument("--format", choices=["zip", "legacy", "safetensors"], default="zip")
    commands.add_parser("tiny").add_argument("folder", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    if options.command == "list":
        print(json.dumps(NETWORKS))
    elif options.command == "tiny":
        tiny(options.folder)
    else:
        make(options.folder, options.library, options.network, options.format)


if __name__ == "__main__":
    main()
