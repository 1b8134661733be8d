"""Action recognition."""
