"""The cost of networks."""
