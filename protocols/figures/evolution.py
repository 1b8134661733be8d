"""Embeddings in the plane over training, small multiples (Fig. 5 of the paper)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protocols.figures.drawing import planning, style
from protocols.figures.drawing.inputs import as_numbers, check_names, shorten
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.groups import RunEntry
from protocols.labels import dataset_of, objective_label, objective_place
from protocols.ranking.distances import FloatArray, IntArray

_NEEDED = ("classes", "class", "maps")


def plan(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """A figure a study (``aclnet-task action evolution``): a row an objective, the first seed."""
    studies: dict[str, list[RunEntry]] = {}
    for run in runs:
        record, cells = run.record, run.cells
        if all(isinstance(cells.get(name), list) for name in _NEEDED):
            epochs = [entry.get("epoch") for entry in cells["maps"] if isinstance(entry, dict)]
            alike: list[Any] = [record.dataset.fingerprint, record.protocol, record.stream]
            alike += [record.initial, epochs, cells["classes"], cells["class"]]
            studies.setdefault(json.dumps(alike), []).append(run)
    for members in studies.values():
        seed = members[0].record.seed
        shown = [run for run in members if run.record.seed == seed]
        shown.sort(key=lambda run: objective_place(run.record.objective))
        title = "test embeddings over training (t-SNE)"
        yield planning.plan_of("evolution", title, shown[0].record, partial(_draw, shown))


def _draw(shown: Sequence[RunEntry]) -> Drawing:
    record, first = shown[0].record, shown[0].cells
    epochs = [int(entry["epoch"]) for entry in first["maps"]]
    methods = {
        objective_label(run.record.objective): [entry["points"] for entry in run.cells["maps"]]
        for run in shown
    }
    figure = draw_evolution(methods, epochs, first["class"], first["classes"])
    apart = "; ".join(_silhouettes(run, epochs) for run in shown)
    caption = (
        f"The test samples of {len(first['classes'])} classes of {dataset_of(record.dataset)} at "
        f"epochs {', '.join(str(epoch) for epoch in epochs)}, each map made for itself: axes and "
        f"distances between clusters cannot be compared from one map to another. Silhouette of the "
        f"whole embeddings by epoch (1: classes apart, 0: mixed): {apart}. Protocol "
        f"{record.protocol}, streams {record.stream}, "
        f"{planning.describe_seeds(shown[:1])}; {planning.describe_files(shown)}."
    )
    return figure, caption


def _silhouettes(run: RunEntry, epochs: Sequence[int]) -> str:
    values = [run.record.metrics[f"silhouette/{epoch}"] for epoch in epochs]
    name = objective_label(run.record.objective)
    return f"{name} {', '.join(f'{value:.2f}' for value in values)}"


@style.house_style()
def draw_evolution(
    methods: Mapping[str, Sequence[npt.ArrayLike]],
    epochs: Sequence[int],
    labels: npt.ArrayLike,
    classes: Sequence[str],
) -> Figure:
    """Draw the same samples at several epochs, a row a method, a column an epoch.

    The plane of t-SNE has no unit and may turn between epochs: axes have no ticks, and only
    neighbourhoods can be compared.

    Args:
        methods: by name, an (N, 2) array an epoch; a sample with NaN is not drawn.
        epochs: E epochs, for the titles.
        labels: (N,) class numbers 0 to K-1, the same for all.
        classes: K names.

    Returns:
        A set of axes a method and epoch, row by row; a class has its colour and its marker.

    Raises:
        ValueError: there is no method or epoch, arrays do not fit each other, or a label has no
            name.
    """
    label = np.asarray(labels, dtype=np.int64)
    if not methods or not epochs or not label.size or label.ndim != 1:
        raise ValueError("At least one method, one epoch and one labelled sample must be given.")
    if label.min() < 0 or label.max() >= len(classes):
        raise ValueError(
            f"Labels run from {label.min()} to {label.max()}, and there are {len(classes)} names."
        )
    width = style.PAGE_WIDTH if len(epochs) > 1 else style.COLUMN_WIDTH
    side = min(2.4, (width - 0.3) / len(epochs))
    figure = style.new_figure(width, 0.6 + (side + 0.1) * len(methods) + 0.15 * (len(classes) // 6))
    for row, (name, planes) in enumerate(methods.items()):
        check_names([str(epoch) for epoch in epochs], len(planes), f"Epochs of {name!r}")
        for column, plane in enumerate(planes):
            plot = figure.add_subplot(len(methods), len(epochs), row * len(epochs) + column + 1)
            points = as_numbers(plane, f"Embeddings of {name!r}, epoch {epochs[column]},", 2)
            if points.shape != (len(label), 2):
                raise ValueError(
                    f"Embeddings of {name!r}, epoch {epochs[column]}, must be ({len(label)}, 2), "
                    f"one row per label, not {points.shape}."
                )
            _draw_plane(plot, points, label, classes)
            if row == 0:
                plot.set_title(f"epoch {epochs[column]}")
            if column == 0:
                plot.set_ylabel(name)
    style.legend_below(figure, columns=6)
    return figure


def _draw_plane(plot: Axes, points: FloatArray, label: IntArray, classes: Sequence[str]) -> None:
    for number in np.unique(label).tolist():
        look = style.series_style(number)
        rows = points[label == number]
        plot.plot(
            rows[:, 0],
            rows[:, 1],
            linestyle="none",
            marker=look.marker,
            markersize=2.8,
            markeredgewidth=0.2,
            markeredgecolor="white",
            color=look.colour,
            label=shorten(str(classes[number]), 20),
        )
    plot.set_xticks([])
    plot.set_yticks([])
    for spine in plot.spines.values():
        spine.set_visible(True)
        spine.set_edgecolor(style.GREY)
    plot.set_box_aspect(1)
