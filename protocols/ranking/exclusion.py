"""Exclusion rules: gallery rows that a probe may not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import IntArray

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ExclusionRule:
    """Gallery rows that a probe may not see: those of its own code.

    Attributes:
        codes: (P,) and (G,) numbers from 0 on.
    """

    codes: tuple[IntArray, IntArray]

    def __call__(self, block: slice) -> BoolArray:
        """Given a block of B probe rows, the (B, G) gallery rows that these probes may not see."""
        own, stored = self.codes
        hidden: BoolArray = own[block, None] == stored
        return hidden

    def take(self, probes: IntArray, gallery: IntArray) -> ExclusionRule:
        """The rule of some of the probes, and of some gallery rows."""
        own, stored = self.codes
        return ExclusionRule((own[probes], stored[gallery]))


def same_labels(*labels: tuple[npt.ArrayLike, npt.ArrayLike]) -> ExclusionRule:
    """Remove gallery rows that have all of the probe's labels.

    One label removes the probe itself, or its own walk; identity and view give "identical views
    excluded" of gait, identity and camera the rule of person re-identification.

    Args:
        labels: (P,) and (G,) integers or names of probes and gallery, a pair a label.

    Returns:
        The exclusion rule.

    >>> rule = same_labels(([7], [7, 7, 8]), (["018"], ["018", "036", "018"]))
    >>> rule(slice(0, 1)).tolist()
    [[True, False, False]]
    """
    own, stored = identity_codes(*labels[0])
    for pair in labels[1:]:
        left, right = identity_codes(*pair)
        size = int(max(left.max(initial=0), right.max(initial=0))) + 1
        own, stored = identity_codes(own * size + left, stored * size + right)
    return ExclusionRule((own, stored))


def identity_codes(probe: npt.ArrayLike, gallery: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    """Number the names of both sides alike: (P,) and (G,) int64."""
    left: npt.NDArray[Any] = np.asarray(probe)
    right: npt.NDArray[Any] = np.asarray(gallery)
    _, codes = np.unique(np.concatenate([left, right]), return_inverse=True)
    codes = codes.astype(np.int64)
    return codes[: len(left)], codes[len(left) :]
