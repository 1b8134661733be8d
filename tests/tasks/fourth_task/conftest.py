"""The plug-in registers a task wherever it is imported: pytest must not look for doctests in it."""

collect_ignore = ["verify.py"]
