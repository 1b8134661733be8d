"""What every encoder is: clips in, one pooled feature (and perhaps one joint graph) a clip out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn

from aclnet.config import Settings

if TYPE_CHECKING:
    import torch

    from aclnet.skeleton import Layout


class EncoderOutput(NamedTuple):
    """What an encoder says of N clips.

    Attributes:
        pooled: (N, D) representation, averaged over persons.
        graph: (N, V * V) dynamic joint graph, or None where the encoder learns none.
    """

    pooled: Tensor
    graph: Tensor | None


class Encoder(nn.Module):
    """Base of the encoders: the sizes that they promise and the check of what they are given.

    Attributes:
        feature_dim: D, width of `EncoderOutput.pooled`.
        graph_dim: width of `EncoderOutput.graph`; None where there is none.
        joint_count: V.
        channels: C.
    """

    feature_dim: int
    graph_dim: int | None

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
                f"but got {given}; drop empty samples before"
            )


class EncoderSettings(Settings, ABC):
    """Base of the encoders' settings; a concrete class adds `name`, its own fields and `build`."""

    @abstractmethod
    def build(
        self, layout: Layout, channels: int, generator: torch.Generator | None = None
    ) -> Encoder:
        """Make the encoder.

        Args:
            layout: joint layout of the clips (V joints).
            channels: C, input channels of the clips.
            generator: source of the initial weights; None: torch's default generator.

        Raises:
            ValueError: the settings do not fit the layout or the channels.
        """
