"""Trainings that begin with another run's encoder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

import tasks.run.adapter
from aclnet.runs.info import read_run_info
from aclnet.training.checkpoint import load_checkpoint
from tasks.run.initial import fill_from

ENCODER = "network.encoder."
GRAPH = (
    "-s",
    "network.encoder={name: st_gcn, width: 8, blocks: 2, widen_at: [2], stride_at: [], "
    "last_width: 16, partition: uniform, absent_persons: count}",
)


def encoder_of(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name.startswith(ENCODER)}


def saved(run: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = load_checkpoint(run / "checkpoint.pt")["task"]
    return found


@pytest.fixture
def before_first_step(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """What a training begins with, once it has begun."""
    state: dict[str, Tensor] = {}
    fit = tasks.run.adapter.fit

    def watched(task: Any, *arguments: Any, **more: Any) -> Any:
        state.update({name: value.clone() for name, value in task.state_dict().items()})
        return fit(task, *arguments, **more)

    monkeypatch.setattr(tasks.run.adapter, "fit", watched)
    return state


@pytest.fixture(scope="module")
def pretrained(
    call: Any, action_recipe: Path, arms: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An epoch of stage 1 on `arms`."""
    folder = tmp_path_factory.mktemp("pretrained")
    recipe = folder / "pretrain.yaml"
    recipe.write_text(
        "data: {min_frames: 4}\nclip: {frames: 8}\naimclr: {projection_dim: 8}\n"
        "sampler: {batch_size: 8}\ntrain: {epochs: 1, accelerator: cpu}\n"
    )
    common = ("-c", recipe, "--data", arms, "--cache", folder)
    call("pretrain", "train", *common, *GRAPH, "--run", folder / "run")
    return folder / "run"


def test_gait_begins_with_the_encoder_of_re_identification(
    call: Any,
    recipe: Path,
    reid_copy: Path,
    cache: Path,
    tmp_path: Path,
    before_first_step: dict[str, Tensor],
    record: Callable[..., dict[str, Any]],
    assert_same_run: Callable[..., None],
) -> None:
    run, rest = tmp_path / "gait", ("--cache", cache, "-s", "train.seed=3")
    start = reid_copy.rename(tmp_path / "reid-3")
    command = ("gait", "train", "-c", recipe, "--init-from", tmp_path / "reid-{seed}", *rest)
    done = call(*command, "--run", run)
    expected = encoder_of(saved(start))
    assert expected.keys() == encoder_of(before_first_step).keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, before_first_step[name]), name
    assert not torch.equal(
        before_first_step["network.neck.running_var"], saved(start)["network.neck.running_var"]
    )
    content = record(run)
    assert content["variant"] == "finetune"
    assert content["settings"]["init_from"] == str(tmp_path / "reid-{seed}")
    initial = content["settings"]["initial"]
    assert (initial["task"], initial["objective"]) == ("reid", "acl")
    assert len(initial["fingerprint"]) == 64
    assert content["counts"]["initial_tensors"] == len(expected)
    assert content["counts"]["initial_tensors_left"] == len(saved(start)) - len(expected)
    lengths = record(run, "record-bone-length.json")
    assert (lengths["variant"], lengths["settings"].get("initial")) == ("", None)
    (sentence,) = (note for note in content["notes"] if note.startswith("The training began"))
    assert sentence in done.err
    assert f"{len(expected)} tensors of {start}" in sentence
    assert "left there: 1 of network.classifier, 5 of network.neck" in sentence

    call(*command, "--run", tmp_path / "again")
    assert_same_run(run, tmp_path / "again")

    shutil.rmtree(start)  # nothing needs it any more
    (run / "record.json").unlink()
    call("gait", "train", "--run", run, "--resume", *rest[:2])
    assert sentence in record(run)["notes"]


def test_seeds_of_a_training_share_its_recipe(pretrained: Path, tmp_path: Path) -> None:
    def recipe(name: str, **changes: Any) -> str:
        run = shutil.copytree(pretrained, tmp_path / name)
        settings = yaml.safe_load((run / "settings.yaml").read_text())
        settings["train"] |= changes
        settings["data"]["path"] = name
        (run / "settings.yaml").write_text(yaml.safe_dump(settings))
        return fill_from(run, {}).recipe

    first = recipe("first")
    assert len(first) == 12
    assert recipe("seed", seed=5, log_every_steps=3) == first
    assert recipe("longer", epochs=2) != first


