"""Quantization-aware training: an integer network is trained as it will compute."""

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter
