"""Data that were changed under a run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Mistake = Callable[..., str]


@pytest.fixture(scope="module")
def trained(
    arms: Path, action_recipe: Path, call: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with a store and a run on it."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(arms, folder / "store")
    call(
        "action", "train", "-c", action_recipe, "--data", folder / "store", "--run", folder / "run"
    )  # fmt: skip
    return folder


@pytest.fixture
def changed(trained: Path, tmp_path: Path) -> Path:
    """The same, of which one value of the store is changed afterwards; `run` knows its place."""
    shutil.copytree(trained, tmp_path / "changed")
    settings = tmp_path / "changed" / "run" / "settings.yaml"
    settings.write_text(settings.read_text().replace(str(trained), str(tmp_path / "changed")))
    frames = np.load(tmp_path / "changed" / "store" / "frames.npy", mmap_mode="r+")
    frames[0, 0, 0, 0] += 1
    frames.flush()
    return tmp_path / "changed"


def test_resume_with_changed_data(changed: Path, mistake: Mistake) -> None:
    mistake(
        "action", "train", "--run", changed / "run", "--resume",
        words=(f"{changed / 'store'} was changed after its conversion", "--overwrite"),
    )  # fmt: skip


def test_touched_data_are_the_same(trained: Path, call: Any) -> None:
    os.utime(trained / "store" / "frames.npy")
    call("action", "train", "--run", trained / "run", "--resume")


def test_training_on_a_store_that_is_not_what_it_says(
    changed: Path, action_recipe: Path, tmp_path: Path, mistake: Mistake
) -> None:
    mistake(
        "action", "train", "-c", action_recipe, "--data", changed / "store", "--run",
        tmp_path / "new", words=("was changed after its conversion", "convert the data again"),
    )  # fmt: skip
    assert not (tmp_path / "new").exists()


def test_embedding_and_testing_changed_data_say_so(changed: Path, call: Any, record: Any) -> None:
    run, words = (
        changed / "run",
        f"The data of {changed / 'run'} ({changed / 'store'}) have changed",
    )
    done = call("action", "embed", "--run", run, "--out", changed / "e.npz")
    assert words in done.err
    call("action", "eval", "--run", run, "--clips", "1", "--json", changed / "r.json")
    assert any(note.startswith(words) for note in record(changed, "r.json")["notes"])


def test_another_division_of_the_same_data(trained: Path, tmp_path: Path, mistake: Mistake) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    text = (run / "run.json").read_text()
    start = text.index('"division": "') + len('"division": "')
    (run / "run.json").write_text(text[:start] + "0000" + text[start + 4 :])
    mistake("action", "train", "--run", run, "--resume", words=("the division into", "--overwrite"))


def test_data_that_change_while_they_are_trained_on(
    trained: Path, action_recipe: Path, tmp_path: Path, mistake: Mistake, monkeypatch: Any
) -> None:
    from tasks.run import adapter

    shutil.copytree(trained / "store", tmp_path / "store")
    fit = adapter.fit
    command = ("action", "train", "-c", action_recipe, "--data", tmp_path / "store", "--run")

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        frames = np.load(tmp_path / "store" / "frames.npy", mmap_mode="r+")
        frames[0, 0, 0, 0] += 1
        frames.flush()
        return fit(*arguments, **options)

    monkeypatch.setattr(adapter, "fit", meanwhile)
    mistake(*command, tmp_path / "run", words=(f"{tmp_path / 'store'} was changed",))
    assert not (tmp_path / "run" / "record.json").exists()


def test_a_store_that_is_gone_while_it_is_trained_on_does_not_matter(
    trained: Path, action_recipe: Path, tmp_path: Path, call: Any, monkeypatch: Any
) -> None:
    from tasks.run import adapter

    shutil.copytree(trained / "store", tmp_path / "store")
    fit = adapter.fit

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        shutil.rmtree(tmp_path / "store")
        return fit(*arguments, **options)

    monkeypatch.setattr(adapter, "fit", meanwhile)
    call(
        "action", "train", "-c", action_recipe, "--data", tmp_path / "store", "--run",
        tmp_path / "run",
    )  # fmt: skip
