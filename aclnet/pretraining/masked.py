"""Masked motion prediction: from few tokens of a clip, how the joints of the others move.

Mao et al., "Masked motion predictors are strong 3D action representation learners" (MAMP), ICCV
2023. Tokens that move much are masked more often; an encoder sees the others, and a decoder
predicts the motion, not the place, of the masked ones.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from aclnet.clips.joints import present
from aclnet.distributed import row_counts
from aclnet.losses.term import at_least_float32, full_precision, rank_share
from aclnet.memory import require_memory
from aclnet.models.joint_transformer import (
    JointTransformer,
    Positions,
    TransformerBlock,
    cut,
    reset_transformer,
)
from aclnet.pretraining.settings import MaskedSettings

_VARIANCE_FLOOR = 1e-6
_STILL = 1e-12
_MASK_STD = 0.02


class Motion(NamedTuple):
    """What the tokens' joints do, frame by frame.

    Attributes:
        steps: (B, L, segment * dims) displacement over the motion stride; 0 where not `known`.
        known: of the same shape, whether the joint was seen in both frames.
    """

    steps: Tensor
    known: Tensor


class Decoder(nn.Module):
    """Predicts every token from the encoded visible ones.

    Args:
        encoder: whose tokens are decoded.
        settings: sizes.
        outputs: values of a prediction.
        generator: source of the initial weights; None: torch's default generator.
    """

    def __init__(
        self,
        encoder: JointTransformer,
        settings: MaskedSettings,
        outputs: int,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        width = settings.width
        self.enter = nn.Linear(encoder.feature_dim, width)
        self.mask = nn.Parameter(torch.zeros(width))
        self.positions = Positions(encoder.position_count, encoder.joint_count, width)
        self.blocks = nn.Sequential(
            *(TransformerBlock(width, settings.heads) for _ in range(settings.blocks))
        )
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, outputs)
        reset_transformer(self, generator)
        nn.init.normal_(self.mask, std=_MASK_STD, generator=generator)

    def forward(self, visible: Tensor, ranks: Tensor, segments: int) -> Tensor:
        """Predict all tokens.

        Args:
            visible: (B, K, D) encoded, in the order of the masking.
            ranks: (B, L) int64, each token's place in that order; from K on it is masked.
            segments: S, L = S * V.

        Returns:
            (B, L, outputs).
        """
        entered = self.enter(visible)
        count, kept, width = entered.shape
        masked = self.mask.to(entered.dtype).expand(count, ranks.shape[1] - kept, -1)
        tokens = rows(torch.cat([entered, masked], dim=1), ranks)
        tokens = tokens + self.positions(segments).view(-1, width)
        predicted: Tensor = self.out(self.norm(self.blocks(tokens)))
        return predicted


class MaskedMotion(nn.Module):
    """Mean squared error of the predicted motion of masked tokens.

    The loss is a mean over clips, of each the mean over the masked tokens of its persons. Joints
    and persons that are not there, and a clip's last frames, whose motion is unknown, carry none,
    and a clip without any has the loss 0. (The published code, as remembered, averages over all
    masked tokens of a batch, with a motion of 0 in the last frames.)

    With several ranks the averages of the loss and of its gradient over the ranks are those of the
    joined batch, for the same masks.

    Args:
        encoder: to train.
        settings: sizes, masking, motion.
        dims: coordinates a joint, the first channels of the clips.
        generator: source of the decoder's initial weights; None: torch's default generator.

    Raises:
        ValueError: the encoder is another, or the decoder does not fit into memory.
    """

    def __init__(
        self,
        encoder: nn.Module,
        settings: MaskedSettings,
        dims: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(encoder, JointTransformer):
            raise ValueError(
                f"masked motion prediction needs network.encoder joint_transformer, whose tokens "
                f"can be left out, and not {type(encoder).__name__}"
            )
        self.encoder, self.settings, self.dims = encoder, settings, dims
        outputs = encoder.segment * dims
        with torch.device("meta"):  # shapes only
            sizes = [4 * w.numel() for w in Decoder(encoder, settings, outputs, None).parameters()]
        require_memory(sum(sizes), "the decoder's weights", "masked.width or masked.blocks")
        self.decoder = Decoder(encoder, settings, outputs, generator)

    def forward(self, clips: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Mask tokens and predict their motion.

        Args:
            clips: (N, M, T, V, C), coordinates first.
            generator: of the masks, on the clips' device.

        Returns:
            `loss`, ().
        """
        with torch.no_grad():
            motion = self.motion(clips)
            order = self.draw(motion, generator)
        return self.compare(clips, motion, order)

    def draw(self, motion: Motion, generator: torch.Generator) -> Tensor:
        """Draw the masking order (B, L) of clips with this motion (see `masking_order`)."""
        return masking_order(motion.steps, self.settings.temperature, generator)

    def motion(self, clips: Tensor) -> Motion:
        """The motion of the tokens of clips (N, M, T, V, C), B = N * M."""
        stride, dims = self.settings.motion_stride, self.dims
        seen = present(clips, dims).flatten(0, 1).unsqueeze(-1)
        places = at_least_float32(clips[..., :dims]).flatten(0, 1)
        known, steps = torch.zeros_like(places, dtype=torch.bool), torch.zeros_like(places)
        known[:, :-stride] = seen[:, stride:] & seen[:, :-stride]
        steps[:, :-stride] = places[:, stride:] - places[:, :-stride]
        length = self.encoder.segment
        return Motion(cut(steps * known, length).flatten(1, 2), cut(known, length).flatten(1, 2))

    def compare(self, clips: Tensor, motion: Motion, order: Tensor) -> dict[str, Tensor]:
        """As `forward`, with a given masking order (B, L)."""
        tokens = self.encoder.tokens(clips)
        segments, tokens = tokens.shape[1], tokens.flatten(1, 2)
        kept = kept_tokens(tokens.shape[1], self.settings.mask_ratio)
        ranks = order.argsort(dim=1)
        visible = self.encoder.attend(rows(tokens, order[:, :kept]))
        predicted = self.decoder(visible, ranks, segments)
        counts = row_counts(clips) if self.training else (len(clips),)
        with full_precision(clips.device):
            weight = motion.known & (ranks >= kept).unsqueeze(-1)
            loss = masked_error(at_least_float32(predicted), motion.steps, weight, len(clips))
        return {"loss": loss * rank_share(len(clips), counts)}


