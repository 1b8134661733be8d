"""Cumulative match characteristics of re-identification, and who is not recognised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from protocols.figures.cmc import draw_cmc
from protocols.figures.identity_errors import draw_identity_errors
from protocols.ranking.distances import FloatArray
from protocols.records import BIOMETRICS, ResultRecord
from protocols.reporting.figures.plan import (
    Drawing,
    FigurePlan,
    cells_of,
    files_told,
    group_label,
    leading,
    main_groups,
    of_objectives,
    plan_of,
    seeds_told,
    told,
)
from protocols.reporting.groups import RunGroup
from protocols.reporting.model import RunEntry
from protocols.reporting.names import dataset_of


def plan_cmc(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """Of each re-ID test: curves by objective, curves by pair of conditions, errors by person.

    Gait records hold a few ranks and no curve.

    Args:
        runs: All runs.
    """
    for groups in main_groups([run for run in runs if _pairs(run.record)]):
        group = leading(groups)
        record, rule = group.record, group.record.described_rule
        compared = of_objectives(groups, group)
        if len(compared) > 1 or len(_pairs(record)) == 1:
            draw = partial(_draw_objectives, compared)
            yield plan_of("cmc", "CMC by objective", record, draw, f"objectives-{rule}")
        if len(_pairs(record)) > 1:
            draw = partial(_draw_pairs, group)
            yield plan_of(
                "cmc", "CMC by probe and gallery condition", record, draw, f"pairs-{rule}"
            )
        draw = partial(_draw_people, group)
        yield plan_of("people", "errors by person", record, draw, rule)


def _pairs(record: ResultRecord) -> Mapping[str, Any]:
    """Results by pair of the record's own rule; none where it is no record of re-ID."""
    main = cells_of(record).get("main", cells_of(record))
    pairs = main.get("pairs") if isinstance(main, Mapping) else None
    if record.kind == BIOMETRICS or not isinstance(pairs, Mapping):
        return {}
    return pairs


def _curve(group: RunGroup, pair: str) -> FloatArray:
    """(R,) mean over the seeds."""
    curves = [np.asarray(_pairs(run.record)[pair]["cmc"], dtype=np.float64) for run in group.runs]
    depth = min(len(curve) for curve in curves)
    return np.asarray(np.mean([curve[:depth] for curve in curves], axis=0))


def _draw_objectives(groups: Sequence[RunGroup]) -> Drawing:
    curves: dict[str, FloatArray] = {}
    for group in groups:
        parts = [_curve(group, pair) for pair in _pairs(group.record)]
        depth = min(len(part) for part in parts)
        name = _short(group_label(group), curves)
        curves[name] = np.mean([part[:depth] for part in parts], axis=0)
    record = groups[0].record
    seeds = "; ".join(
        f"{group_label(group)} {seeds_told(group.runs)}, {files_told(group.runs)}"
        for group in groups
    )
    caption = (
        f"Share of probes whose person is among the k nearest, on {dataset_of(record.dataset)}, "
        f"protocol {record.protocol} ({record.described_rule}), mean over the pairs "
        f"{', '.join(_pairs(record))} and over seeds; in brackets rank-1. {seeds}."
    )
    return draw_cmc(curves), caption


def _short(label: str, taken: Mapping[str, FloatArray]) -> str:
    """A label up to the first setting that it names, where that is still its own."""
    short = ", ".join(label.split(", ")[:2])
    return label if short in taken else short


def _draw_pairs(group: RunGroup) -> Drawing:
    curves = {pair: _curve(group, pair) for pair in _pairs(group.record)}
    caption = (
        "Share of probes whose person is among the k nearest, by probe and gallery condition, mean "
        f"over seeds; in brackets rank-1. {told(group)}."
    )
    return draw_cmc(curves), caption


def _draw_people(group: RunGroup) -> Drawing:
    tried: dict[str, int] = {}
    missed: dict[str, int] = {}
    for run in group.runs:
        for result in _pairs(run.record).values():
            people = result["people"]
            columns = (people["names"], people["trials"], people["rank1_hits"])
            for name, trials, hits in zip(*columns, strict=True):
                tried[name] = tried.get(name, 0) + int(trials)
                missed[name] = missed.get(name, 0) + int(trials) - int(hits)
    names = list(tried)
    figure = draw_identity_errors(
        names, [missed[name] for name in names], [tried[name] for name in names]
    )
    caption = (
        "Share of each person's probes whose nearest gallery sample is someone else's, all pairs "
        f"and seeds summed, the worst first. {told(group)}."
    )
    return figure, caption
