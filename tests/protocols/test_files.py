from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from pathlib import Path

import numpy as np
import pytest

from protocols.files import whole_file, write_arrays, write_text


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_created_is_private(tmp_path: Path) -> None:
    write_text(tmp_path / "results" / "a.json", "{}")
    write_arrays(tmp_path / "b.npz", "arrays", {"a": np.zeros(3)})
    assert mode(tmp_path / "results") == 0o700
    assert mode(tmp_path / "results" / "a.json") == mode(tmp_path / "b.npz") == 0o600


def test_a_replaced_file_keeps_its_permissions_and_its_link(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("old")
    (tmp_path / "README.md").chmod(0o644)
    (tmp_path / "link.md").symlink_to("README.md")
    write_text(tmp_path / "link.md", "new")
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "README.md").read_text() == "new"
    assert mode(tmp_path / "README.md") == 0o644


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_text()))
    reader.start()
    write_text(tmp_path / "pipe", "new")
    reader.join()
    assert found == ["new"]
    assert (tmp_path / "pipe").is_fifo()


def test_only_drafts_of_killed_processes_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".a.0123abcd.partial.json").write_text("half")
    with whole_file(tmp_path / "b.json") as draft:
        draft.write_text("new")
        write_text(tmp_path / "c.json", "new")
        assert draft.exists()
    assert {item.name for item in tmp_path.iterdir()} == {"b.json", "c.json"}


def test_a_draft_that_is_removed_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, taken = fcntl.flock, list[Path]()

    def late(descriptor: int, how: int) -> None:
        if not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].unlink()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with whole_file(tmp_path / "a.txt") as draft:
        assert draft.stat().st_mode & 0o777 == 0o600
        draft.write_text("x")
    assert len(taken) == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, None])
def test_a_failed_write_names_the_file(tmp_path: Path, number: int | None) -> None:
    failure = OSError("100 requested and 3 written") if number is None else OSError(number, "full")
    with pytest.raises(OSError, match=r"written|full") as caught, whole_file(tmp_path / "a.txt"):
        raise failure
    assert caught.value.filename == str(tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []
