"""Seeds derived from a run's seed and a position, so that no generator's state has to be saved."""

from __future__ import annotations

import zlib

import numpy as np


def derive_seed(purpose: str, *numbers: int) -> int:
    """A seed for one purpose at one position of a run.

    Args:
        purpose: use of the random numbers ("dropout"); each purpose has its own seeds.
        numbers: run's seed, epoch, step, rank ... (not negative).

    Returns:
        A number in 0 .. 2^63 - 1, the same on every machine.

    >>> derive_seed("dropout", 0, 1) == derive_seed("dropout", 0, 1)
    True
    >>> derive_seed("dropout", 0, 1) == derive_seed("dropout", 1, 0)
    False
    """
    # The count of numbers is included because SeedSequence treats [1] and [1, 0] alike.
    entropy = [zlib.crc32(purpose.encode()), len(numbers), *numbers]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]) >> 1
