"""An ended run passes for one of a study only with its settings and its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import write_store
from aclnet.skeleton import load_layout
from protocols.records import DatasetReference, ResultRecord
from tasks.run.ended import require_same, require_same_data
from tasks.settings import TaskSettings


def ended(run: Path, fingerprint: str = "f", **settings: Any) -> TaskSettings:
    """The settings of a run that has ended with them on data of this fingerprint."""
    own = TaskSettings.model_validate(settings)
    ResultRecord(
        task="gait", dataset=DatasetReference(name="made", fingerprint=fingerprint, synthetic=True),
        protocol="p", rule="", objective="ce", stream="j", seed=0, metrics={}, intervals={},
        counts={}, settings=own.model_dump(mode="json"), environment={}, seconds=1.0, command="",
    ).write(run / "record.json")  # fmt: skip
    return own


def made_store(path: Path, value: float) -> str:
    """A store of one sample; its fingerprint."""
    layout = load_layout("coco17")
    info = StoreInfo(name="a", layout=layout.to_dict(), channels=("x", "y"), unit="pixel")
    frames = np.full((3, 1, 17, 2), value, np.float32)
    return write_store(path, [Sample("one", frames)], info).info.fingerprint


def test_data_that_moved_have_the_same_settings(tmp_path: Path) -> None:
    ended(tmp_path)
    moved = {"data": {"path": "elsewhere", "source": "file"}, "train": {"accelerator": "cpu"}}
    require_same(tmp_path, TaskSettings.model_validate(moved))
    other = TaskSettings.model_validate({"train": {"learning_rate": 0.3}})
    with pytest.raises(ValueError, match=r"train\.learning_rate = 0\.1, and the study wants 0\.3"):
        require_same(tmp_path, other)


def test_data_of_one_name_are_told_apart_by_their_fingerprint(tmp_path: Path) -> None:
    told: list[str] = []
    kept = made_store(tmp_path / "old" / "store", 1.0)
    assert made_store(tmp_path / "moved" / "store", 1.0) == kept
    assert made_store(tmp_path / "new" / "store", 2.0) != kept
    ended(tmp_path / "run", kept, data={"path": str(tmp_path / "old" / "store")})
    for place in ("old", "moved"):
        now = TaskSettings.model_validate({"data": {"path": str(tmp_path / place / "store")}})
        require_same_data({tmp_path / "run": now}, tmp_path, told.append)
    now = TaskSettings.model_validate({"data": {"path": str(tmp_path / "new" / "store")}})
    with pytest.raises(
        ValueError, match=f"run has ended on other data .*{kept[:12]}.*--runs"
    ) as at:
        require_same_data({tmp_path / "run": now}, tmp_path, told.append)
    assert len(str(at.value).splitlines()) == 1
    assert told == []


def test_data_that_are_gone_are_known_by_their_runs_and_their_name(tmp_path: Path) -> None:
    data = {"path": str(tmp_path / "gone.npz")}
    runs = {tmp_path / name: ended(tmp_path / name, data=data) for name in ("a", "b")}
    require_same_data(runs, tmp_path, list[str]().append)
    unsaid = TaskSettings.model_validate({"data": {"source": "file"}})
    require_same_data(dict.fromkeys(runs, unsaid), tmp_path, list[str]().append)
    ended(tmp_path / "b", "g", data=data)
    with pytest.raises(ValueError, match=r"b has ended on other data .* than those of .*a "):
        require_same_data(runs, tmp_path, list[str]().append)
    other = TaskSettings.model_validate({"data": {"path": str(tmp_path / "other.npz")}})
    with pytest.raises(ValueError, match=r"gone\.npz, and the study's data .*other\.npz are not"):
        require_same_data({tmp_path / "a": other}, tmp_path, list[str]().append)
