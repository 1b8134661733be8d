"""What is known of each run: settings, command, machine, counts, figures with intervals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from protocols.records import ResultRecord
from protocols.reporting.model import Report, RunEntry
from protocols.reporting.names import dataset_of
from protocols.reporting.writers.page.anchors import Anchors
from protocols.reporting.writers.page.markup import Html, element, join

_COLUMNS = 6
"""Metrics shown side by side for the runs of one mean."""


def render_runs(report: Report, anchors: Anchors) -> Html:
    """All runs by task and data set, and before them the sets of runs that means are made of."""
    groups: dict[tuple[str, str], list[RunEntry]] = {}
    for run in report.runs:
        groups.setdefault(_family(run.record), []).append(run)
    by_file = {run.file: run for run in report.runs}
    sets: dict[tuple[str, str], list[Html]] = {}
    for files, anchor in anchors.sets.items():
        first = by_file[files[0]].record
        article = _render_set([by_file[file] for file in files], anchor, anchors)
        sets.setdefault(_family(first), []).append(article)
    parts = []
    for (task, dataset), runs in groups.items():
        entries = [_render_run(run, report, anchors) for run in runs]
        parts.append(
            element(
                "section",
                element("h3", f"{dataset} ", element("small", f"{task}, {_count(runs)}")),
                *sets.get((task, dataset), []),
                *entries,
                class_="family",
            )
        )
    return join(parts)


def _family(record: ResultRecord) -> tuple[str, str]:
    """Task and data set, under the name that tables show."""
    return record.task, dataset_of(record.dataset)


def _count(runs: Sequence[RunEntry]) -> str:
    return "1 run" if len(runs) == 1 else f"{len(runs)} runs"


def _render_run(run: RunEntry, report: Report, anchors: Anchors) -> Html:
    """One run, folded; its address is inside, so that a browser unfolds it without a script."""
    record, rule = run.record, run.record.described_rule
    shown = [
        element("a", report.tables[place].title, href=f"#{anchors.tables[place]}")
        for place in anchors.used[run.file]
    ]
    facts = {
        "Data set": record.dataset.name + (" (synthetic)" if record.dataset.synthetic else ""),
        "Fingerprint": record.dataset.fingerprint[:16],
        "Protocol": f"{record.protocol}, rule {rule}" if rule else record.protocol,
        "Objective": record.objective,
        "Stream": record.stream or "none",
        "Seed": "unknown" if record.seed is None else str(record.seed),
        "Time": f"{record.seconds:.0f} s" if record.seconds >= 10 else f"{record.seconds:.2g} s",
        "Shown in": join(shown, ", ") if shown else "no table",
    }
    return _folded(
        _run_title(record),
        run.file,
        [
            *(element("p", note, class_="remark") for note in record.notes),
            _pairs(facts),
            _part("Command", element("pre", record.command)),
            _part("Figures", _metrics(record)),
            _part("Counts", _pairs({name: str(count) for name, count in record.counts.items()})),
            _part("Settings", element("pre", _lines(record.settings))),
            _part("Environment", element("pre", _lines(record.environment))),
        ],
        anchors.runs[run.file],
        record,
    )


def _run_title(record: ResultRecord) -> str:
    seed = "" if record.seed is None else f", seed {record.seed}"
    stream = f", {record.stream}" if record.stream else ""
    return f"{record.objective}{stream}{seed}"


def _render_set(runs: Sequence[RunEntry], anchor: str, anchors: Anchors) -> Html:
    """The runs behind one mean: their figures side by side, what they share and what differs."""
    records = [run.record for run in runs]
    names = [name for name in records[0].metrics if all(name in one.metrics for one in records)]
    names = sorted(names, key=lambda name: "/" in name)[:_COLUMNS]
    head = element(
        "tr", element("th", "Run", scope="col"), *(element("th", n, scope="col") for n in names)
    )
    rows = [
        element(
            "tr",
            element(
                "th",
                element("a", _run_title(run.record), href=f"#{anchors.runs[run.file]}"),
                scope="row",
            ),
            *(element("td", _number(run.record.metrics[name])) for name in names),
        )
        for run in runs
    ]
    grid = element("table", element("thead", head), element("tbody", *rows), class_="plain")
    shared, differing = _compare([_flat(record.settings) for record in records])
    title = _set_title(records)
    parts = [element("div", grid, class_="scroll", role="region", tabindex=0, aria_label=title)]
    if differing:
        parts.append(_part("Settings that differ", _pairs(differing)))
    parts.append(_part("Settings in common", element("pre", shared)))
    return _folded(title, "behind one figure", parts, anchor, records[0], block="set")


def _set_title(records: Sequence[ResultRecord]) -> str:
    """What the runs of a mean are, and their seeds."""
    words = dict.fromkeys([one.objective for one in records])
    words |= dict.fromkeys([one.stream for one in records if one.stream])
    seeds = dict.fromkeys("unknown" if one.seed is None else str(one.seed) for one in records)
    return f"{', '.join(words)}: {len(records)} runs, seeds {', '.join(seeds)}"


def _folded(
    title: str,
    aside: str,
    parts: Sequence[Html],
    anchor: str,
    record: ResultRecord,
    block: str = "run",
) -> Html:
    """A line that unfolds."""
    summary = element(
        "summary", element("span", title, class_="name"), " ", element("small", aside)
    )
    return element(
        "details",
        summary,
        element("div", *parts, id=anchor, class_="run"),
        class_="block",
        data_block=block,
        data_task=record.task,
        data_datasets=json.dumps([dataset_of(record.dataset)]),
    )


def _part(title: str, content: Html) -> Html:
    return join([element("h4", title), content])


def _pairs(facts: Mapping[str, str]) -> Html:
    """Names and what they stand for."""
    if not facts:
        return element("p", "none")
    lines = [element("div", element("dt", key), element("dd", text)) for key, text in facts.items()]
    return element("dl", *lines)


def _metrics(record: ResultRecord) -> Html:
    """Every metric, as in the record: rates from 0 to 1."""
    facts = {}
    for name, value in record.metrics.items():
        text = _number(value)
        if name in record.intervals:
            low, high = record.intervals[name]
            text += f" (95 % interval {_number(low)} to {_number(high)})"
        facts[name] = text
    return _pairs(facts)


def _number(value: float) -> str:
    return f"{value:.4g}"


def _lines(values: Mapping[str, Any]) -> str:
    """Settings one a line, by their dotted names."""
    return "\n".join(f"{name}: {value}" for name, value in _flat(values).items()) or "none"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings by their dotted names, such as ``train.epochs``."""
    found: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{name}.")
        else:
            found[name] = json.dumps(value, ensure_ascii=False)
    return found


def _compare(settings: Sequence[Mapping[str, str]]) -> tuple[str, dict[str, str]]:
    """Settings that all runs share as text, and the others with the value of each run."""
    names = list(dict.fromkeys(name for one in settings for name in one))
    values = {name: [one.get(name, "absent") for one in settings] for name in names}
    shared = [f"{name}: {found[0]}" for name, found in values.items() if len(set(found)) == 1]
    differing = {name: "; ".join(found) for name, found in values.items() if len(set(found)) > 1}
    return "\n".join(shared) or "none", differing
