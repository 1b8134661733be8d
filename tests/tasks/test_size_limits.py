"""Sizes beyond any machine end in a sentence, before memory is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import BaseModel

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import ClipSettings
from aclnet.config import load_settings
from aclnet.config.merge import model_members
from aclnet.data.store import open_store
from aclnet.losses.settings import TermSettings
from aclnet.models.joint_transformer import JointTransformerSettings
from aclnet.models.settings import EncoderSettings, NamedEncoder, NetworkSettings
from aclnet.pretraining.masked import MaskedMotion
from aclnet.pretraining.settings import MaskedSettings
from aclnet.runs.networks import build_network, weight_generator
from aclnet.skeleton import load_layout
from aclnet.state.confusion import ConfusionCounts
from aclnet.state.queue import FeatureQueue
from tasks.action.settings import ActionSettings
from tasks.gait.settings import GaitSettings
from tasks.pretrain.settings import PretrainSettings
from tasks.reid.settings import ReidSettings


def models(found: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """A settings model and all below it, with every member of a family."""
    if found not in seen:
        seen.add(found)
        family = found in (EncoderSettings, TermSettings)
        for name in getattr(found, "members", ()) if family else ():
            models(found.member({"name": name}), seen)  # type: ignore[attr-defined]
        for field in found.model_fields.values():
            arguments = [field.annotation, *get_args(field.annotation)]
            for model in (one for part in arguments for one in model_members(part)):
                models(model, seen)
    return seen


def whole_numbers() -> Iterator[Any]:
    """Every whole number among the settings, as model, name and constraints."""
    seen: set[type[BaseModel]] = set()
    for task in (ActionSettings, GaitSettings, PretrainSettings, ReidSettings):
        models(task, seen)
    for model in sorted(seen, key=lambda one: one.__name__):
        for name, field in model.model_fields.items():
            if field.annotation in (int, int | None):
                yield pytest.param(field.metadata, id=f"{model.__name__}.{name}")


@pytest.mark.parametrize("constraints", [*whole_numbers()])
def test_every_whole_number_has_an_upper_bound(constraints: list[Any]) -> None:
    assert any(getattr(one, "le", None) is not None for one in constraints)


def test_the_settings_are_found() -> None:
    names = {str(parameter.id) for parameter in whole_numbers()}
    assert len(names) > 50
    for name in (
        "ClipSettings.frames",
        "ObjectiveSettings.queue_size",
        "AffinityGcnSettings.width",
    ):
        assert name in names


@pytest.mark.parametrize(
    ("setting", "value", "most"),
    [
        ("clip.frames", 10**9, 10_000),
        ("clip.step", 10**12, 10_000),
        ("objective.queue_size", 10**12, 1_000_000),
        ("objective.projection_dim", 10**9, 16_384),
        ("network.encoder.width", 10**9, 16_384),
        ("network.encoder.blocks", 10**9, 1_000),
        ("network.encoder.kernel", 10**9 + 1, 9_999),
        ("sampler.batch_size", 10**12, 100_000),
        ("sampler.samples_per_identity", 10**12, 10_000),
        ("train.epochs", 10**15, 1_000_000),
        ("embed.batch_size", 10**12, 100_000),
        ("data.walkers.identities", 10**12, 99_999),
    ],
)
def test_a_size_out_of_bounds(
    mistake: Any, tmp_path: Path, setting: str, value: int, most: int
) -> None:
    words = [f"--set {setting}={value}: `{setting}` = {value}", f"less than or equal to {most}"]
    words += ["because more would take too much memory or time"]
    run = tmp_path / "run"
    mistake("gait", "train", "-s", f"{setting}={value}", "--run", run, words=words, alone=True)
    assert not run.exists()


def test_walkers_that_fill_a_disk() -> None:
    more = ["data.walkers.identities=99999", "data.walkers.nm_takes=99"]
    with pytest.raises(ValueError, match=r"frames are more than 100,000,000, some 20 GB: take few"):
        load_settings(GaitSettings, None, more)


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aclnet.memory.free_bytes", lambda: 200 << 20)


@pytest.mark.usefixtures("little_memory")
def test_sizes_whose_product_is_too_large(walkers: Path) -> None:
    store = open_store(walkers)
    layout = load_layout("coco17")
    clip_input = ClipInput(ClipSettings(), layout, ("x", "y", "confidence"))
    rows, frames = np.zeros(10_000, np.int64), np.zeros((10_000, 100), np.int64)
    with pytest.raises(
        ValueError, match=r"batches of 10,000 clips of 100 frames need .* GB of mem"
    ):
        clip_input.stored(store, rows, frames)
    wide = NetworkSettings(encoder=NamedEncoder(name="temporal_conv", width=16_384))
    with pytest.raises(ValueError, match=r"the weights of temporal_conv need .*: lower network\.e"):
        build_network(wide, 10, clip_input, weight_generator(0))
    with pytest.raises(ValueError, match=r"the decoder's weights need .*: lower masked\.width"):
        MaskedMotion(
            JointTransformerSettings(width=8).build(layout, 3, None), MaskedSettings(width=8192), 2
        )
    with pytest.raises(ValueError, match=r"lower objective\.queue_size"):
        FeatureQueue(1_000_000, 256)
    with pytest.raises(ValueError, match="the counted mistakes need"):
        ConfusionCounts(100_000, "paper")


@pytest.mark.usefixtures("little_memory")
def test_a_batch_that_does_not_fit(mistake: Any, recipe: Path, cache: Path, tmp_path: Path) -> None:
    mistake(
        "gait", "train", "-c", recipe, "--run", tmp_path / "run", "--cache", cache,
        "-s", "clip.frames=10000", "-s", "sampler.samples_per_identity=1000",
        words=["batches of 3,000 clips of 10,000 frames need", "lower the batch's size"],
    )  # fmt: skip
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 9.31 GiB for an array with shape (1,) and data type int8"),
        RuntimeError("[enforce fail at alloc.cpp] DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore"),
    ],
)
def test_memory_that_runs_out(
    mistake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(importlib.import_module("aclnet.data.convert"), "convert", fail)
    mistake(
        "data", "convert", tmp_path, tmp_path / "s", words=["there is not enough memory: lower"]
    )


def test_other_faults_stay_faults(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("tasks.cli.load_plugins", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        call("doctor")
