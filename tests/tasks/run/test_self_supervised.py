"""Gait recognition and re-identification by an encoder that was trained without identities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from aclnet.config import load_settings
from aclnet.data.sample import FIELDS, Sample
from aclnet.data.store import open_store, write_store
from aclnet.pretraining.aimclr import ExtremeContrast
from aclnet.training.checkpoint import load_checkpoint
from tasks.gait.settings import GaitSettings
from tasks.reid.settings import ReidSettings

GRAPH = (
    "-s",
    "network.encoder={name: st_gcn, width: 8, blocks: 2, widen_at: [2], stride_at: [], "
    "last_width: 16, partition: uniform}",
    "-s",
    "sampler={kind: shuffle, batch_size: 8}",
)
SAME = (
    "-s", "people=same", "-s", "protocol=kgbd", "-s", "data.min_frames=8",
    "-s", "identities.validation=0",
)  # fmt: skip


def method(name: str) -> tuple[str, str]:
    sizes = "aimclr: {projection_dim: 8}, actclr: {projection_dim: 8}"
    return "-s", f"self_supervised={{method: {name}, {sizes}}}"


def saved(run: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = load_checkpoint(run / "checkpoint.pt")["task"]
    return found


@pytest.fixture(scope="module")
def first_stage(
    call: Any, reid_recipe: Path, known_people: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Two epochs of stage 1 on people who are tested too."""
    run = tmp_path_factory.mktemp("runs") / "first"
    command = ("reid", "train", "-c", reid_recipe, "--data", known_people, "--run", run)
    call(*command, *GRAPH, *SAME, *method("aimclr"))
    return run


def test_bare_features_are_judged_by_the_protocol(
    first_stage: Path, record: Any, record_keys: frozenset[str], run_files: frozenset[str]
) -> None:
    assert {item.name for item in first_stage.iterdir()} == run_files
    found, state = record(first_stage), saved(first_stage)
    assert found.keys() >= record_keys
    assert (found["task"], found["protocol"]) == ("reid", "kgbd")
    assert (found["objective"], found["variant"]) == ("aimclr", "unlabelled")
    assert {"rank1", "mAP", "transg/rank1", "walk/rank1"} <= found["metrics"].keys()
    # No more keys than training recordings: of five people with four walks, without the short.
    assert len(state["objective.queue.features"]) == found["counts"]["train"] == 35
    encoder = "encoder.blocks.0.temporal.weight"
    assert torch.equal(state[f"network.{encoder}"], state[f"objective.online.{encoder}"])


def test_no_identity_is_seen(
    call: Any, reid_recipe: Path, known_people: Path, first_stage: Path, tmp_path: Path
) -> None:
    store = open_store(known_people)
    fields = [{name: str(store.index[name][row]) for name in FIELDS} for row in range(len(store))]
    trained = [row for row, about in enumerate(fields) if about["split"] == "train"]
    names = [fields[row]["identity"] for row in trained]
    for row, name in zip(trained, np.random.default_rng(0).permutation(names), strict=True):
        fields[row]["identity"] = str(name)
    samples = (
        Sample(str(store.index["sample"][row]), store.clip(row), **about)
        for row, about in enumerate(fields)
    )
    write_store(tmp_path / "mixed", samples, store.info)
    command = ("reid", "train", "-c", reid_recipe, "--data", tmp_path / "mixed")
    call(*command, *GRAPH, *SAME, *method("aimclr"), "--run", tmp_path / "run")
    torch.testing.assert_close(saved(tmp_path / "run"), saved(first_stage), rtol=0, atol=0)


def test_the_second_stage_and_training_with_identities_begin_with_the_first(
    call: Any, record: Any, reid_recipe: Path, known_people: Path, first_stage: Path, tmp_path: Path
) -> None:
    still = ("-s", "train={epochs: 1, learning_rate: 1.0e-12}")
    common = ("reid", "train", "-c", reid_recipe, "--data", known_people, *GRAPH, *SAME, *still)
    start = ("--init-from", first_stage)
    call(*common, *start, *method("actclr"), "--run", tmp_path / "second")
    call(*common, *start, "--run", tmp_path / "acl")
    second, acl = (record(tmp_path / name) for name in ("second", "acl"))
    assert (second["objective"], second["variant"]) == ("actclr", "unlabelled")
    assert (acl["objective"], acl["variant"]) == ("acl", "finetune")
    for name in ("second", "acl"):
        initial = record(tmp_path / name)["settings"]["initial"]
        assert (initial["task"], initial["objective"]) == ("reid", "aimclr")
        weight = "network.encoder.blocks.1.temporal.weight"
        torch.testing.assert_close(saved(tmp_path / name)[weight], saved(first_stage)[weight])
    projection = "objective.online.projector.out.weight"
    torch.testing.assert_close(
        saved(tmp_path / "second")[projection], saved(first_stage)[projection]
    )


