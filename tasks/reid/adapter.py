"""Person re-identification: which sequences of the gallery show the person of a probe sequence.

A sequence is a few consecutive frames (TranSG: 6 on the depth sets, 40 on CASIA-B). Training and
network are those of the other tasks; only the people, the sequences and the protocol are chosen
here. Two kinds of data: in CASIA-B's condition matching the tested people are strangers to the
training (`people: strangers`); in the depth sets they are the training people in other recordings
(`people: same`), and the data say which recordings train (`split`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aclnet.clips.settings import Rows
from aclnet.data.store import Store
from aclnet.losses.transg import TransgObjective
from aclnet.models import SkeletonNetwork
from aclnet.runs.embedding import embed
from aclnet.training.prototypes import PrototypeTask
from aclnet.training.settings import TrainSettings
from aclnet.training.task import Trainable
from protocols.embeddings import Embeddings
from protocols.ranking.distances import Metric
from protocols.ranking.identification import identify
from protocols.reid.comparison import compare_sets
from protocols.reid.evaluate import evaluate_reid
from protocols.reid.pairs import PairProtocol
from protocols.reid.rules import ReidRuleName, reid_rule
from protocols.reid.table import Level, ReidTable
from tasks.reid.division import Mask, divide_recordings, divide_strangers
from tasks.reid.sequences import cut_sequences, without_border
from tasks.reid.settings import ReidSettings
from tasks.run.adapter import Report, TaskAdapter, label_rows
from tasks.run.embeddings import labelled
from tasks.samples.baselines import standardised_bone_lengths
from tasks.samples.open import dropped_counts, without_short


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

    task = "reid"

    def __init__(self, settings: ReidSettings, store: Store, report: Report | None = None) -> None:
        recordings = without_border(store, settings.sequences.border_frames)
        least = max(settings.data.min_frames, 1)
        long_enough = without_short(recordings, least, report)
        super().__init__(settings, long_enough)
        self.dropped = {
            "short": len(store) - len(long_enough),
            "border_frames": int((store.lengths - recordings.lengths).sum()),
        }
        self._protocol, self._pairs = settings.chosen_pairs()
        index = self.store.index
        self._identity = index["identity"].to_numpy().astype(np.str_)
        if (self._identity == "").any():
            raise ValueError(
                f"data set {store.info.name}: re-identification needs an identity for every "
                f"sample; {int((self._identity == '').sum())} of {len(index)} have none"
            )
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

    @property
    def trains_objective(self) -> bool:
        """Not where TranSG's own objective trains."""
        return self.settings.transg is None

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
        """The sequences of all probes and galleries."""
        tested = self.store.select(self.division.test & np.any([*self._members.values()], axis=0))
        cut = cut_sequences(tested, self.settings.clip, self.settings.sequences)
        self.dropped["left_over_frames"] = cut.left_over
        if self.settings.sequences.cutting is not None:  # of the tested recordings alone
            self.dropped["test_border_frames"] = cut.border_frames
            self.dropped["test_short"] = cut.short
        return cut.store

    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Rank-1 on held-out recordings, the mean over the pairs; nothing where there are none.

        With `people: same` the held-out recordings are looked for in the training recordings,
        which the network knows: good for comparing epochs, and far better than the test will be.
        """
        held = self._sequences(self.division.validation)
        if not len(held):
            return {}
        probes = self.embeddings(network, held)
        if self.settings.people == "strangers":
            found_there = self.evaluate(probes).metrics  # rule sge knows no mAP
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
        return {"validation/rank1": found.rank(1)}

    def embeddings(
        self, network: SkeletonNetwork, sequences: Store, report: Report | None = None
    ) -> Embeddings:
        """Embed sequences; the condition of each is the set of the protocol."""
        if report is not None:
            report(f"embedding {len(sequences)} sequences")
        vectors = embed(network, sequences, self.clip_input, self.settings.embed)
        return self.labelled(vectors, sequences)

    def labelled(self, vectors: npt.NDArray[np.float32], sequences: Store) -> Embeddings:
        """Vectors (W, D) with their sequences' labels, the protocol's set as condition."""
        return in_sets(labelled(vectors, sequences), sequences, self._protocol)

    def evaluate(
        self,
        embeddings: Embeddings,
        rule: ReidRuleName | None = None,
        *,
        metric: Metric | None = None,
        level: Level = "sequence",
    ) -> ReidTable:
        """The table of the chosen pairs, under the settings' rule unless another is named."""
        return evaluate_reid(
            embeddings,
            self._protocol,
            self._pairs,
            rule or self.settings.rule,
            metric=metric,
            level=level,
        )

    def bone_length_embeddings(self) -> Embeddings:
        """Standardised bone lengths of the test sequences, the floor to beat."""
        train = self._sequences(self.division.train, train=True)
        lengths = standardised_bone_lengths(train, self.test_sequences)
        return self.labelled(lengths, self.test_sequences)

    def make_task(self, network: SkeletonNetwork, generator: torch.Generator) -> Trainable:
        """TranSG's prototypes where its objective is asked for, else as every task."""
        settings = self.settings.transg
        if settings is None:
            return super().make_task(network, generator)
        frames, joints = self.settings.clip.frames, self.clip_input.layout.joint_count
        classes, width = network.classifier.weight.shape
        objective = TransgObjective(
            settings, classes, width, (frames, joints, self.clip_input.channels), generator
        )
        return PrototypeTask(network, objective, self._prototype_clips(), self.clip_input.augmented)

    def _prototype_clips(self) -> Callable[[], Iterator[tuple[Tensor, Tensor]]]:
        """All training sequences, prepared as in inference, with their classes, in blocks."""
        store = self._sequences(self.division.train, train=True)
        store = store.select(np.arange(0, len(store), self.settings.prototype_every))
        labels = label_rows(store.index["identity"].to_numpy(), self.classes)
        size, clip = self.settings.embed.batch_size, self.settings.clip

        def blocks() -> Iterator[tuple[Tensor, Tensor]]:
            for first in range(0, len(store), size):
                rows = np.arange(first, min(first + size, len(store)), dtype=np.int64)
                frames = clip.window_frames(store.lengths[rows], 0.0)
                clips = self.clip_input.prepare(self.clip_input.stored(store, rows, frames))
                yield clips, torch.from_numpy(labels[rows])

        return blocks

    def counts(self) -> dict[str, int]:
        """People, recordings and sequences of each group, and what was left out."""
        info = self.store.info
        return {
            "train_subjects": len(self.division.groups.train),
            "validation_subjects": len(self.division.groups.validation),
            "test_subjects": len(self.division.groups.test),
            "train": int(self.division.train.sum()),
            "validation": int(self.division.validation.sum()),
            "test": int(self.division.test.sum()),
            "test_sequences": len(self.test_sequences),
            **{f"dropped_{reason}": count for reason, count in self.dropped.items()},
            **dropped_counts(info),
        }

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
        tested = self.test_sequences
        labels = self.labelled(np.ones((len(tested), 1), dtype=np.float32), tested)
        for rule in (self.settings.rule, *self.settings.beside):
            if rule == self.settings.rule or rule != "cross-take":  # that is left out beside
                for pair in self._pairs:
                    compare_sets(labels, self._protocol, pair, reid_rule(rule))


def in_sets(embeddings: Embeddings, sequences: Store, protocol: PairProtocol) -> Embeddings:
    """Embeddings with the protocol's column of their sequences as their condition."""
    if protocol.field == "condition":
        return embeddings
    fields = {name: getattr(embeddings, name) for name in embeddings.text_fields()}
    column = sequences.index[protocol.field].to_numpy().astype(np.str_)
    return Embeddings(embeddings.embedding, **{**fields, "condition": column})
