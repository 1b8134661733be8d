"""Settings that all tasks share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Self

from pydantic import model_validator

from aclnet.clips.settings import AugmentSettings, ClipSettings
from aclnet.config import Settings
from aclnet.data.settings import DataSettings
from aclnet.losses.settings import ObjectiveSettings
from aclnet.models.settings import NamedEncoder, NetworkSettings
from aclnet.pretraining.method import MethodSettings
from aclnet.pretraining.settings import ActionletSettings
from aclnet.pretraining.views.settings import ActionletViewSettings
from aclnet.runs.settings import EmbedSettings
from aclnet.training.settings import SamplerSettings, TrainSettings

_NO_INTER, _NO_INTRA = "objective.inter_weight=0", "objective.intra_weight=0"
_ONE_TEMPERATURE = "objective.temperatures=[0.5,0.5,0.5]"
_PAIRWISE = "objective.context=false"
ARMS: dict[str, tuple[str, ...]] = {
    "ce": (_NO_INTER, _NO_INTRA),
    "ce+inter-fat": (_NO_INTRA, _ONE_TEMPERATURE),
    "ce+inter": (_NO_INTRA,),
    "ce+intra": (_NO_INTER,),
    "acl": (),
    "pairwise": (_NO_INTRA, _ONE_TEMPERATURE, _PAIRWISE),
    "fr_head": (_NO_INTER, _NO_INTRA, "objective.terms=[{name: fr_head}]"),
    "skeleton_gcl": (_NO_INTER, _NO_INTRA, "objective.terms=[{name: skeleton_gcl}]"),
    "supcon": (_NO_INTER, _NO_INTRA, "objective.metric={name: SupConLoss}"),
    "triplet": (
        _NO_INTER,
        _NO_INTRA,
        "objective.metric={name: TripletMarginLoss, options: {margin: 0.2}, miner: BatchHardMiner}",
    ),
}
"""The rows of the paper's Table VIII, as overrides of a recipe with the full objective; the
pairwise affinity of its text; and the rivals, each beside the cross-entropy.

`ce+inter-fat` is the inter-class term with one temperature for all families, the middle one: the
paper does not say which it uses without the family-aware temperature. `pairwise` is the same
without shared neighbours.
"""

_INTER, _INTRA = "objective.inter_weight={}", "objective.intra_weight={}"
_METRIC = "objective.metric.weight={}"
ARM_WEIGHTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("ce+inter-fat", "ce+inter", "pairwise"), (_INTER,)),
    "ce+intra": (_INTRA,),
    "acl": (_INTER, _INTRA),
    "fr_head": ("objective.terms=[{{name: fr_head, weight: {}}}]",),
    "skeleton_gcl": ("objective.terms=[{{name: skeleton_gcl, weight: {}}}]",),
    **dict.fromkeys(("supcon", "triplet"), (_METRIC,)),
}
"""Overrides that follow those of an arm and give all its terms but the cross-entropy a weight."""


@contextmanager
def naming(setting: str) -> Iterator[None]:
    """Begin a refusal with the setting that it is about, such as `hold_out.people=9`."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{setting}: {error}") from None


def naming_data(data: DataSettings) -> AbstractContextManager[None]:
    """Begin a refusal with the data's place; generated data have none."""
    return naming(str(data.path)) if data.path else nullcontext()


SEED = "{seed}"


