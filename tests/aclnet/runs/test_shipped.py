"""Networks that come with the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import aclnet
from aclnet.data.walkers.dataset import make_walkers
from aclnet.data.walkers.settings import WalkerSettings
from aclnet.runs.shipped import local_model, shipped_models

PACKAGE = Path(aclnet.__path__[0])


def test_they_are_small_and_have_cards() -> None:
    assert shipped_models() == ("walkers-gait", "walkers-reid")
    size = sum(file.stat().st_size for file in (PACKAGE / "weights").rglob("*.*"))
    assert size < 3e6
    assert all((local_model(name) / "MODEL_CARD.md").is_file() for name in shipped_models())


@pytest.mark.parametrize("name", ["walkers-gait", "walkers-reid"])
def test_new_walkers_are_told_apart(name: str) -> None:
    # Another seed makes people on whom they were not trained.
    settings = WalkerSettings(
        identities=8, seed=77, views=(90,), nm_takes=2, bg_takes=0, cl_takes=0
    )
    walks = list(make_walkers(settings)[1])
    model = aclnet.load(name)
    found = model.embed([walk.frames for walk in walks]).embedding
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    people = np.array([walk.identity for walk in walks])
    alike = unit @ unit.T
    np.fill_diagonal(alike, -1)
    assert (people[alike.argmax(axis=1)] == people).mean() >= 0.75


def test_a_folder_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert local_model("walkers-gait") == PACKAGE / "weights" / "walkers-gait"
    (tmp_path / "walkers-gait").mkdir()
    assert local_model("walkers-gait") == Path("walkers-gait")
