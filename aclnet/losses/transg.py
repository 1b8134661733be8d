"""TranSG's objective: contrast with class prototypes, and prompted reconstruction.

Rao and Miao, CVPR 2023, after the released code as `spec/reid.md` (b) describes it. GPC, the graph
prototype contrast, compares features of sequences and of single skeletons with one constant
prototype a class (`aclnet.training.prototypes` computes them before each epoch). STPR, the
structure-trajectory prompted reconstruction, restores the joints' coordinates when some joints, or
some frames, are left out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.distributed import row_counts
from aclnet.losses.settings import TransgObjectiveSettings
from aclnet.losses.term import (
    at_least_float32,
    check_batch,
    check_class_count,
    full_precision,
    rank_share,
    unit_rows,
)
from aclnet.models.encoder import reset_layers


class TransgObjective(nn.Module):
    """Prototype contrast and prompted reconstruction, with their heads and prototypes.

    Every parameter takes part in every loss, if only with a weight of zero. The prototypes are
    constant in an epoch, so a loss is a mean over clips: with several ranks each scales its own
    such that the average over the ranks is that of the joined batch, except that each rank (and
    each micro-batch) draws for itself which joints and frames to leave out.

    Departures from the released code: PyTorch's usual initial weights; in evaluation mode nothing
    is left out.

    Args:
        settings: weights and numbers.
        class_count: K classes, at least 2.
        feature_dim: D, channels of a joint's feature.
        clip_shape: (T, V, C) of the clips to restore.
        generator: source of the initial weights; None: torch's default generator.

    Attributes:
        prototypes: (K, D) float32, in every checkpoint; zeros until they are first stored.
        prototype_epoch: () int64, the epoch whose beginning they were computed at; 0 before.

    Raises:
        ValueError: fewer than 2 classes, or a size below 1.
    """

    prototypes: Tensor
    prototype_epoch: Tensor

    def __init__(
        self,
        settings: TransgObjectiveSettings,
        class_count: int,
        feature_dim: int,
        clip_shape: tuple[int, int, int],
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_class_count(class_count)
        if min(feature_dim, *clip_shape) < 1:
            raise ValueError(
                f"the objective needs features and clips (T, V, C) of sizes from 1, got "
                f"{feature_dim} and {tuple(clip_shape)}"
            )
        self.settings, self.class_count = settings, class_count
        self.feature_dim, self.clip_shape = feature_dim, tuple(clip_shape)
        frames, joints, channels = clip_shape
        self.skeleton_map = nn.Linear(feature_dim, feature_dim, bias=False)
        self.prototype_map = nn.Linear(feature_dim, feature_dim, bias=False)
        self.structure_head = _two_layers(feature_dim, feature_dim, joints * channels)
        self.trajectory_head = _two_layers(
            feature_dim, settings.trajectory_width, frames * channels
        )
        reset_layers(self, generator)
        self.register_buffer("prototypes", torch.zeros(class_count, feature_dim))
        self.register_buffer("prototype_epoch", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def store_prototypes(self, prototypes: Tensor, epoch: int) -> None:
        """Keep the prototypes (K, D) of a 1-based epoch."""
        self.prototypes.copy_(prototypes)
        self.prototype_epoch.fill_(epoch)

    def forward(self, features: Tensor, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the objective; the host does not wait for the device.

        In training mode joints and frames to leave out are drawn from torch's generator of the
        device, which the engine seeds in each step.

        Args:
            features: (N, T, V, D) of the joints, any floating type.
            clips: (N, T, V, C) to be restored.
            labels: (N,) int64 in 0..K-1.

        Returns:
            `loss`, the weighted sum with gradient, and its parts, unweighted and without gradient:
            `sequence`, `skeleton`, `structure`, `trajectory`; all () and at least float32.

        Raises:
            ValueError: shapes or types do not fit.
        """
        shape = self.clip_shape
        wanted = ("features", features, (*shape[:2], self.feature_dim))
        check_batch(labels, ("clips", clips, shape), wanted)
        counts = row_counts(labels) if self.training else (len(labels),)
        settings = self.settings
        with full_precision(features.device):
            features, clips = at_least_float32(features), at_least_float32(clips)
            parts = {
                "sequence": self._sequence_contrast(features, labels),
                "skeleton": self._skeleton_contrast(features, labels),
                **self._reconstruction(features, clips, sum(counts)),
            }
            share = rank_share(len(labels), counts) if self.training else 1.0
            parts = {name: part * share for name, part in parts.items()}
            contrast = _blend(settings.alpha, parts["sequence"], parts["skeleton"])
            restored = _blend(settings.beta, parts["structure"], parts["trajectory"])
            loss = settings.contrast_weight * contrast + settings.reconstruction_weight * restored
        return {"loss": loss, **{name: part.detach() for name, part in parts.items()}}

    def sequence_logits(self, pooled: Tensor) -> Tensor:
        """Cosines of sequences to the prototypes, divided by the temperature.

        Args:
            pooled: (N, D) means over joints and frames, float32 or better.

        Returns:
            (N, K); 0 for a class without prototype.
        """
        cosines = unit_rows(pooled) @ unit_rows(self.prototypes).to(pooled.dtype).t()
        return cosines / self.settings.sequence_temperature

    def _sequence_contrast(self, features: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(self.sequence_logits(features.mean(dim=(1, 2))), labels)

    def _skeleton_contrast(self, features: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of each frame's skeleton, summed over frames, mean over clips."""
        frames = features.shape[1]
        skeletons = self.skeleton_map(features.mean(dim=2)).flatten(0, 1)  # (N * T, D)
        prototypes = self.prototype_map(self.prototypes)
        logits = skeletons @ prototypes.t() / self.settings.skeleton_temperature
        # The mean over clips of the sum over frames is `frames` times the mean over both.
        return frames * functional.cross_entropy(logits, labels.repeat_interleave(frames))

    def _reconstruction(
        self, features: Tensor, clips: Tensor, batch_size: int
    ) -> dict[str, Tensor]:
        """Mean absolute errors, restored from the joints and from the frames that remain."""
        frames, joints = features.shape[1:3]
        kept_joints = self._kept_shares(joints, self.settings.dropped_joints, features)
        kept_frames = self._kept_shares(frames, self.settings.dropped_frames, features)
        structure = self.structure_head(torch.einsum("ntvd,v->ntd", features, kept_joints))
        trajectory = self.trajectory_head(torch.einsum("ntvd,t->nvd", features, kept_frames))
        errors = {
            "structure": (structure - clips.flatten(2)).abs().mean(),
            "trajectory": (trajectory - clips.transpose(1, 2).flatten(2)).abs().mean(),
        }
        divisor = batch_size if self.settings.divide_twice else 1
        return {name: error / divisor for name, error in errors.items()}

    def _kept_shares(self, count: int, dropped: int, like: Tensor) -> Tensor:
        """(count,) equal weights of what is not left out, 0 for the dropped ones."""
        dropped = min(dropped, count - 1) if self.training else 0
        shares = like.new_full((count,), 1.0 / (count - dropped))
        if dropped:
            shares[torch.randperm(count, device=like.device)[:dropped]] = 0.0
        return shares


def _two_layers(inward: int, hidden: int, outward: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inward, hidden), nn.ReLU(), nn.Linear(hidden, outward))


def _blend(share: float, one: Tensor, other: Tensor) -> Tensor:
    return share * one + (1 - share) * other
