from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from aclnet.files import Busy, make_folder, owned, remove_drafts, wait_until_free, whole_file

HOLD = """
import sys, time
from pathlib import Path
from aclnet.files import owned, whole_file
with owned(Path(sys.argv[1]) / ".lock", "it", ""), whole_file(Path(sys.argv[1]) / "a.txt") as draft:
    draft.write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write(path: Path, text: str = "new") -> None:
    with whole_file(path) as draft:
        draft.write_text(text)


@pytest.fixture
def other(tmp_path: Path) -> subprocess.Popen[str]:
    """A process that holds a lock and is writing a file."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process  # type: ignore[misc]
    process.kill()
    process.wait()


def test_folders_are_made_and_one_file_is_left(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "one" / "a.txt"
    with whole_file(target) as draft:
        assert draft.parent == target.parent
        draft.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert names(target.parent) == ["a.txt"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_an_error_keeps_the_old_file(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write_half() -> None:
        with whole_file(target) as draft:
            draft.write_text("half")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing was written"), whole_file(tmp_path / "a.txt"):
        pass
    assert names(tmp_path) == []


def test_what_is_created_is_private_and_the_umask_may_take_more(tmp_path: Path) -> None:
    write(tmp_path / "b" / "c" / "a.txt")
    folders = (tmp_path / "b", tmp_path / "b" / "c")
    assert [mode(each) for each in (*folders, folders[1] / "a.txt")] == [0o700, 0o700, 0o600]
    before = os.umask(0o277)
    try:
        write(tmp_path / "d.txt")
    finally:
        os.umask(before)
    assert mode(tmp_path / "d.txt") == 0o400


def test_a_replaced_file_keeps_its_permissions_and_its_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "real.txt").chmod(0o644)
    (tmp_path / "link.txt").symlink_to("real.txt")
    write(tmp_path / "link.txt")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"
    assert mode(tmp_path / "real.txt") == 0o644


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_text()))
    reader.start()
    write(tmp_path / "pipe")
    reader.join()
    assert found == ["new"]
    assert names(tmp_path) == ["pipe"]


@pytest.mark.parametrize("number", [errno.ENOSPC, None])
def test_a_failed_write_names_the_file(tmp_path: Path, number: int | None) -> None:
    failure = OSError("100 requested and 3 written") if number is None else OSError(number, "full")
    with pytest.raises(OSError, match=r"written|full") as caught, whole_file(tmp_path / "a.txt"):
        raise failure
    assert caught.value.filename == str(tmp_path / "a.txt")
    assert caught.value.errno


def test_a_living_process_keeps_its_lock_and_its_draft(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    busy = rf"^mine is being written by process {other.pid} on \S+ since [-\d]+ [:\d]+: wait$"
    with pytest.raises(Busy, match=busy), owned(tmp_path / ".lock", "mine", "wait"):
        pass
    remove_drafts(tmp_path)
    (tmp_path / "b.txt").write_text("")
    write(tmp_path / "b.txt")
    assert [name.rpartition(".")[0][-7:] for name in names(tmp_path)][:1] == ["partial"]
    assert len(names(tmp_path)) == 3


def test_a_killed_process_keeps_nothing(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert len(names(tmp_path)) == 2
    with owned(tmp_path / ".lock", "mine", ""):
        write(tmp_path / "b.txt")
        assert names(tmp_path) == [".lock", "b.txt"]
    assert names(tmp_path) == ["b.txt"]


def test_drafts_of_older_versions_go_and_foreign_files_stay(tmp_path: Path) -> None:
    for name in (".a.pt.123.partial", ".a.notes", "a.pt"):
        (tmp_path / name).write_text("x")
    remove_drafts(tmp_path)
    assert names(tmp_path) == [".a.notes", "a.pt"]


def test_waiting_says_for_whom(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    said: list[str] = []

    def end(sentence: str) -> None:
        said.append(sentence)
        other.kill()

    wait_until_free(tmp_path / ".lock", end, "it")
    assert len(said) == 1
    assert said[0].startswith(f"waiting for process {other.pid} on ")
    wait_until_free(tmp_path / ".gone", said.append, "it")
    assert len(said) == 1


def test_a_lock_leaves_no_empty_folder(tmp_path: Path) -> None:
    with owned(tmp_path / "runs" / "one" / ".lock", "it", ""):
        pass
    assert names(tmp_path) == []
    make_folder(tmp_path / "runs")
    with owned(tmp_path / "runs" / "one" / ".lock", "it", ""):
        write(tmp_path / "runs" / "one" / "a.txt")
    assert names(tmp_path / "runs" / "one") == ["a.txt"]


def test_a_lock_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    (tmp_path / ".lock").symlink_to("mine.txt")
    with pytest.raises(OSError, match=r"\.lock"), owned(tmp_path / ".lock", "it", ""):
        pass
    assert (tmp_path / "mine.txt").read_text() == "precious"
