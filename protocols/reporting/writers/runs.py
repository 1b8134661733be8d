"""The page's details of each run, and of the runs behind one mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from protocols.groups import RunEntry, flat_settings
from protocols.labels import dataset_of
from protocols.records import RUN, ResultRecord
from protocols.reporting.model import Report
from protocols.reporting.writers.anchors import Anchors

_COLUMNS = 6
"""Metrics shown side by side for the runs of one mean."""


class Family(NamedTuple):
    """Runs of one task and data set.

    Attributes:
        task: Name of the task.
        dataset: Display name of the data set.
        runs: The runs.
        sets: Runs behind one mean, each set with its address.
    """

    task: str
    dataset: str
    runs: list[RunEntry]
    sets: list[tuple[list[RunEntry], str]]


def families(report: Report, anchors: Anchors) -> list[Family]:
    """All runs by task and data set, with the sets behind means."""
    found: dict[tuple[str, str], Family] = {}
    by_file = {run.file: run for run in report.runs}

    def of(run: RunEntry) -> Family:
        key = (run.record.task, dataset_of(run.record.dataset))
        return found.setdefault(key, Family(*key, [], []))

    for run in report.runs:
        of(run).runs.append(run)
    for files, anchor in anchors.sets.items():
        of(by_file[files[0]]).sets.append(([by_file[file] for file in files], anchor))
    return list(found.values())


def title_of(record: ResultRecord) -> str:
    """Objective, streams, use of labels and seed."""
    seed = "" if record.seed is None else f"seed {record.seed}"
    labels = record.variant if record.kind == RUN else ""
    return ", ".join(filter(None, [record.objective, record.stream, labels, seed]))


def facts_of(record: ResultRecord) -> dict[str, str]:
    """Data, protocol, objective, seed and time."""
    rule, seconds = record.described_rule, record.seconds
    return {
        "Data set": record.dataset.name + (" (synthetic)" if record.dataset.synthetic else ""),
        "Fingerprint": record.dataset.fingerprint[:16],
        "Protocol": f"{record.protocol}, rule {rule}" if rule else record.protocol,
        "Objective": record.objective,
        "Stream": record.stream or "none",
        "Seed": "unknown" if record.seed is None else str(record.seed),
        "Time": f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s",
    }


def metrics_of(record: ResultRecord) -> dict[str, str]:
    """Every metric, as in the record: rates from 0 to 1."""
    metrics = {name: number(value) for name, value in record.metrics.items()}
    for name, (low, high) in record.intervals.items():
        metrics[name] += f" (95 % interval {number(low)} to {number(high)})"
    return metrics


def number(value: float) -> str:
    """A value with four digits."""
    return f"{value:.4g}"


def compare(runs: Sequence[RunEntry]) -> dict[str, Any]:
    """The runs of a mean: a title, the metrics of all, the settings that they share or not."""
    records = [run.record for run in runs]
    words = dict.fromkeys([one.objective for one in records])
    words |= dict.fromkeys([one.stream for one in records if one.stream])
    seeds = dict.fromkeys("unknown" if one.seed is None else str(one.seed) for one in records)
    names = [name for name in records[0].metrics if all(name in one.metrics for one in records)]
    settings = [flat_settings(record.settings) for record in records]
    values = {
        name: [one.get(name, "absent") for one in settings]
        for name in dict.fromkeys(name for one in settings for name in one)
    }
    return {
        "title": f"{', '.join(words)}: {len(records)} runs, seeds {', '.join(seeds)}",
        "metrics": sorted(names, key=lambda name: "/" in name)[:_COLUMNS],
        "shared": {name: each[0] for name, each in values.items() if len(set(each)) == 1},
        "differing": {name: "; ".join(each) for name, each in values.items() if len(set(each)) > 1},
    }
