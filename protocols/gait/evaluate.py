"""Gait identification: embeddings in, the table of a protocol out.

The CASIA-B protocol (Yu et al., ICPR 2006, in the form used since GaitSet, AAAI 2019): gallery
NM#1-4, probes NM#5-6, BG#1-2, CL#1-2; every probe view is compared with every gallery view on its
own; identical views are left out of the means. The same function serves any other table of rules
(:mod:`protocols.gait.gallery_probe`): fewer people, other conditions, other views, or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from protocols.embeddings import Embeddings, TextArray
from protocols.gait.assignment import Assignment, assign, only_people
from protocols.gait.counts import RANKS, Grid, ProbeLabels, count_views
from protocols.gait.gallery_probe import GalleryProbe, load_protocol
from protocols.gait.rules import RuleName, table_rule
from protocols.gait.table import GaitTable, make_table
from protocols.names import canonical, natural_order
from protocols.ranking.distances import IntArray, Metric
from protocols.ranking.exclusion import BoolArray, same_identity_and_group
from protocols.ranking.identification import Identification, identify
from protocols.ranking.retrieval import Device

_POOLED = ("all",)


def evaluate_gait(
    data: Embeddings,
    protocol: GalleryProbe | str = "casia_b",
    rule: RuleName = "exact",
    *,
    metric: Metric | None = None,
    device: Device = "auto",
    subjects: Iterable[str] | None = None,
    precision: bool = True,
    generator: np.random.Generator | None = None,
) -> GaitTable:
    """Evaluate embeddings under a gait protocol.

    Args:
        data: One embedding a sample; their order decides ties (the lowest gallery row wins).
        protocol: The table of rules, or the name of a built-in one.
        rule: How ranks become a table: ``exact``, ``gaitgraph``, ``gaitgraph2`` or ``opengait``
            (:mod:`protocols.gait.rules`).
        metric: ``cosine`` or ``euclidean``; None takes the rule's own.
        device: Where FAISS searches: ``auto``, ``cpu`` or ``gpu``.
        subjects: The people to evaluate; None takes all that are there.
        precision: Whether to compute mAP and mINP.
        generator: Draws the gallery takes where the protocol says ``random N``.

    Returns:
        The table with its counts and notes.

    Raises:
        ValueError: The protocol finds no gallery or no probe in the data, some samples have a view
            and some do not, ``cosine`` meets an embedding of zeros, or a setting is unknown.
    """
    table = table_rule(rule)
    spec = load_protocol(protocol) if isinstance(protocol, str) else protocol
    chosen = metric or table.metric
    used = data if subjects is None else only_people(data, subjects)
    if chosen == "cosine":
        used.require_directions()
    roles = assign(spec, used, generator)
    person, view = canonical(used.subject), canonical(used.view)
    grid, notes = _lay_out(spec, used, roles, view)
    galleries = _galleries(grid, roles, view)
    hidden_view = view if spec.views == "pooled" and len(np.unique(view)) > 1 else None
    results = [
        _compare(used, roles.probe, rows, person, hidden_view, (chosen, device, precision))
        for rows in galleries
    ]
    labels = _labels(grid, roles, person, view)
    counts = count_views(
        grid,
        labels,
        results,
        [len(rows) for rows in galleries],
        unmated=spec.unmated,
        unmated_precision=spec.unmated_precision,
    )
    return make_table(
        counts,
        grid,
        table,
        protocol=spec.name,
        metric=chosen,
        rounded=grid.views != _POOLED,
        totals=_totals(used, roles, person, results, grid.same_view[labels.view]),
        notes=notes,
        people=tuple(np.unique(person[roles.probe]).tolist()),
    )


def _lay_out(
    spec: GalleryProbe, data: Embeddings, roles: Assignment, view: TextArray
) -> tuple[Grid, tuple[str, ...]]:
    """Decide which cells there are, and what must be said about them."""
    rows = np.concatenate([roles.gallery, roles.probe])
    nameless = rows[view[rows] == ""]
    if 0 < len(nameless) < len(rows):
        raise ValueError(
            f"Sample {str(data.sample[nameless[0]])!r} has no view while others have one "
            f"({len(nameless)} such samples in all): give all samples a view, or none."
        )
    names = tuple(natural_order(view[rows]))
    if spec.views == "single" or (spec.views == "auto" and len(names) > 1):
        grid = Grid(roles.conditions, names, names, single=True)
        return grid, _note_gaps(grid, roles, view)
    by_view = spec.views == "pooled" and spec.average == "view"
    grid = Grid(roles.conditions, names if by_view else _POOLED, _POOLED, single=False)
    if spec.views == "auto" and not len(nameless):
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


def _galleries(grid: Grid, roles: Assignment, view: TextArray) -> list[IntArray]:
    """The gallery rows of each gallery view."""
    if not grid.single:
        return [roles.gallery]
    return [roles.gallery[view[roles.gallery] == name] for name in grid.gallery_views]


def _compare(
    data: Embeddings,
    probe: IntArray,
    gallery: IntArray,
    person: TextArray,
    hidden_view: TextArray | None,
    how: tuple[Metric, Device, bool],
) -> Identification | None:
    """Identify all probes in one gallery; with ``hidden_view``, not by their own view."""
    if not len(gallery):
        return None
    exclude = None
    if hidden_view is not None:
        exclude = same_identity_and_group(
            person[probe], person[gallery], hidden_view[probe], hidden_view[gallery]
        )
    metric, device, precision = how
    return identify(
        data.embedding[probe],
        data.embedding[gallery],
        person[probe],
        person[gallery],
        exclude=exclude,
        depth=max(RANKS),
        precision=precision,
        metric=metric,
        device=device,
    )


def _labels(grid: Grid, roles: Assignment, person: TextArray, view: TextArray) -> ProbeLabels:
    """The condition, view and person of each probe, as indices."""
    places = {name: place for place, name in enumerate(grid.views)}
    views = [0 if grid.views == _POOLED else places[name] for name in view[roles.probe].tolist()]
    people = np.unique(person[roles.probe], return_inverse=True)[1]
    return ProbeLabels(roles.condition, np.array(views, dtype=np.int64), people.astype(np.int64))


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
