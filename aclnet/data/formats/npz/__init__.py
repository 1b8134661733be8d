"""The project's exchange form."""
