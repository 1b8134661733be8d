from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aclnet.config import load_settings
from aclnet.data.store import open_store, write_store
from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.log import read_log
from protocols.embeddings import load_embeddings
from protocols.gait.evaluate import evaluate_gait
from tasks.gait.adapter import GaitAdapter
from tasks.gait.settings import GaitSettings
from tasks.run.adapter import train


def test_same_seed_same_embeddings_other_seed_others(
    first: Path, call: Any, recipe: Path, cache: Path, tmp_path: Path, record: Any, embeddings: Any
) -> None:
    for seed in (0, 1):
        options = ("--cache", cache, "--run", tmp_path / str(seed), "-s", f"train.seed={seed}")
        call("gait", "train", "-c", recipe, *options)
    names, vectors = embeddings(first)
    for seed in (0, 1):
        assert embeddings(tmp_path / str(seed))[0] == names
    np.testing.assert_array_equal(embeddings(tmp_path / "0")[1], vectors)
    assert np.abs(embeddings(tmp_path / "1")[1] - vectors).max() > 0.01
    assert record(tmp_path / "0")["metrics"] == record(first)["metrics"]
    weights = [load_checkpoint(run / "checkpoint.pt")["task"] for run in (tmp_path / "0", first)]
    for name, value in weights[1].items():
        assert torch.equal(value, weights[0][name]), name


def test_training_and_validation_never_see_the_test_people(
    first: Path, recipe: Path, walkers: Path, tmp_path: Path
) -> None:
    store = open_store(walkers)
    poisoned = (
        replace(sample, frames=sample.frames * (np.nan if sample.identity > "005" else 1))
        for sample in map(store.sample, range(len(store)))
    )
    dangerous = write_store(tmp_path / "poisoned", poisoned, store.info)
    adapter = GaitAdapter(load_settings(GaitSettings, recipe), dangerous)
    assert adapter.groups.test == ("006", "007", "008")
    (tmp_path / "run").mkdir()
    network, fitted = train("gait", adapter, tmp_path / "run")
    expected = load_checkpoint(first / "checkpoint.pt")["task"]
    for name, value in network.state_dict().items():
        assert torch.equal(value, expected[f"network.{name}"]), name
    (scores,) = (line for line in read_log(first / "log.jsonl")[-2:-1])
    for name in ("validation/rank1", "validation/mAP"):
        assert fitted.metrics[name] == scores[name]
    with pytest.raises(ValueError, match="NaN or infinite"):
        adapter.embeddings(network, adapter.test_samples())


def test_validation_is_the_protocol_on_the_held_out_people(
    first: Path, recipe: Path, walkers: Path, call: Any, tmp_path: Path
) -> None:
    out = tmp_path / "all.npz"
    call("gait", "embed", "--run", first, "--data", walkers, "--out", out)
    data = load_embeddings(out)
    table = evaluate_gait(data.select(np.isin(data.subject, ["004", "005"])), "casia_b")
    last = read_log(first / "log.jsonl")[-2]
    assert last["validation/rank1"] == pytest.approx(table.metrics["rank1"])
    assert last["validation/mAP"] == pytest.approx(table.metrics["mAP"])


def test_nobody_validates_where_nobody_is_held_out(
    call: Any, recipe: Path, cache: Path, tmp_path: Path, record: Any
) -> None:
    run = tmp_path / "run"
    options = ("--cache", cache, "--run", run, "-s", "identities.validation=0")
    call("gait", "train", "-c", recipe, *options)
    assert [line for line in read_log(run / "log.jsonl") if line["kind"] == "evaluation"] == []
    assert record(run)["counts"]["validation"] == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("objective.start_epoch=2", ("inter-class loss is never applied", "objective.start_epoch")),
        ("sampler.identities_per_batch=16", ("hold 3 people", "identities_per_batch=16")),
        ("identities.validation=1", ("only one validation person", "identities.validation")),
    ],
)
def test_settings_without_effect_are_remarked(
    setting: str, words: tuple[str, ...], call: Any, recipe: Path, cache: Path, tmp_path: Path
) -> None:
    options = ("--cache", cache, "--run", tmp_path / "run", "-s", setting, "-s", "train.epochs=2")
    done = call("gait", "train", "-c", recipe, *options)
    (line,) = (line for line in done.err.splitlines() if words[0] in line)
    for word in words:
        assert word in line


def test_nothing_is_remarked_of_a_sound_recipe(
    first: Path, call: Any, recipe: Path, cache: Path, tmp_path: Path
) -> None:
    done = call("gait", "train", "-c", recipe, "--cache", cache, "--run", tmp_path / "run")
    told = [line.split(":")[0].split(" ")[0] for line in done.err.splitlines()]
    assert told == ["walkers", "epoch", "epoch", "embedding"]


@pytest.mark.parametrize(
    ("weights", "objective"),
    [((0, 0), "ce"), ((0.1, 0), "ce+inter"), ((0, 0.1), "ce+intra")],
)
def test_objective_in_the_record(
    weights: tuple[float, float],
    objective: str,
    call: Any,
    recipe: Path,
    cache: Path,
    tmp_path: Path,
    record: Any,
) -> None:
    inter, intra = weights
    switches = (
        "-s",
        f"objective.inter_weight={inter}",
        "-s",
        f"objective.intra_weight={intra}",
    )
    options = ("--cache", cache, "--run", tmp_path / "run", "--json", tmp_path / "copy.json")
    call("gait", "train", "-c", recipe, *options, *switches)
    assert record(tmp_path / "run")["objective"] == objective
    assert (tmp_path / "copy.json").read_text() == (tmp_path / "run" / "record.json").read_text()
    losses = read_log(tmp_path / "run" / "log.jsonl")[0].keys() & {"ce", "inter", "intra"}
    assert losses == set(objective.split("+"))


def test_default_folder_is_named_after_the_recipe(
    call: Any, recipe: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("gait", "train", "-c", recipe, "--cache", cache)
    assert (tmp_path / "runs" / "tiny" / "record.json").is_file()
    assert "aclnet-task gait eval --run runs/tiny" in done.out


def test_people_found_by_number_are_said_on_the_screen_and_in_the_record(
    recipe: Path, cache: Path, call: Any, tmp_path: Path, record: Any
) -> None:
    roles = ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
    rows = [f"{number},{role}" for number, role in enumerate(roles, start=1)]
    people = tmp_path / "people.csv"
    people.write_text("\n".join(["subject,split", *rows]))
    options = ("-s", f"identities.table={people}", "-s", "train.epochs=1")
    places = ("--cache", cache, "--run", tmp_path / "run")
    done = call("gait", "train", "-c", recipe, *places, *options)
    note = "Found by number, not by name: 8 of the listed people, such as '001' for '1'."
    assert note in done.err
    found = record(tmp_path / "run")
    assert note in found["notes"]
    assert found["cells"]["people"]["names"] == ["007", "008"]
