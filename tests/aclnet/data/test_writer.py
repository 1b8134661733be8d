"""One writer, kills between its steps, links and foreign files."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aclnet.data.changes import content_fingerprint, stamps
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import open_store, write_store
from aclnet.data.writer import store_lock
from aclnet.files import owned

LAYOUT = {"name": "two", "joints": ["hip", "foot"], "bones": [["foot", "hip"]], "centre": "hip"}
INFO = StoreInfo(name="test", layout=LAYOUT, channels=("x", "y"), unit="pixel")


def write(path: Path, frames: int = 3, overwrite: bool = False) -> None:
    sample = Sample("s", np.zeros((frames, 1, 2, 2), np.float32))
    write_store(path, [sample], INFO, overwrite=overwrite)


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def rename_dies_at(monkeypatch: pytest.MonkeyPatch, call: int) -> Callable[[], None]:
    """End the process, as far as a test can, at one of the renames; returns the undoing."""
    calls: list[object] = []
    rename = os.replace

    def replace(source: Path, target: Path) -> None:
        calls.append(source)
        if len(calls) == call:
            monkeypatch.setattr("aclnet.data.writer._tidy", lambda place: None)
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr("os.replace", replace)
    return monkeypatch.undo


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("reader", [True, False])
def test_a_store_comes_back_after_a_kill_between_the_renames(
    call: int, reader: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "s")
    undo = rename_dies_at(monkeypatch, call)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "s", 5, overwrite=True)
    undo()
    assert ("s" in names(tmp_path)) is (call == 1)
    if reader:
        assert open_store(tmp_path / "s").lengths.tolist() == [3]
    else:
        with pytest.raises(ValueError, match="already exists"):
            write(tmp_path / "s", 6)
    # A reader leaves drafts alone, unless the store was missing; the next writer removes them.
    write(tmp_path / "s", 7, overwrite=True)
    assert names(tmp_path) == ["s"]
    assert open_store(tmp_path / "s").lengths.tolist() == [7]


def test_drafts_of_older_versions_are_removed(tmp_path: Path) -> None:
    for name in (".s.new-12-0123abcd", ".s.old-12-0123abcd", ".s.newer"):
        (tmp_path / name).mkdir()
    (tmp_path / ".s.new-12-0123abcd" / "frames.npy").write_text("half")
    write(tmp_path / "s", overwrite=True)
    assert names(tmp_path) == [".s.newer", "s"]


def test_a_store_that_is_being_written_is_left_to_its_writer(tmp_path: Path) -> None:
    write(tmp_path / "s")
    (tmp_path / ".s.new").mkdir()
    with (
        owned(store_lock(tmp_path / "s"), "s", ""),
        pytest.raises(ValueError, match=rf"s is being written by process {os.getpid()} on .*wait"),
    ):
        write(tmp_path / "s", 4, overwrite=True)
    assert names(tmp_path) == [".s.new", "s"]


def test_a_link_stays_and_its_target_is_refilled(tmp_path: Path) -> None:
    write(tmp_path / "big" / "s")
    (tmp_path / "s").symlink_to(tmp_path / "big" / "s")
    write(tmp_path / "s", 5, overwrite=True)
    assert (tmp_path / "s").is_symlink()
    assert open_store(tmp_path / "big" / "s").lengths.tolist() == [5]
    assert names(tmp_path / "big") == ["s"]


def test_foreign_files_in_a_store_are_kept(tmp_path: Path) -> None:
    write(tmp_path / "s")
    (tmp_path / "s" / "notes.txt").write_text("years")
    with pytest.raises(ValueError, match=r"s holds notes\.txt, which is not part of a store"):
        write(tmp_path / "s", 4, overwrite=True)
    assert names(tmp_path / "s") == ["frames.npy", "index.csv", "notes.txt", "store.json"]


def test_a_store_is_private(tmp_path: Path) -> None:
    write(tmp_path / "s")
    modes = {item.name: stat.S_IMODE(item.stat().st_mode) for item in (tmp_path / "s").iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700


def test_changed_content_is_noticed_and_not_read_where_size_and_time_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "s")
    store = open_store(tmp_path / "s")
    known = stamps(store)
    with monkeypatch.context() as patched:
        patched.setattr("aclnet.data.changes.file_fingerprint", None)
        assert content_fingerprint(store, known) == store.info.fingerprint
    os.utime(tmp_path / "s" / "frames.npy")
    assert content_fingerprint(store, known) == store.info.fingerprint
    np.load(tmp_path / "s" / "frames.npy", mmap_mode="r+")[0] = 1
    os.utime(tmp_path / "s" / "frames.npy", (1, 1))
    assert content_fingerprint(store, known) != store.info.fingerprint
