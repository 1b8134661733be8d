"""Accuracy against the values of settings (Fig. 4 of the paper)."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from protocols.figures.hyper_curves import HyperCurve, draw_hyper_curves
from protocols.records import ResultRecord
from protocols.reporting.figures.plan import (
    Drawing,
    FigurePlan,
    files_told,
    main_groups,
    plan_of,
    seeds_told,
)
from protocols.reporting.groups import RunGroup
from protocols.reporting.model import RunEntry
from protocols.reporting.names import dataset_of, objective_label
from protocols.reporting.tables.comparisons import BASELINE

_SYMBOLS = {
    "objective.overlap": "$n_a$",
    "objective.inter_weight": "$\\lambda_1$",
    "objective.intra_weight": "$\\lambda_2$",
    "objective.margin": "$\\epsilon$",
}
"""The paper's symbols of settings."""

Place = tuple[str, str, str, str | None, str]
"""Fingerprint of the data, protocol, rule, fold, streams."""


@dataclass(frozen=True)
class _Sweep:
    """Runs that differ in one setting and the seed.

    Attributes:
        setting: Its dotted name.
        rest: The other settings of the first run, by dotted name, as text.
        runs: The runs.
    """

    setting: str
    rest: Mapping[str, str]
    runs: list[RunEntry]


def plan_hyper_curves(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """A figure a data set whose settings were swept (``aclnet-task action sweep``).

    Args:
        runs: All runs.
    """
    swept: dict[Place, list[_Sweep]] = {}
    for run in runs:
        record = run.record
        if record.kind == "sweep" and "top1" in record.metrics:
            _add(swept.setdefault(_place(record), []), record.variant, run)
    for place, curves in swept.items():
        baseline = _like(runs, place, BASELINE)
        first = curves[0].runs[0].record
        draw = partial(_draw, curves, baseline, _like(runs, place, first.objective))
        yield plan_of("settings", "accuracy by the value of a setting", first, draw)


def _place(record: ResultRecord) -> Place:
    data = record.dataset.fingerprint
    return (data, record.protocol, record.rule, record.fold, record.stream)


def _add(curves: list[_Sweep], setting: str, run: RunEntry) -> None:
    """Put a run to the sweep that it belongs to, or begin one.

    Compared are the settings that both records know, as a later version may know more.
    """
    rest = _without(run.record, setting)
    for curve in curves:
        both = curve.rest.keys() & rest.keys()
        if curve.setting == setting and all(curve.rest[name] == rest[name] for name in both):
            curve.runs.append(run)
            return
    curves.append(_Sweep(setting, rest, [run]))


def _draw(curves: Sequence[_Sweep], baseline: RunGroup | None, own: RunGroup | None) -> Drawing:
    shown = [_curve(curve.setting, curve.runs) for curve in curves]
    members = [run for curve in curves for run in curve.runs]
    record = members[0].record
    rates = None if baseline is None else [run.record.metrics["top1"] for run in baseline.runs]
    name = objective_label(BASELINE)
    figure = draw_hyper_curves(shown, baseline=rates, baseline_name=name)
    seeds = sorted({str(run.record.seed) for run in members})
    text = (
        f"Top-1 of {objective_label(record.objective)} on {dataset_of(record.dataset)}, protocol "
        f"{record.protocol} ({record.rule}), streams {record.stream}, one "
        f"setting changed at a time, seed{'' if len(seeds) == 1 else 's'} {', '.join(seeds)}; "
        f"values stand at equal distances. {files_told(members).capitalize()}."
    )
    if baseline is not None:
        text += (
            f" Dashed: {name}, mean of {seeds_told(baseline.runs)}, band one standard deviation."
        )
    if own is not None and len(own.runs) > 1:
        spread = 100 * statistics.stdev(run.record.metrics["top1"] for run in own.runs)
        text += (
            f" Over {len(own.runs)} seeds of the unchanged recipe top-1 has a standard deviation "
            f"of {spread:.1f} points: differences of this size can be chance."
        )
    return figure, text


def _curve(setting: str, members: Sequence[RunEntry]) -> HyperCurve:
    """The rates by value and seed; values in rising order where they are numbers."""
    rates: dict[str, dict[object, float]] = {}
    numbers: dict[str, float] = {}
    for run in members:
        value = _value(run.record.settings, setting)
        text = f"{value:g}" if isinstance(value, int | float) else json.dumps(value)
        numbers[text] = float(value) if isinstance(value, int | float) else float("inf")
        rates.setdefault(text, {})[run.record.seed] = run.record.metrics["top1"]
    seeds = list(dict.fromkeys(run.record.seed for run in members))
    values = sorted(rates, key=lambda text: numbers[text])
    scores = [[rates[value].get(seed, np.nan) for seed in seeds] for value in values]
    short = setting.rpartition(".")[2]
    symbol = _SYMBOLS.get(setting)
    return HyperCurve(f"{short} ({symbol})" if symbol else short, tuple(values), scores)


def _value(settings: Mapping[str, Any], setting: str) -> Any:
    """The value of a dotted setting.

    Raises:
        KeyError: The settings do not hold it.
    """
    value: Any = settings
    for part in setting.split("."):
        value = value[part]
    return value


def _without(record: ResultRecord, setting: str) -> dict[str, str]:
    """All settings but one, the seed and the place of the data, by dotted name, as text."""
    flat: dict[str, str] = {}

    def walk(value: Any, name: str) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                walk(item, f"{name}.{key}" if name else str(key))
        else:
            flat[name] = json.dumps(value)

    walk(record.settings, "")
    left_out = {setting, "train.seed", "data.path"}
    return {name: text for name, text in flat.items() if name not in left_out}


def _like(runs: Sequence[RunEntry], place: Place, objective: str) -> RunGroup | None:
    """The unchanged runs of an objective on the same data, rule and streams; most seeds first."""
    groups = [
        group
        for groups in main_groups([run for run in runs if run.record.objective == objective])
        for group in groups
        if _place(group.record) == place and "top1" in group.record.metrics
    ]
    return max(groups, key=lambda group: len(group.runs), default=None)
