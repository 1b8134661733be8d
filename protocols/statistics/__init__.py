"""Confidence intervals, and comparisons of runs."""
