"""Reading the flatbuffer of a ``.tflite`` model, and running it."""
