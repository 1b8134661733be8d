"""A small training run as a program of its own, to be killed, interrupted or run on ranks."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.training.batches import Batch
from aclnet.training.engine import fit
from aclnet.training.machine.interrupts import Interrupted
from aclnet.training.samplers import ShuffleSampler, rank_slice
from aclnet.training.settings import TrainSettings
from aclnet.training.task import Trainable

COUNT, CLASSES = 40, 3


class Toy(Trainable):
    """One hidden layer, dropout, noise, and a buffer that counts clips."""

    seen: Tensor

    def __init__(self, random: bool) -> None:
        super().__init__()
        self.noise = 0.1 if random else 0.0
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(24, 16),
            nn.Tanh(),
            nn.Dropout(0.2 if random else 0.0),
            nn.Linear(16, CLASSES),
        )
        self.seen = nn.Buffer(torch.zeros(()))

    def augmented(
        self, clips: Tensor, generator: torch.Generator, widths: Tensor | None = None
    ) -> Tensor:
        return clips + self.noise * torch.randn(clips.shape, generator=generator)

    def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        if self.training:
            self.seen += len(labels)
        return {"loss": functional.cross_entropy(self.layers(clips), labels)}


class Source:
    """Made-up clips in batches of 8."""

    def __init__(self, delay: float) -> None:
        generator = np.random.default_rng(0)
        self.clips = torch.from_numpy(generator.normal(size=(COUNT, 1, 4, 3, 2))).float()
        self.labels = torch.from_numpy(generator.integers(CLASSES, size=COUNT))
        self.sampler = ShuffleSampler(COUNT, 8, seed=0)
        self.steps_per_epoch = self.sampler.steps_per_epoch
        self.delay = delay

    def batch(self, epoch: int, step: int, rank: int, world: int) -> Batch:
        time.sleep(self.delay)
        rows = torch.from_numpy(rank_slice(self.sampler.batches(epoch)[step], rank, world))
        return Batch(self.clips[rows], self.labels[rows], [f"clip{row}" for row in rows.tolist()])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--tensorboard", action="store_true")
    given = parser.parse_args(arguments)
    torch.manual_seed(0)
    settings = TrainSettings(
        epochs=given.epochs,
        accelerator="cpu",
        log_every_steps=1,
        optimizer="adamw",
        learning_rate=0.01,
        accumulate_steps=given.accumulate,
        tensorboard=given.tensorboard,
    )
    try:
        fit(
            Toy(given.random),
            Source(given.delay),
            settings,
            given.run_dir,
            resume=given.resume,
            evaluate=lambda task, epoch: {"weight": float(next(task.parameters()).sum())},
        )
    except Interrupted as interrupted:
        raise SystemExit(f"interrupted: {interrupted}") from None


if __name__ == "__main__":
    main()
