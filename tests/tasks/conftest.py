"""Tiny recipes, and trained runs to look at."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.sample import FIELDS, Sample, StoreInfo
from aclnet.data.store import Store, open_store, write_store
from aclnet.skeleton import load_layout
from protocols.embeddings import load_embeddings

ACTION_RECIPE = """
data: {min_frames: 4}
split: store
hold_out: {people: 1}
clip: {frames: 8, sampling: uniform, streams: [j], normalise: {scale: none}}
test: {clips: 2}
network: {encoder: {name: temporal_conv, width: 8, blocks: 1}, dropout: 0.0}
objective:
  {variant: paper, start_epoch: 1, queue_size: 8, projection_dim: 8, neighbours: 2, overlap: 1}
sampler: {kind: shuffle, batch_size: 8}
train: {epochs: 2, optimizer: adamw, learning_rate: 1.0e-2, accelerator: cpu, log_every_steps: 1}
"""

REID_RECIPE = """
data:
  walkers:
    {identities: 8, views: [0, 54, 90], nm_takes: 6, bg_takes: 2, cl_takes: 2, frames: [20, 26]}
identities: {train: 5, validation: 2}
clip: {frames: 8, streams: [j, b], augment: {mirror: 0.0, point_noise: 0.01}}
network: {encoder: {name: temporal_conv, width: 8, blocks: 1}}
objective: {variant: paper, start_epoch: 1, queue_size: 8, projection_dim: 16}
sampler: {identities_per_batch: 3, samples_per_identity: 4, steps_per_epoch: 3}
train: {epochs: 2, optimizer: adamw, learning_rate: 1.0e-2, accelerator: cpu, log_every_steps: 1}
embed: {windows: centre, mirror: false}
"""

Call = Callable[..., Any]


@pytest.fixture(scope="session")
def record() -> Callable[..., dict[str, Any]]:
    """Read the record of a run, or another file beside it, as plain values."""

    def read(run: Path, name: str = "record.json") -> dict[str, Any]:
        content: dict[str, Any] = json.loads((run / name).read_text())
        return content

    return read


@pytest.fixture(scope="session")
def record_keys() -> frozenset[str]:
    """What every record holds: design/architecture.md, Results."""
    names = "schema task dataset protocol rule objective stream seed metrics intervals counts"
    return frozenset(f"{names} settings environment seconds command".split())


@pytest.fixture(scope="session")
def run_files() -> frozenset[str]:
    """The files of a run of gait or re-identification."""
    names = "settings.yaml run.json log.jsonl checkpoint.pt embeddings.npz record.json"
    return frozenset(f"{names} record-bone-length.json".split())


@pytest.fixture(scope="session")
def embeddings() -> Callable[[Path], tuple[list[str], np.ndarray[Any, Any]]]:
    """Read the keys (N,) and embeddings (N, D) that a run saved."""

    def read(run: Path) -> tuple[list[str], np.ndarray[Any, Any]]:
        saved = load_embeddings(run / "embeddings.npz")
        return saved.sample.tolist(), saved.embedding

    return read


CopyStore = Callable[..., Path]


@pytest.fixture(scope="session")
def copy_store() -> CopyStore:
    """Write a store's samples to a new place; `view=""` and the like replace a field of all."""

    def write(store: Store, path: Path, **replaced: str) -> Path:
        def fields(row: int) -> dict[str, Any]:
            return {name: replaced.get(name, str(store.index[name][row])) for name in FIELDS}

        samples = (
            Sample(sample=str(store.index["sample"][i]), frames=store.clip(i), **fields(i))
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


@pytest.fixture(scope="session")
def action_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs of a tiny network on recordings such as `arms`."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(ACTION_RECIPE)
    return path


@pytest.fixture(scope="session")
def arms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four classes, alike but for the height of the left arm; six people, two of them tested."""
    layout = load_layout("ntu25")
    body = np.random.default_rng(0).normal(size=(1, 1, 25, 3)).astype(np.float32)
    arm = layout.part_index("left_arm")

    def samples() -> Any:
        for person in range(6):
            for number, label in enumerate("abcd"):
                frames = np.repeat(body, 12, axis=0)
                frames[:, :, arm, 1] += number
                yield Sample(
                    sample=f"{label}{person}",
                    frames=frames,
                    identity=str(person),
                    label=label,
                    split="test" if person > 3 else "train",
                )

    path = tmp_path_factory.mktemp("arms") / "store"
    info = StoreInfo(
        name="arms", layout=layout.to_dict(), channels=("x", "y", "z"), unit="metre", synthetic=True
    )
    write_store(path, samples(), info)
    return path


@pytest.fixture(scope="session")
def reid_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sequences of 8 frames of the walkers of `recipe`; three are tested in casia_b's pairs."""
    path = tmp_path_factory.mktemp("recipe") / "reid.yaml"
    path.write_text(REID_RECIPE)
    return path


@pytest.fixture(scope="session")
def reid_run(
    call: Call, reid_recipe: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A trained re-identification run; to be copied before it is changed."""
    run = tmp_path_factory.mktemp("runs") / "reid"
    call("reid", "train", "-c", reid_recipe, "--run", run, "--cache", cache)
    return run


@pytest.fixture
def reid_copy(reid_run: Path, tmp_path: Path) -> Path:
    """That run, to be changed."""
    run = tmp_path / "reid"
    shutil.copytree(reid_run, run)
    return run


@pytest.fixture(scope="session")
def reid_walkers(reid_recipe: Path, cache: Path) -> Store:
    """The walkers that `reid_recipe` names."""
    from aclnet.config import load_settings
    from tasks.reid.settings import ReidSettings
    from tasks.samples.open import open_data

    return open_data(load_settings(ReidSettings, reid_recipe).data, cache)


@pytest.fixture(scope="session")
def known_people(reid_walkers: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five walkers in the depth sets' way: plain walks that train, are gallery (5) or probe (6).

    There are two cameras; before one of them each person's first walk has five frames only.
    """
    store = reid_walkers
    split = {"05": "gallery", "06": "probe"}

    def samples() -> Any:
        for row, about in store.index.iterrows():
            number = int(str(row))
            if about["condition"] != "nm" or about["view"] == "000" or about["identity"] > "005":
                continue
            frames = store.clip(number)
            fields = {name: str(about[name]) for name in FIELDS}
            fields["split"] = split.get(fields["take"], "train")
            fields["condition"] = ""
            short = fields["take"] == "01" and fields["view"] == "054"
            yield Sample(str(about["sample"]), frames[:5] if short else frames, **fields)

    path = tmp_path_factory.mktemp("known") / "store"
    write_store(path, samples(), store.info.model_copy(update={"name": "known"}))
    return path


@pytest.fixture
def mistake(call: Any, tmp_path: Path) -> Callable[..., str]:
    """Call a command that must fail as a user's mistake does: exit code 2, one line, no more.

    The line has these words; reports may come before it, unless it must stand alone.
    """

    def run(*arguments: object, words: Iterable[str] = (), alone: bool = False) -> str:
        done = call(*arguments, code=2)
        assert done.out == ""
        *reports, sentence = done.err.splitlines()
        assert not (alone and reports), reports
        assert not any("error" in line.lower() or "Traceback" in line for line in reports), reports
        assert sentence.startswith("error: "), done.err
        assert "[Errno" not in sentence
        assert len(sentence) > len("error: ") + 20
        for word in words:
            assert word in sentence
        return str(sentence)

    return run
