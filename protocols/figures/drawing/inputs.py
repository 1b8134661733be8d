"""Checks of the values that figures draw: shapes, rates, counts, names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import FloatArray


def as_numbers(values: npt.ArrayLike, what: str, dims: int = 1) -> FloatArray:
    """Numbers as float64, with NaN where one is missing.

    Args:
        values: numbers; None counts as missing.
        what: their name, for the message.
        dims: number of axes they must have.

    Raises:
        ValueError: there are none, they have another number of axes, or one is infinite or no
            number.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} must be numbers of equal lengths: {error}.") from None
    if array.ndim != dims or array.size == 0:
        raise ValueError(
            f"{what} must be an array of {dims} axes that is not empty, not of shape {array.shape}."
        )
    if np.isinf(array).any():
        raise ValueError(f"{what} must be finite or NaN, and one is infinite.")
    return array


def as_rates(values: npt.ArrayLike, what: str, dims: int = 1) -> FloatArray:
    """Rates 0..1, NaN where one is missing.

    Raises:
        ValueError: as :func:`as_numbers`, or a rate is outside 0..1 or all are missing.
    """
    rates = as_numbers(values, what, dims)
    known = rates[~np.isnan(rates)]
    if not known.size:
        raise ValueError(f"{what} must hold at least one rate, and all are NaN.")
    if known.min() < 0 or known.max() > 1:
        raise ValueError(
            f"{what} must be rates from 0 to 1, not from {known.min():g} to {known.max():g}: "
            "divide percentages by 100."
        )
    return rates


def as_counts(values: npt.ArrayLike, what: str, dims: int = 1) -> FloatArray:
    """Counts, 0 or more.

    Raises:
        ValueError: as :func:`as_numbers`, or a count is missing or negative.
    """
    counts = as_numbers(values, what, dims)
    if np.isnan(counts).any() or counts.min() < 0:
        raise ValueError(f"{what} must be counts of 0 or more, none missing.")
    return counts


def check_names(names: Sequence[str], length: int, what: str) -> list[str]:
    """One name an entry.

    Raises:
        ValueError: there are more or fewer names than entries.
    """
    if len(names) != length:
        raise ValueError(f"{what} must be {length} names, one per entry, not {len(names)}.")
    return [str(name) for name in names]


def shorten(name: str, length: int = 24) -> str:
    """A name cut to ``length`` characters.

    >>> shorten("put on a hat/cap", 8)
    'put on …'
    """
    return name if len(name) <= length else f"{name[: length - 1]}…"
