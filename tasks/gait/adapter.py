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
from aclnet.runs.embedding import embed
from protocols.embeddings import Embeddings
from protocols.gait.assignment import assign
from protocols.gait.evaluate import evaluate_gait
from protocols.gait.gallery_probe import GalleryProbe, load_protocol
from protocols.gait.rules import RuleName
from protocols.gait.table import GaitTable
from protocols.ranking.distances import Metric
from tasks.run.adapter import Report, TaskAdapter, label_rows
from tasks.run.embeddings import labelled
from tasks.samples.baselines import standardised_bone_lengths
from tasks.samples.identities import IdentitySettings, divide_identities
from tasks.samples.open import dropped_counts, without_short
from tasks.settings import TaskSettings


class GaitSettings(TaskSettings):
    """Settings of gait recognition.

    Attributes:
        identities: who trains, validates and is tested.
        protocol: who is gallery and who is probe: a name (casia_b, kgbd_walks, ucalgary_gait) or a
            CSV or YAML file.
        gallery_takes: other gallery takes than the protocol's, such as `first 1` or `random 2`.
        rule: how ranks become a table: exact, gaitgraph, gaitgraph2, opengait.
    """

    identities: IdentitySettings = IdentitySettings()
    protocol: str = "casia_b"
    gallery_takes: str | None = None
    rule: RuleName = "exact"

    def gallery_probe(self) -> GalleryProbe:
        """The protocol's rules, with the gallery takes of these settings.

        Raises:
            ValueError: there is no such protocol, or its file is not one.
        """
        protocol = load_protocol(self.protocol)
        return protocol.with_gallery_takes(self.gallery_takes) if self.gallery_takes else protocol


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

    task = "gait"

    def __init__(self, settings: GaitSettings, store: Store, report: Report | None = None) -> None:
        long_enough = without_short(store, settings.data.min_frames, report)
        self.dropped = {"short": len(store) - len(long_enough)}
        super().__init__(settings, long_enough)
        identity = self.store.index["identity"].to_numpy()
        if (identity == "").any():
            raise ValueError(
                f"data set {store.info.name}: gait recognition needs an identity for every sample; "
                f"{int((identity == '').sum())} of {len(identity)} have none"
            )
        self.groups = divide_identities(identity.tolist(), settings.identities, settings.train.seed)
        self._identity = identity
        self._protocol = settings.gallery_probe()
        self._validation = self._people(self.groups.validation)
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

    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Rank-1 and mAP of the held-out training people; nothing where there are none."""
        if not len(self._validation):
            return {}
        table = self.evaluate(self.embeddings(network, self._validation))
        mean_precision = table.metrics.get("mAP", float("nan"))
        return {"validation/rank1": table.headline, "validation/mAP": mean_precision}

    def embeddings(
        self, network: SkeletonNetwork, samples: Store, report: Report | None = None
    ) -> Embeddings:
        """Embed samples and keep their labels beside the vectors."""
        if report is not None:
            report(f"embedding {len(samples)} sequences")
        vectors = embed(network, samples, self.clip_input, self.settings.embed)
        return labelled(vectors, samples)

    def evaluate(self, embeddings: Embeddings, metric: Metric | None = None) -> GaitTable:
        """The protocol's table."""
        generator = np.random.default_rng(self.settings.train.seed)
        return evaluate_gait(
            embeddings, self._protocol, self.settings.rule, metric=metric, generator=generator
        )

    def bone_length_table(self) -> GaitTable:
        """The table of the nearest neighbour on standardised bone lengths, the floor to beat."""
        test = self.test_samples()
        train, _ = self.training_samples()
        lengths = standardised_bone_lengths(train, test)
        return self.evaluate(labelled(lengths, test), metric="euclidean")

    def counts(self) -> dict[str, int]:
        """People and sequences of each group, and what was left out."""
        info = self.store.info
        return {
            "train_subjects": len(self.groups.train),
            "validation_subjects": len(self.groups.validation),
            "test_subjects": len(self.groups.test),
            "train": len(self.training_samples()[0]),
            "validation": len(self._validation),
            "test": len(self.test_samples()),
            **{f"dropped_{reason}": count for reason, count in self.dropped.items()},
            **dropped_counts(info),
        }

    def _check_protocol(self) -> None:
        """Refuse a protocol that does not fit the people, before hours of training."""
        groups = {"are tested": self.test_samples(), "validate": self._validation}
        for what, samples in groups.items():
            unknown = labelled(np.zeros((len(samples), 1), dtype=np.float32), samples)
            try:
                if len(samples):
                    assign(self._protocol, unknown, np.random.default_rng(0))
            except ValueError as error:
                raise ValueError(
                    f"data set {self.store.info.name}, the people who {what}: {error} Choose "
                    "another protocol with -s protocol=..."
                ) from None

    def _people(self, names: Sequence[str]) -> Store:
        return self.store.select(np.isin(self._identity, names))
