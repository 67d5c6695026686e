"""What the 1000 classes of ImageNet are called.

The names are WordNet's, as timm 1.0 lists them (``timm/data/_info``, Apache-2.0), in the order of
the class folders: ``n01440764`` is 0.
"""

from __future__ import annotations

import functools
import importlib.resources

BACKGROUND = "background"
"""Class 0 of networks with 1001 outputs; the others are one later there."""


def imagenet_labels(outputs: int) -> tuple[str, ...] | None:
    """The names of the outputs of a network with ImageNet weights.

    Args:
        outputs: 1000, or 1001 with the background; ``None`` is given for any other number.
    """
    names = {1000: _names(), 1001: (BACKGROUND, *_names())}
    return names.get(outputs)


@functools.cache
def _names() -> tuple[str, ...]:
    source = importlib.resources.files(__package__).joinpath("imagenet.txt")
    return tuple(source.read_text("utf-8").splitlines())
