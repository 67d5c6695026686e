"""Types of arrays, where the shape is said beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
"""What a network computes with."""

Vector = npt.NDArray[np.float64]
"""What statistics are computed in: float64 [channels], mostly."""

Pixels = npt.NDArray[np.uint8]
"""Of pictures: uint8 [count, height, width, channels]."""

Array = npt.NDArray[Any]
"""Of any type of value."""
