"""One row of a division's table, and the samples that it fits (:mod:`protocols.action.split`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from protocols.embeddings import TextArray
from protocols.names import canonical
from protocols.ranking.exclusion import BoolArray

COLUMNS = ("identity", "camera", "view", "take", "condition", "label", "split", "sample")
"""Columns of the data that a table may look at."""

_FOLD = "{fold}"
_PARITIES = {"even": 0, "odd": 1}
_WITH_PARITY = ("identity", "condition")


@dataclass(frozen=True)
class SplitRule:
    """One row of a table.

    Attributes:
        cells: Alternatives by column; a column that matches anything is left out.
        role: What the samples are for.
        subset: Name of the part of the test set; empty for none.
    """

    cells: Mapping[str, tuple[str, ...]]
    role: str
    subset: str = ""

    @property
    def by_fold(self) -> bool:
        """Whether a cell names the fold."""
        return any(_FOLD in cell for cells in self.cells.values() for cell in cells)

    def matches(self, columns: Mapping[str, TextArray], count: int, fold: str) -> BoolArray:
        """Find the samples that the row fits.

        Args:
            columns: (N,) text of each column that the row looks at.
            count: N.
            fold: What stands for ``{fold}``.

        Returns:
            (N,) whether every cell fits.
        """
        here = np.ones(count, dtype=np.bool_)
        for column, cells in self.cells.items():
            wanted = [cell.replace(_FOLD, fold) for cell in cells]
            here &= _fits(columns[column], column, wanted)
        return here


def _fits(values: TextArray, column: str, wanted: Sequence[str]) -> BoolArray:
    """(N,) whether the value is one of the alternatives."""
    distinct, code = np.unique(values, return_inverse=True)
    if column == "sample":
        fits = np.isin(distinct, wanted)
    elif column == "split":
        names = set(canonical(wanted).tolist())
        fits = np.array(
            [bool(names & set(canonical(text.split()).tolist())) for text in distinct.tolist()],
            dtype=np.bool_,
        )
    else:
        fits = np.isin(canonical(distinct), canonical(wanted))
        if column in _WITH_PARITY:
            fits |= _has_parity(distinct, wanted)
    return np.asarray(fits[code], dtype=np.bool_)


def _has_parity(distinct: npt.NDArray[np.str_], wanted: Sequence[str]) -> BoolArray:
    """Whether a number is odd or even, as asked."""
    asked = {_PARITIES[name] for name in wanted if name in _PARITIES}
    return np.array(
        [text.isdecimal() and int(text) % 2 in asked for text in distinct.tolist()], dtype=np.bool_
    )
