"""Where training waits for the device: by file and line, and zero is the goal.

First the steps of a recipe of each method, with pinned batches; then the whole loop of a run on
walkers, prefetching and logging included, but for the steps at which it means to wait.
"""

from __future__ import annotations

import collections
import os
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from report import CUDA, DEVICE, ROOT, SMALL, WORK, close, command, holds, say

import aclnet.training.engine as engine
from aclnet.runs.networks import build_network, weight_generator
from aclnet.training.machine.launch import make_fabric
from aclnet.training.stepper import Stepper
from aclnet.training.watch import FiniteWatch
from tasks.cost.measure import _RandomClips
from tasks.cost.run import plan_costs
from tasks.spec import find_task

RECIPES = (
    "action/ntu60_xsub",
    "action/k400",
    "gait/casia_b",
    "gait/kgbd",
    "reid/kgbd_transg",
    "pretrain/ntu60_xsub",
    "pretrain/ntu60_xsub_actclr",
    "pretrain/ntu60_xsub_masked",
)
found: collections.Counter[str] = collections.Counter()


def note(message: Any, category: Any, filename: str, line: int, *_: Any) -> None:
    """Count a wait by the innermost line of this project."""
    if "synchroniz" not in str(message).lower():
        return
    here = str(ROOT)
    frames = reversed(traceback.extract_stack()[:-1])
    own = (f for f in frames if f.filename.startswith(here) and "tests/gpu" not in f.filename)
    frame = next(own, None)
    if frame is not None:
        filename, line = os.path.relpath(frame.filename, here), frame.lineno or 0
    found[f"{filename}:{line}"] += 1


@contextmanager
def watched() -> Iterator[None]:
    if CUDA:
        torch.cuda.set_sync_debug_mode("warn")
    try:
        yield
    finally:
        if CUDA:
            torch.cuda.set_sync_debug_mode("default")


def steps(recipe: str) -> None:
    """Two steps that may make index tensors and state, then three that may not wait."""
    (plan,) = plan_costs([recipe])
    train = plan.settings.train.model_copy(update={"accelerator": DEVICE.type})
    clips = _RandomClips(plan.settings, plan.kind, 4)
    generator, batch = weight_generator(0), clips.batch
    network = build_network(plan.settings.network, plan.kind.classes, clips.input, generator)
    blocks = [(clips.prepared, batch.labels)]
    task = find_task(plan.task).adapter.trainable(
        plan.settings, network, clips.input, generator, lambda: blocks
    )
    if CUDA:
        batch = replace(batch, clips=batch.clips.pin_memory(), labels=batch.labels.pin_memory())
    stepper, finite = Stepper(task, train, make_fabric(train)), FiniteWatch(DEVICE)
    task.train()
    start = max(plan.settings.objective.first_epoch(plan.settings.train.epochs), 1)
    task.set_epoch(start)

    def step(number: int) -> None:
        _, total, norm = stepper.backward(batch, start + 1, number)
        finite.watch(total, norm, number)
        stepper.apply()

    step(0)
    task.set_epoch(start + 1)
    step(1)
    found.clear()
    with watched():
        for number in range(2, 3 if SMALL else 5):
            step(number)
    holds(
        f"no step of {recipe} waits", not found, watched=CUDA, by_line=dict(found.most_common(20))
    )


def loop() -> None:
    """A whole run."""
    counted = [0]
    whole = engine._Loop._train_step

    def step(self: Any, epoch: int, number: int) -> bool:
        if number < 3 or self._host_waits((epoch - 1) * self.steps + number):
            return bool(whole(self, epoch, number))
        counted[0] += 1
        with watched():
            return bool(whole(self, epoch, number))

    engine._Loop._train_step = step  # type: ignore[method-assign]
    found.clear()
    changes = ("objective.start_epoch=0", f"train.accelerator={DEVICE.type}", "train.epochs=3")
    options = [part for one in changes for part in ("-s", one)]
    code, _ = command("gait", "train", "--run", str(WORK / "waits"), "--overwrite", *options)
    holds("the run ends", not code)
    say("steps of the loop", watched=counted[0] if CUDA else 0)
    holds("no step of the loop waits", not found, by_line=dict(found.most_common(20)))


def main() -> None:
    warnings.showwarning = note  # type: ignore[assignment]
    warnings.simplefilter("always")
    for recipe in RECIPES[3:5] if SMALL else RECIPES:
        steps(recipe)
    if not SMALL:
        loop()
    close()


if __name__ == "__main__":
    main()
