from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from aclnet.config import load_settings
from aclnet.data.settings import DataSettings
from aclnet.data.store import Store, open_store
from aclnet.training.log import read_log
from protocols.embeddings import load_embeddings
from tasks.gait.settings import GaitSettings
from tasks.run import open as run_open


def test_run_folder(first: Path, recipe: Path, run_files: frozenset[str]) -> None:
    assert {item.name for item in first.iterdir()} == run_files
    settings = load_settings(GaitSettings, first / "settings.yaml")
    assert settings == load_settings(GaitSettings, recipe)
    info = json.loads((first / "run.json").read_text())
    assert info["classes"] == ["001", "002", "003"]
    assert info["layout"]["name"] == "coco17"
    assert info["synthetic"] is True
    saved = load_embeddings(first / "embeddings.npz")
    assert set(saved.subject) == {"006", "007", "008"}
    assert set(saved.condition) == {"nm", "bg", "cl"}
    assert set(saved.view) == {"000", "054", "090"}
    assert len(saved) == 3 * 10 * 3
    np.testing.assert_allclose(np.linalg.norm(saved.embedding, axis=1), 1, rtol=1e-5)


def test_log_holds_losses_and_validation(first: Path) -> None:
    lines = read_log(first / "log.jsonl")
    kinds = [line["kind"] for line in lines]
    assert kinds == (["step"] * 3 + ["epoch", "evaluation"]) * 2 + ["finished"]
    assert {"loss", "ce", "inter", "intra", "accuracy", "learning_rate"} <= lines[0].keys()
    for line in lines:
        if line["kind"] == "evaluation":
            assert 0 <= line["validation/rank1"] <= 1
            assert 0 < line["validation/mAP"] <= 1
    # start_epoch 1: mistakes are counted in epoch 1, the term acts in epoch 2.
    steps = [line for line in lines if line["kind"] == "step"]
    assert [line["inter"] > 0 for line in steps] == [False] * 3 + [True] * 3


@pytest.mark.parametrize("name", ["record.json", "record-bone-length.json"])
def test_record(
    name: str, first: Path, walkers: Path, record: Any, record_keys: frozenset[str]
) -> None:
    found = record(first, name)
    assert found.keys() >= record_keys
    assert (found["schema"], found["kind"]) == (2, "run")
    assert found["task"] == "gait"
    fingerprint = open_store(walkers).info.fingerprint
    assert found["dataset"] == {"name": "walkers", "fingerprint": fingerprint, "synthetic": True}
    assert (found["protocol"], found["rule"], found["seed"]) == ("casia_b", "exact", 0)
    assert found["objective"] == ("acl" if name == "record.json" else "bone-length")
    assert found["stream"] == "j+b"
    metric = "cosine" if name == "record.json" else "euclidean"
    assert found["settings"] == {
        **yaml.safe_load((first / "settings.yaml").read_text()),
        "evaluation": {"metric": metric, "gallery_seed": 0},
    }
    assert found["command"].startswith("aclnet-task gait train -c ")
    assert found["environment"]["packages"]["torch"] == torch.__version__
    metrics = found["metrics"]
    assert all(0 <= value <= 1 for value in metrics.values())
    by_condition = [metrics[f"rank1/{condition}"] for condition in ("nm", "bg", "cl")]
    assert metrics["rank1"] == pytest.approx(np.mean(by_condition))
    assert metrics["chance"] == pytest.approx(1 / 3)
    low, high = found["intervals"]["rank1"]
    assert low <= metrics["rank1"] <= high


def test_counts_hold_everybody(first: Path, walkers: Path, record: Any) -> None:
    counts = record(first)["counts"]
    people = ("train_subjects", "validation_subjects", "test_subjects")
    assert [counts[name] for name in people] == [3, 2, 3]
    assert [counts[name] for name in ("train", "validation", "test")] == [90, 60, 90]
    assert counts["train"] + counts["validation"] + counts["test"] == len(open_store(walkers))
    # 3 people, 3 views: NM 5 and 6, BG, CL are probes, NM 1 to 4 the gallery.
    assert (counts["probes"], counts["gallery"], counts["missing"]) == (54, 36, 0)


def test_cells_give_the_metrics_again(first: Path, record: Any) -> None:
    found = record(first)
    cells = found["cells"]
    rates = np.array(cells["rank1_hits"]) / np.array(cells["trials"])
    off = ~np.eye(3, dtype=bool)
    means = [rate[off].mean() for rate in rates]
    assert cells["conditions"] == ["nm", "bg", "cl"]
    assert cells["probe_views"] == cells["gallery_views"] == ["0", "54", "90"]
    for condition, mean in zip(cells["conditions"], means, strict=True):
        assert found["metrics"][f"rank1/{condition}"] == pytest.approx(mean)


