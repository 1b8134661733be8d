"""A page to try a trained model: drop a file of key points, see it move, see who or what it is."""
