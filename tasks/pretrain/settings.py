"""Settings of pre-training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from aclnet.clips.settings import AugmentSettings, ClipSettings, NormaliseSettings
from aclnet.config import Settings
from aclnet.models.settings import NamedEncoder, NetworkSettings
from aclnet.pretraining.settings import ActionletSettings, ExtremeSettings, MaskedSettings
from aclnet.runs.settings import ScoringSettings
from aclnet.training.settings import SamplerSettings, TrainSettings
from tasks.action.settings import ActionSettings

Method = Literal["random", "aimclr", "actclr", "masked"]


class ProbeSettings(Settings):
    """How features are judged: by classes that are found from the training samples' features.

    Attributes:
        kind: "linear": a linear classifier of standardised features (multinomial logistic
            regression); "knn": votes of the nearest training samples, weighted by likeness;
            "retrieval": the class of the nearest training sample by cosine, as the literature on
            self-supervised skeletons retrieves.
        share: share of each training class whose labels are used, at least one sample; drawn by
            `train.seed`.
        strength: inverse weight of the linear classifier's L2 penalty.
        neighbours: of "knn".
        temperature: of "knn": votes weigh exp(cosine / temperature).
    """

    kind: Literal["linear", "knn", "retrieval"] = "linear"
    share: float = Field(default=1.0, gt=0, le=1)
    strength: float = Field(default=1.0, gt=0)
    neighbours: int = Field(default=10, ge=1, le=1_000_000)
    temperature: float = Field(default=0.1, gt=0)

    @property
    def described(self) -> str:
        """The probe in words, for the record's rule."""
        names = {"linear": "linear probe", "knn": f"{self.neighbours} nearest neighbours"}
        name = names.get(self.kind, "nearest neighbour")
        return name if self.share == 1 else f"{name}, {100 * self.share:g} % of the labels"

    @property
    def variant(self) -> str:
        """The probe in records: its kind, or with few labels such as `linear-10`."""
        return self.kind if self.share == 1 else f"{self.kind}-{100 * self.share:g}"


class PretrainSettings(ActionSettings):
    """Settings of pre-training; the split, of action recognition, is that of the probe.

    Attributes:
        method: "aimclr", the first stage of ActCLR; "actclr", the second; "masked": masked
            motion prediction; "random": no training, to compare with.
        init_from: run of pre-training whose encoder and projection (masked: encoder and decoder)
            the training begins with, for actclr one of aimclr; `random` does not use it.
        aimclr: the first stage.
        actclr: the second.
        masked: masked motion prediction.
        probe: how the features are judged.
    """

    clip: ClipSettings = ClipSettings(
        frames=50,
        sampling="stretch",
        streams=("j",),
        normalise=NormaliseSettings(centre="clip"),
        augment=AugmentSettings(mirror=0.0),
    )
    network: NetworkSettings = NetworkSettings(
        encoder=NamedEncoder(
            name="st_gcn",
            width=16,
            last_width=256,
            partition="spatial_released",
            dropout=0.5,
            dropout_of="values",
            absent_persons="count",
        ),
        neck="none",
    )
    sampler: SamplerSettings = SamplerSettings(kind="shuffle", batch_size=128)
    train: TrainSettings = TrainSettings(
        epochs=100, learning_rate=0.1, nesterov=False, weight_decay=1e-4
    )
    test: ScoringSettings = ScoringSettings(clips=1)
    method: Method = "aimclr"
    aimclr: ExtremeSettings = ExtremeSettings()
    actclr: ActionletSettings = ActionletSettings()
    masked: MaskedSettings = MaskedSettings()
    probe: ProbeSettings = ProbeSettings()

    @model_validator(mode="after")
    def _views_possible(self) -> Self:
        if self.clip.motion != "clip":
            raise ValueError(
                f"clip.motion {self.clip.motion} uses frames outside the clip, which views do not "
                "have: set clip.motion to clip"
            )
        if self.train_share != 1:
            raise ValueError(
                "train_share leaves training samples out, which pre-training uses without their "
                "labels: set probe.share, and train_share in action recognition"
            )
        styled = self.method == "actclr" and self.actclr.views.style_transfer
        if styled and (len(self.clip.streams) > 1 or self.clip.streams[0] not in ("j", "b", "jm")):
            raise ValueError(
                f"style transfer is defined for one of the streams j, b and jm, not for "
                f"{'+'.join(self.clip.streams)}: choose one of them, or set "
                "actclr.views.style_transfer to false"
            )
        return self

    @model_validator(mode="after")
    def _motion_predictable(self) -> Self:
        if self.method != "masked":
            return self
        if self.clip.streams != ("j",):
            raise ValueError(
                "masked motion prediction sees joint positions, not the streams "
                f"{'+'.join(self.clip.streams)}: set clip.streams to [j]"
            )
        if self.network.encoder.name != "joint_transformer":
            raise ValueError(
                "masked motion prediction leaves out tokens, which "
                f"{self.network.encoder.name} does not have: set network.encoder to "
                "{name: joint_transformer}"
            )
        if self.masked.motion_stride >= self.clip.frames:
            raise ValueError(
                f"masked.motion_stride {self.masked.motion_stride} leads out of clips of "
                f"{self.clip.frames} frames: lower it, or raise clip.frames"
            )
        return self

    @property
    def trains_objective(self) -> bool:
        """Not with `objective`."""
        return False

    @property
    def objective_name(self) -> str:
        """The method."""
        return self.method

    @property
    def start(self) -> str | None:
        """`init_from` of this seed; the random encoder has none."""
        return None if self.method == "random" else super().start

    @property
    def trains_classifier(self) -> bool:
        """The classifier is not trained."""
        return False

    @property
    def variant(self) -> str:
        """The probe."""
        return self.probe.variant

    def arms(self) -> Mapping[str, tuple[str, ...]]:
        """The methods, each from random weights unless the recipe says otherwise."""
        untrained = ("method=random", "train.epochs=1", "train.warmup_epochs=0")
        return {"random": untrained, self.method: ()}

    def usual_arms(self) -> tuple[str, ...]:
        """The random encoder and the recipe's method."""
        return tuple(dict.fromkeys(("random", self.method)))

    @classmethod
    def shaping(cls, before: Mapping[str, Any], best: bool) -> dict[str, tuple[str, ...]]:
        """As in action recognition, and the method."""
        method = str(before.get("method", "aimclr"))
        own = ("method", *(() if method == "random" else (method,)))
        return super().shaping(before, best) | dict.fromkeys(own, ())
