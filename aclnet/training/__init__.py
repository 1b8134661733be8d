"""The training loop, ignorant of tasks, and what it stands on."""
