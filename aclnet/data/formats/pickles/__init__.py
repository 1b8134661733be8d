"""Foreign pickles: an allow-list, limits, and a process of their own."""
