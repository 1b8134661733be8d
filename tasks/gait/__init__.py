"""Gait recognition."""
