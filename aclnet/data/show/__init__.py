"""Clips shown: pictures, pages on which they move, recordings for a viewer."""
