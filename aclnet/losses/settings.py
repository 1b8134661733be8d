"""Settings of the objectives; no network library is needed."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Self, TypeAlias

from pydantic import Field, PositiveFloat, field_validator

from aclnet.config import NamedSettings, Settings
from aclnet.models.settings import Part
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
        description="class in pytorch_metric_learning.miners that chooses the pairs; null: all "
        "pairs of the batch",
    )
    miner_options: dict[str, OptionValue] = Field(
        default_factory=dict, description="arguments of the miner, by name"
    )


StageShape: TypeAlias = tuple[int, int, int]
"""Channels, frames and joints of the features after a stage of an encoder."""


class Sizes(NamedTuple):
    """Sizes of what an objective gets of a network.

    Attributes:
        feature: D, length of the feature to contrast.
        graph: length of the joint graph, where a term needs it.
        stages: of the features after the encoder's stages, where a term needs them.
    """

    feature: int
    graph: int = 0
    stages: tuple[StageShape, ...] = ()


class TermSettings(NamedSettings):
    """Base of the settings of further terms; a concrete class adds `name`, its fields, `build`.

    Attributes:
        needs: parts of the encoder's output that the term contrasts beside or instead of the
            feature; its `forward` gets each as a keyword, and `build` their sizes.
    """

    needs: ClassVar[frozenset[Part]] = frozenset()
    weight: float = Field(1.0, gt=0, description="weight of the term")

    @abstractmethod
    def build(self, class_count: int, sizes: Sizes, generator: torch.Generator | None) -> Term:
        """Build the term for what the network gives.

        Args:
            class_count: K.
            sizes: of the feature to contrast, and of the parts that the term needs.
            generator: source of the initial weights; None: torch's default generator.

        Raises:
            ValueError: the settings do not fit these sizes.
        """

    def for_data(self, class_count: int, clips: int) -> Self:
        """The settings with what they leave to the size of the training set; by default as is."""
        del class_count, clips
        return self


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


class FrHeadSettings(TermSettings):
    """FR-Head (Zhou et al., CVPR 2023), trained beside the classifier; needs an encoder of blocks.

    The defaults are the released ones.
    """

    needs: ClassVar[frozenset[Part]] = frozenset({"stages"})
    name: Literal["fr_head"] = "fr_head"
    weight: float = Field(0.1, gt=0, description="weight of the term")
    levels: tuple[PositiveFloat, ...] = Field(
        (0.1, 0.2, 0.5, 1.0),
        min_length=1,
        description="weights of the encoder's stages, in order",
    )
    projection_dim: int = Field(256, ge=1, le=16_384, description="length of a projected feature")
    momentum: float = Field(
        0.9, ge=0, lt=1, description="momentum of a prototype: the share of its old value"
    )
    temperature: float = Field(0.125, gt=0, description="of the cosines")

    def build(self, class_count: int, sizes: Sizes, generator: torch.Generator | None) -> Term:
        """Build the head on the encoder's stages."""
        from aclnet.losses.fr_head import FrHead

        return FrHead(self, class_count, sizes.stages, generator)


class SkeletonGclSettings(TermSettings):
    """SkeletonGCL (Huang et al., ICLR 2023): contrast of the graphs that the encoder learns.

    The defaults are the released ones for CTR-GCN; those of the bank's size and of the classes'
    means, which the release lacks, are a later implementation's, not checked against the paper.
    """

    needs: ClassVar[frozenset[Part]] = frozenset({"graph"})
    name: Literal["skeleton_gcl"] = "skeleton_gcl"
    projection_dim: int = Field(256, ge=1, le=16_384, description="length of a projected graph")
    bank_size: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="graphs in the queue; null: 684 per class, at most one per training clip",
    )
    positives: int = Field(
        128, ge=1, le=1_000_000, description="least similar graphs of the class to compare with"
    )
    negatives: int = Field(
        512,
        ge=1,
        le=1_000_000,
        description="graphs of other classes to compare with: the most similar, and as many at "
        "random",
    )
    momentum: float = Field(
        0.85, ge=0, lt=1, description="momentum of a class mean: the share of its old value"
    )
    temperature: float = Field(0.8, gt=0, description="of the cosines")

    def build(self, class_count: int, sizes: Sizes, generator: torch.Generator | None) -> Term:
        """Build the term on the encoder's graph."""
        from aclnet.losses.skeleton_gcl import SkeletonGcl

        return SkeletonGcl(self, class_count, sizes.graph, generator)

    def bank_of(self, class_count: int) -> int:
        """Graphs remembered for so many classes."""
        return 684 * class_count if self.bank_size is None else self.bank_size

    def for_data(self, class_count: int, clips: int) -> Self:
        """With a bank of no more graphs than there are clips, where its size is left open."""
        if self.bank_size is not None:
            return self
        return self.model_copy(update={"bank_size": min(self.bank_of(class_count), clips)})


