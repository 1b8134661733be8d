"""What a comparison of two runs says, in one word and in one plain sentence."""

from __future__ import annotations

from typing import Literal

Verdict = Literal["better", "worse", "not told apart"]


def judge(difference: float, low: float, high: float, sure: bool) -> Verdict:
    """What the interval of a difference says of the first run, if a second condition holds too.

    Args:
        difference: First minus second, of a figure that is better the higher it is.
        low: Low end of its interval.
        high: High end.
        sure: The second condition, such as a test's small p-value.

    Returns:
        The verdict.

    >>> judge(0.1, 0.02, 0.2, True), judge(0.1, -0.02, 0.2, True), judge(0.1, 0.02, 0.2, False)
    ('better', 'not told apart', 'not told apart')
    """
    if not sure or not (low > 0.0 or high < 0.0):
        return "not told apart"
    return "better" if difference > 0 else "worse"


def interval_words(low: float, high: float, confidence: float) -> str:
    """The interval of a difference in words, in points."""
    return f"{100 * confidence:g} % interval {100 * low:+.1f} to {100 * high:+.1f}"


def plain_sentence(
    verdict: Verdict, difference: float, names: tuple[str, str], measure: str, basis: str
) -> str:
    """One plain sentence.

    Args:
        verdict: What the data say of the first.
        difference: First minus second.
        names: What to call the two.
        measure: What was compared, such as ``top-1``.
        basis: What the verdict rests on.
    """
    first, second = names
    if verdict == "not told apart":
        return (
            f"These data do not tell {first} and {second} apart: {measure} differs by "
            f"{100 * difference:+.1f} points ({basis})."
        )
    return (
        f"By these data {first} is {verdict} than {second}, by {100 * abs(difference):.1f} points "
        f"of {measure} ({basis})."
    )