def test_embedding_the_test_people_again(
    first: Path, cache: Path, call: Any, tmp_path: Path
) -> None:
    out = tmp_path / "again.npz"
    done = call("gait", "embed", "--run", first, "--out", out, "--cache", cache)
    assert "90 embeddings of 16 numbers" in done.out
    again, before = load_embeddings(out), load_embeddings(first / "embeddings.npz")
    for name in ("embedding", *before.text_fields()):
        np.testing.assert_array_equal(getattr(again, name), getattr(before, name))


def test_embedding_a_store(first: Path, walkers: Path, call: Any, tmp_path: Path) -> None:
    out = tmp_path / "all.npz"
    call("gait", "embed", "--run", first, "--data", walkers, "--out", out)
    everybody, tested = load_embeddings(out), load_embeddings(first / "embeddings.npz")
    assert everybody.sample.tolist() == open_store(walkers).index["sample"].tolist()
    rows = np.flatnonzero(np.isin(everybody.sample, tested.sample))
    assert everybody.sample[rows].tolist() == tested.sample.tolist()
    np.testing.assert_allclose(everybody.embedding[rows], tested.embedding, atol=1e-5)


def test_resuming_an_ended_run_evaluates_it_again(
    copy: Path, cache: Path, call: Any, run_files: frozenset[str]
) -> None:
    for name in ("embeddings.npz", "record.json"):
        (copy / name).unlink()
    weights = (copy / "checkpoint.pt").read_bytes()
    done = call("gait", "train", "--resume", "--run", copy, "--cache", cache)
    assert f"the training in {copy} has finished its 2 epochs" in done.err
    assert "epoch 1/2" not in done.err
    assert {item.name for item in copy.iterdir()} == run_files
    assert (copy / "checkpoint.pt").read_bytes() == weights


def test_a_resumed_run_may_be_embedded_otherwise(
    first: Path, copy: Path, cache: Path, call: Any, record: Any, embeddings: Any
) -> None:
    options = ("-s", "embed.windows=centre", "-s", "embed.mirror=false")
    call("gait", "train", "--resume", "--run", copy, "--cache", cache, *options)
    settings = load_settings(GaitSettings, copy / "settings.yaml")
    assert (settings.embed.windows, settings.embed.mirror) == ("centre", False)
    assert np.abs(embeddings(copy)[1] - embeddings(first)[1]).max() > 1e-3
    assert record(copy)["settings"]["embed"]["windows"] == "centre"


def test_resume_without_a_run_begins_and_says_so(
    first: Path, call: Any, recipe: Path, cache: Path, tmp_path: Path, embeddings: Any
) -> None:
    options = ("--cache", cache, "--run", tmp_path / "new", "--resume")
    done = call("gait", "train", "-c", recipe, *options)
    assert f"there is no checkpoint in {tmp_path / 'new'} yet" in done.err
    np.testing.assert_array_equal(embeddings(tmp_path / "new")[1], embeddings(first)[1])


def test_embedding_leaves_out_what_the_run_left_out(
    copy: Path, walkers: Path, call: Any, tmp_path: Path
) -> None:
    settings = yaml.safe_load((copy / "settings.yaml").read_text())
    settings["data"]["min_frames"] = 21
    (copy / "settings.yaml").write_text(yaml.safe_dump(settings))
    short = int((open_store(walkers).lengths < 21).sum())
    done = call("gait", "embed", "--run", copy, "--data", walkers, "--out", tmp_path / "all.npz")
    assert short > 0
    assert f"{short} of 240 sequences with fewer than 21 frames" in done.err
    assert len(load_embeddings(tmp_path / "all.npz")) == 240 - short


@pytest.mark.parametrize(("name", "kept"), [("b.csv", True), ("b.npz", False), ("b", False)])
def test_data_to_embed_are_read_as_the_runs(
    name: str, kept: bool, copy: Path, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = yaml.safe_load((copy / "settings.yaml").read_text())
    told = {"format": "gaitgraph_csv", "layout": "coco17"}
    settings["data"].update(path="a.csv", map_to="coco18", min_frames=5, **told)
    (copy / "settings.yaml").write_text(yaml.safe_dump(settings))
    seen = []

    def spy(wanted: DataSettings, *_: object) -> Store:
        seen.append(wanted)
        raise ValueError("seen")

    monkeypatch.setattr(run_open, "open_data", spy)
    call("gait", "embed", "--run", copy, "--data", name, "--out", tmp_path / "all.npz", code=2)
    (wanted,) = seen
    assert (wanted.path, wanted.map_to, wanted.min_frames) == (Path(name), "coco18", 5)
    assert {"format": wanted.format, "layout": wanted.layout} == (
        told if kept else dict.fromkeys(told)
    )
