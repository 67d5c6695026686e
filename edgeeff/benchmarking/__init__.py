"""Latency one can believe: measuring, statistics, the environment it holds in, comparison."""
