"""From encoder to network: neck, dropout and classifier."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from aclnet.models.encoder import EncoderOutput

_CLASSIFIER_STD = 0.01  # of the initial weights, in the released code and in BNNeck


class NetworkOutput(NamedTuple):
    """Output of the network for N clips.

    Attributes:
        logits: (N, K) class scores before softmax.
        pooled: (N, D) representation, before the neck.
        graph: (N, G) dynamic joint graph, or None where the encoder gives none.
        embedding: (N, D) representation after the neck: what retrieval compares.
        stages: (N, D', T', V) features after the encoder's stages, where it keeps them.
    """

    logits: Tensor
    pooled: Tensor
    graph: Tensor | None
    embedding: Tensor
    stages: tuple[Tensor, ...] = ()


class SkeletonNetwork(nn.Module):
    """An encoder with its classifier.

    With `neck="bn"` the pooled feature passes a batch normalisation without shift before a
    classifier without bias (BNNeck: Luo et al. 2019, "Bag of tricks and a strong baseline for deep
    person re-identification", section 3.3), so that metric losses see the feature before it, and
    the classifier and retrieval the one after it.

    Args:
        encoder: has `feature_dim` and returns `EncoderOutput` for clips (N, M, T, V, C).
        class_count: K.
        neck: "none" or "bn".
        dropout: share of the embedding's entries dropped before the classifier.
        generator: source of the classifier's initial weights; None: torch's default generator.

    Raises:
        ValueError: fewer than one class, a dropout outside 0 to below 1, or an unknown neck.
    """

    def __init__(
        self,
        encoder: nn.Module,
        class_count: int,
        neck: Literal["none", "bn"] = "none",
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if class_count < 1:
            raise ValueError(f"class_count must be at least 1, got {class_count}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
        if neck not in ("none", "bn"):
            raise ValueError(f"neck must be 'none' or 'bn', got {neck!r}")
        feature_dim = encoder.feature_dim
        if not isinstance(feature_dim, int):
            raise ValueError(f"the encoder's feature_dim must be an int, got {feature_dim!r}")
        self.encoder = encoder
        self.neck = nn.BatchNorm1d(feature_dim) if neck == "bn" else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(feature_dim, class_count, bias=neck == "none")
        nn.init.normal_(self.classifier.weight, std=_CLASSIFIER_STD, generator=generator)
        if neck == "none":
            nn.init.zeros_(self.classifier.bias)
        else:
            self.neck.get_parameter("bias").requires_grad_(False)  # stays zero

    def forward(self, clips: Tensor) -> NetworkOutput:
        """Classify and embed clips (N, M, T, V, C).

        Raises:
            ValueError: the clips do not fit the encoder.
        """
        encoded: EncoderOutput = self.encoder(clips)
        embedding = self.neck(encoded.pooled)
        logits = self.classifier(self.dropout(embedding))
        return NetworkOutput(logits, encoded.pooled, encoded.graph, embedding, encoded.stages)
