"""Which joints of clips were found, the middles of some, and who else is in a clip.

Clips are (N, M, T, V, C) as in `aclnet.clips.transforms`: `dims` coordinates, then perhaps the
detector's confidence.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor


@functools.lru_cache(maxsize=256)
def index_tensor(values: tuple[int, ...], device: torch.device) -> Tensor:
    """Joint numbers on a device: int64 (V,). Made once, so that no step waits for a copy."""
    with torch.inference_mode(False):
        return torch.tensor(values, device=device)


def present(clips: Tensor, dims: int) -> Tensor:
    """Which joints were found: confidence above 0, or (without one) any coordinate not 0.

    Returns:
        bool (N, M, T, V).
    """
    if clips.shape[-1] > dims:
        return clips[..., dims] > 0
    return (clips != 0).any(dim=-1)


def midpoint(
    clips: Tensor, seen: Tensor, joints: list[int] | None, dims: int
) -> tuple[Tensor, Tensor]:
    """Mean of the seen joints among some or all (None), and whether any was seen.

    Returns:
        (N, M, T, dims) and (N, M, T).
    """
    if joints is not None:
        clips, seen = at(clips, joints), at(seen, joints)
    # Not a matrix product, which may run in TF32 and would move pixels by half of one.
    weight = seen.to(clips.dtype).unsqueeze(-1)
    count = weight.sum(dim=-2)
    total = (clips[..., :dims] * weight).sum(dim=-2)
    return total / count.clamp(min=1), count.squeeze(-1) > 0


def at(values: Tensor, joints: list[int]) -> Tensor:
    """The values (N, M, T, V, ...) of some joints."""
    return values.index_select(3, index_tensor(tuple(joints), values.device))


def keep_missing(clips: Tensor, coordinates: Tensor, seen: Tensor, dims: int) -> Tensor:
    """New coordinates with the clips' other channels; missing joints go back to zero.

    Args:
        clips: (N, M, T, V, C), for the channels after the coordinates.
        coordinates: (N, M, T, V, dims).
        seen: bool (N, M, T, V), see `present`.
        dims: coordinates a joint.

    Returns:
        (N, M, T, V, C).
    """
    coordinates = coordinates * seen.unsqueeze(-1)
    return torch.cat([coordinates, clips[..., dims:]], dim=-1)


def of_people(values: Tensor, people: Tensor) -> Tensor:
    """The values (N, M, ...) of some people (N, M'): (N, M', ...)."""
    place = people.view(*people.shape, *[1] * (values.ndim - 2))
    return values.gather(1, place.expand(-1, -1, *values.shape[2:]))


def partners(seen: Tensor) -> tuple[Tensor, Tensor]:
    """The other person of each: the first one else who is seen in the clip.

    Args:
        seen: bool (N, M, T, V), see `present`.

    Returns:
        Their numbers (N, M) int64, and whether there is one (N, M).
    """
    there = seen.flatten(2).any(dim=2)
    person = torch.arange(there.shape[1], device=there.device)
    others = there.unsqueeze(1) & (person.unsqueeze(0) != person.unsqueeze(1))  # (N, M, M)
    return others.to(torch.int64).argmax(dim=2), others.any(dim=2)
