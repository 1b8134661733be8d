"""The training loop, independent of tasks, and its parts."""
