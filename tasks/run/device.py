"""Ranks galleries by torch, on a CUDA card, with the proof of `protocols.ranking.proven`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from protocols.ranking.gpu import Block, Nearest, Places
from protocols.ranking.precision import Ties

if TYPE_CHECKING:
    from torch import Tensor

    from aclnet.training.settings import TrainSettings
    from protocols.ranking.engines import Device

_DRIVERS = ("/dev/nvidiactl", "/dev/dxg")
_FAR = 0x7FEF_FFFF_FFFF_FFFF  # the bits of the largest float64: the key of a hidden row, no mate
_SLIGHT = 1 + 2.0**-20
_SIDE = 256


def ranking_device(settings: TrainSettings, asked: Device = "auto") -> Device:
    """Where to rank: as asked for, else on the CPU if that is all that the training may use."""
    return "cpu" if asked == "auto" and settings.accelerator == "cpu" else asked


class TorchEngine:
    """An engine of `protocols.ranking.gpu`; torch is imported where there may be a card.

    Args:
        device: torch's name of it; "cpu" for tests.
        working_bytes: memory that a block of distances may take.
    """

    def __init__(self, device: str = "cuda", working_bytes: int = 1 << 30) -> None:
        self.device, self.working_bytes = device, working_bytes

    def usable(self, needed: int) -> bool:
        """Whether there is such a device, with so many bytes free, that keeps float32's digits."""
        if self.device != "cpu":
            if "torch" not in sys.modules and not any(Path(file).exists() for file in _DRIVERS):
                return False
            import torch

            if not torch.cuda.is_available():
                return False
            # What torch holds for later, as after a training, is free too.
            held = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
            if torch.cuda.mem_get_info()[0] + held < needed:
                return False
        return _keeps_digits(self.device)

    def hold(self, right: npt.NDArray[Any]) -> Tensor:
        """Copy (G, D) to the device."""
        return self._on_device(right)

    def product(self, left: npt.NDArray[Any], held: Tensor) -> Tensor:
        """(B, G) on the device."""
        with _full_digits():
            return self._on_device(left) @ held.t()

    def nearest(self, squared: Tensor, block: Block) -> list[Nearest]:
        """See `protocols.ranking.gpu.Engine`."""
        import torch

        error = self._on_device(block.error)
        if block.hidden is not None:
            squared[self._pairs(block.hidden)] = torch.inf
        found = []
        for columns, mates in block.parts:
            place, column = self._pairs(mates)
            here, values = squared[:, columns], squared[place, column]
            best = torch.full_like(error, torch.inf).scatter_reduce(0, place, values, "amin")
            low, high = best - error, best + error
            near = (values <= high[place]).to(torch.int64)
            others = (here <= high[:, None]).sum(dim=1).index_add(0, place, near, alpha=-1)
            nearer = (here < low[:, None]).sum(dim=1)
            found.append(Nearest(*(each.cpu().numpy() for each in (best, nearer, others))))
        return found

    def places(self, squared: Tensor, block: Block, ties: Ties) -> list[Places]:
        """See `protocols.ranking.gpu.Engine`."""
        import torch

        error = self._on_device(block.error)
        # Twice the error, so that all are above zero: their bits then rise as they do.
        squared += block.shift + 2 * error[:, None] + float(np.finfo(np.float64).tiny)
        keys = squared.view(torch.int64)
        keys |= 1
        for _, mates in block.parts:
            keys[self._pairs(mates)] -= 1
        if block.hidden is not None:
            keys[self._pairs(block.hidden)] = _FAR
        return [
            _mates_in(keys[:, columns].sort(dim=1).values, error, ties)
            for columns, _ in block.parts
        ]

    def _on_device(self, values: npt.NDArray[Any]) -> Tensor:
        import torch

        return torch.from_numpy(values).to(self.device)

    def _pairs(self, pairs: tuple[npt.NDArray[np.int64], ...]) -> tuple[Tensor, ...]:
        return tuple(map(self._on_device, pairs))


def _mates_in(keys: Tensor, error: Tensor, ties: Ties) -> Places:
    """The mates in sorted rows of keys (B, N); their last bit is 0."""
    import torch

    width = max(keys.shape[1], 1)
    flat = keys.reshape(-1)
    at = ((flat & 1) == 0).nonzero()[:, 0]
    row, place = at // width, at % width
    values, near = flat.view(torch.float64), error[row]
    doubtful = torch.zeros(len(keys), dtype=torch.bool, device=keys.device)
    for step, inside in ((-1, place > 0), (1, place < width - 1)):
        mate, other = at[inside], at[inside] + step
        close = (values[mate] - values[other]).abs() <= near[inside]
        if ties == "row":
            close &= (flat[other] & 1) == 1
        doubtful[row[inside][close]] = True
    return Places(*(each.cpu().numpy() for each in (row, place, doubtful)))


@contextmanager
def _full_digits() -> Iterator[None]:
    """Products of float32 without TF32, whatever the training uses."""
    from aclnet.training.machine.speed import tf32

    with tf32(allowed=False, convolutions=False):
        yield


@functools.cache
def _keeps_digits(device: str) -> bool:
    """Whether a product keeps float32's digits: an environment may force TF32 on all of them."""
    import torch

    slight = torch.full((_SIDE, _SIDE), _SLIGHT, device=device)
    with _full_digits():
        return bool((slight @ torch.eye(_SIDE, device=device) == slight).all())
