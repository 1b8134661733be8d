"""Evaluation: arrays and tables in, numbers and tables out. No model, no training."""
