"""Which joints mattered: parts of the body are hidden for a while, and the right score falls."""
