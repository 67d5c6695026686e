"""The TensorFlow side: a variant becomes a Keras network with weights."""

import os

# TensorFlow reads these when it is first imported: its graphs and converter then speak of
# tf_keras, and it keeps its start-up notes about the processor to itself.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
