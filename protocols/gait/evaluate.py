"""Gait identification: embeddings in, the table of a protocol out.

The CASIA-B protocol (Yu et al., ICPR 2006, in the form used since GaitSet, AAAI 2019): gallery
NM#1-4, probes NM#5-6, BG#1-2, CL#1-2; every probe view is compared with every gallery view on its
own; the means leave out identical views. The same function serves any other table of rules
(:mod:`protocols.gait.gallery_probe`): fewer people, other conditions, other views, or none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols.embeddings import Embeddings, TextArray
from protocols.gait.assignment import Assignment, assign, check_labels
from protocols.gait.counts import POOLED, RANKS, Grid, ProbeLabels, count_views
from protocols.gait.gallery_probe import GalleryProbe, load_protocol
from protocols.gait.rules import RULES, RuleName, TableRule
from protocols.gait.table import GaitTable, cell_rates, mean_of, mean_over_views
from protocols.names import canonical, natural_order
from protocols.pair_scores import GIVEN, PairScores, split_scores
from protocols.ranking.distances import FloatArray, IntArray, Metric
from protocols.ranking.exclusion import BoolArray, same_labels
from protocols.ranking.identification import Identification, identify, identify_by_distances
from protocols.ranking.retrieval import Device


def evaluate_gait(
    data: Embeddings | PairScores,
    protocol: GalleryProbe | str = "casia_b",
    rule: RuleName = "exact",
    *,
    metric: Metric | None = None,
    device: Device = "auto",
    precision: bool = True,
    generator: np.random.Generator | None = None,
) -> GaitTable:
    """Evaluate embeddings under a gait protocol.

    Args:
        data: One embedding a sample, or scores of pairs; the order of samples decides ties (the
            lowest gallery row wins).
        protocol: The table of rules, or the name of a built-in one.
        rule: How ranks become a table: ``exact``, ``gaitgraph``, ``gaitgraph2`` or ``opengait``
            (:mod:`protocols.gait.rules`).
        metric: ``cosine`` or ``euclidean``; None takes the rule's own.
        device: Where FAISS searches if ``precision`` is off: ``auto``, ``cpu`` or ``gpu``.
        precision: Whether to compute mAP and mINP, from the whole ranking.
        generator: Draws the gallery takes where the protocol says ``random N``.

    Returns:
        The table with its counts and notes.

    Raises:
        ValueError: The protocol finds no gallery or no probe in the data, a sample has no view or
            take and the protocol needs it, ``cosine`` meets an embedding of zeros, or a setting is
            unknown.
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, not {rule!r}.")
    table = RULES[rule]
    spec = load_protocol(protocol) if isinstance(protocol, str) else protocol
    scores, data = split_scores(data, metric)
    chosen = metric or table.metric
    if chosen == "cosine" and scores is None:
        data.require_directions()
    roles = assign(spec, data, generator)
    check_labels(spec, data, roles)
    person, view = data.subject, canonical(data.view)
    grid, notes = _lay_out(spec, roles, view)
    galleries = [roles.gallery]
    if grid.single:
        galleries = [roles.gallery[view[roles.gallery] == name] for name in grid.gallery_views]
    hidden_view = view if spec.views == "pooled" and len(np.unique(view)) > 1 else None
    how = (chosen, device, precision, scores)
    results = [_compare(data, roles.probe, rows, person, hidden_view, how) for rows in galleries]
    labels, people = _labels(grid, roles, person, view)
    cells = count_views(
        grid,
        labels,
        results,
        [len(rows) for rows in galleries],
        unmated=spec.unmated,
        unmated_precision=spec.unmated_precision,
    )
    rates = cell_rates(cells, None if grid.views == POOLED else table.cell_decimals)
    if not precision:
        del rates["mAP"], rates["mINP"]
    metrics = _metrics(rates, grid, table)
    undefined = [name for name, value in metrics.items() if not np.isfinite(value)]
    return GaitTable(
        protocol=spec.name,
        rule=table,
        metric=chosen if scores is None else GIVEN,
        grid=grid,
        rank1=rates["rank1"],
        counts=_totals(data, roles, person, results, grid.same_view[labels.view]),
        metrics={name: value for name, value in metrics.items() if name not in undefined},
        notes=roles.notes + notes + _note_undefined(undefined, table),
        cells=cells,
        people=people,
    )


def _lay_out(
    spec: GalleryProbe, roles: Assignment, view: TextArray
) -> tuple[Grid, tuple[str, ...]]:
    """The cells of the table, and notes on them."""
    names = tuple(natural_order(view[np.concatenate([roles.gallery, roles.probe])]))
    if spec.views in ("single", "auto") and len(names) > 1:
        grid = Grid(roles.conditions, names, names, single=True)
        return grid, _note_gaps(grid, roles, view)
    by_view = spec.views == "pooled" and spec.average == "view"
    grid = Grid(roles.conditions, names if by_view else POOLED, POOLED, single=False)
    if spec.views in ("single", "auto") and names != ("",):
        return grid, (
            f"All samples have one view, {names[0]}: it is compared with itself, which the tables "
            "of several views leave out.",
        )
    return grid, ()