def test_the_key_shows_another_window(
    call: Any, reid_recipe: Path, known_people: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    seen: list[dict[str, Tensor]] = []
    losses = ExtremeContrast.losses

    def watched(self: Any, views: dict[str, Tensor], *rest: Any) -> Any:
        seen.append(dict(views))
        return losses(self, views, *rest)

    monkeypatch.setattr(ExtremeContrast, "losses", watched)
    bare = ("-s", "self_supervised.aimclr.views={ordinary: [], extreme: []}")
    command = ("reid", "train", "-c", reid_recipe, "--data", known_people, *GRAPH, *SAME)
    for where in ("same", "other"):
        change = ("-s", f"self_supervised.key_window={where}", "-s", "train.epochs=1")
        call(*command, *method("aimclr"), *bare, *change, "--run", tmp_path / where)
        query, extreme, key = (seen[-1][name] for name in ("query", "extreme", "key"))
        assert query.shape == key.shape
        assert torch.equal(query, extreme)
        assert torch.equal(query, key) == (where == "same")


def test_a_start_with_labels_is_refused(
    mistake: Any, reid_recipe: Path, cache: Path, reid_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shuffled = ("-s", "sampler={kind: shuffle}", *method("aimclr"))
    command = ("reid", "train", "-c", reid_recipe, "--cache", cache, *shuffled, "--run", run)
    mistake(*command, "--init-from", reid_run, words=["init_from=", "was trained with labels"])
    assert not (run / "run.json").exists()


def test_a_run_with_identities_is_not_resumed_without(
    mistake: Any, reid_copy: Path, cache: Path
) -> None:
    command = ("reid", "train", "--run", reid_copy, "--resume", "--cache", cache)
    changes = ("-s", "sampler={kind: shuffle}", "-s", "self_supervised={method: random}")
    mistake(*command, *changes, words=["was started with"])


def test_the_random_encoder_is_a_study_of_gait(
    call: Any, record: Any, recipe: Path, cache: Path, tmp_path: Path
) -> None:
    command = ("gait", "study", "-c", recipe, "--cache", cache, *GRAPH, *method("aimclr"))
    folders = ("--runs", tmp_path / "runs", "--results", tmp_path / "results")
    call(*command, "--arms", "random", *folders)
    found = record(tmp_path / "results", "random-seed0.json")
    assert (found["task"], found["objective"]) == ("gait", "random")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampler": {"kind": "identities"}}, "sampler.kind identities draws batches by identity"),
        ({"embed": {"feature": "posterior"}}, "trains no classifier"),
        ({"clip": {"motion": "recording"}}, "self_supervised: clip.motion recording uses"),
        (
            {"self_supervised": {"key_window": "other"}, "clip": {"sampling": "stretch"}},
            "self_supervised: key_window other shows two windows",
        ),
        ({"self_supervised": {"method": "masked"}}, "self_supervised: masked motion prediction"),
    ],
)
def test_settings_that_need_identities_are_refused(changes: dict[str, Any], message: str) -> None:
    given = {"self_supervised": {}, "sampler": {"kind": "shuffle"}}
    GaitSettings.model_validate(given)
    with pytest.raises(ValidationError, match=message):
        GaitSettings.model_validate({**given, **changes})


def test_transg_is_refused() -> None:
    network = {"encoder": {"name": "transg"}}
    given = {"network": network, "transg": {}, "sampler": {"kind": "shuffle"}}
    ReidSettings.model_validate(given)
    with pytest.raises(ValidationError, match="uses identities, which self_supervised leaves"):
        ReidSettings.model_validate({**given, "self_supervised": {}})


def test_bone_lengths_stay_with_their_person(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    second = "{method: actclr, actclr: {projection_dim: 8, views: {basic: [crop]}}}"
    recipe.write_text(f"sampler: {{kind: shuffle}}\nself_supervised: {second}\n")
    load_settings(GaitSettings, recipe)
    styled = "self_supervised.actclr.views.style_transfer=true"
    with pytest.raises(ValueError, match="self_supervised: style transfer is defined for one"):
        load_settings(GaitSettings, recipe, [styled])
