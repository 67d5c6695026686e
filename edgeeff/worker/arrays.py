"""Arrays as they cross the wire."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def packed(array: NDArray[Any]) -> dict[str, Any]:
    """An array as JSON values."""
    return {
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "base64": base64.b64encode(array.tobytes()).decode("ascii"),
    }


def unpacked(fields: Mapping[str, Any]) -> NDArray[Any]:
    """Read what ``packed`` gave; the array cannot be written to."""
    content = base64.b64decode(fields["base64"])
    shape = tuple(int(size) for size in fields["shape"])
    values: NDArray[Any] = np.frombuffer(content, np.dtype(fields["dtype"])).reshape(shape)
    return values
