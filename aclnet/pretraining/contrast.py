"""What stage 1 compares: embeddings of views with their own key and with a queue of other keys.

Guo et al., "Contrastive Learning from Extremely Augmented Skeleton Sequences for Self-Supervised
Action Recognition" (AimCLR), AAAI 2022.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from aclnet.distributed import all_gather_rows

DROP_ENERGY = 0.7
"""Attention from which joints and frames are dropped."""

_ENERGY_FLOOR = 1e-4


def key_logits(query: Tensor, key: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """Cosines of queries with their own keys and with those of the queue, over the temperature.

    Args:
        query: (N, P) of unit length.
        key: (N, P) of unit length.
        queue: (Q, P) of unit length.
        temperature: tau.

    Returns:
        (N, 1 + Q), the own key first.
    """
    own = (query * key).sum(dim=1, keepdim=True)
    return torch.cat([own, query @ queue.t()], dim=1) / temperature


def info_nce(logits: Tensor) -> Tensor:
    """Cross-entropy of each query's own key among all keys: () mean over (N, 1 + Q)."""
    return (logits.logsumexp(dim=1) - logits[:, 0]).mean()


def divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """Cross-entropy of a view's distribution over the keys with another view's.

    The distributional divergence minimisation of AimCLR, section 3.3. The teacher is a constant.

    Args:
        teacher: (N, 1 + Q) logits of the ordinary view.
        student: (N, 1 + Q) logits of another view.

    Returns:
        () mean over N.
    """
    return functional.cross_entropy(student, teacher.detach().softmax(dim=1))


def nearest_keys(views: tuple[Tensor, ...], count: int) -> Tensor:
    """Each query's own key, and the queue's keys nearest to any of its views.

    The nearest neighbours mining of AimCLR, section 3.4.

    Args:
        views: logits (N, 1 + Q) of each view.
        count: neighbours of each view; all keys where the queue has fewer.

    Returns:
        (N, 1 + Q) bool.
    """
    positive = torch.zeros_like(views[0], dtype=torch.bool)
    positive[:, 0] = True
    count = min(count, positive.shape[1] - 1)
    for logits in views:
        positive.scatter_(1, 1 + logits[:, 1:].topk(count, dim=1).indices, True)
    return positive


def positive_nce(logits: Tensor, positive: Tensor) -> Tensor:
    """As `info_nce` with several positive keys, averaged over them, then over N.

    Args:
        logits: (N, 1 + Q).
        positive: (N, 1 + Q) bool, at least one a row.

    Returns:
        ().
    """
    of_query = (logits.log_softmax(dim=1) * positive).sum(dim=1) / positive.sum(dim=1)
    return -of_query.mean()


def drop_energetic(features: Tensor, counts: Sequence[int]) -> Tensor:
    """Set the joints and frames that stand out most to zero, and scale the rest up.

    The energy-based attention-guided drop of AimCLR, section 3.3, as released: with d the
    deviation from a body's mean over frames and joints, the attention is the sigmoid of
    d^2 / (4 (sum of d^2 / (T' V - 1) + 1e-4)) + 1/2. Joints are dropped by its mean over channels
    and frames, then single values by their own. The scale is the same for the batch of all ranks.

    Args:
        features: (N, M, D, T', V).
        counts: clips of each rank; one count: nothing is exchanged.

    Returns:
        (N, M, D, T', V).
    """
    T, V = features.shape[3:]
    deviation = (features - features.mean(dim=(3, 4), keepdim=True)).square()
    spread = deviation.sum(dim=(3, 4), keepdim=True) / max(1, T * V - 1)
    attention = (deviation / (4 * (spread + _ENERGY_FLOOR)) + 0.5).sigmoid()
    for place in (attention.mean(dim=(2, 3), keepdim=True), attention):
        kept = (place < DROP_ENERGY).to(features.dtype)
        share = kept.flatten(1).mean(dim=1)
        if len(counts) > 1:
            share = all_gather_rows(share, counts)
        features = features * (kept / share.mean().clamp(min=1 / features[0].numel()))
    return features
