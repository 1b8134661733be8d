"""Which people are hard: the error rate of each identity, the worst first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from protocols.figures.inputs import as_counts, check_names, shorten
from protocols.figures.style import (
    BLACK,
    COLUMN_WIDTH,
    TINY,
    WRONG,
    house_style,
    legend_below,
    new_axes,
)


@house_style()
def draw_identity_errors(
    names: Sequence[str],
    wrong: npt.ArrayLike,
    tested: npt.ArrayLike,
    *,
    most: int = 25,
    unit: str = "people",
) -> Figure:
    """Draw the share of each identity's probes that went wrong, with the counts beside the bar.

    Args:
        names: I identities.
        wrong: (I,) probes whose nearest gallery sample is someone else's.
        tested: (I,) probes; an identity with none is left out.
        most: identities to show at most; among equal rates the one with more probes comes first.
        unit: what the identities are.

    Returns:
        One set of axes: a horizontal bar an identity, the worst at the top, and a dashed line at
        the mean over all identities.

    Raises:
        ValueError: there is no identity or none was tested, lengths differ, more are wrong than
            tested, or ``most`` is below 1.
    """
    missed, probes = as_counts(wrong, "Wrong probes"), as_counts(tested, "Tested probes")
    labels = check_names(names, len(probes), "Identities")
    if missed.shape != probes.shape or (missed > probes).any():
        raise ValueError("Each identity needs its wrong probes, no more of them than were tested.")
    if not probes.any() or most < 1:
        raise ValueError("At least one identity with a probe must be shown.")
    known = np.flatnonzero(probes > 0)
    rate = missed[known] / probes[known]
    order = np.lexsort((-probes[known], -rate))[:most]
    shown, shares = known[order], 100 * rate[order]
    figure, plot = new_axes(COLUMN_WIDTH, 0.9 + 0.16 * len(shown))
    rows = np.arange(len(shown))
    plot.barh(rows, shares, height=0.75, color=WRONG)
    for row, place in enumerate(shown.tolist()):
        text = f"{int(missed[place])} of {int(probes[place])}"
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # hides the mean's line
        plot.text(shares[row] + 1, row, text, va="center", fontsize=TINY, bbox=ground)
    mean = 100 * float(rate.mean())
    plot.axvline(
        mean,
        color=BLACK,
        linestyle="--",
        linewidth=0.9,
        label=f"mean of all {len(known)} {unit}: {mean:.1f} %",
    )
    plot.set_yticks(rows, [shorten(labels[place]) for place in shown.tolist()])
    plot.set_ylim(len(shown) - 0.4, -0.6)
    # Room for the counts beside the longest bar.
    plot.set_xlim(0, max(1.25 * float(shares.max()), 1.1 * mean, 10.0))
    plot.set_xticks([tick for tick in plot.get_xticks() if tick <= 100])
    plot.set_xlabel("wrong at rank 1 (% of the identity's probes)")
    clean = int((rate == 0).sum())
    plot.set_title(f"{len(shown)} worst of {len(known)} {unit}; {clean} without error", loc="left")
    legend_below(figure)
    return figure
