"""A tiny recipe, the command line called in this process, and a trained run to look at."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest

from aclnet.data.sample import FIELDS, Sample
from aclnet.data.store import Store, open_store, write_store

RECIPE = """
data:
  walkers:
    {identities: 8, views: [0, 54, 90], nm_takes: 6, bg_takes: 2, cl_takes: 2, frames: [20, 26]}
identities: {train: 5, validation: 2}
protocol: casia_b
clip: {frames: 16, streams: [j, b], augment: {mirror: 0.0, point_noise: 0.01}}
network: {encoder: {name: temporal_conv, width: 8, blocks: 1}}
objective: {variant: paper, start_epoch: 1, queue_size: 8, projection_dim: 16}
sampler: {identities_per_batch: 3, samples_per_identity: 4, steps_per_epoch: 3}
train: {epochs: 2, optimizer: adamw, learning_rate: 1.0e-2, accelerator: cpu, log_every_steps: 1}
embed: {windows: all, stride: 4}
"""


class Outcome(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


Call = Callable[..., Outcome]


@pytest.fixture(scope="session")
def call() -> Call:
    """Call `aclnet-task` with these arguments, as its console script does."""

    def run(*arguments: object) -> Outcome:
        from tasks.cli import main

        out, err, code = io.StringIO(), io.StringIO(), 0
        with (
            mock.patch.object(sys, "argv", ["aclnet-task", *map(str, arguments)]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
        return Outcome(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight walkers before three cameras: three train, two validate, three are tested."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the walkers are kept."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def first(call: Call, recipe: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run; to be copied before it is changed."""
    run = tmp_path_factory.mktemp("runs") / "first"
    done = call("gait", "train", "-c", recipe, "--run", run, "--cache", cache)
    assert done.code == 0, done.err
    return run


@pytest.fixture(scope="session")
def walkers(cache: Path, first: Path) -> Path:
    """The store of the walkers that `first` was trained on."""
    (store,) = cache.glob("walkers-*")
    return store


@pytest.fixture
def copy(first: Path, tmp_path: Path) -> Path:
    """The trained run, to be changed."""
    run = tmp_path / "copy"
    shutil.copytree(first, run)
    return run


CopyStore = Callable[..., Path]


@pytest.fixture(scope="session")
def copy_store() -> CopyStore:
    """Write a store's samples to a new place; `view=""` and the like replace a field of all."""

    def write(store: Store, path: Path, **replaced: str) -> Path:
        samples = (
            Sample(
                sample=str(store.index["sample"][i]),
                frames=store.clip(i),
                **{name: replaced.get(name, str(store.index[name][i])) for name in FIELDS},
            )
            for i in range(len(store))
        )
        write_store(path, samples, store.info)
        return path

    return write


@pytest.fixture(scope="session")
def few(walkers: Path, copy_store: CopyStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The walkers before two cameras, in the order of their keys."""
    store = open_store(walkers)
    rows = sorted(
        (row for row in range(len(store)) if store.index["view"][row] != "000"),
        key=lambda row: str(store.index["sample"][row]),
    )
    return copy_store(store.select(rows), tmp_path_factory.mktemp("few") / "store")
