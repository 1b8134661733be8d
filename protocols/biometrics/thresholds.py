"""Thresholds chosen on some people and applied to others.

A threshold chosen on the test people makes a system look better than it is. Here one is chosen at a
target FMR on development identities, or on one condition (walking normally), and its error rates
are measured on comparisons that had no part in the choice: other people, or the same in a coat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocols.biometrics.tally import ScoreTally, metric_mark
from protocols.biometrics.verification import OperatingPoint, error_curve


@dataclass(frozen=True)
class AppliedThreshold:
    """A threshold applied to comparisons that it was not chosen on.

    Attributes:
        source: The comparisons it was chosen on, such as ``development`` or ``nm``.
        target: The FMR wanted there.
        achieved: The FMR there, at most the target.
        value: Scores of at least this are accepted.
        condition: The comparisons it is applied to.
        point: The error rates of these comparisons.
        genuine: Number of genuine ones.
        impostor: Number of impostor ones.
    """

    source: str
    target: float
    achieved: float
    value: float
    condition: str
    point: OperatingPoint
    genuine: int
    impostor: int

    def metric(self, rate: str) -> str:
        """Name of a metric at this threshold, such as ``fnmr_from_nm@fmr0.01/cl``."""
        return f"{rate}_from_{self.source}@fmr{self.target:g}{metric_mark(self.condition)}"


def transfer(
    chosen_on: ScoreTally,
    applied_to: Mapping[str, ScoreTally],
    targets: Sequence[float],
    source: str,
) -> tuple[list[AppliedThreshold], list[str]]:
    """Choose the smallest threshold at each target FMR and apply it to each condition.

    Args:
        chosen_on: Scores to choose on.
        applied_to: Scores by condition; those without both kinds of comparison are left out.
        targets: FMRs wanted, each above 0.
        source: Name of what is chosen on.

    Returns:
        One entry a target and condition, and a sentence for each target at which no threshold can
        be chosen, since a kind of comparison is missing or there are too few impostor ones.
    """
    applied: list[AppliedThreshold] = []
    notes: list[str] = []
    for target in targets:
        try:
            chosen = error_curve(chosen_on).at_fmr(target)
        except ValueError as error:
            notes.append(f"No threshold can be chosen on {source}: {error}")
            continue
        for condition, tally in applied_to.items():
            if tally.complete:
                point = error_curve(tally).at_threshold(chosen.threshold)
                origin = (source, target, chosen.fmr, chosen.threshold)
                counts = (tally.n_genuine, tally.n_impostor)
                applied.append(AppliedThreshold(*origin, condition, point, *counts))
    return applied, notes
