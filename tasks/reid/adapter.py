"""Person re-identification: which sequences of the gallery show the person of a probe sequence.

A sequence is a few consecutive frames (TranSG: 6 on the depth sets, 40 on CASIA-B). Training and
network are those of the other tasks; only the people, the sequences and the protocol are chosen
here. Two kinds of data: in CASIA-B's condition matching the tested people are strangers to the
training (`people: strangers`); in the depth sets they are the training people in other recordings
(`people: same`), and the data say which recordings train (`split`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
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
from tasks.reid.division import Mask, divide_recordings, divide_strangers
from tasks.reid.judge import reid_table
from tasks.reid.sequences import cut_sequences, without_border
from tasks.reid.settings import ReidSettings
from tasks.run.adapter import Clips, Report, TaskAdapter
from tasks.samples.baselines import standardised_bone_lengths
from tasks.samples.identities import require_identities
from tasks.samples.labels import label_rows, labelled
from tasks.samples.open import without_short


class ReidAdapter(TaskAdapter[ReidSettings]):
    """Person re-identification as a task.

    Args:
        settings: resolved settings.
        store: the data set; every sample needs an identity.
        report: takes sentences about what is left out.

    Raises:
        ValueError: samples without identity, people who cannot be divided, no training recordings
            in the data's split, nobody held out where the best epoch shall be tested, a pair
            without probe or gallery, or a rule that needs a take or a camera of data without them.
    """

    def __init__(self, settings: ReidSettings, store: Store, report: Report | None = None) -> None:
        super().__init__(settings, store, report)
        # The borders of recordings that are left out as too short do not count.
        inner = without_border(store, settings.sequences.border_frames)
        self.dropped["border_frames"] = int((store.lengths - inner.lengths).sum())
        self._protocol, self._pairs = settings.chosen_pairs()
        index = self.store.index
        self._identity = require_identities(self.store, "re-identification")
        self._set = index[self._protocol.field].to_numpy().astype(np.str_)
        # Recordings of conditions that no pair wants would be dead weight.
        letters = {letter for pair in self._pairs for letter in pair}
        self._members = {x: self._protocol.members(x, self._set) for x in sorted(letters)}
        self.division = (
            divide_strangers(self.store, settings.identities, settings.train.seed)
            if settings.people == "strangers"
            else divide_recordings(self.store, settings.identities)
        )
        if settings.select == "best" and not self.division.validation.any():
            raise ValueError(
                f"data set {self.store.info.name}: select: best needs recordings that are held "
                "out, and there are none (with people: same somebody must have two that train): "
                "change identities.validation, or set select=last"
            )
        self._check_pairs()

    @classmethod
    def prepared(cls, settings: ReidSettings, store: Store, report: Report | None = None) -> Store:
        """The recordings without their borders, those that are then long enough."""
        recordings = without_border(store, settings.sequences.border_frames)
        return without_short(recordings, max(settings.data.min_frames, 1), report)

    @classmethod
    def whole(cls, settings: ReidSettings, samples: Store) -> Store:
        """The sequences of recordings, cut as those of the test."""
        return cut_sequences(samples, settings.clip, settings.sequences).store

    @classmethod
    def labelled(cls, settings: ReidSettings, vectors: Any, samples: Store) -> Embeddings:
        """Vectors (W, D) with their sequences' labels, the protocol's set as condition."""
        embeddings = labelled(vectors, samples)
        field = settings.chosen_pairs()[0].field
        if field == "condition":
            return embeddings
        fields = {name: getattr(embeddings, name) for name in embeddings.text_fields()}
        column = samples.index[field].to_numpy().astype(np.str_)
        return Embeddings(embeddings.embedding, **{**fields, "condition": column})

    @property
    def classes(self) -> tuple[str, ...]:
        """The people who train."""
        return self.division.groups.train

    def train_settings(self) -> TrainSettings:
        """With the best epoch kept where it shall be tested."""
        if self.settings.select == "last":
            return self.settings.train
        return self.settings.train.model_copy(update={"keep_best": "validation/rank1"})

    def training_samples(self) -> tuple[Store, Rows]:
        """The recordings that train, or their sequences, and who walks in each."""
        store = self.store.select(self.division.train)
        if self.settings.sequences.training != "anywhere":
            store = self._sequences(self.division.train, train=True)
        return store, label_rows(store.index["identity"].to_numpy(), self.classes)

    @cached_property
    def test_sequences(self) -> Store:
        """The sequences of all probes and galleries, and what of their recordings is left over."""
        tested = self.store.select(self.division.test & np.any([*self._members.values()], axis=0))
        cut = cut_sequences(tested, self.settings.clip, self.settings.sequences)
        self.dropped["left_over_frames"] = cut.left_over
        if self.settings.sequences.cutting is not None:  # of the tested recordings alone
            self.dropped["test_border_frames"] = cut.border_frames
            self.dropped["test_short"] = cut.short
        return cut.store

    def test_samples(self) -> Store:
        """The sequences of all probes and galleries."""
        return self.test_sequences

    def validation_samples(self) -> Store:
        """The sequences of the recordings that watch the training."""
        return self._sequences(self.division.validation)

    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Rank-1 on held-out recordings, the mean over the pairs; nothing where there are none.

        With `people: same` the held-out recordings are looked for in the training recordings,
        which the network knows: good for comparing epochs, and far better than the test will be.
        """
        held = self.validation_samples()
        if not len(held):
            return {}
        probes = self.embeddings(network, held)
        if self.settings.people == "strangers":
            found_there = reid_table(probes, self.settings).metrics  # rule sge knows no mAP
            names = [name for name in ("rank1", "mAP") if name in found_there]
            return {f"validation/{name}": found_there[name] for name in names}
        known = self.embeddings(network, self._sequences(self.division.train, train=True))
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
        train = self._sequences(self.division.train, train=True)
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
        """TranSG's prototypes where its objective is asked for, else as every task."""
        if settings.transg is None:
            return super().trainable(settings, network, clip_input, generator, clips)
        shape = (settings.clip.frames, clip_input.layout.joint_count, clip_input.channels)
        classes, width = network.classifier.weight.shape
        objective = TransgObjective(settings.transg, classes, width, shape, generator)
        return PrototypeTask(network, objective, clips, clip_input.augmented)

    def training_clips(self) -> Iterable[tuple[Tensor, Tensor]]:
        """All training sequences, or every n-th of them, prepared as in inference."""
        store = self._sequences(self.division.train, train=True)
        store = store.select(np.arange(0, len(store), self.settings.prototype_every))
        labels = label_rows(store.index["identity"].to_numpy(), self.classes)
        return self.clips_of(store, labels)

    def counts(self) -> dict[str, int]:
        """People, recordings and sequences of each group, and what was left out."""
        return {
            "train_subjects": len(self.division.groups.train),
            "validation_subjects": len(self.division.groups.validation),
            "test_subjects": len(self.division.groups.test),
            "train": int(self.division.train.sum()),
            "validation": int(self.division.validation.sum()),
            "test": int(self.division.test.sum()),
            "test_sequences": len(self.test_samples()),
            **self.left_out(),
        }

    def describe(self) -> str:
        """Who trains, validates and is tested."""
        counts = self.counts()
        return (
            f"{self.store.info.name}: {counts['train_subjects']} people train "
            f"({counts['train']} recordings), {counts['validation_subjects']} validate, "
            f"{counts['test_subjects']} are tested ({counts['test_sequences']} sequences of "
            f"{self.settings.clip.frames} frames)"
        )

    def _sequences(self, rows: Mask, *, train: bool = False) -> Store:
        """The sequences of some recordings, cut as those of the test or of the training."""
        store, clip = self.store.select(rows), self.settings.clip
        return cut_sequences(store, clip, self.settings.sequences, train=train).store

    def _check_pairs(self) -> None:
        """Refuse pairs without probe or gallery and rules without their labels, before training."""
        parts = [("tested", self.division.test)]
        if self.settings.people == "strangers" and self.division.validation.any():
            parts.append(("validating", self.division.validation))
        for letter, members in self._members.items():
            for role, rows in parts:
                if (members & rows).any():
                    continue
                there = ", ".join(sorted(set(self._set[rows].tolist()) - {""})[:6])
                validating = role == "validating"
                besides = ", or validate nobody with identities.validation=0" if validating else ""
                raise ValueError(
                    f"data set {self.store.info.name}: no recording of the {role} people is of set "
                    f"{letter} ({self._protocol.field} {self._protocol.sets[letter]}) of protocol "
                    f"{self._protocol.name}; there are {there or 'none'}: choose pairs with "
                    f"-s pairs=..., or another protocol{besides}"
                )
        tested = self.test_samples()
        ones = np.ones((len(tested), 1), dtype=np.float32)
        labels = self.labelled(self.settings, ones, tested)
        for rule in (self.settings.rule, *self.settings.beside):
            if rule == self.settings.rule or rule != "cross-take":  # that is left out beside
                for pair in self._pairs:
                    compare_sets(labels, self._protocol, pair, reid_rule(rule))
