"""EfficientNet to a small, fast int8 .tflite that a mobile engineer can ship and trust."""

__version__ = "0.1.0"
