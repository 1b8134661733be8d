"""Names of people, conditions, takes and views: how they are compared and ordered."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from protocols.embeddings import TextArray


def composed(values: npt.ArrayLike) -> TextArray:
    """Bring names to Unicode's composed form (NFC), in which they are compared.

    Some systems write ë decomposed, as e and two dots.

    >>> composed(["Zoe\u0308"]) == composed(["Zo\u00eb"])
    array([ True])
    """
    text = np.asarray(values, dtype=np.str_)
    names, codes = np.unique(text, return_inverse=True)
    made = np.array([unicodedata.normalize("NFC", name) for name in names], dtype=np.str_)
    return made[codes].reshape(text.shape)


def canonical(values: npt.ArrayLike) -> TextArray:
    """Bring names to one form: no case, no leading zeros in numbers.

    >>> canonical(["018", "18", "NM"]).tolist()
    ['18', '18', 'nm']
    """
    names, codes = np.unique(composed(values), return_inverse=True)
    plain = [str(int(name)) if name.isdecimal() else name.strip().casefold() for name in names]
    return np.array(plain, dtype=np.str_)[codes] if plain else names


def natural_key(name: str) -> tuple[int, int, str]:
    """Sorting key of names: numbers by their value, then text by the alphabet."""
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)


def natural_order(values: Iterable[object]) -> list[str]:
    """The distinct names in the order of :func:`natural_key`.

    >>> natural_order(["90", "100", "left", "18", "²", "090"])
    ['18', '090', '90', '100', 'left', '²']
    """
    return sorted({str(value) for value in values}, key=natural_key)
