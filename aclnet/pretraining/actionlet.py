"""The actionlet: which joints and frames of a clip show motion, found without labels.

Lin et al., "Actionlet-Dependent Contrastive Learning for Unsupervised Skeleton-Based Action
Recognition", CVPR 2023, sections 3.2 and 3.4, as released. A static anchor, the embedding of the
mean of a batch's clips, stands for no motion; where a feature map speaks against likeness to the
anchor (gradient-weighted class activation), there is motion.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from aclnet.distributed import all_gather_rows
from aclnet.losses.term import at_least_float32, full_precision
from aclnet.pretraining.embedder import Embedder, Embedding, Projector, pool, unit


@torch.no_grad()
def static_anchor(slow: Embedder, clips: Tensor, counts: Sequence[int]) -> Tensor:
    """The embedding of the mean clip of the batch of all ranks.

    The paper takes the mean of the data set, the released code that of the batch.

    Args:
        slow: the momentum embedder; in training mode this is a forward pass of its own.
        clips: (N, M, T, V, C) of this rank, the key's view.
        counts: clips of each rank; one count: nothing is exchanged.

    Returns:
        (1, P), not of unit length.
    """
    sums = clips.sum(dim=0, keepdim=True)
    if len(counts) > 1:
        sums = all_gather_rows(sums, [1] * len(counts))
    embedded: Embedding = slow(sums.sum(dim=0, keepdim=True) / sum(counts))
    return embedded.raw


@torch.no_grad()
def activation_weights(
    embedding: Embedding, projector: Projector, anchor: Tensor, batch: int
) -> Tensor:
    """How each channel of a feature map speaks for unlikeness to the anchor (alpha).

    The gradient of 1 - s, s the mean cosine of the batch's embeddings with the anchor, in the
    feature map. The map is only averaged before the projection, so that its gradient is that of
    the pooled feature, divided by the number of entries of the mean: no backward pass of the
    encoder is needed.

    Args:
        embedding: of N clips.
        projector: the one that made it.
        anchor: (1, P).
        batch: number of clips in the mean, those of all ranks.

    Returns:
        (N, M, D).
    """
    T, V = embedding.map.shape[3:]
    with torch.enable_grad():
        pooled = embedding.pooled.detach().requires_grad_()
        unlike = -functional.cosine_similarity(projector(pooled), anchor.detach()).sum() / batch
        (gradient,) = torch.autograd.grad(unlike, pooled)
    return gradient.unsqueeze(1) * embedding.persons.unsqueeze(2) / (T * V)


@torch.no_grad()
def activation(features: Tensor, weights: Tensor, parts: Tensor) -> Tensor:
    """Activation of each joint in each frame: the positive evidence, averaged over body parts.

    The paper smooths it by the adjacency matrix, the released code by the mean of each body part.

    Args:
        features: (N, M, D, T', V).
        weights: (N, M, D) from `activation_weights`.
        parts: (P, V) bool, every joint in exactly one part.

    Returns:
        (N, M, T', V), not negative.
    """
    with full_precision(features.device):
        evidence = torch.einsum("nmdtv,nmd->nmtv", features.to(weights.dtype), weights)
        member = parts.to(weights.dtype)
        share = member.t() @ (member / member.sum(dim=1, keepdim=True).clamp(min=1))
        return (evidence / features.shape[2]).relu() @ share.t()


def mask_of(activated: Tensor, sharpness: float | None) -> Tensor:
    """The actionlet, 1 inside and 0 outside.

    Args:
        activated: from `activation`.
        sharpness: activation from which the mask is 1; below it falls to 0. The released code has
            1e-8, which makes the mask depend on the batch's size and the features' scale where
            activations are as small. None: 1 wherever there is any activation.

    Returns:
        As `activated`, float32 in 0..1.
    """
    if sharpness is None:
        return (activated > 0).float()
    return (activated / sharpness).clamp(max=1).float()


def locate(
    embedding: Embedding,
    projector: Projector,
    anchor: Tensor,
    parts: Tensor,
    *,
    sharpness: float | None = None,
    batch: int | None = None,
) -> Tensor:
    """Find the actionlets of N clips.

    Args:
        embedding: of the clips.
        projector: the one that made it.
        anchor: (1, P) from `static_anchor`.
        parts: (P, V) bool, every joint in exactly one part.
        sharpness: see `mask_of`.
        batch: number of clips of all ranks; None: N.

    Returns:
        (N, M, T', V) float32 in 0..1, without gradient.
    """
    count = len(embedding.pooled) if batch is None else batch
    weights = activation_weights(embedding, projector, anchor, count)
    return mask_of(activation(embedding.map, weights, parts), sharpness)


@torch.no_grad()
def actionlet_key(embedding: Embedding, projector: Projector, mask: Tensor) -> Tensor:
    """The key of each clip: half of the plain and half of the actionlet's embedding.

    Args:
        embedding: of N clips.
        projector: the one that made it.
        mask: (N, M, T', V).

    Returns:
        (N, P) of unit length.
    """
    with full_precision(mask.device):
        inside = pool(at_least_float32(embedding.map), embedding.persons, mask)
        return unit((embedding.raw + projector(inside)) / 2)
