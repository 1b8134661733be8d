"""Exporting a run, with a card of what it was trained on and how it was tested."""
