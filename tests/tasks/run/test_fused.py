"""The command that joins the embeddings of several runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.embeddings import load_embeddings


@pytest.fixture
def turned(copy: Path) -> Path:
    """A run like `first` whose vectors are turned and longer, in another order."""
    saved = load_embeddings(copy / "embeddings.npz")
    random = np.random.default_rng(0)
    turn = np.linalg.qr(random.normal(size=(saved.embedding.shape[1],) * 2))[0]
    other = saved.select(random.permutation(len(saved)))
    object.__setattr__(other, "embedding", (3 * other.embedding @ turn).astype(np.float32))
    other.save(copy / "embeddings.npz")
    return copy


def test_runs_with_equal_cosines_give_the_result_of_one(
    first: Path, turned: Path, call: Any, record: Any, tmp_path: Path
) -> None:
    joined, result = tmp_path / "joined.npz", tmp_path / "fused.json"
    call("gait", "fuse", first, turned, "--weights", "3,1", "--out", joined, "--json", result)
    alone, fused = record(first), json.loads(result.read_text())
    assert fused["metrics"]["rank1"] == pytest.approx(alone["metrics"]["rank1"])
    assert fused["cells"]["rank1_hits"] == alone["cells"]["rank1_hits"]
    assert fused["stream"] == f"fused 2 x {alone['stream']}"
    assert [part["weight"] for part in fused["settings"]["fused"]] == [3, 1]
    assert fused["settings"]["clip"] == alone["settings"]["clip"]
    again = tmp_path / "again.json"
    call("gait", "eval", "--embeddings", joined, "--json", again)
    assert json.loads(again.read_text())["cells"]["rank1_hits"] == alone["cells"]["rank1_hits"]


def test_runs_that_do_not_fit(first: Path, copy: Path, mistake: Any) -> None:
    mistake("gait", "fuse", first, words=["two or more"])
    mistake("gait", "fuse", first, copy, "--weights", "1,x", words=["--weights '1,x'", "2 comma"])
    saved = load_embeddings(copy / "embeddings.npz")
    saved.select(np.arange(len(saved) - 1)).save(copy / "embeddings.npz")
    mistake("gait", "fuse", first, copy, words=[str(saved.sample[-1]), str(copy)])
