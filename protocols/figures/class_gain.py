"""Gains and losses of each class against cross-entropy (Fig. 6 of the paper)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from textwrap import wrap

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from protocols.figures.drawing import planning, style
from protocols.figures.drawing.inputs import as_rates, check_names, shorten
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.groups import RunEntry, RunGroup
from protocols.labels import BASELINE, objective_label
from protocols.ranking.distances import FloatArray, IntArray
from protocols.statistics.intervals import ratio

_MOST = 40
"""Classes shown at most: of more, those of the greatest gains and losses."""


def plan(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """A figure a test of all classes, where cross-entropy and a further objective were run."""
    for groups in planning.widest_tests(planning.main_groups(runs, "classes", "tested", "correct")):
        group = planning.leading(groups)
        record = group.record
        baselines = [one for one in groups if one.record.objective == BASELINE]
        alike = [one for one in baselines if one.record.stream == record.stream]
        if alike and record.objective != BASELINE:
            title = f"gain of each class, {objective_label(record.objective)} over cross-entropy"
            yield planning.plan_of("class-gain", title, record, partial(_draw, alike[0], group))


def _draw(baseline: RunGroup, group: RunGroup) -> Drawing:
    classes = list(group.cells["classes"])
    before, _ = _pooled(baseline.runs, group.runs[0])
    after, tested = _pooled(group.runs, group.runs[0])
    names = (objective_label(BASELINE), objective_label(group.record.objective))
    figure = draw_class_gain(classes, before, after, tested=tested.tolist(), names=names)
    caption = (
        "Accuracy of each class minus that under cross-entropy, in points, pooled over seeds; in "
        f"brackets the class's test samples per seed. {planning.describe(group)}. Cross-entropy: "
        f"{planning.describe_runs(baseline.runs)}. The classes are not tested for significance: a "
        "single sample moves a small class by several points."
    )
    return figure, caption


def _pooled(runs: Sequence[RunEntry], like: RunEntry) -> tuple[FloatArray, IntArray]:
    """(K,) accuracies over all seeds, NaN for a class without a sample, and (K,) samples a seed."""
    alike = list(planning.like_cells(runs, ["classes"], like))
    correct, tested = (
        np.sum([np.asarray(cells[name], dtype=np.float64) for cells in alike], axis=0)
        for name in ("correct", "tested")
    )
    return ratio(correct, tested), np.round(tested / len(runs)).astype(np.int64)


@style.house_style()
def draw_class_gain(
    classes: Sequence[str],
    baseline: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    *,
    tested: Sequence[int],
    names: tuple[str, str],
) -> Figure:
    """Draw each class's accuracy minus the baseline's, the greatest gain at the top.

    Args:
        classes: K names.
        baseline: (K,) accuracies 0..1; a class with NaN in either is left out.
        accuracy: (K,) the same of the run.
        tested: K counts, written behind the names.
        names: of the baseline and of the run.

    Returns:
        One set of axes: a horizontal bar a class, losses hatched; of more than 40 classes those of
        the greatest gains and losses.

    Raises:
        ValueError: there is no class with both accuracies, they are not rates, or lengths differ.
    """
    before = as_rates(baseline, f"Class accuracies of {names[0]}")
    after = as_rates(accuracy, f"Class accuracies of {names[1]}")
    labels = check_names(classes, len(before), "Classes")
    if before.shape != after.shape or len(tested) != len(before):
        raise ValueError("Each class needs both accuracies, and its test samples.")
    gain = 100 * (after - before)
    known = np.flatnonzero(~np.isnan(gain))
    if not known.size:
        raise ValueError("At least one class with both accuracies is needed.")
    order = known[np.argsort(-gain[known], kind="stable")]
    if len(order) > _MOST:
        order = np.concatenate([order[: _MOST // 2], order[-_MOST // 2 :]])
    shown = gain[order]
    figure, plot = style.new_axes(style.COLUMN_WIDTH, 1.0 + 0.15 * len(order))
    rows = np.arange(len(order))
    for chosen, colour, hatch, word in (
        (gain > 0, style.RIGHT, "", "better"),
        (gain < 0, style.WRONG, "/////", "worse"),
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
    plot.axvline(0, color=style.BLACK, linewidth=0.7)
    named = [f"{shorten(labels[i], 24)} ({tested[i]})" for i in order]
    plot.set_yticks(rows, named, fontsize=style.TINY)
    plot.set_ylim(len(order) - 0.4, -0.6)
    if not np.any(shown):
        plot.set_xlim(-1, 1)
    text = f"accuracy of {names[1]} minus {names[0]} (points)"
    plot.set_xlabel("\n".join(wrap(text, 36)))
    if len(order) < len(known):
        plot.set_title(f"{len(known) - len(order)} classes in the middle not shown", loc="left")
    plot.grid(visible=True, axis="x")
    style.legend_below(figure)
    return figure
