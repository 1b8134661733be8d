"""The synthetic walkers."""
