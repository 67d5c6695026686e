"""Networks of other families as their authors or comparisons published them: points to compare.

Every figure is for ImageNet, one model and one crop. Multiply-accumulates are what the sources
call FLOPs or Mult-Adds. Nothing here was measured by edgeeff.
"""

from __future__ import annotations

from dataclasses import dataclass

EFFICIENTNET = "arXiv 1905.11946, table 2"
MOBILENET = "arXiv 1704.04861, table 8"
MOBILENET_V2 = "arXiv 1801.04381, table 4"


@dataclass(frozen=True)
class PublishedNetwork:
    """A network of another family.

    Attributes:
        name: as its source writes it.
        family: which of them belong together.
        parameters: how many, rounded as published.
        macs: multiply-accumulates of one picture, likewise.
        top1: ImageNet top-1 accuracy in percent.
        source: where the figures stand.
    """

    name: str
    family: str
    parameters: float
    macs: float
    top1: float
    source: str


PUBLISHED = (
    # name, family, parameters, multiply-accumulates, top-1, source
    PublishedNetwork("ResNet-50", "ResNet", 26e6, 4.1e9, 76.0, EFFICIENTNET),
    PublishedNetwork("ResNet-152", "ResNet", 60e6, 11e9, 77.8, EFFICIENTNET),
    PublishedNetwork("ResNeXt-101", "ResNet", 84e6, 32e9, 80.9, EFFICIENTNET),
    PublishedNetwork("DenseNet-169", "DenseNet", 14e6, 3.5e9, 76.2, EFFICIENTNET),
    PublishedNetwork("DenseNet-264", "DenseNet", 34e6, 6.0e9, 77.9, EFFICIENTNET),
    PublishedNetwork("Inception-v3", "Inception", 24e6, 5.7e9, 78.8, EFFICIENTNET),
    PublishedNetwork("Inception-v4", "Inception", 48e6, 13e9, 80.0, EFFICIENTNET),
    PublishedNetwork("Inception-ResNet-v2", "Inception", 56e6, 13e9, 80.1, EFFICIENTNET),
    PublishedNetwork("Xception", "Xception", 23e6, 8.4e9, 79.0, EFFICIENTNET),
    PublishedNetwork("NASNet-A large", "NASNet", 89e6, 24e9, 82.7, EFFICIENTNET),
    PublishedNetwork("SENet", "SENet", 146e6, 42e9, 82.7, EFFICIENTNET),
    PublishedNetwork("AmoebaNet-C", "AmoebaNet", 155e6, 41e9, 83.5, EFFICIENTNET),
    PublishedNetwork("VGG16", "VGG", 138e6, 15.3e9, 71.5, MOBILENET),
    PublishedNetwork("MobileNet", "MobileNet", 4.2e6, 0.569e9, 70.6, MOBILENET),
    PublishedNetwork("MobileNetV2", "MobileNet", 3.4e6, 0.3e9, 72.0, MOBILENET_V2),
    PublishedNetwork("MobileNetV2 1.4", "MobileNet", 6.9e6, 0.585e9, 74.7, MOBILENET_V2),
    PublishedNetwork("NASNet-A mobile", "NASNet", 5.3e6, 0.564e9, 74.0, MOBILENET_V2),
)
"""In no order but that of their sources."""
