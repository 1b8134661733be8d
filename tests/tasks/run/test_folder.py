"""One writer of a run, --overwrite, and what a run's folder is to others."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aclnet.files import owned
from aclnet.runs.info import LOCK
from tasks.run.folder import check_run_folder, owned_run, start_run_folder

Mistake = Callable[..., str]


def names(folder: Path) -> set[str]:
    return {item.name for item in folder.iterdir()}


@pytest.mark.parametrize("option", ["--resume", "--overwrite"])
def test_a_run_that_is_being_written_is_left_to_its_writer(
    option: str, copy: Path, recipe: Path, cache: Path, mistake: Mistake
) -> None:
    (copy / ".checkpoint.0123abcd.partial.pt").write_text("old")
    before = names(copy)
    with owned(copy / LOCK, copy, ""):
        mistake(
            "gait", "train", "-c", recipe, "--cache", cache, "--run", copy, option,
            words=(f"{copy} is being written by process {os.getpid()} on ", " since ", "--run"),
            alone=True,
        )  # fmt: skip
        assert names(copy) == {*before, LOCK}
    # The next owner finds a draft of nobody.
    with owned_run(copy, True, False):
        assert names(copy) == {*before, LOCK} - {".checkpoint.0123abcd.partial.pt"}
    assert LOCK not in names(copy)


def test_a_refused_run_leaves_no_folder(recipe: Path, tmp_path: Path, mistake: Mistake) -> None:
    mistake("gait", "train", "-c", recipe, "--run", tmp_path / "a" / "b", "--data", tmp_path / "no")
    assert not (tmp_path / "a").exists()


def test_overwrite_through_a_link(
    copy: Path, recipe: Path, cache: Path, tmp_path: Path, call: Any, first: Path, monkeypatch: Any
) -> None:
    for name in ("best.pt", "scores.npz", "embeddings-epoch002.npz", "record-old.json"):
        (copy / name).write_text("of an older run")
    (tmp_path / "link").symlink_to(copy)
    inode = copy.stat().st_ino
    call(
        "gait", "train", "-c", recipe, "--cache", cache, "--run", tmp_path / "link", "--overwrite"
    )  # fmt: skip
    assert (tmp_path / "link").is_symlink()
    assert copy.stat().st_ino == inode
    assert names(copy) == names(first)


@pytest.mark.parametrize("name", ["notes.txt", "best.pt/"])
def test_foreign_files_are_kept(
    name: str, copy: Path, recipe: Path, cache: Path, mistake: Mistake, call: Any
) -> None:
    if name.endswith("/"):
        (copy / name).mkdir()
    else:
        (copy / name).write_text("years")
    before = names(copy)
    command = ("gait", "train", "-c", recipe, "--cache", cache, "--run", copy)
    mistake(*command, "--overwrite", words=(f"{copy} holds {name.strip('/')}, ",))
    assert names(copy) == before
    assert check_run_folder(copy, resume=True, overwrite=False)


def test_an_overwriting_that_is_killed_leaves_a_run(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:
        if path.name == "run.json":
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        start_run_folder(copy, overwrite=True)
    assert check_run_folder(copy, resume=False, overwrite=True)


def test_a_run_and_its_store_are_private(first: Path, walkers: Path) -> None:
    for folder in (first, walkers):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(item.stat().st_mode) for item in folder.iterdir()} == {0o600}


def test_a_run_that_was_killed_between_its_first_two_files(
    copy: Path, recipe: Path, cache: Path, call: Any, first: Path
) -> None:
    for name in names(copy) - {"run.json"}:
        (copy / name).unlink()
    call("gait", "train", "-c", recipe, "--cache", cache, "--run", copy, "--resume")
    assert names(copy) == names(first)


@pytest.mark.slow
def test_two_processes_on_one_run(
    ready: Any, recipe: Path, cache: Path, first: Path, tmp_path: Path, call: Any,
    assert_same_run: Any,
) -> None:  # fmt: skip
    """One trains, the other is refused; killed, the first leaves a lock that holds no more."""
    import time

    run = tmp_path / "run"
    command = ["gait", "train", "-c", str(recipe), "--run", str(run), "--cache", str(cache)]
    process = ready("-m", "tasks.cli", *command, "-s", "train.epochs=500")
    try:
        deadline = time.monotonic() + 100
        while not (run / "checkpoint.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        for option in ("--resume", "--overwrite"):
            done = call(*command, option, code=2)
            assert f"{run} is being written by process {process.pid} on " in done.err
    finally:
        process.kill()
        process.wait()
    assert (run / LOCK).exists()
    call(*command, "--overwrite")
    assert_same_run(first, run)
    shutil.rmtree(run)
