"""The one place where the version of edgeeff stands."""

__version__ = "0.1.0"
