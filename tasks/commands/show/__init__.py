"""What is looked at: recordings, a run's worst cases, and the joints that mattered."""
