"""The TensorFlow side: a variant becomes a Keras network with weights."""

import contextlib
import os
import sys
from collections.abc import Iterator

from edgeeff import extras

# TensorFlow reads these when it is first imported: its graphs and converter then speak of
# tf_keras, and it keeps its notes about processors and graphics cards to itself.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def _without_native_stderr() -> Iterator[None]:
    """Hide what libraries write to file descriptor 2; Python's errors are raised as ever."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


extras.require("convert", "making a network")
# Before its logging is set up TensorFlow prints a few lines whatever the level.
with _without_native_stderr():
    import tensorflow  # noqa: F401 - imported for its side effects, quietly
    import tf_keras  # noqa: F401 - likewise
