"""Distances of genuine pairs (same person) beside those of impostor pairs (two persons)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from protocols.figures.inputs import as_counts, as_numbers
from protocols.figures.style import (
    BLACK,
    COLUMN_WIDTH,
    RIGHT,
    WRONG,
    house_style,
    legend_below,
    new_axes,
)
from protocols.ranking.distances import FloatArray


def draw_score_histograms(
    genuine: npt.ArrayLike,
    impostor: npt.ArrayLike,
    *,
    bins: int = 60,
    threshold: float | None = None,
    label: str = "distance",
) -> Figure:
    """Draw how the distances of genuine and impostor pairs are spread.

    Args:
        genuine: (G,) distances of pairs of one person; NaN is left out.
        impostor: (I,) distances of pairs of two persons; NaN is left out.
        bins: bins of equal width over both.
        threshold: a distance to mark, such as that of the EER.
        label: the x axis; say ``score`` where higher is more alike.

    Raises:
        ValueError: either is empty, infinite or all NaN, or ``bins`` is below 1.
    """
    kept: list[FloatArray] = []
    for values, name in ((genuine, "Genuine"), (impostor, "Impostor")):
        numbers = as_numbers(values, f"{name} distances")
        kept.append(numbers[~np.isnan(numbers)])
        if not kept[-1].size:
            raise ValueError(f"{name} distances are all NaN.")
    if bins < 1:
        raise ValueError(f"A histogram needs at least one bin, not {bins}.")
    edges = np.histogram_bin_edges(np.concatenate(kept), bins=bins)
    counts = [np.histogram(values, edges)[0] for values in kept]
    return draw_binned_scores(edges, *counts, threshold=threshold, label=label)


@house_style()
def draw_binned_scores(
    edges: npt.ArrayLike,
    genuine: npt.ArrayLike,
    impostor: npt.ArrayLike,
    *,
    threshold: float | None = None,
    label: str = "distance",
) -> Figure:
    """Draw the same of counts, where the pairs are too many to keep.

    Args:
        edges: (B + 1,) rising edges of the bins.
        genuine: (B,) genuine pairs in each.
        impostor: (B,) impostor pairs in each.
        threshold: a distance to mark.
        label: the x axis.

    Returns:
        One set of axes with the share of each kind a bin; impostor pairs are dashed and hatched.

    Raises:
        ValueError: edges do not rise, counts do not fit them, or one kind has no pair.
    """
    ends = as_numbers(edges, "Edges")
    if not (np.diff(ends) > 0).all() or len(ends) < 2:
        raise ValueError("Edges of bins must be two or more rising numbers.")
    figure, plot = new_axes(COLUMN_WIDTH, 2.6)
    kinds = (("impostor", impostor, WRONG, "--", "////"), ("genuine", genuine, RIGHT, "-", ""))
    for name, values, colour, line, hatch in kinds:
        counts = as_counts(values, f"Counts of {name} pairs")
        total = counts.sum()
        if len(counts) != len(ends) - 1 or not total:
            raise ValueError(
                f"Counts of {name} pairs must be {len(ends) - 1}, one a bin, and not all 0; "
                f"they are {len(counts)} and sum to {total:g}."
            )
        text = f"{name} ({int(total):,} pairs)"
        shares = 100 * counts / total
        plot.stairs(shares, ends, fill=True, color=colour, alpha=0.25, hatch=hatch)
        plot.stairs(shares, ends, color=colour, linestyle=line, linewidth=1.3, label=text)
    if threshold is not None:
        text = f"threshold {threshold:.3g}"
        plot.axvline(threshold, color=BLACK, linestyle=":", linewidth=1.2, label=text)
    plot.set_xlabel(label)
    plot.set_ylabel("pairs of the kind per bin (%)")
    plot.set_ylim(bottom=0)
    legend_below(figure)
    return figure
