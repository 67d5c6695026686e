"""From a float .tflite to an integer one: recipes, ranges, corrections, and the proof."""
