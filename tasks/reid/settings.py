"""Settings of person re-identification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from aclnet.losses.settings import TransgObjectiveSettings
from aclnet.runs.settings import EmbedSettings
from protocols.reid.pairs import Pair, PairProtocol, load_pairs
from protocols.reid.rules import ReidRuleName
from tasks.reid.sequences import SequenceSettings
from tasks.samples.identities import IdentitySettings
from tasks.settings import IdentityTaskSettings, naming

TRANSG = "transg"
"""Name of TranSG's own objective in results."""


class ReidSettings(IdentityTaskSettings):
    """Settings of person re-identification.

    Attributes:
        people: "strangers": the test people are not training people (see `identities`); "same":
            they are, and recordings whose split is `train` are trained on.
        identities: division into training, validation and test people; with `people: same` only
            `validation` is used: the number of people whose last training recording is held out.
        sequences: how recordings are cut.
        protocol: the sets and pairs: a name (casia_b, kgbd, ks20, ias, biwi) or a YAML file.
        pairs: only these pairs, such as [C-N]; None: all pairs of the protocol. With `people:
            strangers` validation and `select` use them alone, so that one model can be trained for
            each pair as in TranSG; with `people: same` validation compares the held-out with the
            training recordings, whatever the pairs.
        rule: how rankings are evaluated: clean, transg, cross-take, market1501, spc-mgr, sge.
        beside: further rules to evaluate; published results use `transg`, while `cross-take` is
            fair if probe and gallery share the same set.
        select: "last": the last epoch is tested; "best": the one with the best validation rank-1.
        transg: train TranSG's own objective instead of `objective` (needs `encoder: transg`).
        prototype_every: TranSG's prototypes are the means of every n-th training sequence; above 1
            they are faster and slightly less exact (released: 1).
    """

    people: Literal["strangers", "same"] = "strangers"
    identities: IdentitySettings = IdentitySettings()
    sequences: SequenceSettings = SequenceSettings()
    protocol: str = "casia_b"
    pairs: tuple[str, ...] | None = None
    rule: ReidRuleName = "clean"
    beside: tuple[ReidRuleName, ...] = ("transg", "cross-take")
    select: Literal["last", "best"] = "last"
    transg: TransgObjectiveSettings | None = None
    prototype_every: int = Field(default=1, ge=1, le=1_000_000)
    embed: EmbedSettings = Field(default=EmbedSettings(windows="centre"))

    @model_validator(mode="after")
    def _fit_together(self) -> ReidSettings:
        if (self.network.encoder.name == "transg") != (self.transg is not None):
            raise ValueError(
                "TranSG's objective (transg: {}) and its encoder (network.encoder.name: transg) go "
                "together: set both, or neither"
            )
        if self.transg is not None and self.self_supervised is not None:
            raise ValueError(
                "TranSG's objective (transg) uses identities, which self_supervised leaves out: "
                "set one of them to null"
            )
        if self.embed.windows != "centre":
            raise ValueError(
                "a sequence is a single window: set embed.windows to centre, and use "
                "sequences.stride for more or fewer sequences"
            )
        if self.embed.feature == "posterior" and (self.people != "same" or self.transg is not None):
            raise ValueError(
                "embed.feature: posterior compares class probabilities of the training people: it "
                "needs people: same, and an objective that trains the classifier (no transg); set "
                "embed.feature to embedding or pooled"
            )
        if self.sequences.cutting is not None and self.clip.step != 1:
            raise ValueError(
                f"sequences.cutting cuts consecutive frames, but clip.step is {self.clip.step}: "
                "set it to 1, or remove cutting"
            )
        if self.select == "best" and not self.identities.validation:
            raise ValueError(
                "select: best needs validation people: set identities.validation, or select: last"
            )
        self.chosen_pairs()
        return self

    @property
    def trains_objective(self) -> bool:
        """Whether the network is trained with `objective`, not with TranSG's own."""
        return self.transg is None and super().trains_objective

    @property
    def trains_classifier(self) -> bool:
        """Not with TranSG's own objective."""
        return self.transg is None and super().trains_classifier

    @property
    def objective_name(self) -> str:
        """The objective's name in results."""
        return TRANSG if self.transg is not None else super().objective_name

    @property
    def benchmark(self) -> str:
        """The protocol."""
        return self.protocol

    @property
    def trains_test_people(self) -> bool:
        """Whether the test people are training people too."""
        return self.people == "same"

    def class_count(self, known: int) -> int:
        """Number of training people; with `people: same` everybody."""
        return known if self.people == "same" else self.identities.training_people(known)

    def arms(self) -> Mapping[str, tuple[str, ...]]:
        """The arms of every task, or TranSG's own objective alone."""
        return super().arms() if self.transg is None else {TRANSG: ()}

    def usual_arms(self) -> tuple[str, ...]:
        """The default arms of every task, or TranSG's own objective."""
        return super().usual_arms() if self.transg is None else (TRANSG,)

    @classmethod
    def shaping(cls, before: Mapping[str, Any], best: bool) -> dict[str, tuple[str, ...]]:
        """As for every task, and the settings that determine the training sequences."""
        parts = super().shaping(before, best)
        parts |= dict.fromkeys(("transg", "people", "prototype_every"), ())
        parts["sequences"] = ("border_frames", "training", "cutting")
        # TranSG's prototypes are means of the sequences, wherever training clips are cut.
        fixed = before.get("sequences", {}).get("training") == "fixed"
        if best or fixed or before.get("transg") is not None:
            parts["sequences"] = (*parts["sequences"], "stride")
        if before.get("people") == "same":
            # It changes the training recordings, but not the training people.
            parts["identities"] = ("validation",)
        return parts

    def chosen_pairs(self) -> tuple[PairProtocol, tuple[Pair, ...]]:
        """The protocol and its selected pairs.

        Raises:
            ValueError: there is no such protocol or pair.
        """
        with naming(f"protocol={self.protocol}"):
            protocol = load_pairs(self.protocol)
        if self.pairs is None:
            return protocol, protocol.pairs
        with naming(f"pairs=[{','.join(self.pairs)}]"):
            return protocol, tuple(protocol.parse(text) for text in self.pairs)
