"""Which classes gain and which lose between two runs (Fig. 6 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from protocols.figures.inputs import as_rates, check_names, shorten
from protocols.figures.style import (
    BLACK,
    COLUMN_WIDTH,
    RIGHT,
    TINY,
    WRONG,
    house_style,
    legend_below,
    new_axes,
)


@house_style()
def draw_class_gain(
    classes: Sequence[str],
    baseline: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    *,
    tested: Sequence[int] | None = None,
    names: tuple[str, str] = ("baseline", "run"),
    most: int = 40,
) -> Figure:
    """Draw each class's accuracy minus the baseline's, the greatest gain at the top.

    A record of ``aclnet-task action class-gain`` holds ``classes``, ``baseline``, ``run`` and
    ``tested``.

    Args:
        classes: K names.
        baseline: (K,) accuracies 0..1; a class with NaN in either is left out.
        accuracy: (K,) the same of the run.
        tested: K counts, written behind the names.
        names: of the baseline and of the run.
        most: classes to show at most: of more, those of the greatest gains and losses.

    Returns:
        One set of axes: a horizontal bar a class, losses hatched.

    Raises:
        ValueError: there is no class with both accuracies, they are no rates, lengths differ, or
            ``most`` is below 2.
    """
    before = as_rates(baseline, f"Class accuracies of {names[0]}")
    after = as_rates(accuracy, f"Class accuracies of {names[1]}")
    labels = check_names(classes, len(before), "Classes")
    if before.shape != after.shape or (tested is not None and len(tested) != len(before)):
        raise ValueError("Each class needs both accuracies, and its test samples where given.")
    gain = 100 * (after - before)
    known = np.flatnonzero(~np.isnan(gain))
    if not known.size or most < 2:
        raise ValueError("At least one class with both accuracies, and room for two, is needed.")
    order = known[np.argsort(-gain[known], kind="stable")]
    if len(order) > most:
        order = np.concatenate([order[: most - most // 2], order[-(most // 2) :]])
    shown = gain[order]
    figure, plot = new_axes(COLUMN_WIDTH, 1.0 + 0.15 * len(order))
    rows = np.arange(len(order))
    for chosen, colour, hatch, word in (
        (gain > 0, RIGHT, "", "better"),
        (gain < 0, WRONG, "/////", "worse"),
    ):
        here = chosen[order]
        plot.barh(
            rows[here],
            shown[here],
            height=0.75,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
            label=f"{word}: {int(chosen[known].sum())} of {len(known)} classes",
        )
    plot.axvline(0, color=BLACK, linewidth=0.7)
    counts = [""] * len(labels) if tested is None else [f" ({count})" for count in tested]
    plot.set_yticks(rows, [shorten(labels[i], 24) + counts[i] for i in order], fontsize=TINY)
    plot.set_ylim(len(order) - 0.4, -0.6)
    if not np.any(shown):
        plot.set_xlim(-1, 1)
    text = f"accuracy of {names[1]} minus {names[0]} (points)"
    plot.set_xlabel("\n".join(wrap(text, 36)))
    if len(order) < len(known):
        plot.set_title(f"{len(known) - len(order)} classes in the middle not shown", loc="left")
    plot.grid(visible=True, axis="x")
    legend_below(figure)
    return figure
