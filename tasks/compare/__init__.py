"""Comparison of two runs or of several."""
