"""A search for real that is done in seconds: networks of 32 pixels and four classes."""

from edgeeff.fitting.settings import FitSettings

SMALL = FitSettings(
    max_latency=1000.0,
    max_bytes=2_300_000,
    families=("lite",),
    precisions=("dynamic",),
    resolution=32,
    classes=4,
    networks=3,
    weights="none",
)
