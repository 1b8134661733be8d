"""Self-supervised pre-training: views of a clip, and the objectives that compare them."""
