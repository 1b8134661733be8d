"""Figures of an earlier report: kept while nothing behind them changes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from protocols.figures.drawing.kept import FORMATS, KEPT, KeptFigures
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.groups import RunEntry, RunGroup
from protocols.records import ResultRecord

RECORD = ResultRecord.read(Path(__file__).parents[3] / "older" / "record-1.json")


def draw(*given: Any) -> Drawing:
    raise AssertionError(f"nothing is drawn here: {given}")


def group(hits: int) -> RunGroup:
    record = RECORD.model_copy(update={"cells": {"rank1_hits": [hits]}})
    return RunGroup((RunEntry("a.json", record),))


def plan(*given: Any) -> FigurePlan:
    return FigurePlan("views", "Views", "gait", ("KGBD",), partial(draw, *given))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of a figure of one group and a log."""
    for name in FORMATS:
        (tmp_path / f"views.{name}").write_text("drawn")
    (tmp_path / "log.jsonl").write_text("1")
    figures = KeptFigures(tmp_path)
    figures.add("views", plan(group(3), {"a": tmp_path / "log.jsonl"}), "As drawn.")
    figures.write()
    return tmp_path


def found(folder: Path, hits: int = 3) -> str | None:
    return KeptFigures(folder).caption("views", plan(group(hits), {"a": folder / "log.jsonl"}))


def test_the_same_runs_keep_the_figure(folder: Path) -> None:
    assert found(folder) == "As drawn."


def test_other_cells_another_log_and_a_missing_file_do_not(folder: Path) -> None:
    assert found(folder, hits=4) is None
    (folder / "log.jsonl").write_text("2")
    assert found(folder) is None
    (folder / "log.jsonl").write_text("1")
    (folder / "views.pdf").unlink()
    assert found(folder) is None


@pytest.mark.parametrize("text", ["", "[1]", '{"views": 3}', '{"views": ["", "x"]}'])
def test_a_damaged_list_keeps_nothing(folder: Path, text: str) -> None:
    (folder / KEPT).write_text(text)
    assert found(folder) is None


def test_what_is_drawn_from_anything_else_is_drawn_anew(folder: Path) -> None:
    figures = KeptFigures(folder)
    figures.add("views", plan(object()), "Unknown.")
    figures.write()
    assert KeptFigures(folder).caption("views", plan(object())) is None
