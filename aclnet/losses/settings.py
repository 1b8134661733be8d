"""Settings of the objectives; no network library is needed."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import Field, PositiveFloat, field_validator

from aclnet.config import NamedSettings, Settings
from aclnet.state.variant import Variant

if TYPE_CHECKING:
    import torch

    from aclnet.losses.term import Term

OptionValue: TypeAlias = bool | int | float | str | list[float] | None
"""Types that an option of a metric loss may have in a recipe."""


class MetricLossSettings(Settings):
    """A loss of pytorch-metric-learning and its options, named as the package's classes are."""

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


class TermSettings(NamedSettings):
    """Base of the settings of further terms; a concrete class adds `name`, its fields, `build`."""

    weight: float = Field(1.0, gt=0, description="weight of the term")

    @abstractmethod
    def build(self, class_count: int, feature_dim: int, generator: torch.Generator | None) -> Term:
        """Build the term.

        Args:
            class_count: K.
            feature_dim: D, length of the feature to contrast.
            generator: source of the initial weights; None: torch's default generator.

        Raises:
            ValueError: the settings do not fit these sizes.
        """


def register_term(name: str, settings: str | type[TermSettings]) -> None:
    """Register a term of the objective under the name that recipes write in `objective.terms`.

    Args:
        name: one word of letters, digits and underscores, the only value of the settings' `name`;
            the term's value is logged under it.
        settings: their class, or "module:class", imported when a recipe names it.

    Raises:
        ValueError: the name is not such a word, or is taken.
    """
    if name in ("loss", "accuracy", "ce", "inter", "intra", "metric"):
        raise ValueError(f"a term cannot be named {name!r}, which is logged already: rename it")
    TermSettings.register(name, settings)


class ObjectiveSettings(Settings):
    """The objective's terms and their values; the defaults are those of the paper's section IV-B.

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
    projection_dim: int = Field(256, ge=1, le=16_384, description="length of a projected feature")
    start_epoch: int = Field(
        30,
        ge=0,
        le=1_000_000,
        description="mistakes count from this epoch; the inter loss begins one later",
    )
    momentum: float = Field(
        0.9, ge=0, lt=1, description="share of the past in a class centre (gamma, Eq. 7)"
    )
    neighbours: int = Field(
        10, ge=1, le=255, description="classes a class is paired with (K, Eq. 3)"
    )
    overlap: int = Field(
        4, ge=0, le=255, description="shared neighbours that make a family (n_a, Eq. 6)"
    )
    temperatures: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        (0.1, 0.5, 1.0), description="for families of up to K members, up to 2 K, and more (Eq. 9)"
    )
    margin: float = Field(
        0.1, ge=0, description="between positives and negatives (epsilon, Eq. 15)"
    )
    intra_temperature: float = Field(0.1, gt=0, description="of the intra-class term (tau, Eq. 15)")
    queue_size: int = Field(
        512, ge=0, le=1_000_000, description="candidates remembered; 0: the batch only"
    )
    intra_start: Literal["variant", "at_once", "full_queue"] = Field(
        "variant",
        description="when the intra-class term begins (variant: released waits for "
        "the full queue, paper does not)",
    )
    metric: MetricLossSettings | None = Field(
        None, description="a loss of pytorch-metric-learning on the same feature; null: none"
    )
    terms: tuple[TermSettings, ...] = Field(
        (), description="further terms, registered by `register_term`"
    )

    @field_validator("terms")
    @classmethod
    def _each_once(cls, terms: tuple[TermSettings, ...]) -> tuple[TermSettings, ...]:
        names = [term.name for term in terms]
        if len(set(names)) < len(names):
            raise ValueError(f"a term may be named only once, got {', '.join(names)}")
        return terms

    @property
    def name(self) -> str:
        """The terms in use: `ce`, `ce+inter`, `ce+intra` or `acl`, then `+` each further one.

        With one temperature for families of any size, the inter-class term lacks the paper's
        family-aware temperature: `ce+inter-fat`, `acl-fat` (the ablation, Table VIII).
        """
        if self.inter_weight == 0:
            terms = "ce" if self.intra_weight == 0 else "ce+intra"
        else:
            terms = "ce+inter" if self.intra_weight == 0 else "acl"
            terms += "-fat" if len(set(self.temperatures)) == 1 else ""
        metric = () if self.metric is None else (self.metric,)
        return "+".join([terms, *(term.name for term in (*metric, *self.terms))])

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each term in use but the cross-entropy, in the order of the sum."""
        metric = 0.0 if self.metric is None else self.metric.weight
        weights = {"inter": self.inter_weight, "intra": self.intra_weight, "metric": metric}
        weights |= {term.name: term.weight for term in self.terms}
        return {name: weight for name, weight in weights.items() if weight > 0}


class TransgObjectiveSettings(Settings):
    """Settings of `TransgObjective`; the defaults are the released code's for f = 6.

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
        10,
        ge=0,
        le=10_000,
        description="joints left out for the structure; at least one always remains",
    )
    dropped_frames: int = Field(
        2,
        ge=0,
        le=10_000,
        description="frames left out for the trajectory; at least one always remains",
    )
    trajectory_width: int = Field(
        64, ge=1, le=16_384, description="hidden channels of the trajectory's head"
    )
    divide_twice: bool = Field(
        True,
        description="divide the mean errors of the reconstruction once more by the batch size, as "
        "released; with a batch of 256 they become very small",
    )
