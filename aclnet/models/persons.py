"""How the persons of a clip share in its representation."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

AbsentPersons = Literal["count", "ignore"]
"""`count`: a zero-padded person weighs as much as a real one; `ignore`: it weighs nothing."""


def person_weights(clips: Tensor, absent: AbsentPersons = "ignore") -> Tensor:
    """Weight of each person in the mean over persons.

    Args:
        clips: (N, M, T, V, C); a person who is absent is zero throughout.
        absent: what an absent person weighs.

    Returns:
        (N, M) weights of the clips' dtype. Each row sums to one, also that of a clip without
        anybody, whose persons then weigh the same.

    >>> import torch
    >>> clips = torch.ones(1, 2, 4, 3, 3)
    >>> clips[0, 1] = 0
    >>> person_weights(clips).tolist()
    [[1.0, 0.0]]
    >>> person_weights(clips, "count").tolist()
    [[0.5, 0.5]]
    """
    present = (clips != 0).flatten(2).any(dim=2)
    if absent == "count":
        present = present.new_ones(present.shape)
    else:
        present = present | ~present.any(dim=1, keepdim=True)
    weights = present.to(clips.dtype)
    return weights / weights.sum(dim=1, keepdim=True)


def mean_over_persons(features: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over persons.

    Args:
        features: (N * M, D), the persons of one clip in successive rows.
        weights: (N, M) from `person_weights`.

    Returns:
        (N, D).
    """
    count, persons = weights.shape
    if persons == 1:
        return features
    per_person = features.reshape(count, persons, -1)
    return (per_person * weights.to(features.dtype).unsqueeze(-1)).sum(dim=1)
