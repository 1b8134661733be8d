"""Running means of losses on the device, read by the host only when they are written down."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from lightning_fabric import Fabric
from torch import Tensor


class RunningMeans:
    """Weighted means of named scalars.

    Args:
        state: what `state` gave for an earlier object, to go on from.
    """

    def __init__(self, state: Mapping[str, tuple[float, float]] | None = None) -> None:
        self._sums: dict[str, Tensor | float] = {}
        self._weights: dict[str, float] = {}
        for name, (total, weight) in (state or {}).items():
            self._sums[name], self._weights[name] = total, weight

    def add(self, values: Mapping[str, Tensor], weight: int) -> None:
        """Add one observation of each scalar.

        Args:
            values: scalars, on any device; the host does not wait for them.
            weight: clips that they are means of.
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
        """Mean of each scalar, averaged over the ranks; every rank must ask at the same time.

        Args:
            fabric: reaches the other ranks.

        Returns:
            Plain numbers, the same on every rank.
        """
        return {name: total / weight for name, (total, weight) in self.state(fabric).items()}

    def state(self, fabric: Fabric) -> dict[str, tuple[float, float]]:
        """Sum and weight of each scalar, averaged over the ranks, which must all ask at once.

        Args:
            fabric: reaches the other ranks.

        Returns:
            Plain numbers, the same on every rank; without other ranks exact.
        """
        names = sorted(self._sums)
        if not names:
            return {}
        pairs = [
            torch.stack(
                [
                    torch.as_tensor(number, dtype=torch.float64, device=fabric.device)
                    for number in (self._sums[name], self._weights[name])
                ]
            )
            for name in names
        ]
        table = torch.stack(pairs)
        if fabric.world_size > 1:
            table = torch.as_tensor(fabric.all_reduce(table, reduce_op="mean"))
        rows = table.tolist()
        return {name: (row[0], row[1]) for name, row in zip(names, rows, strict=True)}
