"""Ranking of a gallery: distances, search, ranks, precision, re-ranking."""
