"""Predictions as a table for people and as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from aclnet.runs.model import Prediction
from aclnet.training.checkpoint import atomic_write


def print_predictions(found: Mapping[Path, Sequence[Prediction]]) -> None:
    """Print a row a prediction; files, samples and classes stand there as they are named."""
    table = Table("file", "sample", "person", "from", "to", "classes")
    for file, predictions in found.items():
        for one in predictions:
            cells = (
                file.name,
                one.sample,
                "all" if one.person is None else str(one.person),
                _time(one.start, one.start_seconds),
                _time(one.end, one.end_seconds),
                _classes(one),
            )
            table.add_row(*map(Text, cells))
    Console().print(table)


def write_predictions(path: Path, found: Mapping[Path, Sequence[Prediction]]) -> None:
    """Write a list of predictions, each with its file; the file is whole or absent."""
    rows = [
        {"file": str(file), **dataclasses.asdict(one)}
        for file, predictions in found.items()
        for one in predictions
    ]
    with atomic_write(path) as draft:
        draft.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _time(frame: int, seconds: float | None) -> str:
    return str(frame) if seconds is None else f"{frame} ({seconds:.2f} s)"


def _classes(one: Prediction) -> str:
    pairs = zip(one.classes, one.probabilities, strict=True)
    return "\n".join(f"{name} {share:.1%}" for name, share in pairs)
