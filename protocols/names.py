"""Names of people, conditions, takes and views: how they are compared and ordered."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from protocols.embeddings import TextArray


def canonical(values: npt.ArrayLike) -> TextArray:
    """Bring names to one form: no case, no leading zeros in numbers.

    >>> canonical(["018", "18", "NM"]).tolist()
    ['18', '18', 'nm']
    """
    names, codes = np.unique(np.asarray(values, dtype=np.str_), return_inverse=True)
    plain = [str(int(name)) if name.isdecimal() else name.strip().casefold() for name in names]
    return np.array(plain, dtype=np.str_)[codes] if plain else names


def natural_order(values: npt.ArrayLike) -> list[str]:
    """The distinct names, numbers by size, then text by the alphabet.

    >>> natural_order(["90", "100", "left", "18"])
    ['18', '90', '100', 'left']
    """
    distinct = {str(value) for value in np.asarray(values, dtype=np.str_)}
    return sorted(
        distinct, key=lambda name: (0, int(name), "") if name.isdecimal() else (1, 0, name)
    )
