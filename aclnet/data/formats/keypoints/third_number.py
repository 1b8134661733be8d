"""What the third number of a joint is, where a file does not say: a coordinate, or a score."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_LARGEST_METRE = 20.0
_SAME = 0.01  # a score may have been rounded to half precision


def third_is_score(points: npt.NDArray[Any], score: npt.NDArray[Any] | None = None) -> bool | None:
    """Whether the third number is the score of x and y.

    It is where it stays within 0 and 1 while x and y are pixels, or where it is the score that is
    also given apart.

    Args:
        points: (..., 3).
        score: (...), where it is given apart.

    Returns:
        None where the numbers allow both, or there are none.

    >>> [third_is_score(np.array([p])) for p in ([300, 200, 0.9], [0.3, -1, 2.5], [0.3, 0.1, 0.5])]
    [True, False, None]
    """
    third = points[..., 2]
    if not third.any():
        return None
    if not (third.min() >= 0 and third.max() <= 1):
        return False
    pixels = np.abs(points[..., :2]).max() > _LARGEST_METRE
    same = score is not None and np.allclose(third, score, atol=_SAME)
    return True if pixels or same else None
