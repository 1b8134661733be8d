"""Settings of the objectives; no network library is needed."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field, PositiveFloat

from aclnet.config import Settings
from aclnet.state.variant import Variant

IntraStart: TypeAlias = Literal["variant", "at_once", "full_queue"]
"""When the loss begins: as the variant does, at once, or when the queue is full."""

OptionValue: TypeAlias = bool | int | float | str | list[float] | None
"""What an option of a metric loss may be in a recipe."""


class MetricLossSettings(Settings):
    """Which loss, with what options; names are those of the package's classes."""

    name: str = Field(description="class in pytorch_metric_learning.losses, such as SupConLoss")
    weight: float = Field(1.0, gt=0, description="weight of the term")
    options: dict[str, OptionValue] = Field(
        default_factory=dict, description="arguments of the loss, by name"
    )
    miner: str | None = Field(
        None,
        description="class in pytorch_metric_learning.miners that chooses the pairs; null: "
        "all of the batch",
    )
    miner_options: dict[str, OptionValue] = Field(
        default_factory=dict, description="arguments of the miner, by name"
    )


class ObjectiveSettings(Settings):
    """What the objective is made of; the numbers are those of the paper's section IV-B.

    A weight of 0 leaves its term out: no parameters, no state.
    """

    variant: Variant = Field(
        "released", description="paper: the equations; released: the authors' code"
    )
    feature: Literal["pooled", "graph"] = Field(
        "pooled",
        description="what is contrasted: the pooled representation (paper) or the last block's "
        "dynamic joint graph (released code)",
    )
    ce_weight: float = Field(1.0, gt=0, description="weight of the cross-entropy")
    inter_weight: float = Field(0.1, ge=0, description="weight of the inter-class term")
    intra_weight: float = Field(0.1, ge=0, description="weight of the intra-class term")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="of the cross-entropy")
    projection_dim: int = Field(256, ge=1, description="length of a projected feature")
    start_epoch: int = Field(
        30, ge=0, description="mistakes count from this epoch; the inter loss begins one later"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="share of the past in a class centre")
    neighbours: int = Field(10, ge=1, le=255, description="classes a class is paired with (K)")
    overlap: int = Field(4, ge=0, description="shared neighbours that make a family (n_a)")
    temperatures: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        (0.1, 0.5, 1.0), description="for families of up to K members, up to 2 K, and more"
    )
    margin: float = Field(0.1, ge=0, description="between positives and negatives (epsilon)")
    intra_temperature: float = Field(0.1, gt=0, description="of the intra-class term (tau)")
    queue_size: int = Field(512, ge=0, description="candidates remembered; 0: the batch only")
    intra_start: IntraStart = Field(
        "variant",
        description="when the intra-class term begins (variant: released waits for "
        "the full queue, paper does not)",
    )
    metric: MetricLossSettings | None = Field(
        None, description="a loss of pytorch-metric-learning on the same feature; null: none"
    )

    @property
    def name(self) -> str:
        """The terms in use: `ce`, `ce+inter`, `ce+intra` or `acl`, then `+` a metric loss.

        Where one temperature serves families of any size, the inter-class term is without the
        paper's family-aware temperature: `ce+inter-fat`, `acl-fat` (the ablation, Table VIII).
        """
        if self.inter_weight == 0:
            terms = "ce" if self.intra_weight == 0 else "ce+intra"
        else:
            terms = "ce+inter" if self.intra_weight == 0 else "acl"
            terms += "-fat" if len(set(self.temperatures)) == 1 else ""
        return terms if self.metric is None else f"{terms}+{self.metric.name}"


class TransgObjectiveSettings(Settings):
    """Weights and numbers of `TransgObjective`; the defaults are the released code's for f = 6.

    For CASIA-B (f = 40) the release has `alpha: 1.0` and `dropped_frames: 10`.
    """

    contrast_weight: float = Field(0.5, ge=0, description="of the prototype contrast (GPC)")
    alpha: float = Field(
        0.5, ge=0, le=1, description="share of the sequence level in the contrast, not skeletons'"
    )
    sequence_temperature: float = Field(0.07, gt=0, description="of the sequences' cosines")
    skeleton_temperature: float = Field(14.0, gt=0, description="of the skeletons' dot products")
    reconstruction_weight: float = Field(0.5, ge=0, description="of the reconstruction (STPR)")
    beta: float = Field(
        0.5, ge=0, le=1, description="share of the structure in it, not of the trajectory"
    )
    dropped_joints: int = Field(
        10, ge=0, description="joints left out for the structure; one at least always remains"
    )
    dropped_frames: int = Field(
        2, ge=0, description="frames left out for the trajectory; one at least always remains"
    )
    trajectory_width: int = Field(64, ge=1, description="hidden channels of the trajectory's head")
    divide_twice: bool = Field(
        True,
        description="divide the mean errors of the reconstruction once more by the batch size, as "
        "released; with a batch of 256 little then remains of them",
    )
