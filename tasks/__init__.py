"""The task adapters (gait, …) and the command line."""
