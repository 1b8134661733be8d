r"""Effect of the settings of a training step, each against the same step without it, on this CPU.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_step.py [--compile] \
        [--json results/benchmarks/step.json]

Forward and backward pass and update of the released backbone, by the processor time of this
process, in turn. A ratio below 1 says that the setting costs time. `--compile` adds torch.compile,
which takes minutes. bf16 rounds more; the others compute the same up to rounding. The row of memory
is GiB kept for the backward pass instead of seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from bench_backbone import kept_bytes, loss, pair
from bench_evaluation import timed
from ratios import ratio, write

from aclnet.models.affinity_gcn import AffinityGcnSettings
from aclnet.training.machine.speed import accelerated
from aclnet.training.optimizers import build_optimizer
from aclnet.training.settings import TrainSettings

SETTINGS: dict[str, dict[str, Any]] = {
    "off": {},
    "activation_checkpointing": {"activation_checkpointing": True},
    "channels_last": {"channels_last": True},
    "fused_optimizer": {"fused_optimizer": True},
    "bf16-mixed": {"precision": "bf16-mixed"},
}


def make_step(changes: dict[str, Any], clips: torch.Tensor, stack: ExitStack) -> Callable[[], None]:
    """A training step under these settings, which hold until the stack is closed; warm."""
    settings = TrainSettings(**changes)
    _, model = pair(AffinityGcnSettings(), clips.shape[3])
    model.train()
    optimizer = build_optimizer(model, settings)
    stack.enter_context(accelerated(model, settings, print))
    lowered = settings.precision == "bf16-mixed"

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=lowered):
            found = loss(model, clips)
        found.backward()
        optimizer.step()
        optimizer.zero_grad()

    run()
    return run


def main() -> None:
    """Measure, print, and write."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("--batch", type=int, default=8)
    made.add_argument("--frames", type=int, default=40)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--compile", action="store_true")
    made.add_argument("--json", type=Path)
    arguments = made.parse_args()
    torch.set_num_threads(1)
    clips = torch.randn(arguments.batch, 2, arguments.frames, 25, 3)
    chosen = SETTINGS | ({"compile": {"compile": True}} if arguments.compile else {})
    with ExitStack() as stack:
        works = {name: make_step(one, clips, stack) for name, one in chosen.items()}
        times = timed(works, arguments.rounds)
    size = f"{arguments.batch} clips of 2 x {arguments.frames} frames"
    without = "without the setting"
    rows = [
        ratio(f"training step with {name}, {size}", without, seconds, times["off"])
        for name, seconds in times.items()
        if name != "off"
    ]
    _, model = pair(AffinityGcnSettings(), 25)
    settings = TrainSettings(activation_checkpointing=True)
    whole = kept_bytes(model, clips) / 2**30
    with accelerated(model, settings, print):
        few = kept_bytes(model, clips) / 2**30
    work = f"kept for the backward pass with activation_checkpointing, {size}"
    rows.append(ratio(work, without, [few], [whole], "GiB"))
    write("step", rows, arguments.json)


if __name__ == "__main__":
    main()
