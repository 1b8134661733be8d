"""Trained runs in use: embeddings and class scores of recordings."""
