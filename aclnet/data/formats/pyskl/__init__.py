"""PYSKL's annotation pickles."""
