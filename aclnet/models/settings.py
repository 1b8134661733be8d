"""Settings of the network, and the encoders that a recipe may name; no network library is needed.

To add a backbone, write one file with its settings, their `build` and its encoder, and register it
by `register_encoder`: in the list below, or in the file itself where that is in another package.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, SerializationInfo, model_serializer

from aclnet.config import NamedSettings, Settings

if TYPE_CHECKING:
    import torch

    from aclnet.models.encoder import Encoder
    from aclnet.skeleton import Layout


Part: TypeAlias = Literal["graph", "stages"]
"""Parts of an encoder's output that cost time or memory, and that only some objectives need."""


class EncoderSettings(NamedSettings):
    """Base of the encoders' settings; a concrete class adds `name`, its own fields and `build`."""

    @abstractmethod
    def build(self, layout: Layout, channels: int, generator: torch.Generator | None) -> Encoder:
        """Build the encoder.

        Args:
            layout: joint layout of the clips (V joints).
            channels: C, input channels of the clips.
            generator: source of the initial weights; None: torch's default generator.

        Raises:
            ValueError: the settings do not fit the layout or the channels.
        """


def require_whole_heads(width: int, heads: int) -> None:
    """Refuse heads of attention that do not share the width evenly.

    Raises:
        ValueError: they do not.
    """
    if width % heads:
        raise ValueError(f"width must be a multiple of heads, got width {width} and heads {heads}")


class NamedEncoder(EncoderSettings):
    """An encoder's name and options as written, validated when it is built or saved.

    It is used for the default encoder and, in settings that were loaded lightly, for any.
    """

    model_config = ConfigDict(extra="allow")

    def build(self, layout: Layout, channels: int, generator: torch.Generator | None) -> Encoder:
        """Build the encoder (see `EncoderSettings.build`)."""
        return self._read().build(layout, channels, generator)

    def _read(self) -> EncoderSettings:
        return EncoderSettings.model_validate(dict(self))

    @model_serializer
    def _resolved(self, info: SerializationInfo) -> dict[str, Any]:
        return self._read().model_dump(mode=info.mode)


EncoderSettings.unread = NamedEncoder


def register_encoder(name: str, settings: str | type[EncoderSettings]) -> None:
    """Register an encoder under the name that recipes write.

    Args:
        name: one word of letters, digits and underscores, the only value of the settings' `name`.
        settings: their class, or "module:class", imported when a recipe names it.

    Raises:
        ValueError: the name is not such a word, or is that of another encoder.
    """
    EncoderSettings.register(name, settings)


register_encoder("affinity_gcn", "aclnet.models.affinity_gcn:AffinityGcnSettings")
register_encoder("clip_mlp", "aclnet.models.clip_mlp:ClipMlpSettings")
register_encoder("ctr_gcn", "aclnet.models.ctr_gcn:CtrGcnSettings")
register_encoder("joint_transformer", "aclnet.models.joint_transformer:JointTransformerSettings")
register_encoder("resgcn", "aclnet.models.resgcn:ResGcnSettings")
register_encoder("skate_former", "aclnet.models.skate_former:SkateFormerSettings")
register_encoder("st_gcn", "aclnet.models.st_gcn:StGcnSettings")
register_encoder("temporal_conv", "aclnet.models.temporal_conv:TemporalConvSettings")
register_encoder("transg", "aclnet.models.transg:TransgSettings")


class NetworkSettings(Settings):
    """The network: an encoder, the neck after it and the classifier's dropout.

    Attributes:
        encoder: the backbone: its `name`, and its own settings.
        neck: bn: a batch norm between the pooled feature and the classifier; its output is the
            embedding.
        dropout: of the classifier's input.
    """

    encoder: EncoderSettings = NamedEncoder(name="temporal_conv")
    neck: Literal["none", "bn"] = "bn"
    dropout: float = Field(default=0.0, ge=0, lt=1)


def _odd(kernel: int) -> int:
    if kernel % 2 == 0:
        raise ValueError(f"a kernel must be an odd number of frames, got {kernel}")
    return kernel


OddKernel = Annotated[int, Field(ge=1, le=9_999), AfterValidator(_odd)]
"""Frames that a convolution sees, centred on its output frame."""

Dilation = Annotated[int, Field(ge=1, le=10_000)]
"""Distance in frames of the frames that a convolution sees."""
