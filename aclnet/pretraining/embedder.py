"""An encoder with a projection: clips to feature maps, pooled features and embeddings."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.losses.term import at_least_float32, full_precision
from aclnet.models.encoder import Encoder, person_weights, reset_layers

MASK_FLOOR = 1e-5
"""Added to the sum of a mask before dividing by it, as in the authors' code."""


class Embedding(NamedTuple):
    """Output of an embedder for N clips.

    Attributes:
        map: (N, M, D, T', V) features before pooling, any floating type.
        persons: (N, M) weights of the persons in a mean over them.
        pooled: (N, D) mean over frames, joints and persons, at least float32.
        raw: (N, P) projection of `pooled`, not of unit length.
    """

    map: Tensor
    persons: Tensor
    pooled: Tensor
    raw: Tensor


class Projector(nn.Module):
    """Two linear layers with a ReLU between, computed in float32 or better.

    Args:
        feature_dim: D, width of the hidden layer too.
        projection_dim: P.
        generator: source of the initial weights; None: torch's default generator.
    """

    def __init__(
        self, feature_dim: int, projection_dim: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.hidden = nn.Linear(feature_dim, feature_dim)
        self.out = nn.Linear(feature_dim, projection_dim)
        reset_layers(self, generator)

    def forward(self, pooled: Tensor) -> Tensor:
        """Project (N, D) to (N, P)."""
        with full_precision(pooled.device):
            hidden = self.hidden(at_least_float32(pooled)).relu()
            projected: Tensor = self.out(hidden)
            return projected


class Embedder(nn.Module):
    """An encoder that has a feature map, and a projection of its pooled feature.

    Args:
        encoder: one whose output has a `map`.
        projector: of its `feature_dim`.

    Raises:
        ValueError: it has none.
    """

    def __init__(self, encoder: Encoder, projector: Projector) -> None:
        super().__init__()
        if not encoder.has_map:
            raise ValueError(
                f"{type(encoder).__name__} has no features of single joints and frames, which "
                "this pre-training needs: choose another network.encoder, such as st_gcn"
            )
        self.encoder = encoder
        self.projector = projector

    def forward(self, clips: Tensor) -> Embedding:
        """Embed clips (N, M, T, V, C).

        Raises:
            ValueError: the clips do not fit the encoder.
        """
        output = self.encoder(clips)
        pooled = at_least_float32(output.pooled)
        persons = person_weights(clips, self.encoder.absent_persons)
        return Embedding(output.map, persons, pooled, self.projector(pooled))


def pool(features: Tensor, persons: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean of a feature map over frames and joints, then over persons.

    With a mask it is the weighted mean of each person ("semantic-aware feature pooling": Lin et
    al., "Actionlet-Dependent Contrastive Learning for Unsupervised Skeleton-Based Action
    Recognition", CVPR 2023); a person without any weight has the feature zero.

    Args:
        features: (N, M, D, T', V).
        persons: (N, M), each row sums to one.
        mask: (N, M, T', V), not negative; None: all weigh alike.

    Returns:
        (N, D).
    """
    if mask is None:
        by_person = features.mean(dim=(3, 4))
    else:
        by_person = (features * mask.unsqueeze(2)).sum(dim=(3, 4))
        by_person = by_person / (mask.sum(dim=(2, 3)).unsqueeze(2) + MASK_FLOOR)
    return (by_person * persons.unsqueeze(2)).sum(dim=1)


def unit(embeddings: Tensor) -> Tensor:
    """Embeddings (N, P) divided by their length."""
    return functional.normalize(embeddings, dim=1)