class TaskSettings(Settings):
    """Settings that all tasks share; a task's own class adds to them, such as `GaitSettings`.

    The defaults train the default network well, which those of the single sections, the paper's,
    do not (tests/benchmarks/defaults.md).

    Attributes:
        init_from: a run, of any task, with whose encoder the training begins; `{seed}` in it stands
            for `train.seed`. None: random weights.
    """

    data: DataSettings = DataSettings()
    clip: ClipSettings = ClipSettings(augment=AugmentSettings(joint_noise=0.01, point_noise=0.01))
    network: NetworkSettings = NetworkSettings(
        encoder=NamedEncoder(name="temporal_conv", pooling="mean_std")
    )
    objective: ObjectiveSettings = ObjectiveSettings(
        start_epoch=None, neighbours=None, overlap=None, queue_size=0, intra_start="at_once"
    )
    sampler: SamplerSettings = SamplerSettings()
    train: TrainSettings = TrainSettings(
        epochs=60,
        optimizer="adamw",
        learning_rate=3e-3,
        weight_decay=5e-3,
        schedule="onecycle",
    )
    embed: EmbedSettings = EmbedSettings()
    init_from: str | None = None

    @property
    def unlabelled(self) -> MethodSettings | None:
        """How the encoder is trained without labels; None: with them."""
        return None

    @property
    def windows(self) -> int:
        """Windows of a recording that a training clip holds."""
        return 1 if self.unlabelled is None else self.unlabelled.windows

    @property
    def start(self) -> str | None:
        """`init_from` of this seed; the random encoder has none."""
        random = self.unlabelled is not None and self.unlabelled.method == "random"
        if self.init_from is None or random:
            return None
        return self.init_from.replace(SEED, str(self.train.seed))

    @property
    def trains_objective(self) -> bool:
        """Whether the network is trained with `objective`."""
        return self.unlabelled is None

    @property
    def trains_classifier(self) -> bool:
        """Whether the network's classifier is trained."""
        return self.unlabelled is None

    @property
    def trains_test_people(self) -> bool:
        """Whether the test people are training people too."""
        return False

    @property
    def variant(self) -> str:
        """How labels were used, for the records: `finetune` after another training, else ``""``."""
        return "" if self.start is None else "finetune"

    @property
    def objective_name(self) -> str:
        """The objective's name in results, or that of the method without labels."""
        return self.objective.name if self.unlabelled is None else self.unlabelled.method

    @property
    def benchmark(self) -> str:
        """Name of the split or protocol, which identifies a data set that is not at hand."""
        return ""

    def class_count(self, known: int) -> int:
        """Number of training classes in a data set with `known` classes or people."""
        return known

    def arms(self) -> Mapping[str, tuple[str, ...]]:
        """The arms that a study may compare: overrides of the recipe by name."""
        return ARMS

    def usual_arms(self) -> tuple[str, ...]:
        """The arms that a study compares by default."""
        return ("ce", "acl")

    def folds(self) -> tuple[str | None, ...]:
        """The folds of the split; (None,) if it has none."""
        return (None,)

    @classmethod
    def shaping(cls, before: Mapping[str, Any], best: bool) -> dict[str, tuple[str, ...]]:
        """The settings that determine the weights, which a resumed run must not change.

        Args:
            before: the settings with which the run was started, as plain values.
            best: whether the best epoch is tested; then the settings that select it are included.
                A run started with `select: last` has not kept its best epoch and cannot switch.

        Returns:
            Names of sections, each with its fields that count; () for all of them.
        """
        del before
        parts: dict[str, tuple[str, ...]] = {
            **dict.fromkeys(("clip", "network", "objective", "sampler", "init_from"), ()),
            "data": ("min_frames",),
        }
        if best:
            parts |= dict.fromkeys(("select", "rule", "pairs", "protocol"), ())
            parts["embed"] = ("windows", "stride", "mirror", "feature", "normalise")
        return parts


class IdentityMethodSettings(MethodSettings):
    """Training without labels that leaves each clip its bone lengths, which tell people apart."""

    actclr: ActionletSettings = ActionletSettings(views=ActionletViewSettings(style_transfer=False))


class IdentityTaskSettings(TaskSettings):
    """Settings of the tasks that tell people apart.

    Attributes:
        self_supervised: train the encoder on the training samples without their identities, and
            test its features by the task's protocol; None: train with `objective`.
    """

    self_supervised: IdentityMethodSettings | None = None

    @model_validator(mode="after")
    def _fit_without_labels(self) -> Self:
        if self.self_supervised is None:
            return self
        with naming("self_supervised"):
            self.self_supervised.require_fit(self.clip, self.network)
        if self.sampler.kind != "shuffle":
            raise ValueError(
                "sampler.kind identities draws batches by identity, which self_supervised leaves "
                "out: set sampler.kind to shuffle"
            )
        if self.embed.feature == "posterior":
            raise ValueError(
                "embed.feature: posterior compares class probabilities, and self_supervised trains "
                "no classifier: set embed.feature to embedding or pooled"
            )
        return self

    @property
    def unlabelled(self) -> MethodSettings | None:
        """`self_supervised`."""
        return self.self_supervised

    @property
    def variant(self) -> str:
        """`unlabelled` without labels."""
        return super().variant if self.self_supervised is None else "unlabelled"

    def arms(self) -> Mapping[str, tuple[str, ...]]:
        """Those of every task, or the random encoder and the method without labels."""
        if self.self_supervised is None:
            return super().arms()
        return {"random": ("self_supervised.method=random",), self.self_supervised.method: ()}

    def usual_arms(self) -> tuple[str, ...]:
        """The usual ones of every task, or the random encoder and the method without labels."""
        return super().usual_arms() if self.self_supervised is None else tuple(self.arms())

    @classmethod
    def shaping(cls, before: Mapping[str, Any], best: bool) -> dict[str, tuple[str, ...]]:
        """As for every task, and the training without labels."""
        return super().shaping(before, best) | {"self_supervised": ()}
