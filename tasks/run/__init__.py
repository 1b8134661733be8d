"""Runs: training, the folder and record, resuming, studies of several runs."""
