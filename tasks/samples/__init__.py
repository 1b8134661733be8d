"""The data of a run: opened, divided, in batches."""
