"""Streams of key points, answered while they run: who is there, or what they do."""
