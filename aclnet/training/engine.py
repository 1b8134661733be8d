"""The training loop: one page, independent of tasks, with exact resume.

Read `_Loop.run` from top to bottom. Each optimizer step is a pure function of the task's and the
optimizer's state and of (seed, epoch, step, rank): its batch, learning rate, augmentation and
dropout come from these, never from a generator that earlier steps advanced. So a run resumed from a
checkpoint equals, bit for bit on a CPU, the uninterrupted run.

Ranks differ in their share of the batch and in their random numbers: rank r seeds augmentation and
dropout with r, so that no two clips of a global batch are changed alike. Two ranks equal one with
the joined batch if neither is random and no layer normalises over a rank's share alone: batch norms
do, unless `sync_batch_norm` is set.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from aclnet.distributed import every_rank, gather_objects, in_agreement, require_same
from aclnet.progress import Report
from aclnet.training.batches import BatchSource, Position, Prefetcher
from aclnet.training.events import EVENTS, EventLog
from aclnet.training.log import FINISHED, RunLog, read_log
from aclnet.training.machine.interrupts import Interrupted, StopRequest
from aclnet.training.machine.launch import make_fabric, reproducible
from aclnet.training.machine.speed import accelerated
from aclnet.training.optimizers import set_step
from aclnet.training.progress import RunProgress
from aclnet.training.settings import TrainSettings
from aclnet.training.state import RunState, load_run, save_run
from aclnet.training.stepper import Stepper
from aclnet.training.task import Trainable
from aclnet.training.watch import FiniteWatch, NonFiniteLossError, RunningMeans

CHECKPOINT, BEST, LOG = "checkpoint.pt", "best.pt", "log.jsonl"

Evaluate = Callable[[nn.Module, int], dict[str, float]]


def fit(
    task: Trainable,
    source: BatchSource,
    settings: TrainSettings,
    run_dir: Path,
    *,
    evaluate: Evaluate | None = None,
    resume: bool = False,
    fabric: Fabric | None = None,
    report: Report | None = None,
    recipe: str = "",
) -> RunState:
    """Train a task.

    The run folder gets `checkpoint.pt` (the last), `best.pt` if `keep_best` is set, and
    `log.jsonl` with a line every `log_every_steps` and every epoch; with `tensorboard` set, these
    as events too. Only rank 0 writes.

    Args:
        task: trained in place, on the run's device; in evaluation mode afterwards.
        source: batches by epoch and step.
        settings: length, optimizer, precision, bookkeeping.
        run_dir: the run's folder; created if needed.
        evaluate: called on every rank after an epoch with the task (evaluation mode, no gradient)
            and the 1-based epoch; returns metrics by name, of which rank 0's count.
        resume: continue from the folder's checkpoint; if there is none yet, start.
        fabric: launched device and ranks; by default made from `settings` (torchrun's ranks).
        report: takes one sentence an epoch, and shows a bar if it can (`aclnet.progress`).
        recipe: YAML of all resolved settings, saved in the checkpoint.

    Returns:
        The state at the end, with the run's seconds and the last epoch's metrics.

    Raises:
        ValueError: the folder holds a run and `resume` is off; the checkpoint does not belong to
            this run; the source is empty.
        NonFiniteLossError: a loss or gradient is NaN or infinite. No checkpoint holds that step.
        Interrupted: SIGINT, SIGTERM or SIGHUP was received; everything is saved.
        OSError: a file cannot be written; the last checkpoint is whole.
    """
    path = run_dir / CHECKPOINT
    if source.steps_per_epoch < 1:
        raise ValueError("the source has no batch: check the data, or lower the batch size")
    if path.exists() and not resume:
        raise ValueError(f"{path} already exists: resume that run or choose another folder")
    fabric = fabric or make_fabric(settings)
    state, optimizer_state = RunState(), None

    def saved() -> tuple[RunState, Any] | None:
        return load_run(path, task, settings, source.steps_per_epoch) if path.exists() else None

    found = in_agreement(saved)
    if found is not None:
        state, optimizer_state = found
    require_same(
        (state.epoch, state.step),
        f"not every rank finds the same checkpoint in {run_dir}: with several machines the run's "
        "folder must be on a disk that all of them see",
    )
    with ExitStack() as stack:
        stack.enter_context(reproducible(settings, fabric.device))
        remark = report if report is not None and fabric.global_rank == 0 else _unsaid
        stack.enter_context(accelerated(task, settings, remark))
        loop = _Loop(task, source, settings, run_dir, evaluate, fabric, state, recipe)
        if optimizer_state is not None:
            loop.stepper.optimizer.load_state_dict(optimizer_state)
        loop.open(stack, report)
        loop.run()
    task.eval()
    return loop.state


def _unsaid(_: str) -> None:
    """A remark that nobody reads."""


@dataclass
class _Loop:
    """The loop, with the arguments of `fit`."""

    task: Trainable
    source: BatchSource
    settings: TrainSettings
    run_dir: Path
    evaluate: Evaluate | None
    fabric: Fabric
    state: RunState
    recipe: str

    def __post_init__(self) -> None:
        self.steps = self.source.steps_per_epoch
        self.stepper = Stepper(self.task, self.settings, self.fabric)
        self.means = RunningMeans(self.state.means)
        self.finite = FiniteWatch(self.fabric.device)
        self.started = time.perf_counter() - self.state.seconds

    def open(self, stack: ExitStack, report: Report | None) -> None:
        """Open all that must be closed however the run ends."""
        rank, world = self.fabric.global_rank, self.fabric.world_size
        on_gpu = self.fabric.device.type == "cuda"
        self.stop = stack.enter_context(StopRequest())
        self.batches = stack.enter_context(Prefetcher(self.source, rank, world, pin=on_gpu))
        self.log: RunLog | None = None
        self.events: EventLog | None = None
        if rank == 0:
            self.log = stack.enter_context(RunLog(self.run_dir / LOG, self.state.log_lines))
        if rank == 0 and self.settings.tensorboard:
            kept = read_log(self.run_dir / LOG)
            self.events = stack.enter_context(EventLog(self.run_dir / EVENTS, kept))
        done = (self.state.epoch - 1) * self.steps + self.state.step
        self.progress = stack.enter_context(
            RunProgress(report if rank == 0 else None, self.settings.epochs, self.steps, done)
        )

    def run(self) -> None:
        """Train from the state's position to the last epoch."""
        for epoch in range(self.state.epoch, self.settings.epochs + 1):
            self.task.set_epoch(epoch)
            self.task.train()
            for step in range(self.state.step, self.steps):
                stop = self._train_step(epoch, step)
                self.state.step = step + 1
                if stop:
                    self._save_and_stop()
            self._finish_epoch(epoch)
        # Only now: the last epoch's line is written before its checkpoint is.
        epochs = self.settings.epochs
        self._write(FINISHED, epochs, epochs * self.steps, {})

    def _train_step(self, epoch: int, step: int) -> bool:
        """One optimizer step; True if a rank is asked to stop after it."""
        done = (epoch - 1) * self.steps + step
        batch = self.batches.get((epoch, step), self._following(epoch, step))
        rate = set_step(self.stepper.optimizer, self.settings, done, self.steps)
        losses, total, norm = self.stepper.backward(batch, epoch, step)
        self.finite.watch(total, norm, done)
        # Before the update, so that no bad value enters the weights if the host checks each step.
        stop = self._agree() if self._host_waits(done) else False
        self.stepper.apply()
        self.means.merge(losses)
        shown = None
        if (done + 1) % self.settings.log_every_steps == 0:
            values = losses.averages(self.fabric)
            shown = values["loss"]
            self._write("step", epoch, done + 1, {**values, "learning_rate": rate})
        self.progress.step(epoch, shown)
        return stop

    def _host_waits(self, done: int) -> bool:
        """Whether to wait for the device at this step; the same on every rank."""
        asked = self.fabric.world_size == 1 and self.stop.requested
        last = (done + 1) % self.steps == 0
        logged = (done + 1) % self.settings.log_every_steps == 0
        return self.fabric.device.type == "cpu" or asked or last or logged

    def _agree(self) -> bool:
        """Whether any rank is asked to stop; raises if any rank's loss is not finite."""
        stop, failure = self.finite.verdict(self.stop.requested)
        if failure is None:
            return stop
        done, rank, what = failure
        epoch, step = done // self.steps + 1, done % self.steps
        samples = self.batches.names((epoch, step), rank)
        raise NonFiniteLossError(what, epoch, step + 1, samples)

    def _following(self, epoch: int, step: int) -> Position | None:
        if step + 1 < self.steps:
            return epoch, step + 1
        return (epoch + 1, 0) if epoch < self.settings.epochs else None

    def _finish_epoch(self, epoch: int) -> None:
        """Evaluate, write the epoch's lines, and save."""
        done, last = epoch * self.steps, epoch == self.settings.epochs
        train = {f"train/{name}": mean for name, mean in self.means.averages(self.fabric).items()}
        scores: dict[str, float] = {}
        if self.evaluate is not None and (last or epoch % self.settings.evaluate_every_epochs == 0):
            scores = self._evaluate(self.evaluate, epoch)
        seconds = time.perf_counter() - self.started
        self._write("epoch", epoch, done, {**train, "seconds": seconds})
        if scores:
            self._write("evaluation", epoch, done, scores)
        self.means = RunningMeans()
        self.state = replace(
            self.state, epoch=epoch + 1, step=0, metrics={**train, **scores}, seconds=seconds
        )
        best = self.settings.keep_best
        improved = best is not None and self.state.take_best(scores, best)
        # The best is saved first: killed in between, the run repeats the epoch and saves it again.
        if improved:
            self._save(BEST)
        if last or epoch % self.settings.checkpoint_every_epochs == 0:
            self._save(CHECKPOINT)
        self.progress.epoch(epoch, self.state.metrics, seconds)

    def _evaluate(self, evaluate: Evaluate, epoch: int) -> dict[str, float]:
        """The metrics of rank 0; a signal stops the run here too."""
        scores: dict[str, float] | None = None
        if not any(gather_objects(self.stop.requested)):
            # A rank that stops alone would leave the others waiting for its share.
            alone = self.fabric.world_size == 1
            self.task.eval()
            try:
                with (
                    self.stop.at_once() if alone else self.stop.together(),
                    every_rank(),
                    torch.no_grad(),
                ):
                    scores = evaluate(self.task, epoch)
            except KeyboardInterrupt:
                scores = None
            self.task.train()
        scores = self.fabric.broadcast(scores)
        if scores is None:
            self._save_and_stop()
        return scores or {}

    def _write(self, kind: str, epoch: int, step: int, values: dict[str, float]) -> None:
        if self.log is not None:
            self.log.write(kind, epoch=epoch, step=step, values=values)
        if self.events is not None:
            self.events.write(kind, epoch=epoch, step=step, values=values)

    def _save(self, name: str) -> None:
        """Write a checkpoint; all ranks wait for it."""
        self.state.seconds = time.perf_counter() - self.started
        self.state.means = self.means.state(self.fabric)
        if self.log is not None:
            self.state.log_lines = self.log.lines
            save_run(
                self.run_dir / name,
                self.task,
                self.stepper.optimizer,
                self.state,
                self.settings,
                self.steps,
                self.recipe,
            )
        self.fabric.barrier()

    def _save_and_stop(self) -> None:
        self._save(CHECKPOINT)
        raise Interrupted(
            f"stopped at epoch {self.state.epoch}, after step {self.state.step} of {self.steps}; "
            f"everything is saved in {self.run_dir / CHECKPOINT}: resume with the same command and "
            "--resume, without --overwrite",
            self.stop.number,
        )
