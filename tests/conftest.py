"""What every test may use: the reference material, the command line, and trained runs."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import pytest
from hypothesis import settings

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import write_store
from aclnet.skeleton import load_layout

from .ready import Started

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

GESTURES_RECIPE = """
data: {source: file}
split: store
hold_out: {people: 0}
clip: {frames: 8, sampling: stretch, streams: [j], augment: {mirror: 0.0}}
network: {encoder: {name: temporal_conv, width: 8, blocks: 1}, neck: none}
objective: {inter_weight: 0, intra_weight: 0}
sampler: {kind: shuffle, batch_size: 8}
train: {epochs: 12, optimizer: adamw, learning_rate: 2.0e-2, accelerator: cpu}
test: {clips: 2}
"""

# Ignored where a shell runs the tests in the background, and by all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No deadline: the machine may be busy. In CI the same examples every time, so that a change is
# judged by what it changes; elsewhere new ones, so that faults are found.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no worker begins one while the other is done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden data and recordings; the test is skipped where it is absent."""
    given = os.environ.get("ACLNET_SHARED")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "golden").is_dir():
        pytest.skip(f"the reference material is not at {folder}; set ACLNET_SHARED to its folder")
    return folder


@pytest.fixture
def case(shared: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copy a case of `../shared/cases/wrong_values` by its name; an archive is unpacked."""
    folder = shared / "cases" / "wrong_values"
    if not folder.is_dir():
        pytest.skip(f"the cases are not at {folder}")

    def copied(name: str) -> Path:
        target = tmp_path / "cases" / name
        target.parent.mkdir(exist_ok=True)
        if (folder / f"{name}.tar.gz").is_file():
            with tarfile.open(folder / f"{name}.tar.gz") as archive:
                archive.extractall(target.parent, filter="data")
        else:
            shutil.copy(folder / name, target)
        return target

    return copied


class Outcome(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


Call = Callable[..., Outcome]


@pytest.fixture(scope="session")
def call() -> Call:
    """Call `aclnet-task`, as its console script does, and check the exit code (None: any)."""

    def run(*arguments: object, code: int | None = 0) -> Outcome:
        from tasks.cli import main

        out, err, found = io.StringIO(), io.StringIO(), 0
        with (
            mock.patch.object(sys, "argv", ["aclnet-task", *map(str, arguments)]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as end:
                found = int(end.code or 0)
        assert code in (None, found), (found, err.getvalue())
        return Outcome(found, out.getvalue(), err.getvalue())

    return run


WITHOUT_TORCH = """
import sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "lightning_fabric"):
            raise ImportError(f"No module named {name!r}")

sys.meta_path.insert(0, Refusal())
"""


@pytest.fixture(scope="session")
def without_torch() -> Callable[..., str]:
    """Run Python code where torch is not installed, and give what it prints."""

    def run(code: str, *arguments: object) -> str:
        command = [sys.executable, "-c", WITHOUT_TORCH + code, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


Ready = Callable[..., Started]


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    """Start `python ARGUMENTS...` as a process of its own, without waiting for imports."""
    door = tmp_path_factory.mktemp("ready") / "door"
    program = [sys.executable, "-P", str(Path(__file__).with_name("ready.py")), str(door)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"

    def start(
        *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Started:
        return Started(door, arguments, env, cwd, tmp_path_factory.mktemp("texts"))

    try:
        yield start
    finally:
        server.kill()
        server.communicate()


@pytest.fixture
def ranks(ready: Ready) -> Callable[..., list[tuple[str, str]]]:
    """Run `python ARGUMENTS...` as two ranks, as torchrun starts them; what each wrote."""

    def run(*arguments: object) -> list[tuple[str, str]]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        world = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
        world |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
        started = [
            ready(*arguments, env={**world, "RANK": rank, "LOCAL_RANK": rank}) for rank in "01"
        ]
        try:
            texts = [process.communicate() for process in started]
        finally:
            for process in started:
                process.kill()
        assert [process.returncode for process in started] == [0, 0], texts
        return texts

    return run


@pytest.fixture(scope="session")
def assert_same_run() -> Callable[..., None]:
    """Check that two folders hold one run to the last bit, but for the seconds that it took."""

    def check(one: Path, other: Path, log: bool = True) -> None:
        import torch

        from aclnet.training.checkpoint import load_checkpoint
        from aclnet.training.log import read_log

        files, found = ({item.name for item in run.iterdir()} for run in (one, other))
        assert files == found
        first, second = (load_checkpoint(run / "checkpoint.pt") for run in (one, other))
        for mine, theirs in (
            (first["task"], second["task"]),
            (first["optimizer"]["state"], second["optimizer"]["state"]),
        ):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=0)
        if log:
            lines, others = (
                [line | {"seconds": 0} for line in read_log(run / "log.jsonl")]
                for run in (one, other)
            )
            assert lines == others
        if "record.json" in files:
            for name in files & {"embeddings.npz", "scores.npz"}:
                with np.load(one / name) as mine, np.load(other / name) as theirs:
                    assert mine.files == theirs.files
                    for key in mine.files:
                        np.testing.assert_array_equal(mine[key], theirs[key])
            records = [json.loads((run / "record.json").read_text()) for run in (one, other)]
            assert records[0]["metrics"] == records[1]["metrics"]

    return check


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
    call("gait", "train", "-c", recipe, "--run", run, "--cache", cache)
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


def _gesture(kind: str, seed: int, length: int = 16) -> np.ndarray:
    """(T, 2, 17, 2): somebody whose wrists go up ("raise") or who stands ("stand"), and nobody."""
    layout = load_layout("coco17")
    generator = np.random.default_rng(seed)
    pose = np.random.default_rng(0).normal(size=(17, 2))
    frames = np.zeros((length, 2, 17, 2), dtype=np.float32)
    frames[:, 0] = pose + generator.normal(scale=0.01, size=(length, 17, 2))
    if kind == "raise":
        wrists = [layout.index("left_wrist"), layout.index("right_wrist")]
        frames[:, 0, wrists, 1] -= np.linspace(0, 6, length)[:, None]
    return frames


@pytest.fixture(scope="session")
def gesture() -> Callable[..., np.ndarray]:
    """Make a gesture of a kind and seed."""
    return _gesture


@pytest.fixture
def clips_file(tmp_path: Path) -> Callable[..., Path]:
    """Write recordings (T, M, V, C) of COCO's joints into an `.npz`."""

    def write(name: str, *recordings: np.ndarray, joints: str = "coco17") -> Path:
        offsets, names = np.cumsum([0, *map(len, recordings)]), np.array(load_layout(joints).joints)
        path = tmp_path / name
        np.savez(path, joints=np.concatenate(recordings), offsets=offsets, joint_names=names)
        return path

    return write


@pytest.fixture(scope="session")
def gesture_run(call: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of action recognition that tells the two gestures apart."""
    folder = tmp_path_factory.mktemp("gestures")
    layout = load_layout("coco17").to_dict()
    info = StoreInfo(name="tiny", layout=layout, channels=("x", "y"), unit="normalised")
    samples = [
        Sample(
            f"{kind}{i}", _gesture(kind, i), identity=str(i), label=kind,
            split="train" if i < 6 else "test",
        )
        for i in range(8)
        for kind in ("raise", "stand")
    ]  # fmt: skip
    write_store(folder / "store", samples, info)
    (folder / "tiny.yaml").write_text(GESTURES_RECIPE)
    call(
        "action", "train", "-c", folder / "tiny.yaml", "--data", folder / "store",
        "--run", folder / "run", "--cache", folder / "cache",
    )  # fmt: skip
    return folder / "run"
