"""Self-supervised pre-training: an encoder trained without labels and judged by a probe."""
