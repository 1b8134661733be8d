"""The cases of `../shared/cases/hostile` that are not pickles, through the commands.

The pickles are read in `tests/aclnet/data/formats/pickles/test_child.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

CONVERT, GAIT = ("data", "convert"), ("gait", "train", "--config")


@pytest.fixture
def hostile(shared: Path) -> Path:
    folder = shared / "cases" / "hostile"
    if not folder.is_dir():
        pytest.skip(f"the cases are not at {folder}")
    return folder


@pytest.mark.parametrize(
    ("name", "before", "after", "message"),
    [
        ("npz_declared_huge.npz", CONVERT, ("OUT",), "says that it has shape"),
        ("npz_declared_huge.npz", CONVERT, ("OUT", "--format", "npz"), "says that it has shape"),
        ("npz_bad_deflate.npz", CONVERT, ("OUT",), "Bad CRC-32"),
        ("npz_object.npz", CONVERT, ("OUT",), "is of objects"),
        ("emb_badcomp.npz", ("gait", "eval", "--embeddings"), (), "the compression of the array"),
        ("laughs.yaml", GAIT, ("--run", "OUT"), "with aliases expanded"),
        ("python_tag.yaml", GAIT, ("--run", "OUT"), "could not determine a constructor"),
        ("deep_nwucla", CONVERT, ("OUT",), "maximum recursion depth exceeded"),
        ("deep_alphapose.json", CONVERT, ("OUT",), "not recognised as"),
        (
            "deep_alphapose.json",
            CONVERT,
            ("OUT", "--format", "alphapose_json"),
            "maximum recursion depth exceeded",
        ),
    ],
)
def test_hostile_files(
    name: str,
    before: tuple[str, ...],
    after: tuple[str, ...],
    message: str,
    hostile: Path,
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    start = time.process_time()
    said = call(*before, hostile / name, *after, code=2).err
    assert said.startswith(f"error: {hostile / name}") or f"file {hostile / name}" in said
    assert message in said
    assert said.strip().isprintable()
    assert not list(tmp_path.iterdir())
    assert time.process_time() - start < 5


def test_records_with_long_names_are_reported(hostile: Path, call: Call, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call("report", "--results", hostile / "long_name_records", "--out", out)
    files = [file for file in out.rglob("*") if file.is_file()]
    assert max(len(file.name) for file in files) < 200
    assert "<script>window" not in (out / "index.html").read_text()
    assert "&lt;script&gt;window" in (out / "index.html").read_text()
    assert "<script>window" not in (out / "report.md").read_text()


def test_a_kind_of_record_is_no_path(hostile: Path, call: Call, tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    text = (hostile / "long_name_records" / "evil1.json").read_text()
    assert '"schema": 1' in text
    (records / "a.json").write_text(text.replace('"rule": "', '"rule": "../../x', 1))
    call("report", "--results", records, "--out", tmp_path / "deep" / "er" / "out")
    assert {file.name for file in tmp_path.iterdir()} == {"records", "deep"}