def _note_gaps(grid: Grid, roles: Assignment, view: TextArray) -> tuple[str, ...]:
    """Name the cells that have no probes or no gallery."""
    enrolled = set(view[roles.gallery].tolist())
    notes = [
        f"No gallery in view {name}: its column does not count."
        for name in grid.gallery_views
        if name not in enrolled
    ]
    for index, condition in enumerate(grid.conditions):
        seen = set(view[roles.probe[roles.condition == index]].tolist())
        absent = [name for name in grid.views if name not in seen]
        if absent:
            notes.append(f"No probes of condition {condition} in view {', '.join(absent)}.")
    return tuple(notes)


def _compare(
    data: Embeddings,
    probe: IntArray,
    gallery: IntArray,
    person: TextArray,
    hidden_view: TextArray | None,
    how: tuple[Metric, Device, bool, PairScores | None],
) -> Identification | None:
    """Identify all probes in one gallery; with ``hidden_view``, not by their own view."""
    if not len(gallery):
        return None
    exclude, people = None, (person[probe], person[gallery])
    if hidden_view is not None:
        exclude = same_labels(people, (hidden_view[probe], hidden_view[gallery]))
    metric, device, precision, scores = how
    if scores is not None:
        blocks = scores.blocks(probe, gallery, exclude)
        return identify_by_distances(blocks, *people, exclude=exclude, depth=max(RANKS))
    rows = data.embedding[probe], data.embedding[gallery]
    return identify(
        *rows,
        *people,
        exclude=exclude,
        depth=max(RANKS),
        precision=precision,
        metric=metric,
        device=device,
    )


def _labels(
    grid: Grid, roles: Assignment, person: TextArray, view: TextArray
) -> tuple[ProbeLabels, tuple[str, ...]]:
    """The condition, view and person of each probe, as indices, and the names of the persons."""
    places = {name: place for place, name in enumerate(grid.views)}
    views = [0 if grid.views == POOLED else places[name] for name in view[roles.probe].tolist()]
    names, people = np.unique(person[roles.probe], return_inverse=True)
    labels = ProbeLabels(roles.condition, np.array(views, np.int64), people.astype(np.int64))
    return labels, tuple(names.tolist())


def _metrics(rates: dict[str, FloatArray], grid: Grid, rule: TableRule) -> dict[str, float]:
    """Flat rates by name, NaN where undefined: means over conditions, and of each condition."""
    metrics: dict[str, float] = {}
    for name, cells in rates.items():
        by_condition = mean_over_views(cells, grid.same_view, rule.empty)[1]
        metrics[name] = float(mean_of(by_condition, rule.empty))
        for condition, value in zip(grid.conditions, by_condition, strict=True):
            metrics[f"{name}/{condition}"] = float(value)
    if rule.diagonal is not None:
        zeroed = grid.same_view & (rule.diagonal == "zero")
        metrics["accuracy_avg"] = float(np.where(zeroed, 0.0, rates["rank1"]).mean())
    return metrics


def _note_undefined(names: list[str], rule: TableRule) -> tuple[str, ...]:
    """One sentence on the measures that have no value."""
    if not names:
        return ()
    why = (
        f"rule {rule.name} lets an empty cell spread to its means; rule exact averages the rest"
        if rule.empty == "spread"
        else "there is not a single probe with a gallery to be compared with"
    )
    return (f"No value for {', '.join(names)}: {why}.",)


def _totals(
    data: Embeddings,
    roles: Assignment,
    person: TextArray,
    results: Sequence[Identification | None],
    left_out: BoolArray,
) -> dict[str, int]:
    """Flat counts for the result record; ``left_out`` (P, G) comparisons are in no mean."""
    mated = np.zeros(len(roles.probe), dtype=np.bool_)
    comparisons = 0
    for result, skipped in zip(results, left_out.T, strict=True):
        if result is not None:
            mated |= (result.mates > 0) & ~skipped
            comparisons += int(np.count_nonzero((result.mates == 0) & ~skipped))
    probed, enrolled = set(person[roles.probe].tolist()), set(person[roles.gallery].tolist())
    return {
        "probes": len(roles.probe),
        "gallery": len(roles.gallery),
        "probe_subjects": len(probed),
        "gallery_subjects": len(enrolled),
        "never_probed_subjects": len(enrolled - probed),
        "unmated": int(np.count_nonzero(~mated)),
        "unmated_comparisons": comparisons,
        "missing": roles.missing,
        "ignored": len(data) - len(roles.probe) - len(roles.gallery),
    }
