"""Figures of an earlier report in the folder, kept while nothing behind them changes.

Drawing takes most of a report's time, and few of its figures change from one report to the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache, partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import protocols
from protocols.figures.drawing.planning import FigurePlan
from protocols.files import write_text
from protocols.groups import RunEntry
from protocols.records import ResultRecord

KEPT = "drawn.json"
"""File beside the figures: by their keys what they were drawn from, as a hash, and the captions."""

FORMATS = ("svg", "png", "pdf")


class KeptFigures:
    """The figures in a folder.

    Args:
        folder: Where the figures are written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._before = _read(folder / KEPT)
        self._now: dict[str, list[str]] = {}
        self._seen: dict[int, str] = {}

    def caption(self, key: str, plan: FigurePlan) -> str | None:
        """The caption of a figure that need not be drawn again; None where it must be."""
        digest, caption = self._before.get(key, ["", ""])
        there = all((self._folder / f"{key}.{name}").is_file() for name in FORMATS)
        if not digest or not there or digest != self._digest(plan):
            return None
        self._now[key] = [digest, caption]
        return caption

    def add(self, key: str, plan: FigurePlan, caption: str) -> None:
        """Note a figure that was drawn; nothing where it is not known from what."""
        if digest := self._digest(plan):
            self._now[key] = [digest, caption]

    def write(self) -> None:
        """Write the file of the figures of this report."""
        write_text(self._folder / KEPT, json.dumps(self._now, indent=1))

    def _digest(self, plan: FigurePlan) -> str:
        """The hash of all that the drawing depends on; empty where that cannot be told."""
        if not isinstance(plan.draw, partial):
            return ""
        given = [_program(), plan.title, plan.draw.func.__qualname__, plan.draw.func.__module__]
        try:
            given += [self._text(plan.draw.args), self._text(plan.draw.keywords)]
        except TypeError:
            return ""
        return sha256("\0".join(given).encode()).hexdigest()

    def _text(self, value: Any) -> str:
        """The value as text, files by their content."""
        if isinstance(value, RunEntry):
            # A run is in several figures.
            if id(value) not in self._seen:
                own = f"{value.file}\0{value.record.to_json()}"
                self._seen[id(value)] = sha256(own.encode()).hexdigest()
            return self._seen[id(value)]
        if isinstance(value, ResultRecord):
            return value.to_json()
        if isinstance(value, BaseModel):
            return value.model_dump_json()
        if isinstance(value, Path):
            return f"{value}\0{sha256(value.read_bytes()).hexdigest()}"
        if is_dataclass(value) and not isinstance(value, type):
            return self._text([getattr(value, field.name) for field in fields(value)])
        if isinstance(value, Mapping):
            return self._text([list(value), list(value.values())])
        if isinstance(value, list | tuple):
            return f"[{','.join(map(self._text, value))}]"
        if value is None or isinstance(value, str | int | float):
            return repr(value)
        raise TypeError(f"figures of {type(value).__name__} are drawn anew")


@cache
def _program() -> str:
    """The hash of this program and the version of what draws."""
    found = sha256(version("matplotlib").encode())
    for root in protocols.__path__:
        for file in sorted(Path(root).rglob("*.py")):
            found.update(file.read_bytes())
    return found.hexdigest()


def _read(path: Path) -> dict[str, list[str]]:
    """What an earlier report noted; nothing where the file is missing or of another kind."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        key: entry
        for key, entry in found.items()
        if isinstance(entry, list) and len(entry) == 2 and all(isinstance(x, str) for x in entry)
    }
