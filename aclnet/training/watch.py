"""Means and finiteness of losses, kept on the device so that the host rarely waits for it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from lightning_fabric import Fabric
from torch import Tensor

from aclnet.distributed import all_gather_rows, world_size

_NONE = -1


class RunningMeans:
    """Weighted means of named scalars.

    Args:
        state: from the `state` of an earlier object, to continue it.
    """

    def __init__(self, state: Mapping[str, tuple[float, float]] | None = None) -> None:
        saved = state or {}
        self._sums: dict[str, Tensor | float] = {name: pair[0] for name, pair in saved.items()}
        self._weights = {name: pair[1] for name, pair in saved.items()}

    def add(self, values: Mapping[str, Tensor], weight: int) -> None:
        """Add one observation of each scalar.

        Args:
            values: scalars, on any device; the host does not wait for them.
            weight: number of clips they are means of.
        """
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + weight * value.detach().double()
            self._weights[name] = self._weights.get(name, 0.0) + weight

    def merge(self, other: RunningMeans) -> None:
        """Add all observations of another object."""
        for name, total in other._sums.items():
            self._sums[name] = self._sums.get(name, 0.0) + total
            self._weights[name] = self._weights.get(name, 0.0) + other._weights[name]

    def averages(self, fabric: Fabric) -> dict[str, float]:
        """Mean of each scalar, averaged over the ranks, which must all call this at once.

        Args:
            fabric: connects the ranks.

        Returns:
            Plain numbers, the same on every rank.
        """
        return {name: total / weight for name, (total, weight) in self.state(fabric).items()}

    def state(self, fabric: Fabric) -> dict[str, tuple[float, float]]:
        """Sum and weight of each scalar, averaged over the ranks, which must all call this at once.

        Args:
            fabric: connects the ranks.

        Returns:
            Plain numbers, the same on every rank; exact with a single rank.
        """
        names = sorted(self._sums)
        if not names:
            return {}
        device, dtype = fabric.device, torch.float64
        sums = [torch.as_tensor(self._sums[name], dtype=dtype, device=device) for name in names]
        weights = torch.tensor([self._weights[name] for name in names], dtype=dtype, device=device)
        table = torch.stack([torch.stack(sums), weights], dim=1)
        if fabric.world_size > 1:
            table = torch.as_tensor(fabric.all_reduce(table, reduce_op="mean"))
        rows = table.tolist()
        return {name: (row[0], row[1]) for name, row in zip(names, rows, strict=True)}


class NonFiniteLossError(ValueError):
    """A loss or gradient is NaN or infinite; the message names the batch.

    Args:
        what: "loss" or "gradient".
        epoch: 1-based epoch of the batch.
        step: 1-based step within the epoch.
        samples: names of the samples in the rank's share of the batch.
    """

    def __init__(self, what: str, epoch: int, step: int, samples: list[str]) -> None:
        more = f" and {len(samples) - 8} more" if len(samples) > 8 else ""
        super().__init__(
            f"the {what} is not finite at epoch {epoch}, step {step}, in the batch of "
            f"{', '.join(samples[:8])}{more}; nothing of this step was saved: check these samples "
            "(aclnet-task data validate), or lower the learning rate"
        )
        self.epoch, self.step, self.samples = epoch, step, samples


class FiniteWatch:
    """Records, on the device, the first step whose loss or gradient was not finite.

    Args:
        device: where losses are computed.
    """

    def __init__(self, device: torch.device) -> None:
        # The first bad step of the loss and of the gradient.
        self._first = torch.full((2,), _NONE, dtype=torch.int64, device=device)

    def watch(self, loss: Tensor, gradient_norm: Tensor, step: int) -> None:
        """Check one step.

        Args:
            loss: scalar.
            gradient_norm: scalar, norm of all gradients together.
            step: 0-based step since the start of the run.
        """
        finite = torch.stack([loss.detach(), gradient_norm.to(loss)]).isfinite()
        fresh = ~finite & (self._first == _NONE)
        self._first = self._first.masked_fill(fresh, step)

    def verdict(self, stop: bool) -> tuple[bool, tuple[int, int, str] | None]:
        """Findings of all ranks, which must all call this at once; the host waits for the device.

        Args:
            stop: whether this rank was asked to stop.

        Returns:
            Whether any rank was asked to stop, and the first failure as (step, rank, "loss" or
            "gradient"), None if all is finite.
        """
        request = torch.tensor([int(stop)], device=self._first.device)
        findings = torch.cat([self._first, request])
        rows = all_gather_rows(findings[None], [1] * world_size()).tolist()
        failures = [
            (step, what, rank)
            for rank, row in enumerate(rows)
            for what, step in enumerate(row[:2])
            if step != _NONE
        ]
        stop = any(row[2] for row in rows)
        if not failures:
            return stop, None
        # At one step a bad loss is the cause, a bad gradient its effect on every rank.
        step, what, rank = min(failures)
        return stop, (step, rank, ("loss", "gradient")[what])