def test_action_begins_with_pre_training(
    call: Any,
    action_recipe: Path,
    arms: Path,
    pretrained: Path,
    tmp_path: Path,
    before_first_step: dict[str, Tensor],
    record: Callable[..., dict[str, Any]],
) -> None:
    run = tmp_path / "run"
    common = ("-c", action_recipe, "--data", arms, "--cache", tmp_path, *GRAPH, "--run", run)
    # Dropout is not a part of an encoder's weights.
    free = ("-s", "network.encoder.dropout=0.1")
    call("action", "train", *common, *free, "--init-from", pretrained)
    torch.testing.assert_close(
        encoder_of(before_first_step), encoder_of(saved(pretrained)), rtol=0, atol=0
    )
    initial = read_run_info(run).initial
    assert initial is not None
    left = initial.left
    few = ("-s", "train_share=0.1", "--overwrite")
    done = call("action", "train", *common, *free, "--init-from", pretrained, *few)
    content = record(run)
    assert (content["variant"], content["counts"]["train_left_out"]) == ("semi-10", 8)
    assert content["rule"].endswith(", 10 % of the labels")
    assert "8 training samples by train_share" in done.out
    assert left["network.classifier"] == 2
    assert {"objective.online", "objective.slow", "objective.queue"} < left.keys()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("network.encoder.width=16", ["network.encoder.width = 8 (here 16)"]),
        ("network.encoder={name: clip_mlp}", ["network.encoder.name = 'temporal_conv'"]),
        ("clip.streams=[j]", ["clip.streams = ['j', 'b'] (here ['j'])"]),
        ("init_from=nothing", ["nothing is not a run"]),
    ],
)
def test_another_network_is_refused(
    mistake: Any, recipe: Path, reid_run: Path, tmp_path: Path, cache: Path, change: str, words: Any
) -> None:
    command = ("gait", "train", "-c", recipe, "--run", tmp_path / "run", "--cache", cache)
    mistake(*command, "-s", f"init_from={reid_run}", "-s", change, words=["init_from=", *words])
    assert not (tmp_path / "run" / "run.json").exists()


def test_other_joints_are_refused(
    mistake: Any, action_recipe: Path, arms: Path, reid_run: Path, tmp_path: Path
) -> None:
    same = ("-s", "clip.streams=[j, b]", "-s", "network.encoder.pooling=mean_std")
    common = ("action", "train", "-c", action_recipe, "--data", arms, "--cache", tmp_path / "c")
    start = ("--init-from", reid_run, "--run", tmp_path / "run")
    mistake(*common, *same, *start, words=["init_from=", "25 joints", "17 joints"])
    assert not (tmp_path / "run" / "run.json").exists()


def test_an_unfinished_run_is_refused(
    mistake: Any, recipe: Path, reid_copy: Path, tmp_path: Path, cache: Path
) -> None:
    log = (reid_copy / "log.jsonl").read_text().splitlines(keepends=True)
    (reid_copy / "log.jsonl").write_text("".join(log[:3]))
    command = ("gait", "train", "-c", recipe, "--run", tmp_path / "run", "--cache", cache)
    mistake(*command, "--init-from", reid_copy, words=["its training is not finished"])


def test_a_run_is_not_resumed_from_another_start(
    mistake: Any, call: Any, copy: Path, reid_run: Path, cache: Path
) -> None:
    command = ("gait", "train", "--run", copy, "--resume", "--init-from", reid_run)
    mistake(*command, "--cache", cache, words=["was started with init_from = None"])


def test_classes_come_from_a_trained_classifier(pretrained: Path, arms: Path) -> None:
    from aclnet.data.store import open_store
    from aclnet.runs.model import load

    model, clip = load(pretrained), open_store(arms).clip(0)
    assert model.embed(clip).embedding.shape == (1, 16)
    with pytest.raises(ValueError, match="did not train its classifier"):
        model.classify(clip)
