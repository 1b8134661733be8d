"""The data that a run works on."""
