"""The page's table of runs, and what it shows of one run or of the runs behind one mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from protocols.groups import RunEntry, RunGroup, flat_settings, group_runs
from protocols.labels import dataset_of, measure_name, objective_label
from protocols.records import RUN, ResultRecord
from protocols.reporting.model import Cell, Report, Source, source_of
from protocols.reporting.tables.cells import interval_cell, metric_cell
from protocols.reporting.tasks import main_measure, shown_task
from protocols.reporting.writers.anchors import Anchors
from protocols.text import printable_lines


class RunLine(NamedTuple):
    """The runs of one setting, as a row.

    Attributes:
        name: Objective and training before it.
        variant: What else tells it from runs of the same name.
        task: Name of the task.
        dataset: Display name of the data set.
        source: Origin of its values.
        test: Protocol and rule.
        stream: Streams.
        runs: Its runs, each with its seed in words.
        anchors: Identifiers of the sets of runs that lead here.
        together: That of the set of all its runs; None of one run.
        measure: The measure shown.
        value: Its mean over the seeds.
        interval: Its interval.
        created: When its newest record was made; empty where no record says so.
        times: That of its first and its newest, in words.
        commits: Beginnings of the commits that made it.
        folder: Folder of the first record.
    """

    name: str
    variant: str
    task: str
    dataset: str
    source: Source
    test: str
    stream: str
    runs: list[tuple[str, RunEntry]]
    anchors: list[str]
    together: str | None
    measure: str
    value: Cell
    interval: Cell
    created: str
    times: str
    commits: str
    folder: str


def run_lines(report: Report, anchors: Anchors) -> list[RunLine]:
    """A row for the runs of each setting, every run in one of them."""
    by_file = {run.file: run for run in report.runs}
    sets: dict[str, list[str]] = {}
    for files, anchor in anchors.sets.items():
        sets.setdefault(files[0], []).append(anchor)
    return [
        _line(
            group,
            [by_file[file] for file in (*group.files, *group.repeated)],
            sets,
            anchors.sets.get(group.files),
        )
        for group in group_runs(report.runs)
    ]


def _line(
    group: RunGroup,
    runs: list[RunEntry],
    sets: Mapping[str, list[str]],
    together: str | None,
) -> RunLine:
    record = group.record
    measure = main_measure(record.task, record.metrics)
    if measure not in record.metrics:  # a study has measures of its own
        measure = next((name for name in record.metrics if "/" not in name), "")
    percent = measure in shown_task(record.task).measures
    factor, decimals = (100.0, 1) if percent else (1.0, 3)
    value = metric_cell(group, measure, factor=factor, decimals=decimals)
    if not percent and value.value is not None:
        value = replace(value, text=number(value.value))
    times = sorted({run.record.created for run in runs} - {""})
    commits = (str(run.record.environment.get("commit", ""))[:7] for run in runs)
    return RunLine(
        name=", ".join(filter(None, [objective_label(record.objective), group.after])),
        variant=", ".join(filter(None, [record.variant, group.variant])),
        task=record.task,
        dataset=dataset_of(record.dataset),
        source=source_of(record),
        test=", ".join(filter(None, [record.protocol, record.described_rule])),
        stream=record.stream,
        runs=[(seed_of(run.record), run) for run in runs],
        anchors=[anchor for run in runs for anchor in sets.get(run.file, [])],
        together=together,
        measure=measure_name(measure) + (", %" if percent else ""),
        value=value,
        interval=interval_cell(group, measure, factor=factor, decimals=decimals),
        created=times[-1] if times else "",
        times=" to ".join(dict.fromkeys(map(_moment, (*times[:1], *times[-1:])))),
        commits=", ".join(dict.fromkeys(filter(None, commits))),
        folder=runs[0].file.rpartition("/")[0],
    )


def run_details(
    report: Report, anchors: Anchors, shown_in: Mapping[str, list[tuple[str, str]]]
) -> dict[str, Any]:
    """What the page shows of a run when it is asked for, as JSON.

    Args:
        report: The report.
        anchors: Identifiers of its parts.
        shown_in: Titles and identifiers of the tables of each file.

    Returns:
        ``runs``: by identifier their titles, facts, settings, and so on; ``sets``: the identifiers
        of the runs behind a mean, by that of the set.
    """
    runs = {
        anchors.runs[run.file]: {
            "title": title_of(run.record),
            "file": run.file,
            "notes": list(run.record.notes),
            "facts": facts_of(run.record),
            "tables": shown_in.get(run.file, []),
            "errors": next((p.address for p in report.errors if p.record == run.record), ""),
            "command": run.record.command,
            "metrics": metrics_of(run.record),
            "counts": {name: str(count) for name, count in run.record.counts.items()},
            "settings": flat_settings(run.record.settings),
            "environment": flat_settings(run.record.environment),
        }
        for run in report.runs
    }
    sets = {name: [anchors.runs[one] for one in files] for files, name in anchors.sets.items()}
    found: dict[str, Any] = _printable({"runs": runs, "sets": sets})
    return found


def _printable(value: Any) -> Any:
    """The value, with what a page cannot show escaped in all its texts."""
    if isinstance(value, str):
        return printable_lines(value)
    if isinstance(value, dict):
        return {printable_lines(name): _printable(one) for name, one in value.items()}
    return [_printable(one) for one in value]


def seed_of(record: ResultRecord) -> str:
    """The seed, or that it is unknown."""
    return "unknown" if record.seed is None else str(record.seed)


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
        "Seed": seed_of(record),
        "Time": f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s",
        **({"Recorded": _moment(record.created)} if record.created else {}),
    }


def _moment(created: str) -> str:
    """A record's time in words.

    >>> _moment("2026-11-29T18:05:09Z")
    '2026-11-29 18:05:09 UTC'
    """
    return f"{created[:10]} {created[11:19]} UTC"


def metrics_of(record: ResultRecord) -> dict[str, str]:
    """Every metric, as in the record: rates from 0 to 1."""
    metrics = {name: number(value) for name, value in record.metrics.items()}
    for name, (low, high) in record.intervals.items():
        metrics[name] += f" (95 % interval {number(low)} to {number(high)})"
    return metrics


def number(value: float) -> str:
    """A value with four digits."""
    return f"{value:.4g}"


def plain_value(text: str) -> str:
    """A cell's text without its spread."""
    return text.partition("±")[0].strip()