def masked_error(predicted: Tensor, steps: Tensor, weight: Tensor, clips: int) -> Tensor:
    """Mean squared error of the tokens' motion, less its mean and divided by its deviation.

    Args:
        predicted: (B, L, E).
        steps: (B, L, E) the motion; no gradient goes to it.
        weight: bool (B, L, E), what counts.
        clips: N; B is a multiple.

    Returns:
        (), the mean over clips of each one's mean.
    """
    steps = steps.detach()
    variance = steps.var(dim=-1, keepdim=True)
    target = (steps - steps.mean(dim=-1, keepdim=True)) / (variance + _VARIANCE_FLOOR).sqrt()
    counted = weight.to(predicted.dtype).view(clips, -1)
    error = (predicted - target).square().view(clips, -1) * counted
    return (error.sum(dim=1) / counted.sum(dim=1).clamp(min=1)).mean()


def masking_order(steps: Tensor, temperature: float | None, generator: torch.Generator) -> Tensor:
    """Draw the order in which tokens stay visible; the last ones are masked.

    One after the other is drawn for masking, with the probabilities softmax(i / (temperature *
    max i)) among those that are left, i being a token's mean absolute motion: the largest sums of
    logarithms of these probabilities and Gumbel noise (Kool et al. 2019).

    Args:
        steps: (B, L, E) motion of the tokens.
        temperature: the lower, the more masks follow the motion; None: not at all.
        generator: on the same device.

    Returns:
        (B, L) int64, the tokens from the last to the first to be masked.
    """
    intensity = steps.abs().mean(dim=-1)
    # Never 0, since torch draws from the exponential distribution above it.
    noise = -torch.empty_like(intensity).exponential_(generator=generator).log()
    if temperature is not None:
        most = intensity.amax(dim=1, keepdim=True).clamp(min=_STILL)
        noise = noise + intensity / (temperature * most)
    return noise.argsort(dim=1)


def kept_tokens(tokens: int, mask_ratio: float) -> int:
    """How many of a person's tokens stay visible, at least one and not all.

    >>> kept_tokens(750, 0.9), kept_tokens(4, 0.9), kept_tokens(4, 0.01)
    (75, 1, 3)
    """
    return min(max(1, round(tokens * (1 - mask_ratio))), tokens - 1)


def rows(tokens: Tensor, numbers: Tensor) -> Tensor:
    """Each sequence's tokens (B, L, D) of the numbers (B, K), as (B, K, D)."""
    return tokens.gather(1, numbers.unsqueeze(-1).expand(-1, -1, tokens.shape[2]))
