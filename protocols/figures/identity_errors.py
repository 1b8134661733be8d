"""The error rate of each identity, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from protocols.figures.cmc import pair_tests, pairs_of
from protocols.figures.drawing import planning, style
from protocols.figures.drawing.inputs import as_counts, check_names, shorten
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.groups import RunEntry, RunGroup

_MOST = 25
"""Identities shown at most; among equal rates the one with more probes comes first."""


def plan(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """Errors by person of each re-ID test."""
    for groups in pair_tests(runs):
        group = planning.leading(groups)
        record, draw = group.record, partial(_draw, group)
        rule = record.described_rule
        yield planning.plan_of("people", "errors by person", record, draw, rule)


def _draw(group: RunGroup) -> Drawing:
    tried, missed = Counter[str](), Counter[str]()
    for run in group.runs:
        for result in pairs_of(run).values():
            people = result["people"]
            columns = (people["names"], people["trials"], people["rank1_hits"])
            for name, trials, hits in zip(*columns, strict=True):
                tried[name] += int(trials)
                missed[name] += int(trials) - int(hits)
    figure = draw_identity_errors(list(tried), [missed[name] for name in tried], [*tried.values()])
    caption = (
        "Share of each person's probes whose nearest gallery sample is someone else's, summed over "
        f"pairs and seeds, the worst first. {planning.describe(group)}."
    )
    return figure, caption


@style.house_style()
def draw_identity_errors(
    names: Sequence[str], wrong: npt.ArrayLike, tested: npt.ArrayLike
) -> Figure:
    """Draw the error rate of each identity as a bar, with the counts at its end.

    Args:
        names: I identities.
        wrong: (I,) probes whose nearest gallery sample is someone else's.
        tested: (I,) probes; an identity with none is left out.

    Returns:
        One set of axes: a horizontal bar for each of the 25 worst, the worst at the top, and a
        dashed line at the mean over all identities.

    Raises:
        ValueError: there is no identity or none was tested, lengths differ, or more are wrong
            than tested.
    """
    missed, probes = as_counts(wrong, "Wrong probes"), as_counts(tested, "Tested probes")
    labels = check_names(names, len(probes), "Identities")
    if missed.shape != probes.shape or (missed > probes).any():
        raise ValueError("Each identity needs its wrong probes, no more of them than were tested.")
    if not probes.any():
        raise ValueError("At least one identity with a probe must be shown.")
    known = np.flatnonzero(probes > 0)
    rate = missed[known] / probes[known]
    order = np.lexsort((-probes[known], -rate))[:_MOST]
    shown, shares = known[order], 100 * rate[order]
    figure, plot = style.new_axes(style.COLUMN_WIDTH, 0.9 + 0.16 * len(shown))
    rows = np.arange(len(shown))
    plot.barh(rows, shares, height=0.75, color=style.WRONG)
    for row, place in enumerate(shown.tolist()):
        text = f"{int(missed[place])} of {int(probes[place])}"
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # hides the mean's line
        plot.text(shares[row] + 1, row, text, va="center", fontsize=style.TINY, bbox=ground)
    mean = 100 * float(rate.mean())
    plot.axvline(
        mean,
        color=style.BLACK,
        linestyle="--",
        linewidth=0.9,
        label=f"mean of all {len(known)} people: {mean:.1f} %",
    )
    plot.set_yticks(rows, [shorten(labels[place]) for place in shown.tolist()])
    plot.set_ylim(len(shown) - 0.4, -0.6)
    # Room for the counts at the longest bar.
    plot.set_xlim(0, max(1.25 * float(shares.max()), 1.1 * mean, 10.0))
    plot.set_xticks([tick for tick in plot.get_xticks() if tick <= 100])
    plot.set_xlabel("wrong at rank 1 (% of the identity's probes)")
    clean = int((rate == 0).sum())
    plot.set_title(f"{len(shown)} worst of {len(known)} people; {clean} without error", loc="left")
    style.legend_below(figure)
    return figure
