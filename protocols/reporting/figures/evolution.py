"""Embeddings in the plane over training (Fig. 5 of the paper)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial

from protocols.figures.evolution import draw_evolution
from protocols.reporting.figures.plan import (
    Drawing,
    FigurePlan,
    cells_of,
    files_told,
    plan_of,
    seeds_told,
)
from protocols.reporting.model import RunEntry
from protocols.reporting.names import dataset_of, objective_label, objective_place

_NEEDED = ("classes", "class", "maps")


def plan_evolution(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """A figure a study (``aclnet-task action evolution``), a row an objective, of the first seed.

    Args:
        runs: All runs.
    """
    studies: dict[str, list[RunEntry]] = {}
    for run in runs:
        record, cells = run.record, cells_of(run.record)
        if all(isinstance(cells.get(name), list) for name in _NEEDED):
            epochs = [entry.get("epoch") for entry in cells["maps"] if isinstance(entry, dict)]
            alike = [record.dataset.fingerprint, record.protocol, record.stream, epochs]
            alike += [cells["classes"], cells["class"]]
            studies.setdefault(json.dumps(alike), []).append(run)
    for members in studies.values():
        seed = members[0].record.seed
        shown = [run for run in members if run.record.seed == seed]
        shown.sort(key=lambda run: objective_place(run.record.objective))
        title = "test embeddings over training (t-SNE)"
        yield plan_of("evolution", title, shown[0].record, partial(_draw, shown))


def _draw(shown: Sequence[RunEntry]) -> Drawing:
    record, first = shown[0].record, cells_of(shown[0].record)
    epochs = [int(entry["epoch"]) for entry in first["maps"]]
    methods = {
        objective_label(run.record.objective): [
            entry["points"] for entry in cells_of(run.record)["maps"]
        ]
        for run in shown
    }
    figure = draw_evolution(methods, epochs, first["class"], first["classes"])
    apart = "; ".join(_silhouettes(run, epochs) for run in shown)
    caption = (
        f"The test samples of {len(first['classes'])} classes of {dataset_of(record.dataset)} at "
        f"epochs {', '.join(str(epoch) for epoch in epochs)}, each map made for itself: axes and "
        f"distances between clusters cannot be compared from one map to another. Silhouette of the "
        f"whole embeddings by epoch (1: classes apart, 0: mixed): {apart}. Protocol "
        f"{record.protocol}, streams {record.stream}, {seeds_told(shown[:1])}; {files_told(shown)}."
    )
    return figure, caption


def _silhouettes(run: RunEntry, epochs: Sequence[int]) -> str:
    values = [run.record.metrics[f"silhouette/{epoch}"] for epoch in epochs]
    name = objective_label(run.record.objective)
    return f"{name} {', '.join(f'{value:.2f}' for value in values)}"
