"""Gait recognition: train on some people, recognise others by their walk.

The recipe follows GaitGraph (Teepe et al., ICIP 2021): windows of 60 frames, identities as training
classes, embeddings compared by distance, CASIA-B's NM/BG/CL protocol. Deliberate differences:
windows may start anywhere, coordinates do not depend on the camera's resolution, batches hold
several walks of each person, mirroring exchanges left and right, validation people are held out of
the training people (GaitGraph validates on the test people), and the mirror at test time has an
effect.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aclnet.clips.settings import Rows
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from protocols.embeddings import Embeddings
from protocols.gait.assignment import assign, check_labels
from tasks.gait.judge import gait_table
from tasks.gait.settings import GaitSettings
from tasks.run.adapter import TaskAdapter
from tasks.samples.baselines import standardised_bone_lengths
from tasks.samples.identities import divide_identities, require_identities
from tasks.samples.labels import label_rows, labelled
from tasks.spec import Report, silent


class GaitAdapter(TaskAdapter[GaitSettings]):
    """Gait recognition as a task.

    Args:
        settings: resolved settings.
        store: the data set; every sample needs an identity.
        report: called with messages about dropped samples.

    Raises:
        ValueError: a sample has no identity, there are too few people to divide, or the protocol
            has no gallery or no probe among the test or validation people.
    """

    def __init__(self, settings: GaitSettings, store: Store, report: Report = silent) -> None:
        super().__init__(settings, store, report)
        self._identity = require_identities(self.store, "gait recognition")
        names = self._identity.tolist()
        self.groups = divide_identities(names, settings.identities, settings.train.seed)
        self._check_protocol()
        if len(self.groups.validation) == 1:
            report(
                "there is only one validation person, so that validation/rank1 is meaningless: "
                "hold out two or more (identities.validation)"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """The training people."""
        return self.groups.train

    def training_samples(self) -> tuple[Store, Rows]:
        """All recordings of the training people, and the person in each."""
        samples = self._people(self.groups.train)
        return samples, label_rows(samples.index["identity"].to_numpy(), self.classes)

    def test_samples(self) -> Store:
        """All recordings of the test people."""
        return self._people(self.groups.test)

    def validation_samples(self) -> Store:
        """All recordings of the validation people."""
        return self._people(self.groups.validation)

    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Rank-1 and mAP of the validation people; empty if there are none."""
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
        """Number of people and sequences in each group, and what was dropped."""
        parts = (self.training_samples()[0], self.validation_samples(), self.test_samples())
        train, validation, test = map(len, parts)
        groups = self.groups.counts(train, validation, test, len(self.store))
        return {**groups, **self.left_out()}

    def notes(self) -> tuple[str, ...]:
        """How the table of people was matched, if not by name."""
        return tuple(filter(None, [self.groups.note]))

    def describe(self) -> str:
        """The training, validation and test people."""
        train, test = len(self.training_samples()[0]), len(self.test_samples())
        people = f"{self.groups}{self.settings.identities.counting}"
        return f"{self.store.info.name}: {people}, {train} training and {test} test sequences"

    def _check_protocol(self) -> None:
        """Check that the protocol fits the people, before hours of training."""
        protocol = self.settings.gallery_probe()
        groups = {"test": self.test_samples(), "validation": self.validation_samples()}
        for role, samples in groups.items():
            zeros = labelled(np.zeros((len(samples), 1), dtype=np.float32), samples)
            try:
                if len(samples):
                    roles = assign(protocol, zeros, np.random.default_rng(0))
                    check_labels(protocol, zeros, roles)
            except ValueError as error:
                remedy = ", or set identities.validation=0" if role == "validation" else ""
                raise ValueError(
                    f"data set {self.store.info.name}, {role} people: {error} Choose another "
                    f"protocol with -s protocol=...{remedy}"
                ) from None

    def _people(self, names: Sequence[str]) -> Store:
        return self.store.select(np.isin(self._identity, names))
