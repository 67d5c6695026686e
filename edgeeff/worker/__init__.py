"""The process that runs a model, and what it says over the wire."""
