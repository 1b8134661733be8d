"""Gait recognition: train on some people, recognise others by their walk.

The recipe's skeleton is GaitGraph's (Teepe et al., ICIP 2021): windows of 60 frames, identity as
the class of training, an embedding compared by distance, CASIA-B's NM/BG/CL protocol. Changed on
purpose, each where it matters: windows may begin anywhere, coordinates are freed from the camera's
resolution, batches hold several walks of each person, the mirror image exchanges left and right,
people held out of the training people watch the training (GaitGraph selects on the test people),
and the test-time mirror does something.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aclnet.clips.settings import Rows
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from protocols.embeddings import Embeddings
from protocols.gait.assignment import assign
from tasks.gait.judge import gait_table
from tasks.gait.settings import GaitSettings
from tasks.run.adapter import Report, TaskAdapter
from tasks.samples.baselines import standardised_bone_lengths
from tasks.samples.identities import divide_identities, require_identities
from tasks.samples.labels import label_rows, labelled


class GaitAdapter(TaskAdapter[GaitSettings]):
    """Gait recognition as a task.

    Args:
        settings: resolved settings.
        store: the data set; every sample needs an identity.
        report: takes sentences about what is left out.

    Raises:
        ValueError: samples without identity, too few people for the division, or a protocol that
            finds no gallery or no probe among the people who test or validate.
    """

    def __init__(self, settings: GaitSettings, store: Store, report: Report | None = None) -> None:
        super().__init__(settings, store, report)
        self._identity = require_identities(self.store, "gait recognition")
        names = self._identity.tolist()
        self.groups = divide_identities(names, settings.identities, settings.train.seed)
        self._check_protocol()
        if len(self.groups.validation) == 1 and report is not None:
            report(
                "one person validates, who can be taken for nobody else: the validation's rank-1 "
                "will say nothing; hold out two or more (identities.validation)"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """The people who train."""
        return self.groups.train

    def training_samples(self) -> tuple[Store, Rows]:
        """All recordings of the training people, and who walks in each."""
        samples = self._people(self.groups.train)
        return samples, label_rows(samples.index["identity"].to_numpy(), self.classes)

    def test_samples(self) -> Store:
        """All recordings of the people who test."""
        return self._people(self.groups.test)

    def validation_samples(self) -> Store:
        """All recordings of the people who watch the training."""
        return self._people(self.groups.validation)

    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Rank-1 and mAP of the held-out training people; nothing where there are none."""
        held = self.validation_samples()
        if not len(held):
            return {}
        metrics = gait_table(self.embeddings(network, held), self.settings).metrics
        return {f"validation/{name}": metrics.get(name, float("nan")) for name in ("rank1", "mAP")}

    def floor(self) -> Embeddings:
        """Standardised bone lengths of the test people."""
        test = self.test_samples()
        lengths = standardised_bone_lengths(self.training_samples()[0], test)
        return labelled(lengths, test)

    def counts(self) -> dict[str, int]:
        """People and sequences of each group, and what was left out."""
        return {
            "train_subjects": len(self.groups.train),
            "validation_subjects": len(self.groups.validation),
            "test_subjects": len(self.groups.test),
            "train": len(self.training_samples()[0]),
            "validation": len(self.validation_samples()),
            "test": len(self.test_samples()),
            **self.left_out(),
        }

    def describe(self) -> str:
        """Who trains, validates and is tested."""
        counts = self.counts()
        return (
            f"{self.store.info.name}: {counts['train_subjects']} people train "
            f"({counts['train']} sequences), {counts['validation_subjects']} validate, "
            f"{counts['test_subjects']} test ({counts['test']} sequences)"
        )

    def _check_protocol(self) -> None:
        """Refuse a protocol that does not fit the people, before hours of training."""
        protocol = self.settings.gallery_probe()
        groups = {"are tested": self.test_samples(), "validate": self.validation_samples()}
        for what, samples in groups.items():
            unknown = labelled(np.zeros((len(samples), 1), dtype=np.float32), samples)
            try:
                if len(samples):
                    assign(protocol, unknown, np.random.default_rng(0))
            except ValueError as error:
                raise ValueError(
                    f"data set {self.store.info.name}, the people who {what}: {error} Choose "
                    "another protocol with -s protocol=..."
                ) from None

    def _people(self, names: Sequence[str]) -> Store:
        return self.store.select(np.isin(self._identity, names))
