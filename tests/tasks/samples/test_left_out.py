from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aclnet.data.store import open_store, write_store


@pytest.fixture
def lossy(arms: Path, tmp_path: Path) -> Path:
    """The arms without a split of two samples; their reader left something out."""
    store = open_store(arms)
    samples = [store.sample(row) for row in range(len(store))]
    samples[0].split = samples[1].split = ""
    dropped = {"people without a joint": 1, "empty sequences": 3}
    update = {"dropped": dropped, "notes": {"columns not read: box": 1}}
    write_store(tmp_path / "lossy", samples, store.info.model_copy(update=update))
    return tmp_path / "lossy"


def test_what_is_left_out_is_counted_and_said(
    call: Callable[..., Any], action_recipe: Path, lossy: Path, record: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    trained = call("action", "train", "-c", action_recipe, "--data", lossy, "--run", run)
    counts = record(run)["counts"]
    assert counts["unmatched"] == 2
    assert counts["dropped_people_without_a_joint"] == 1
    assert counts["dropped_empty_sequences"] == 3
    said = (
        "left out: 2 samples without a rule of the split; 1 person without a joint; "
        "3 empty sequences"
    )
    assert said in trained.err.splitlines()  # before the training
    assert trained.out.splitlines()[-1] == said
    assert "arms: 1 recording: columns not read: box" in trained.err.splitlines()
    assert "1 recording: columns not read: box" in record(run)["notes"]
    for again in ((), ("--clips", "1")):  # from what the run saved, and by its network
        file = tmp_path / "eval.json"
        tested = call("action", "eval", "--run", run, "--json", file, *again)
        assert tested.out.splitlines()[-1] == said
        notes = json.loads(file.read_text())["notes"]
        assert any("leaves out 2 of 24 samples" in note for note in notes), notes
    again = tmp_path / "again.json"
    done = call("action", "eval", "--scores", run / "scores.npz", "--json", again)
    assert json.loads(again.read_text())["counts"] == counts
    assert done.out.splitlines()[-1] == said
    fused = tmp_path / "fused.json"
    call("action", "fuse", run, run, "--json", fused)
    assert json.loads(fused.read_text())["counts"]["dropped_empty_sequences"] == 3
    embed = ("action", "embed", "--run", run, "--out", tmp_path / "out.npz")
    assert said in call(*embed).err.splitlines()
    other = call(*embed, "--data", lossy).err
    assert "left out: 1 person without a joint; 3 empty sequences" in other.splitlines()
    predicted = call("action", "predict", lossy, "--run", run).out
    assert "left out: 1 person without a joint; 3 empty sequences" in predicted
