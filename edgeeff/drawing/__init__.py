"""Plots as SVG text: one style, light and dark, for files and for the report."""
