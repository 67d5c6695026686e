"""Weights that PyTorch saved, without PyTorch: its files, and the names its libraries use."""
