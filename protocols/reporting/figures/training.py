"""Training curves of runs whose logs are named: records hold none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from protocols.figures.training_curves import draw_training_curves
from protocols.records import ResultRecord
from protocols.reporting.figures.plan import Drawing, FigurePlan
from protocols.reporting.names import dataset_of

_RECORD = "record.json"


def plan_training(logs: Mapping[str, Path]) -> Iterator[FigurePlan]:
    """One figure of all logs.

    Args:
        logs: Log files by the run's name; the record beside one tells its task and data.
    """
    if not logs:
        return
    records = [record for path in logs.values() if (record := _record(path)) is not None]
    datasets = tuple(dict.fromkeys(dataset_of(record.dataset) for record in records))
    task = records[0].task if records else ""
    title = f"training of {', '.join(logs)}"
    yield FigurePlan("training", title, task, datasets, partial(_draw, logs))


def _record(log: Path) -> ResultRecord | None:
    try:
        return ResultRecord.from_json((log.parent / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a run that has not ended has none yet
        return None


def _draw(logs: Mapping[str, Path]) -> Drawing:
    lines = {name: _lines(path) for name, path in logs.items()}
    caption = (
        f"Losses and measures by epoch, from the logs of {len(logs)} "
        f"run{'' if len(logs) == 1 else 's'}: {', '.join(logs)}."
    )
    return draw_training_curves(lines), caption


def _lines(path: Path) -> list[Mapping[str, Any]]:
    """The lines of a log; the last one may be cut where a run was stopped."""
    found: list[Mapping[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found