register_term("fr_head", FrHeadSettings)
register_term("skeleton_gcl", SkeletonGclSettings)


class ObjectiveSettings(Settings):
    """The objective's terms and their values; the defaults are those of the paper's section IV-B.

    A weight of 0 leaves its term out: no parameters, no state. Where a number is null it follows
    from the training: `first_epoch`, `family_sizes`, `for_data`.
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
    start_epoch: int | None = Field(
        30,
        ge=0,
        le=1_000_000,
        description="epoch from which mistakes are counted; the inter-class loss begins one epoch "
        "later; null: after two fifteenths of the training, in epoch 1 to 10",
    )
    momentum: float = Field(
        0.9,
        ge=0,
        lt=1,
        description="momentum of a class centre: the share of its old value (gamma, Eq. 7)",
    )
    neighbours: int | None = Field(
        10,
        ge=1,
        le=255,
        description="classes that each class is paired with (K, Eq. 3); null: half of the classes, "
        "2 to 5, and from 36 classes on a sixth, at most 10",
    )
    overlap: int | None = Field(
        4,
        ge=0,
        le=255,
        description="shared neighbours that make a family (n_a, Eq. 6); null: two fifths of the "
        "neighbours",
    )
    context: bool = Field(
        True,
        description="classes that share neighbours also form a family (Eq. 5); false: only "
        "neighbours do, the pairwise affinity",
    )
    temperatures: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        (0.1, 0.5, 1.0), description="for families of up to K members, up to 2 K, and more (Eq. 9)"
    )
    margin: float = Field(
        0.1, ge=0, description="between positives and negatives (epsilon, Eq. 15)"
    )
    intra_temperature: float = Field(0.1, gt=0, description="of the intra-class term (tau, Eq. 15)")
    queue_size: int | None = Field(
        512,
        ge=0,
        le=1_000_000,
        description="candidates in the queue; 0: only the batch; null: 256, or 8 per class if that "
        "is more, at most one per training clip",
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

    def first_epoch(self, epochs: int) -> int:
        """The `start_epoch` of a training of so many epochs.

        >>> [ObjectiveSettings(start_epoch=None).first_epoch(epochs) for epochs in (5, 30, 150)]
        [1, 4, 10]
        """
        if self.start_epoch is not None:
            return self.start_epoch
        return min(10, max(1, 2 * epochs // 15))

    def family_sizes(self, class_count: int) -> tuple[int, int]:
        """The `neighbours` and the `overlap` for so many classes.

        >>> open = ObjectiveSettings(neighbours=None, overlap=None)
        >>> [open.family_sizes(classes) for classes in (3, 8, 20, 60, 400)]
        [(2, 1), (4, 1), (5, 2), (10, 4), (10, 4)]
        """
        neighbours, overlap = self.neighbours, self.overlap
        if neighbours is None:
            neighbours = min(10, max(2, min(5, class_count // 2), class_count // 6))
        return neighbours, max(1, 2 * neighbours // 5) if overlap is None else overlap

    def for_data(self, class_count: int, clips: int) -> Self:
        """The settings with memories that fit a training set, where their size is left open.

        Args:
            class_count: K.
            clips: number of training clips.
        """
        queue = self.queue_size
        if queue is None:
            queue = min(max(256, 8 * class_count), clips)
        terms = tuple(term.for_data(class_count, clips) for term in self.terms)
        return self.model_copy(update={"queue_size": queue, "terms": terms})

    @property
    def name(self) -> str:
        """The terms in use: `ce`, `ce+inter`, `ce+intra` or `acl`, then `+` each further one.

        With one temperature for families of any size, the inter-class term lacks the paper's
        family-aware temperature: `ce+inter-fat`, `acl-fat` (the ablation, Table VIII); with
        pairwise affinity alone it lacks the context: `ce+inter-context`.
        """
        if self.inter_weight == 0:
            terms = "ce" if self.intra_weight == 0 else "ce+intra"
        else:
            terms = "ce+inter" if self.intra_weight == 0 else "acl"
            terms += "-fat" if len(set(self.temperatures)) == 1 else ""
            terms += "" if self.context else "-context"
        metric = () if self.metric is None else (self.metric,)
        return "+".join([terms, *(term.name for term in (*metric, *self.terms))])

    @property
    def needs(self) -> frozenset[Part]:
        """Parts of the encoder's output that the terms contrast beside the feature."""
        return frozenset[Part]().union(*(term.needs for term in self.terms))

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
        0.5,
        ge=0,
        le=1,
        description="weight of the sequence level in the contrast, against that of skeletons",
    )
    sequence_temperature: float = Field(0.07, gt=0, description="of the sequences' cosines")
    skeleton_temperature: float = Field(14.0, gt=0, description="of the skeletons' dot products")
    reconstruction_weight: float = Field(0.5, ge=0, description="of the reconstruction (STPR)")
    beta: float = Field(
        0.5, ge=0, le=1, description="weight of the structure in it, against that of the trajectory"
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
