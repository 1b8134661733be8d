"""Base of the encoders, and what they share: weights of persons, initial weights of layers.

An encoder maps clips to one pooled feature, and perhaps one joint graph, a clip. What only some
objectives need besides is in the output where `Encoder.kept` names it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from aclnet.models.settings import EncoderSettings, Part
from aclnet.skeleton import Layout

AbsentPersons = Literal["count", "ignore"]
"""`count`: a zero-padded person weighs as much as a real one; `ignore`: it weighs nothing."""


class EncoderOutput(NamedTuple):
    """Output of an encoder for N clips.

    Attributes:
        pooled: (N, D) representation, averaged over persons.
        graph: (N, G) dynamic joint graph, or None where the encoder learns none or leaves it out.
        map: (N, M, D, T', V) features before pooling, or None where the encoder has none by joints.
            Its mean over frames and joints, then over persons (`person_weights` with the
            encoder's `absent_persons`) is `pooled`.
        stages: (N, D', T', V) features after each of the encoder's stages, averaged over persons,
            the last stage last; empty where they are left out.
    """

    pooled: Tensor
    graph: Tensor | None
    map: Tensor | None = None
    stages: tuple[Tensor, ...] = ()


class Encoder(nn.Module):
    """Base of the encoders: their sizes and the check of their input.

    Attributes:
        feature_dim: D, width of `EncoderOutput.pooled`.
        graph_dim: G, width of `EncoderOutput.graph`; None without graph.
        joint_count: V.
        channels: C.
        absent_persons: how a zero-padded person weighs in `pooled`.
        has_map: whether there is an `EncoderOutput.map`.
        stage_ends: blocks, from 1, that end a stage; empty where there are no `stages` to keep.
        kept: what the output holds beside what costs nothing. An objective sets it before training.
    """

    feature_dim: int
    graph_dim: int | None
    absent_persons: AbsentPersons = "ignore"
    has_map: bool = False
    stage_ends: tuple[int, ...] = ()
    kept: frozenset[Part] = frozenset()

    def __init__(self, joint_count: int, channels: int) -> None:
        super().__init__()
        self.joint_count = joint_count
        self.channels = channels

    def check_clips(self, clips: Tensor) -> None:
        """Refuse clips of another shape than this encoder was built for.

        Args:
            clips: should be (N, M, T, V, C).

        Raises:
            ValueError: not five axes, other V or C, or no person or no frame.
        """
        wanted = f"(N, M, T, V={self.joint_count}, C={self.channels})"
        given = tuple(clips.shape)
        if clips.ndim != 5 or given[3:] != (self.joint_count, self.channels):
            raise ValueError(
                f"{type(self).__name__} was built for clips {wanted} but got {given}; "
                "map the data to the model's joint layout, or build the model for this one"
            )
        if given[1] == 0 or given[2] == 0:
            raise ValueError(
                f"{type(self).__name__} needs at least one person and one frame in clips {wanted} "
                f"but got {given}; drop empty samples first"
            )

    def ends_stage(self, block: int) -> bool:
        """Whether the features after a block, from 1, are kept."""
        return "stages" in self.kept and block in self.stage_ends

    def mean_output(
        self,
        features: Tensor,
        clips: Tensor,
        bodies: Tensor | None = None,
        graph: Tensor | None = None,
        stages: Sequence[Tensor] = (),
    ) -> EncoderOutput:
        """The output from that of each person.

        Args:
            features: (N * M, D), the persons of one clip in successive rows.
            clips: (N, M, T, V, C), the input.
            bodies: (N * M, D, T', V), of which the features are the mean, where there are joints.
            graph: (N * M, G), where there is one.
            stages: (N * M, D', T', V) each, where they are kept.
        """
        weights = person_weights(clips, self.absent_persons)
        return EncoderOutput(
            mean_over_persons(features, weights),
            None if graph is None else mean_over_persons(graph, weights),
            by_person(bodies, clips),
            tuple(
                mean_over_persons(stage.flatten(1), weights).view(-1, *stage.shape[1:])
                for stage in stages
            ),
        )


def build_encoder(
    settings: EncoderSettings,
    layout: Layout,
    channels: int,
    generator: torch.Generator | None = None,
) -> Encoder:
    """Build the encoder that the settings name.

    Args:
        settings: of the encoder, with its sizes.
        layout: joint layout of the clips (V joints).
        channels: C, input channels of the clips.
        generator: source of the initial weights; None: torch's default generator.

    Returns:
        An encoder of clips (N, M, T, V, C) with `feature_dim` and `graph_dim`.

    Raises:
        ValueError: fewer than one channel, or settings that do not fit the layout.
    """
    if channels < 1:
        raise ValueError(f"clips need at least one channel, got channels={channels}")
    return settings.build(layout, channels, generator)


def person_weights(clips: Tensor, absent: AbsentPersons = "ignore") -> Tensor:
    """Weight of each person in the mean over persons.

    Args:
        clips: (N, M, T, V, C); a person who is absent is zero throughout.
        absent: what an absent person weighs.

    Returns:
        (N, M) weights of the clips' dtype. Each row sums to one; in a clip without anybody all
        persons weigh the same.

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


def by_person(bodies: Tensor | None, clips: Tensor) -> Tensor | None:
    """The rows (N * M, ...) of clips (N, M, ...) as (N, M, ...), a view; None stays None."""
    return None if bodies is None else bodies.view(*clips.shape[:2], *bodies.shape[1:])


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


def reset_layers(module: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw the weights of all convolutions and linear layers below `module`.

    The distribution is PyTorch's own default for these layers (He et al. 2015 with a = sqrt 5):
    weight and bias uniform in plus or minus 1 / sqrt(fan-in). Normalisations keep weight 1, bias 0.

    Args:
        module: changed in place, layer by layer in the order of definition.
        generator: source of the draws, on the parameters' device; None: torch's default generator.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            bound = 1.0 / math.sqrt(layer.weight[0].numel())
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            if layer.bias is not None:
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
