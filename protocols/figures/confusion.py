"""Confusion matrices of classifications."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from protocols.figures.drawing import planning, style
from protocols.figures.drawing.inputs import as_counts, check_names, shorten
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.figures.drawing.shaded_matrix import shade
from protocols.groups import RunEntry, RunGroup
from protocols.ranking.distances import FloatArray
from protocols.statistics.intervals import ratio

_NAMED = 64
"""Classes whose names fit on a page."""
_NUMBERED = 20
"""Classes whose percentages fit into the cells."""


def plan(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """A matrix a test of all classes, of the whole objective where it was run, seeds summed."""
    for groups in planning.widest_tests(planning.main_groups(runs, "classes", "confusion")):
        group, title = planning.leading(groups), "confusion of the classes"
        yield planning.plan_of("confusion", title, group.record, partial(_draw, group))


def _draw(group: RunGroup) -> Drawing:
    alike = list(planning.like_cells(group.runs, ["classes"], group.runs[0]))
    classes = list(alike[0]["classes"])
    total = np.sum([dense_confusion(cells["confusion"], len(classes)) for cells in alike], axis=0)
    right = 100 * float(np.trace(total) / max(total.sum(), 1))
    caption = (
        f"Share of each class's test samples (rows) by predicted class (columns), counts of all "
        f"seeds summed: {int(total.sum())} predictions, {right:.1f} % right. "
        f"{planning.describe(group)}."
    )
    return draw_confusion(total, classes), caption


@style.house_style()
def draw_confusion(counts: npt.ArrayLike, classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix, as shares of each true class.

    Up to 20 classes have their percentages written into the cells (none for 0), up to 64 their
    names on the axes; more are numbered from 1.

    Args:
        counts: (K, K), rows true, columns predicted; a row without samples is hatched.
        classes: K names.

    Returns:
        The axes of the matrix and those of its colour bar.

    Raises:
        ValueError: counts are not a (K, K) matrix of 0 and more, all are 0, or the names are not K.
    """
    matrix = as_counts(counts, "Confusion counts", 2)
    if matrix.shape[0] != matrix.shape[1] or not matrix.any():
        raise ValueError(
            f"Confusion counts must be (K, K) and not all 0; their shape is {matrix.shape}."
        )
    size = len(matrix)
    names = check_names(classes, size, "Classes")
    rates = ratio(matrix, matrix.sum(axis=1, keepdims=True))
    width = style.COLUMN_WIDTH if size <= 8 else min(style.PAGE_WIDTH, 2.6 + 0.24 * size)
    figure, plot = style.new_axes(width, 0.88 * width)
    image = shade(plot, rates, numbers=size <= _NUMBERED)
    for text in list(plot.texts):
        # Without zeros the mistakes stand out.
        if text.get_text() == "0":
            text.remove()
    if size <= _NAMED:
        labels = [shorten(name, 20) for name in names]
        font = style.TINY if size > 20 else None
        plot.set_xticks(range(size), labels, rotation=90, fontsize=font)
        plot.set_yticks(range(size), labels, fontsize=font)
    else:
        ticks = [0, *range(9, size, 10)]
        plot.set_xticks(ticks, [str(tick + 1) for tick in ticks])
        plot.set_yticks(ticks, [str(tick + 1) for tick in ticks])
    plot.set_xlabel("predicted class")
    plot.set_ylabel("true class")
    figure.colorbar(image, ax=plot, shrink=0.8, label="share of the true class (%)")
    return figure


def dense_confusion(cells: Sequence[Sequence[int]], size: int) -> FloatArray:
    """The (K, K) counts of a record's ``cells["confusion"]``.

    Args:
        cells: [true, predicted, count] of the cells that are not 0.
        size: K.

    Raises:
        ValueError: an entry is not such a triple, or names a class outside 0 to K-1.

    >>> dense_confusion([[0, 1, 3]], 2).tolist()
    [[0.0, 3.0], [0.0, 0.0]]
    """
    matrix = np.zeros((size, size))
    for cell in cells:
        if len(cell) != 3 or not (0 <= cell[0] < size and 0 <= cell[1] < size):
            raise ValueError(f"A confusion entry must be [true, predicted, count], not {cell}.")
        matrix[cell[0], cell[1]] = cell[2]
    return matrix
