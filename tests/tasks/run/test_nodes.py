"""torchrun on two machines, played by two of its agents on this one with folders of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aclnet.training.checkpoint import load_checkpoint
from protocols.embeddings import load_embeddings

SAME = (
    "train={sync_batch_norm: true, optimizer: sgd, learning_rate: 0.05, epochs: 1}",
    "network.dropout=0",
    "network.encoder={name: temporal_conv, width: 8, blocks: 1, dropout: 0}",
    "clip.augment={mirror: 0, joint_noise: 0, point_noise: 0, scale: 0, rotate: 0}",
)
"""Nothing random differs between ranks."""


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def nodes(folders: Sequence[Path], *arguments: object) -> list[subprocess.CompletedProcess[str]]:
    """Run the command by one torchrun a folder, each with one process."""
    port = free_port()
    started = []
    for number, folder in enumerate(folders):
        folder.mkdir(exist_ok=True)
        command = [
            *(sys.executable, "-m", "torch.distributed.run", "--nnodes", str(len(folders))),
            *("--nproc-per-node", "1", "--node-rank", str(number)),
            *("--master-addr", "127.0.0.1", "--master-port", port, "-m", "tasks"),
            *map(str, arguments),
        ]
        started.append(
            subprocess.Popen(
                command,
                cwd=folder,
                env=os.environ
                | {
                    "OMP_NUM_THREADS": "1",
                    "GLOO_SOCKET_IFNAME": "lo",
                    "PYTHONPATH": str(Path(__file__).parents[3]),
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        texts = [process.communicate(timeout=200) for process in started]
    finally:
        for process in started:
            process.kill()
    return [
        subprocess.CompletedProcess(process.args, process.returncode, *text)
        for process, text in zip(started, texts, strict=True)
    ]


def workers(ready: Any, folders: Sequence[Path], *arguments: object) -> list[tuple[int, str]]:
    """The processes that these would start, without them; exit codes and errors."""
    world = {"WORLD_SIZE": str(len(folders)), "LOCAL_WORLD_SIZE": "1", "LOCAL_RANK": "0"}
    world |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "GLOO_SOCKET_IFNAME": "lo"}
    started = [
        ready("-m", "tasks", *arguments, cwd=folder, env=world | {"RANK": str(rank)})
        for rank, folder in enumerate(folders)
    ]
    try:
        errors = [process.communicate()[1] for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, text) for process, text in zip(started, errors, strict=True)]


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.timeout(600)
def test_two_machines_train_and_embed_as_one(
    ready: Any, recipe: Path, tmp_path: Path, call: Callable[..., Any], cache: Path
) -> None:
    sets = [part for setting in SAME for part in ("-s", setting)]
    alone, *both = (tmp_path / name for name in ("alone", "near", "far"))
    train = ("gait", "train", "-c", recipe, *sets)
    call(*train, "-r", alone, "--cache", cache)
    train = (*train, "-r", "run", "--cache", "stores")
    for done in nodes(both, *train):
        assert done.returncode == 0, done.stderr
    one, two = (load_checkpoint(run / "checkpoint.pt")["task"] for run in (alone, both[0] / "run"))
    torch.testing.assert_close(two, one, rtol=1e-3, atol=1e-4)
    # Each machine made its own data; only the first wrote a run, and the tables.
    assert sorted(path.name for path in both[1].iterdir()) == ["stores"]
    assert "everything is in run" not in done.stdout

    shutil.copytree(both[0] / "run", both[1] / "run")
    embed = ("gait", "embed", "-r", "run", "--cache", "stores", "--out", "out.npz")
    for code, errors in workers(ready, both, *embed):
        assert code == 0, errors
    shared, own = (load_embeddings(both[0] / name) for name in ("out.npz", "run/embeddings.npz"))
    np.testing.assert_array_equal(shared.embedding, own.embedding)
    assert not (both[1] / "out.npz").exists()

    # The checkpoint is on one machine only.
    shutil.rmtree(both[1] / "run")
    for code, errors in workers(ready, both, *train, "--resume"):
        assert code != 0
        assert "not every rank finds the same checkpoint in run" in errors
