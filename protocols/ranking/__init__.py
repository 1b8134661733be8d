"""Who is nearest to whom: distances, search, ranks, precision, re-ranking."""
