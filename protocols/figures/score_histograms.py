"""Scores of genuine pairs (same person) and of impostor pairs (two persons)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from protocols.figures.det import hardest
from protocols.figures.drawing import planning, style
from protocols.figures.drawing.inputs import as_counts, as_numbers
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.groups import RunEntry, RunGroup
from protocols.records import BIOMETRICS


def plan(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """The scores of each verification, of its first seed."""
    for groups in planning.main_groups(runs, kind=BIOMETRICS):
        group = planning.leading(groups)
        title = "scores of genuine and impostor pairs"
        yield planning.plan_of("scores", title, group.record, partial(_draw, group))


def _draw(group: RunGroup) -> Drawing:
    part = hardest(group)
    bins, threshold = part.histogram, _equal_threshold(part.det)
    figure = draw_binned_scores(
        bins["edges"], bins["genuine"], bins["impostor"], threshold=threshold, label="score"
    )
    marked = (
        ""
        if threshold is None
        else " The dotted line marks where both errors are most nearly equal."
    )
    caption = (
        f"Scores of pairs of one person and of two (higher: more alike), {part.place}, "
        f"each kind as a share of its own pairs.{marked} {planning.describe(group, 1)}."
    )
    return figure, caption


def _equal_threshold(curve: Mapping[str, Any]) -> float | None:
    """The kept threshold at which both errors are nearest equal; None where it is not finite."""
    gap = np.abs(np.asarray(curve["fmr"], float) - np.asarray(curve["fnmr"], float))
    value = curve["threshold"][int(gap.argmin())]
    return None if value is None else float(value)


@style.house_style()
def draw_binned_scores(
    edges: npt.ArrayLike,
    genuine: npt.ArrayLike,
    impostor: npt.ArrayLike,
    *,
    threshold: float | None = None,
    label: str,
) -> Figure:
    """Draw the distributions of scores or distances of genuine and impostor pairs.

    Args:
        edges: (B + 1,) rising edges of the bins.
        genuine: (B,) genuine pairs in each.
        impostor: (B,) impostor pairs in each.
        threshold: a value to mark, such as that of the EER.
        label: the x axis: ``score`` (higher is more alike) or ``distance``.

    Returns:
        One set of axes with each kind's share by bin; impostor pairs are dashed and hatched.

    Raises:
        ValueError: edges do not rise, counts do not fit them, or one kind has no pair.
    """
    ends = as_numbers(edges, "Edges")
    if not (np.diff(ends) > 0).all() or len(ends) < 2:
        raise ValueError("Edges of bins must be two or more rising numbers.")
    figure, plot = style.new_axes(style.COLUMN_WIDTH, 2.6)
    kinds = (
        ("impostor", impostor, style.WRONG, "--", "////"),
        ("genuine", genuine, style.RIGHT, "-", ""),
    )
    for name, values, colour, line, hatch in kinds:
        counts = as_counts(values, f"Counts of {name} pairs")
        total = counts.sum()
        if len(counts) != len(ends) - 1 or not total:
            raise ValueError(
                f"Counts of {name} pairs must be {len(ends) - 1}, one per bin, and not all 0; "
                f"they are {len(counts)} and sum to {total:g}."
            )
        text = f"{name} ({int(total):,} pairs)"
        shares = 100 * counts / total
        plot.stairs(shares, ends, fill=True, color=colour, alpha=0.25, hatch=hatch)
        plot.stairs(shares, ends, color=colour, linestyle=line, linewidth=1.3, label=text)
    if threshold is not None:
        text = f"threshold {threshold:.3g}"
        plot.axvline(threshold, color=style.BLACK, linestyle=":", linewidth=1.2, label=text)
    plot.set_xlabel(label)
    plot.set_ylabel("pairs of the kind per bin (%)")
    plot.set_ylim(bottom=0)
    style.legend_below(figure)
    return figure
