"""Person re-identification: find the gallery sequences that show the person of a probe sequence.

A sequence is a few consecutive frames (TranSG: 6 on the depth sets, 40 on CASIA-B). There are two
kinds of data: in CASIA-B's condition matching the test people are not training people (`people:
strangers`); in the depth sets they are, in other recordings (`people: same`), and the split of the
data marks the training recordings.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import Rows
from aclnet.data.store import Store
from aclnet.losses.transg import TransgObjective
from aclnet.models import SkeletonNetwork
from aclnet.training.prototypes import PrototypeTask
from aclnet.training.settings import TrainSettings
from aclnet.training.task import Trainable
from protocols.embeddings import Embeddings
from protocols.ranking.identification import identify
from protocols.reid.comparison import compare_sets
from protocols.reid.rules import reid_rule
from tasks.reid.division import divide_recordings, divide_strangers
from tasks.reid.judge import reid_table
from tasks.reid.sequences import Sequences, cut_sequences, without_border
from tasks.reid.settings import ReidSettings
from tasks.run.adapter import Clips, TaskAdapter
from tasks.samples.baselines import standardised_bone_lengths
from tasks.samples.identities import require_identities
from tasks.samples.labels import label_rows, labelled
from tasks.samples.open import without_short
from tasks.spec import Report, silent


class ReidAdapter(TaskAdapter[ReidSettings]):
    """Person re-identification as a task.

    Args:
        settings: resolved settings.
        store: the data set; every sample needs an identity.
        report: called with messages about dropped samples.

    Raises:
        ValueError: a sample has no identity, the people cannot be divided, there are no training
            recordings in the data's split or no validation recordings for the best epoch, a pair
            has no probe or gallery, or a rule needs a take or a camera that the data lack.
    """

    def __init__(self, settings: ReidSettings, store: Store, report: Report = silent) -> None:
        super().__init__(settings, store, report)
        # Border frames of recordings that are dropped as too short count too.
        inner = without_border(store, settings.sequences.border_frames)
        self.dropped["border_frames"] = int((store.lengths - inner.lengths).sum())
        self._protocol, self._pairs = settings.chosen_pairs()
        index = self.store.index
        self._identity = require_identities(self.store, "re-identification")
        self._set = index[self._protocol.field].to_numpy().astype(np.str_)
        # Only the sets that a pair uses.
        letters = {letter for pair in self._pairs for letter in pair}
        self._members = {x: self._protocol.members(x, self._set) for x in sorted(letters)}
        self._in_sets = np.any([*self._members.values()], axis=0)
        self.division = (
            divide_strangers(self.store, settings.identities, settings.train.seed)
            if settings.people == "strangers"
            else divide_recordings(self.store, settings.identities)
        )
        if settings.select == "best" and not self.division.validation.any():
            raise ValueError(
                f"data set {self.store.info.name}: select: best needs validation recordings, and "
                "there are none (with people: same somebody must have two training recordings): "
                "change identities.validation, or set select=last"
            )
        self._check_pairs()

    @classmethod
    def prepared(cls, settings: ReidSettings, store: Store, report: Report = silent) -> Store:
        """The recordings without their borders that are then long enough."""
        recordings = without_border(store, settings.sequences.border_frames)
        return without_short(recordings, max(settings.data.min_frames, 1), report)

    @classmethod
    def whole(cls, settings: ReidSettings, samples: Store) -> Store:
        """The sequences of recordings, cut like the test sequences."""
        return cut_sequences(samples, settings.clip, settings.sequences).store

    @classmethod
    def labelled(
        cls, settings: ReidSettings, vectors: npt.NDArray[np.float32], samples: Store
    ) -> Embeddings:
        """Vectors (W, D) with the labels of their sequences, the protocol's set as condition."""
        embeddings = labelled(vectors, samples)
        field = settings.chosen_pairs()[0].field
        if field == "condition":
            return embeddings
        fields = {name: getattr(embeddings, name) for name in embeddings.text_fields()}
        column = samples.index[field].to_numpy().astype(np.str_)
        return Embeddings(embeddings.embedding, **{**fields, "condition": column})

    @property
    def classes(self) -> tuple[str, ...]:
        """The training people."""
        return self.division.groups.train

    def train_settings(self) -> TrainSettings:
        """Settings of the training loop, with the best epoch kept if it is to be tested."""
        if self.settings.select == "last":
            return self.settings.train
        return self.settings.train.model_copy(update={"keep_best": "validation/rank1"})

    def training_samples(self) -> tuple[Store, Rows]:
        """The training recordings, or their sequences, and the person in each."""
        store = self.store.select(self.division.train)
        if self.settings.sequences.training != "anywhere":
            store = self.training_sequences
        return store, label_rows(store.index["identity"].to_numpy(), self.classes)

    @cached_property
    def training_sequences(self) -> Store:
        """The training recordings, cut like the test recordings or by a released rule."""
        trained = self.store.select(self.division.train)
        cut = cut_sequences(trained, self.settings.clip, self.settings.sequences, train=True)
        if self.settings.sequences.training != "anywhere":  # else all frames are trained on
            self._count_cut("train", cut)
        return cut.store

    def test_recordings(self) -> Store:
        """The recordings of all probes and galleries."""
        return self.store.select(self.division.test & self._in_sets)

    @cached_property
    def test_sequences(self) -> Store:
        """The sequences of all probes and galleries."""
        self.dropped["test_in_no_set"] = int((self.division.test & ~self._in_sets).sum())
        cut = cut_sequences(self.test_recordings(), self.settings.clip, self.settings.sequences)
        self._count_cut("test", cut)
        return cut.store

    def test_samples(self) -> Store:
        """The sequences of all probes and galleries."""
        return self.test_sequences

    def validation_samples(self) -> Store:
        """The sequences of the validation recordings."""
        held = self.store.select(self.division.validation)
        return cut_sequences(held, self.settings.clip, self.settings.sequences).store

    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Rank-1 of the validation recordings, mean over the pairs; empty if there are none.

        With `people: same` the gallery is the training recordings, on which the network was
        trained: this is good for comparing epochs, but far above the test's rank-1.
        """
        held = self.validation_samples()
        if not len(held):
            return {}
        probes = self.embeddings(network, held)
        if self.settings.people == "strangers":
            metrics = reid_table(probes, self.settings).metrics  # rule sge has no mAP
            names = [name for name in ("rank1", "mAP") if name in metrics]
            return {f"validation/{name}": metrics[name] for name in names}
        known = self.embeddings(network, self.training_sequences)
        found = identify(
            probes.embedding,
            known.embedding,
            probes.subject,
            known.subject,
            depth=1,
            precision=False,
        )
        return {"validation/rank1": float(found.hits(1).mean())}

    def floor(self) -> Embeddings:
        """Standardised bone lengths of the test sequences."""
        train = self.training_sequences
        lengths = standardised_bone_lengths(train, self.test_samples())
        return self.labelled(self.settings, lengths, self.test_samples())

    @classmethod
    def trainable(
        cls,
        settings: ReidSettings,
        network: SkeletonNetwork,
        clip_input: ClipInput,
        generator: torch.Generator,
        clips: Clips,
    ) -> Trainable:
        """With TranSG's objective if the settings have it, else as for every task."""
        if settings.transg is None:
            return super().trainable(settings, network, clip_input, generator, clips)
        shape = (settings.clip.frames, clip_input.layout.joint_count, clip_input.channels)
        classes, width = network.classifier.weight.shape
        objective = TransgObjective(settings.transg, classes, width, shape, generator)
        return PrototypeTask(network, objective, clips, clip_input.augmented)

    def training_clips(self) -> Iterable[tuple[Tensor, Tensor]]:
        """Every n-th training sequence (`prototype_every`), prepared as for inference."""
        store = self.training_sequences
        store = store.select(np.arange(0, len(store), self.settings.prototype_every))
        labels = label_rows(store.index["identity"].to_numpy(), self.classes)
        return self.clips_of(store, labels)

    def counts(self) -> dict[str, int]:
        """Number of people, recordings and sequences in each group, and what was dropped."""
        parts = (self.division.train, self.division.validation, self.division.test)
        train, validation, test = (int(part.sum()) for part in parts)
        counts = self.division.groups.counts(train, validation, test, len(self.store))
        self.training_samples()  # counts what is left over
        return {**counts, "test_sequences": len(self.test_samples()), **self.left_out()}

    def notes(self) -> tuple[str, ...]:
        """How the table of people was matched, if not by name."""
        return tuple(filter(None, [self.division.groups.note]))

    def describe(self) -> str:
        """The training, validation and test people."""
        train, test = int(self.division.train.sum()), len(self.test_samples())
        strangers = self.settings.people == "strangers"
        counting = self.settings.identities.counting if strangers else ""
        people = f"{self.division.groups}{counting}"
        return (
            f"{self.store.info.name}: {people}, {train} training recordings, {test} test "
            f"sequences of {self.settings.clip.frames} frames"
        )

    def _count_cut(self, role: str, cut: Sequences) -> None:
        """Count what cutting the training or the test recordings left over."""
        left_over = "left_over_frames" if role == "test" else "train_left_over_frames"
        self.dropped[left_over] = cut.left_over
        if self.settings.sequences.cutting is not None:
            self.dropped[f"{role}_border_frames"] = cut.border_frames
            self.dropped[f"{role}_short"] = cut.short

    def _check_pairs(self) -> None:
        """Check that pairs have probes and galleries, and rules their labels, before training."""
        parts = {"test": self.division.test}
        if self.settings.people == "strangers" and self.division.validation.any():
            parts["validation"] = self.division.validation
        for letter, members in self._members.items():
            for role, rows in parts.items():
                if (members & rows).any():
                    continue
                found = ", ".join(sorted(set(self._set[rows].tolist()) - {""})[:6])
                remedy = ", or set identities.validation=0" if role == "validation" else ""
                raise ValueError(
                    f"data set {self.store.info.name}: no recording of the {role} people is in set "
                    f"{letter} ({self._protocol.field} {self._protocol.sets[letter]}) of protocol "
                    f"{self._protocol.name}; they have {found or 'none'}: choose pairs with "
                    f"-s pairs=..., or another protocol{remedy}"
                )
        tested = self.test_samples()
        ones = np.ones((len(tested), 1), dtype=np.float32)
        labels = self.labelled(self.settings, ones, tested)
        for rule in (self.settings.rule, *self.settings.beside):
            if rule == self.settings.rule or rule != "cross-take":  # `judge` may skip cross-take
                for pair in self._pairs:
                    compare_sets(labels, self._protocol, pair, reid_rule(rule))
