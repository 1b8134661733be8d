"""Skeleton samples: the store, its checks, its readers and the synthetic walkers."""
