"""Action recognition: splits, scores, tables."""
