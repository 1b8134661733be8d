"""Released windows of skeleton re-identification."""
