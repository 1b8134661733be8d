"""Runs of the command line on the card: bf16 against float32, and the same seed twice."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from report import DEVICE, SMALL, WORK, close, command, holds, say

from aclnet.training.checkpoint import load_checkpoint

LENGTH = ("train.epochs=1", "sampler.steps_per_epoch=2") if SMALL else ("train.epochs=4",)
WALKERS = "data.walkers={identities: 8, views: [0, 90], nm_takes: 6, bg_takes: 2, cl_takes: 2}"
FEW = (WALKERS, "identities={train: 5, validation: 1}") if SMALL else ()
# The temporal branches' pooling and the graph have backward passes of their own on a GPU.
SMALL_GCN = (
    "network.encoder={name: affinity_gcn, width: 12, blocks: 2, widen_at: [2], stride_at: [2]}"
)


def ends_well(*arguments: str) -> bool:
    start = time.perf_counter()
    code, _ = command(*arguments)
    took = round(time.perf_counter() - start, 1)
    holds(f"aclnet-task {' '.join(arguments[:2])} ends well", not code, s=took)
    return not code


def trained(name: str, *settings: str) -> Path | None:
    """Train walkers; the run's folder."""
    run = WORK / name
    chosen = (
        f"train.accelerator={DEVICE.type}",
        "objective.start_epoch=0",
        *LENGTH,
        *FEW,
        *settings,
    )
    options = [part for one in chosen for part in ("-s", one)]
    cache = ("--cache", str(WORK / "stores"))
    line = ("gait", "train", "--run", str(run), "--overwrite", *cache, *options)
    return run if ends_well(*line) else None


def last_losses(run: Path) -> dict[str, float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {k: v for k, v in lines[-2].items() if isinstance(v, float)} if len(lines) > 1 else {}


def weights(run: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_checkpoint(run / "checkpoint.pt")["task"]
    return found


def twice(name: str, *settings: str) -> Path | None:
    """The same seed twice, in deterministic mode."""
    one, other = (trained(f"{name}{i}", "train.deterministic=true", *settings) for i in (1, 2))
    if one is not None and other is not None:
        first, second = weights(one), weights(other)
        equal = all(torch.equal(first[key], second[key]) for key in first)
        holds(f"{name}: the same seed gives the same weights", equal)
    return one


def main() -> None:
    WORK.mkdir(parents=True, exist_ok=True)
    run = twice("walkers")
    if run is not None:
        ends_well("gait", "eval", "--run", str(run))
    if not SMALL:
        twice("gcn", SMALL_GCN)
        runs = trained("float32"), trained("bf16", "train.precision=bf16-mixed")
        if None not in runs:
            full, half = (last_losses(run) for run in runs if run is not None)
            say("last line of the log", float32=full, bf16=half)
    close()


if __name__ == "__main__":
    main()
