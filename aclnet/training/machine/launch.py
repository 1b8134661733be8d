"""The device, the ranks and the precision of a run, through lightning Fabric."""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.plugins.precision import MixedPrecision, Precision
from lightning_fabric.strategies.ddp import DDPStrategy

from aclnet.training.settings import TrainSettings

# Rank 0 writes the tables while the others wait; a full gallery may take long.
_PATIENCE = timedelta(hours=4)
_NAMES = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def make_fabric(settings: TrainSettings) -> Fabric:
    """Fabric for one CPU or GPU, or for the ranks started by torchrun.

    Args:
        settings: `accelerator` and `precision`.

    Returns:
        A launched Fabric: one process by itself, or one of WORLD_SIZE ranks.

    Raises:
        ValueError: CUDA is set and not available, or WORLD_SIZE is set without the rest of what
            torchrun sets.
    """
    accelerator = settings.accelerator
    if accelerator == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "accelerator: cuda is set but torch finds no CUDA device; set accelerator: cpu or "
            "auto, or install a CUDA build of torch"
        )
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator == "cuda":
        # cuBLAS reads this once in a process, when it is first used, and torch refuses to multiply
        # deterministically without it: a later run may want to.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    lowered = settings.precision == "bf16-mixed"
    world, local = _ranks()
    fabric = Fabric(
        accelerator=accelerator,
        strategy=DDPStrategy(timeout=_PATIENCE) if world > 1 else "auto",
        devices=local,
        num_nodes=world // local,
        # Not detected: a single process inside a cluster's job must stay a single process.
        plugins=[
            TorchElasticEnvironment() if world > 1 else LightningEnvironment(),
            _Bfloat16Compute("bf16-mixed", device=accelerator) if lowered else Precision(),
        ],
    )
    fabric.launch()
    if world > 1:
        atexit.register(_leave)
    return fabric


def join_ranks(settings: TrainSettings) -> None:
    """Be one of the ranks that torchrun started, for work without training; alone do nothing.

    Raises:
        ValueError: as `make_fabric`.
    """
    if _ranks()[0] > 1:
        make_fabric(settings)


def _ranks() -> tuple[int, int]:
    """All ranks, and those of this machine, as torchrun or a cluster's job tells them."""
    given = {name: os.environ.get(name) for name in ("WORLD_SIZE", *_NAMES)}
    world = given["WORLD_SIZE"] or "1"
    lacking = [name for name in _NAMES if not given[name]]
    if world != "1" and lacking:
        raise ValueError(
            f"WORLD_SIZE is {world}, but {', '.join(lacking)} is not set: start the command with "
            "torchrun, or unset WORLD_SIZE"
        )
    local = os.environ.get("LOCAL_WORLD_SIZE", world)
    if not (world.isdecimal() and local.isdecimal() and 0 < int(local) <= int(world)):
        raise ValueError(
            f"WORLD_SIZE {world!r} and LOCAL_WORLD_SIZE {local!r} are not the numbers of processes "
            "in all and on this machine: start the command with torchrun, or unset them"
        )
    return int(world), int(local)


def _leave() -> None:
    """Destroy the process group, which networks hold, while Python still runs.

    Freed with the interpreter it sometimes aborts ("terminate called without an active exception").
    """
    gc.collect()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    gc.collect()


@contextmanager
def reproducible(settings: TrainSettings, device: torch.device) -> Iterator[None]:
    """Restore torch's global state after a run: random generators, and determinism if it was set.

    Args:
        settings: `deterministic`.
        device: device of the run.
    """
    was = torch.are_deterministic_algorithms_enabled()
    if settings.deterministic:
        torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        torch.use_deterministic_algorithms(was)


def seed_torch(seed: int, device: torch.device) -> None:
    """Seed the generators that dropout draws from, on the CPU and on the run's own device."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


class _Bfloat16Compute(MixedPrecision):
    """bfloat16 autocast that leaves the clips in float32.

    Fabric's own rounds the input to 8 bits of mantissa before the model subtracts joints and
    frames from each other; autocast still uses bfloat16 for the products.
    """

    def convert_input(self, data: Any) -> Any:
        return data
