"""Batches, their source, and fetching them ahead."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

Position = tuple[int, int]
"""1-based epoch and 0-based step within it."""


@dataclass(frozen=True)
class Batch:
    """A rank's share of one global batch.

    Args:
        clips: (N, M, T, V, C) float32.
        labels: (N,) int64 class of each clip.
        samples: N names, for messages.
        widths: (N,) float32 widths of the clips' videos in pixels, for `augment.image_flip`; else
            None.

    Raises:
        ValueError: they differ in length, or there is no clip.
    """

    clips: Tensor
    labels: Tensor
    samples: list[str]
    widths: Tensor | None = None

    def __post_init__(self) -> None:
        sizes = (len(self.clips), len(self.labels), len(self.samples))
        if len(set(sizes)) > 1 or not sizes[0]:
            raise ValueError(
                "expected as many clips as labels and sample names, and at least one, got "
                f"{sizes[0]} clips, {sizes[1]} labels and {sizes[2]} names; with several ranks "
                "every batch needs at least one sample (or identity) for each rank"
            )
        if self.widths is not None and len(self.widths) != sizes[0]:
            raise ValueError(f"expected {sizes[0]} widths, one per clip, got {len(self.widths)}")


class BatchSource(Protocol):
    """Batches by their position in the run."""

    @property
    def steps_per_epoch(self) -> int:
        """Number of global batches in every epoch."""

    def batch(self, epoch: int, step: int, rank: int, world: int) -> Batch:
        """A rank's share of a global batch.

        It must depend on its arguments only: the engine fetches ahead in another thread, and
        resumes in the middle of an epoch.

        Args:
            epoch: 1-based.
            step: 0-based, below `steps_per_epoch`.
            rank: which share.
            world: number of shares.
        """


class Prefetcher:
    """Fetches the next batch in one background thread.

    Args:
        source: where batches come from; called by one thread at a time.
        rank: this process's share.
        world: number of shares.
        pin: put batches into page-locked memory, from which a GPU copies asynchronously.
    """

    def __init__(self, source: BatchSource, rank: int, world: int, pin: bool) -> None:
        self._source, self._rank, self._world, self._pin = source, rank, world, pin
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aclnet-batches")
        self._ahead: tuple[Position, Future[Batch]] | None = None

    def get(self, position: Position, following: Position | None) -> Batch:
        """Return the batch at a position and start to fetch the following one.

        Args:
            position: epoch and step.
            following: the next position; None at the end.

        Returns:
            This rank's share.
        """
        if self._ahead is not None and self._ahead[0] == position:
            future = self._ahead[1]
        else:
            future = self._thread.submit(self._fetch, position)
        if following is not None:
            self._ahead = following, self._thread.submit(self._fetch, following)
        return future.result()

    def names(self, position: Position, rank: int) -> list[str]:
        """The sample names of any rank's share, fetched again."""
        epoch, step = position
        share = self._thread.submit(self._source.batch, epoch, step, rank, self._world)
        return share.result().samples

    def _fetch(self, position: Position) -> Batch:
        batch = self._source.batch(*position, self._rank, self._world)
        return _changed(batch, Tensor.pin_memory) if self._pin else batch

    def __enter__(self) -> Prefetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """A batch with its tensors on a device, without waiting for the copy."""
    return _changed(batch, lambda tensor: tensor.to(device, non_blocking=True))


def _changed(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """A batch with each of its tensors changed."""
    widths = None if batch.widths is None else change(batch.widths)
    return replace(batch, clips=change(batch.clips), labels=change(batch.labels), widths=widths)
