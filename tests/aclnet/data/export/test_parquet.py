from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.convert import convert
from aclnet.data.export import export_store, parquet
from aclnet.data.formats import detect
from aclnet.data.store import Store

People = Callable[..., Store]
pq = pytest.importorskip("pyarrow.parquet")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"channels": ("x", "y", "z"), "unit": "metre", "image_size": None, "fps": None},
        {"channels": ("x", "y", "depth"), "classes": ("run", "walk, slowly")},
    ],
)
def test_the_same_store_comes_back(
    changes: dict[str, Any], people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_NUMBERS", 600)  # several tables
    store = people(["b", "a/1", "c"], **changes)
    assert export_store(store, tmp_path / "out.parquet") == {}
    assert detect(tmp_path / "out.parquet") == "parquet"
    again = convert(tmp_path / "out.parquet", tmp_path / "again")
    assert again.info.fingerprint == store.info.fingerprint
    ours, theirs = (
        one.info.model_dump(exclude={"name", "source", "settings"}) for one in (store, again)
    )
    assert ours == theirs


def test_the_columns_are_plain(people: People, tmp_path: Path) -> None:
    store = people(["a", "b"])
    export_store(store, tmp_path / "out.parquet")
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    np.testing.assert_array_equal(np.array(rows[1]["joints"], np.float32), store.clip(1))
    assert {name: rows[1][name] for name in ("sample", "fps", "image_width")} == {
        "sample": "b",
        "fps": 30,
        "image_width": 640,
    }
    assert rows[1]["frame_numbers"] == list(range(7, 13))


def test_datasets_reads_it(people: People, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    store = people(["a", "b"])
    export_store(store, tmp_path / "out.parquet")
    files, cache = str(tmp_path / "out.parquet"), str(tmp_path / "cache")
    rows = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=cache)
    assert rows["identity"][:] == ["p0", "p1"]
    np.testing.assert_array_equal(np.array(rows[1]["joints"], np.float32), store.clip(1))


def changed(path: Path, **columns: Any) -> None:
    table = pq.read_table(path)
    about = table.schema.metadata
    for name, value in columns.items():
        table = table.drop_columns([name])
        if value is not None:
            table = table.append_column(name, [value])
    pq.write_table(table.replace_schema_metadata(about), path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"joints": None}, "is not a store that was exported"),
        ({"joints": [[[[[1.0]]]]]}, r"row 1: its joints have shape \(1, 1, 1, 1\), not \(T, M, 17"),
        ({"joints": [[[[[1.0], [1.0, 2.0]]]]]}, "row 1: its joints are not frames of persons"),
        ({"frame_numbers": [[1, 2]]}, "row 1: 2 frame_numbers for 5 frames"),
        ({"sample": [5]}, "row 1: sample, identity, .* must be text"),
    ],
)
def test_other_files(columns: dict[str, Any], message: str, people: People, tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"
    export_store(people(["a"]), file)
    changed(file, **columns)
    with pytest.raises(ValueError, match=f"out.parquet: {message}"):
        convert(file, tmp_path / "again")


def test_damaged_files(people: People, tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"
    export_store(people(["a"]), file)
    whole = file.read_bytes()
    for content in (whole[:-20], whole[:4] + b"\0" * 2000 + whole[2004:]):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"out.parquet: "):
            convert(file, tmp_path / "again")
