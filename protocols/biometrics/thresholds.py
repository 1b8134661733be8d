"""Thresholds are chosen on some people and judged on others.

A threshold that was chosen on the test people tells too good a story. Here one is chosen at a
target FMR on development identities, or on one condition (walking normally), and the error rates
that it then achieves are read off comparisons that had no part in the choice: other people, or
the same in a coat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocols.biometrics.tally import ScoreTally
from protocols.biometrics.verification import OperatingPoint, error_curve


@dataclass(frozen=True)
class Threshold:
    """A decision threshold and where it comes from.

    Attributes:
        value: Scores of at least this are accepted.
        target: The FMR that was asked for.
        achieved: The FMR on the comparisons it was chosen on, at most the target.
        impostor: How many impostor comparisons it was chosen on.
        source: What these were, such as ``development`` or ``nm``.
    """

    value: float
    target: float
    achieved: float
    impostor: int
    source: str


@dataclass(frozen=True)
class AppliedThreshold:
    """A threshold at work on comparisons that it was not chosen on.

    Attributes:
        threshold: The threshold.
        condition: What it was applied to.
        point: The error rates that it achieves there.
        genuine: Genuine comparisons there.
        impostor: Impostor comparisons there.
    """

    threshold: Threshold
    condition: str
    point: OperatingPoint
    genuine: int
    impostor: int


def choose_threshold(tally: ScoreTally, target: float, source: str) -> Threshold:
    """The smallest threshold with an FMR of at most ``target``.

    Args:
        tally: Scores of the comparisons to choose on.
        target: The FMR wanted, above 0.
        source: What the comparisons are, for the report.

    Returns:
        The threshold.

    Raises:
        ValueError: There are no comparisons of one kind, or too few impostor ones to see the
            target.
    """
    try:
        point = error_curve(tally).at_fmr(target)
    except ValueError as error:
        raise ValueError(f"No threshold can be chosen on {source}: {error}") from error
    return Threshold(point.threshold, target, point.fmr, tally.n_impostor, source)


def apply_threshold(threshold: Threshold, tally: ScoreTally, condition: str) -> AppliedThreshold:
    """What a threshold achieves on other comparisons.

    Args:
        threshold: The threshold.
        tally: Scores of the other comparisons.
        condition: What they are, for the report.

    Returns:
        The error rates.

    Raises:
        ValueError: There is no genuine or no impostor comparison.
    """
    point = error_curve(tally).at_threshold(threshold.value)
    return AppliedThreshold(threshold, condition, point, tally.n_genuine, tally.n_impostor)


def transfer(
    chosen_on: ScoreTally,
    applied_to: Mapping[str, ScoreTally],
    targets: Sequence[float],
    source: str,
) -> tuple[list[AppliedThreshold], list[str]]:
    """Choose a threshold at each target and apply it to each condition.

    Args:
        chosen_on: Scores to choose on.
        applied_to: Scores by condition; those without both kinds of comparison are passed over.
        targets: FMRs wanted.
        source: What was chosen on.

    Returns:
        One entry a target and condition, and a sentence for each target that the comparisons
        chosen on are too few to show.
    """
    applied: list[AppliedThreshold] = []
    notes: list[str] = []
    for target in targets:
        try:
            threshold = choose_threshold(chosen_on, target, source)
        except ValueError as error:
            notes.append(str(error))
            continue
        applied += [
            apply_threshold(threshold, tally, condition)
            for condition, tally in applied_to.items()
            if tally.complete
        ]
    return applied, notes
