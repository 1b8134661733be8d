"""NTU RGB+D's own text files."""
