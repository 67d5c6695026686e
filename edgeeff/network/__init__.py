"""The TensorFlow side: a variant becomes a Keras network with weights."""

import os

from edgeeff import extras
from edgeeff.tflite.messages import captured_stderr

# TensorFlow reads these when it is first imported: its graphs and converter then speak of
# tf_keras, and it keeps its notes about processors and graphics cards to itself.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


extras.require("convert", "making a network")
# Before its logging is set up TensorFlow prints a few lines whatever the level.
with captured_stderr():
    import tensorflow  # noqa: F401 - imported for its side effects, quietly
    import tf_keras  # noqa: F401 - likewise
