"""Ranks of mates from one matrix product, where its worst-case error proves them.

A mate's rank is one more than the number of rows that are nearer. A row that is nearer, or farther,
by more than the product can be wrong is so on the tie grid of
:mod:`protocols.ranking.distances` too. So rows are only counted, or their distances only sorted,
without the grid.

The best mate's rank is counted in float32, and the few rows too near to it are put in order on the
grid. The ranks of all mates, for average precision, are read from sorted float64 distances whose
last bit says whether the row is a mate; a probe with a row of another person near one of them is
not proven, and is left to the exact ranking.
"""
