"""Pixels or shares of the picture: what 2-D coordinates are, where a file does not say."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

Unit = Literal["pixel", "normalised"]
Item = TypeVar("Item")

LARGEST_SHARE = 2.0
"""Up to this a coordinate is a share of the picture: a joint outside it may lie a little beyond."""


def picture_unit(points: npt.NDArray[Any], pixels_above: float = LARGEST_SHARE) -> Unit | None:
    """The unit of x and y by their range.

    Args:
        points: (..., C), x and y first; a joint at 0, 0 was not found.
        pixels_above: pixels have a coordinate above this; between it and `LARGEST_SHARE` it may be
            either.

    Returns:
        None where the numbers allow both, or there are none.

    >>> [picture_unit(np.array([p]), 10.0) for p in ([0.3, 0.4], [300, 200], [3, 0.4], [0, 0])]
    ['normalised', 'pixel', None, None]
    """
    place = points[..., :2]
    largest = float(np.abs(place[np.isfinite(place)]).max(initial=0))
    if largest > pixels_above:
        return "pixel"
    return "normalised" if 0 < largest <= LARGEST_SHARE else None


def one_unit(
    items: Iterator[Item],
    of: Callable[[Item], tuple[str, npt.NDArray[Any]]],
    pixels_above: float = LARGEST_SHARE,
) -> tuple[Unit | None, Iterator[Item]]:
    """The unit of recordings, as the first one tells that has somebody in it.

    Args:
        items: the recordings; those up to the first that tells are drawn at once.
        of: a recording's place in an error message and its points (..., C).
        pixels_above: as of `picture_unit`.

    Returns:
        The unit, None if no recording tells, and the recordings.

    Raises:
        ValueError: while they are drawn: one has the other unit.
    """
    waiting: list[Item] = []
    unit: Unit | None = None
    while unit is None and (drawn := list(itertools.islice(items, 1))):
        waiting += drawn
        teller, points = of(drawn[0])
        unit = picture_unit(points, pixels_above)

    def each() -> Iterator[Item]:
        for item in itertools.chain(waiting, items):
            place, points = of(item)
            if (own := picture_unit(points, pixels_above)) not in (unit, None):
                raise ValueError(
                    f"{place}: coordinates are {own}, those of {teller} {unit}; convert them "
                    "separately"
                )
            yield item

    return unit, each()
