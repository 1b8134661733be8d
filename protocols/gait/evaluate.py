"""Gait identification: embeddings in, the table of a protocol out.

The CASIA-B protocol (Yu et al., ICPR 2006, in the form used since GaitSet, AAAI 2019): gallery
NM#1-4, probes NM#5-6, BG#1-2, CL#1-2; every probe view is compared with every gallery view on its
own; the means leave out identical views. The same function serves any other table of rules
(:mod:`protocols.gait.gallery_probe`): fewer people, other conditions, other views, or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from protocols.embeddings import Embeddings, TextArray
from protocols.gait.assignment import Assignment, assign, check_labels, read_views
from protocols.gait.counts import POOLED, Found, Grid, ProbeLabels, count_probes, count_views
from protocols.gait.gallery_probe import GalleryProbe, load_protocol
from protocols.gait.rules import RULES, RuleName, TableRule
from protocols.gait.table import GaitTable, cell_rates, headline_of, mean_over_views
from protocols.names import distinct, natural_order
from protocols.pair_scores import GIVEN, PairScores, split_scores
from protocols.ranking.distances import FloatArray, IntArray, Metric
from protocols.ranking.engines import Device
from protocols.ranking.exclusion import BoolArray, ExclusionRule, same_labels
from protocols.ranking.gpu import Engine, refuse_device
from protocols.ranking.identification import (
    Identification,
    identify_by_distances,
    identify_in_parts,
)
from protocols.records import ONE_VIEW


def evaluate_gait(
    data: Embeddings | PairScores,
    protocol: GalleryProbe | str = "casia_b",
    rule: RuleName | None = None,
    *,
    metric: Metric | None = None,
    device: Device = "auto",
    engine: Engine | None = None,
    precision: bool = True,
    rerank: tuple[int, int, float] | None = None,
    generator: np.random.Generator | None = None,
) -> GaitTable:
    """Evaluate embeddings under a gait protocol.

    Args:
        data: One embedding a sample, or scores of pairs; the order of samples decides ties (the
            lowest gallery row wins).
        protocol: The table of rules, or the name of a built-in one.
        rule: How ranks become a table: ``exact``, ``gaitgraph``, ``gaitgraph2`` or ``opengait``
            (:mod:`protocols.gait.rules`); None takes the protocol's own, or ``exact``.
        metric: ``cosine`` or ``euclidean``; None takes the rule's own.
        device: Where to rank: ``cpu``, ``gpu`` or ``auto``
            (:func:`protocols.ranking.identification.identify`).
        engine: Ranks on a GPU; FAISS on one ranks only where neither mAP nor mINP is wanted.
        precision: Whether to compute the protocol's mAP and mINP, from the whole ranking.
        rerank: k1, k2 and weight of OpenGait's k-reciprocal re-ranking
            (:mod:`protocols.ranking.reranking`); None takes the protocol's own, usually none.
        generator: Draws the gallery takes where the protocol says ``random N``.

    Returns:
        The table with its counts and notes.

    Raises:
        ValueError: The protocol finds no gallery or no probe in the data, a sample has no view or
            take and the protocol needs it, ``cosine`` meets an embedding of zeros, re-ranking meets
            a gallery for each view or scores of pairs, ``gpu`` cannot be had, or a setting is
            unknown.
    """
    spec = load_protocol(protocol) if isinstance(protocol, str) else protocol
    name = rule or spec.rule or "exact"
    if name not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, not {rule!r}.")
    table = RULES[name]
    scores, data = split_scores(data, metric)
    chosen = metric or table.metric
    if chosen == "cosine" and scores is None:
        data.require_directions()
    roles = assign(spec, data, generator)
    check_labels(spec, data, roles)
    person, view = data.subject, read_views(spec, data)
    grid, notes = _lay_out(spec, roles, view)
    notes += data.repeats()
    if scores is None and data.embedding.ndim == 3:
        parts = data.embedding.shape[2]
        notes += (f"Embeddings of {parts} parts: the distance is the mean over the parts.",)
    measures = tuple(m for m in spec.measures if precision or m not in ("mAP", "mINP"))
    ranking = _Ranking(
        data=data,
        scores=scores,
        roles=roles,
        view=view,
        person=distinct(person)[1],
        hide=spec.views == "pooled",
        metric=chosen,
        device=device,
        engine=engine,
        precision=not {"mAP", "mINP"}.isdisjoint(measures),
        rerank=rerank or spec.rerank,
        depth=max(spec.ranks),
    )
    if ranking.rerank and grid.single:
        raise ValueError(
            f"Re-ranking needs one gallery, and protocol {spec.name} has one for each view: take "
            "one whose views are pooled, such as casia_b_pooled."
        )
    if ranking.rerank and scores is not None:
        raise ValueError("Re-ranking needs embeddings: scores of pairs are ranked as they are.")
    refuse_device(device, ranking.rerank is not None or scores is not None)
    results = ranking.found(grid.gallery_views if grid.single else (None,))
    labels, people = _labels(grid, roles, person, view)
    cells = count_views(
        grid,
        labels,
        results,
        [int(ranking.here(roles.gallery, name).sum()) for name in grid.gallery_views]
        if grid.single
        else [len(roles.gallery)],
        ranks=spec.ranks,
        unmated=spec.unmated,
        unmated_precision=spec.unmated_precision,
    )
    sample_counts = np.zeros((len(data), 2), dtype=np.int64)
    np.add.at(sample_counts, roles.probe, count_probes(grid, labels, results, spec.unmated))
    rates = cell_rates(cells, spec.ranks, None if grid.views == POOLED else table.cell_decimals)
    rates = {name: rates[name] for name in (*measures, "chance")}
    metrics = _metrics(rates, grid, table, spec.headline)
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
        sample_counts=sample_counts,
        measures=measures,
        headline=spec.headline,
        rerank=ranking.rerank,
    )


@dataclass(frozen=True)
class _Ranking:
    """How the probes of an assignment are ranked.

    Attributes:
        data: The samples.
        scores: Scores of their pairs, instead of embeddings.
        roles: Which of them are gallery and probes.
        view: (N,) their views.
        person: (N,) numbers of their people.
        hide: Whether a probe does not see its own person in its own view.
        metric: The distance.
        device: Where to rank.
        engine: Ranks on a GPU.
        precision: Whether to compute AP and INP.
        rerank: k1, k2 and weight of re-ranking.
        depth: The deepest rank.
    """

    data: Embeddings
    scores: PairScores | None
    roles: Assignment
    view: TextArray
    person: IntArray
    hide: bool
    metric: Metric
    device: Device
    engine: Engine | None
    precision: bool
    rerank: tuple[int, int, float] | None
    depth: int

    def here(self, rows: IntArray, view: str | None) -> BoolArray:
        """Which of the rows are of a view; all of them if it is None."""
        return np.ones(len(rows), np.bool_) if view is None else self.view[rows] == view

    def found(self, views: Sequence[str | None]) -> list[Found]:
        """Identify every probe in the gallery of each view, or in the whole one (None)."""
        found = [Found.nobody(len(self.roles.probe), self.depth) for _ in views]
        for probes, gallery in self.roles.settings():
            # A probe of several conditions is compared once.
            probe, place = np.unique(self.roles.probe[probes], return_inverse=True)
            inside = [self.here(gallery, view) for view in views]
            enrolled = [number for number, here in enumerate(inside) if here.any()]
            if not len(probe) or not enrolled:
                continue
            galleries = [gallery[inside[number]] for number in enrolled]
            for number, each in zip(enrolled, self._identify(probe, galleries), strict=True):
                found[number].fill(probes, each, place)
        return found

    def _identify(self, probe: IntArray, galleries: Sequence[IntArray]) -> list[Identification]:
        """Identify probes in several galleries, all given as rows."""
        if self.scores is not None or self.rerank:
            return [self._identify_by_blocks(probe, gallery) for gallery in galleries]
        gallery = np.concatenate(galleries)
        part = np.repeat(np.arange(len(galleries)), [len(rows) for rows in galleries])
        people = (self.person[probe], self.person[gallery])
        exclude = None
        if self.hide:
            exclude = same_labels(people, (self.view[probe], self.view[gallery]))
        return identify_in_parts(
            self.data.embedding[probe],
            self.data.embedding[gallery],
            *people,
            part,
            exclude=exclude,
            depth=self.depth,
            precision=self.precision,
            metric=self.metric,
            device=self.device,
            engine=self.engine,
        )

    def _identify_by_blocks(self, probe: IntArray, gallery: IntArray) -> Identification:
        """Identify by scores of pairs, or by re-ranked distances."""
        exclude: ExclusionRule | None = None
        people = (self.person[probe], self.person[gallery])
        if self.hide:
            exclude = same_labels(people, (self.view[probe], self.view[gallery]))
        if self.scores is not None:
            blocks = self.scores.blocks(probe, gallery, exclude)
            return identify_by_distances(blocks, *people, exclude=exclude, depth=self.depth)
        if self.rerank is None:
            raise ValueError("There is nothing to rank by.")
        from protocols.ranking.reranking import rerank

        k1, k2, weight = self.rerank
        sides = (self.data.embedding[probe], self.data.embedding[gallery])
        blocks = rerank(*sides, k1=k1, k2=k2, weight=weight, metric=self.metric, form="opengait")
        return identify_by_distances(blocks, *people, exclude=exclude, depth=self.depth)


def _lay_out(
    spec: GalleryProbe, roles: Assignment, view: TextArray
) -> tuple[Grid, tuple[str, ...]]:
    """The cells of the table, and notes on them."""
    names = tuple(natural_order(view[np.concatenate([roles.gallery, roles.probe])]))
    excludes = spec.identical_views == "excluded"
    if spec.views in ("single", "auto") and len(names) > 1:
        grid = Grid(roles.conditions, names, names, single=True, excludes=excludes)
        return grid, _note_gaps(grid, roles, view)
    by_view = spec.views == "pooled" and spec.average == "view"
    views = names if by_view else POOLED
    grid = Grid(roles.conditions, views, POOLED, single=False, excludes=excludes)
    if spec.views in ("single", "auto") and names != ("",):
        return grid, (
            f"{ONE_VIEW}, {names[0]}: it is compared with itself, which the tables "
            "of several views leave out.",
        )
    return grid, ()


def _note_gaps(grid: Grid, roles: Assignment, view: TextArray) -> tuple[str, ...]:
    """Name the cells that have no probes or no gallery."""
    enrolled = set(distinct(view[roles.gallery])[0])
    notes = [
        f"No gallery in view {name}: its column does not count."
        for name in grid.gallery_views
        if name not in enrolled
    ]
    for index, condition in enumerate(grid.conditions):
        seen = set(distinct(view[roles.probe[roles.condition == index]])[0])
        absent = [name for name in grid.views if name not in seen]
        if absent:
            notes.append(f"No probes of condition {condition} in view {', '.join(absent)}.")
    return tuple(notes)


def _labels(
    grid: Grid, roles: Assignment, person: TextArray, view: TextArray
) -> tuple[ProbeLabels, tuple[str, ...]]:
    """The condition, view and person of each probe, as indices, and the names of the persons."""
    places = {name: place for place, name in enumerate(grid.views)}
    here, place = distinct(view[roles.probe])
    views = np.array([0 if grid.views == POOLED else places[name] for name in here.tolist()])
    names, people = distinct(person[roles.probe])
    labels = ProbeLabels(roles.condition, views[place], people)
    return labels, tuple(names.tolist())


def _metrics(
    rates: dict[str, FloatArray], grid: Grid, rule: TableRule, headline: str
) -> dict[str, float]:
    """Flat rates by name, NaN where undefined: overall, and of each condition."""
    metrics: dict[str, float] = {}
    for name, cells in rates.items():
        by_condition = mean_over_views(cells, grid.same_view, rule.empty)[1]
        metrics[name] = float(headline_of(by_condition, grid.conditions, headline, rule.empty))
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
        else "no probe has a gallery to be compared with"
    )
    return (f"No value for {', '.join(names)}: {why}.",)


def _totals(
    data: Embeddings,
    roles: Assignment,
    person: TextArray,
    results: Sequence[Found],
    left_out: BoolArray,
) -> dict[str, int]:
    """Flat counts for the result record; ``left_out`` (P, G) comparisons are in no mean."""
    mated = np.zeros(len(roles.probe), dtype=np.bool_)
    probes, used = (np.zeros(len(data), dtype=np.bool_) for _ in range(2))
    probes[roles.probe] = used[roles.probe] = used[roles.gallery] = True
    comparisons = 0
    for (result, exists), skipped in zip(results, left_out.T, strict=True):
        mated |= (result.mates > 0) & ~skipped
        comparisons += int(np.count_nonzero(exists & (result.mates == 0) & ~skipped))
    probed, enrolled = (set(distinct(person[rows])[0]) for rows in (roles.probe, roles.gallery))
    return {
        "probes": int(probes.sum()),
        "gallery": len(roles.gallery),
        "probe_subjects": len(probed),
        "gallery_subjects": len(enrolled),
        "never_probed_subjects": len(enrolled - probed),
        "unmated": len(np.unique(roles.probe[~mated])),
        "unmated_comparisons": comparisons,
        "missing": roles.missing,
        "ignored": len(data) - int(used.sum()),
    }
