"""What a trained network says of recordings: embeddings and class scores."""
