"""Lost joints: a run, the command and its exported network treat a recording alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aclnet
from aclnet.clips.completion import completed, joint_distances
from aclnet.data.convert import in_time
from aclnet.data.degrade import degrade
from aclnet.data.store import Store, open_store, write_store
from protocols.embeddings import load_embeddings
from tasks.run.open import open_run
from tasks.spec import find_task

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def run(recipe: Path, cache: Path, call: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that fills gaps and estimates missing joints."""
    folder = tmp_path_factory.mktemp("missing") / "run"
    chosen = ("-s", "clip.missing=estimated", "-s", "data.fill_gaps=0.3", "-s", "train.epochs=1")
    call("gait", "train", "-c", recipe, "--run", folder, "--cache", cache, *chosen)
    return folder


@pytest.fixture(scope="module")
def lost(walkers: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A few walks without some joints, and with others lost for a moment."""
    store, dims = open_store(walkers), open_store(walkers).info.dims
    some = [degrade(store.sample(row), "joints", 0.2, dims) for row in range(4)]
    samples = (degrade(one, "gaps", 0.3, dims) for one in some)
    return write_store(tmp_path_factory.mktemp("lost") / "store", samples, store.info)


def test_the_run_remembers_how_its_training_people_are_built(run: Path, cache: Path) -> None:
    adapter, _ = open_run(find_task("gait"), run, cache)
    train, _ = adapter.training_samples()
    wanted = joint_distances((train.clip(row) for row in range(len(train))), train.info.dims)
    found = aclnet.load(run).info.distances
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(adapter.clip_input.distances, wanted)


def test_every_door_makes_the_same_of_lost_joints(
    run: Path, lost: Store, call: Call, cache: Path, tmp_path: Path
) -> None:
    model = aclnet.load(run)
    by_hand, distances = tmp_path / "by_hand", model.info.distances
    assert lost.path is not None
    assert distances is not None
    info, samples = in_time(lost.info, lost.samples(), 0.3, None)
    whole = (replace(one, frames=completed(one.frames, distances, info.dims)) for one in samples)
    wanted = model.embed(write_store(by_hand, whole, info).path).embedding
    np.testing.assert_array_equal(model.embed(lost.path).embedding, wanted)
    arrays = model.embed([lost.clip(row) for row in range(len(lost))], fps=lost.info.fps)
    np.testing.assert_allclose(arrays.embedding, wanted, atol=1e-6)
    out = tmp_path / "embeddings.npz"
    call("gait", "embed", "--run", run, "--data", lost.path, "--out", out, "--cache", cache)
    np.testing.assert_array_equal(load_embeddings(out).embedding, wanted)
    call("export", run, "-o", tmp_path / "model", "--to", "safetensors", "--cache", cache)
    exported = aclnet.load(tmp_path / "model").embed(lost.path)
    np.testing.assert_allclose(exported.embedding, wanted, atol=1e-6)
