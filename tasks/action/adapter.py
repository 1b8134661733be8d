"""Action recognition: classify recordings into K actions.

Follows the released recipe (based on PYSKL): clips of frames spread over a whole recording, one
label per recording, cross-entropy and the affinity contrastive terms, and the mean probabilities
of ten test clips. Deliberate difference: the tested epoch is the best on people held out of the
training people, or the last; the release tests the best on the test set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aclnet.clips.settings import Rows
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.progress import counting
from aclnet.runs.averages import Scored
from aclnet.runs.inference import score
from aclnet.training.settings import TrainSettings
from protocols.action.division import (
    TEST,
    TRAIN,
    VALIDATION,
    Division,
    divide_people,
    divide_samples,
    hold_out,
    train_on,
)
from protocols.action.evaluate import evaluate_action
from protocols.action.scores import ClassScores
from protocols.embeddings import Embeddings
from protocols.names import natural_order
from tasks.action.settings import ActionSettings
from tasks.run.adapter import TaskAdapter
from tasks.samples.batches import picture_widths
from tasks.samples.identities import IdentitySettings, divide_identities
from tasks.samples.labels import label_rows, labelled_rows
from tasks.settings import naming
from tasks.spec import Report, silent

VALIDATION_METRIC = "validation/top1"


class ActionAdapter(TaskAdapter[ActionSettings]):
    """Action recognition as a task.

    Args:
        settings: resolved settings.
        store: the data set; every training, validation and test sample needs a label.
        report: called with messages about dropped samples and what of the split does not fit.

    Raises:
        ValueError: a sample has no label or two roles, the split does not fit the data, a test
            class has no training sample, or pictures to be mirrored have an unknown width.
    """

    def __init__(self, settings: ActionSettings, store: Store, report: Report = silent) -> None:
        super().__init__(settings, store, report)
        self._label = self.store.index["label"].to_numpy()
        division = self._divided(report)
        self.division = division
        self._classes = self._find_classes()
        self._check_labels()
        self.division = self._shared(division)
        picture_widths(self.samples(TRAIN), settings.clip)  # checked before the run is started

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the source's order if it has one."""
        return self._classes

    def training_samples(self) -> tuple[Store, Rows]:
        """The training samples and their classes."""
        samples = self.samples(TRAIN)
        return samples, label_rows(samples.index["label"].to_numpy(), self.classes)

    def samples(self, role: str) -> Store:
        """The samples of a role: train, validation or test."""
        return self.store.select(self.division.rows(role))

    def train_settings(self) -> TrainSettings:
        """Settings of the training loop, with the best epoch kept if it is to be tested."""
        train = self.settings.train
        if not self.selects_best:
            return train
        return train.model_copy(update={"keep_best": train.keep_best or VALIDATION_METRIC})

    @property
    def selects_best(self) -> bool:
        """Whether the best epoch in validation is tested, instead of the last."""
        return self.settings.select == "best" and self.division.counts.get(VALIDATION, 0) > 0

    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Accuracy on the validation samples, one clip per recording as in the release."""
        if not self.division.counts.get(VALIDATION, 0):
            return {}
        one = self.settings.test.model_copy(update={"clips": 1})
        samples = self.samples(VALIDATION)
        scores = self.scores(score(network, samples, self.clip_input, one), samples)
        metrics = evaluate_action(scores).metrics
        return {
            VALIDATION_METRIC: metrics["top1"],
            "validation/mean_class": metrics["mean_class"],
        }

    def test_samples(self) -> Store:
        """The test samples."""
        return self.samples(TEST)

    def represent(
        self, network: SkeletonNetwork, samples: Store, report: Report = silent
    ) -> ClassScores:
        """Scores of test samples, mean over the test clips."""
        return self._tested(network, samples, None, report)

    def test_scores(
        self, network: SkeletonNetwork, hidden: Rows | None = None, report: Report = silent
    ) -> ClassScores:
        """As `represent`, of all test samples without the `hidden` joints."""
        return self._tested(network, self.test_samples(), hidden, report)

    def _tested(
        self, network: SkeletonNetwork, samples: Store, hidden: Rows | None, report: Report
    ) -> ClassScores:
        test = self.settings.test
        with counting(report, "testing") as progress:
            scored = score(
                network, samples, self.clip_input, test, hidden=hidden, progress=progress
            )
        return self.scores(scored, samples)

    def embeddings(
        self, network: SkeletonNetwork, samples: Store, report: Report = silent
    ) -> Embeddings:
        """Features before the classifier, mean over a sample's test clips."""
        report(f"embedding {len(samples)} recordings")
        with counting(report, "embedding") as progress:
            test = self.settings.test
            scored = score(network, samples, self.clip_input, test, progress=progress)
        return self.labelled(self.settings, scored.embedding, samples)

    def scores(self, scored: Scored, samples: Store) -> ClassScores:
        """Combine scores with the labels, people and subsets of their samples."""
        index = samples.index
        subset_of = dict(zip(self.store.index["sample"], self.division.subset, strict=True))
        return ClassScores(
            sample=index["sample"].to_numpy().astype(np.str_),
            label=label_rows(index["label"].to_numpy(), self.classes),
            classes=np.array(self.classes, dtype=np.str_),
            probabilities=scored.probabilities,
            logits=scored.logits,
            subject=index["identity"].to_numpy().astype(np.str_),
            subset=np.array([subset_of[key] for key in index["sample"]], dtype=np.str_),
        )

    def counts(self) -> dict[str, int]:
        """Number of samples of each role, and what was dropped."""
        return {**self.division.counts, **self.left_out()}

    def notes(self) -> tuple[str, ...]:
        """How the people of the split were matched, if not by name."""
        return self.division.notes

    def describe(self) -> str:
        """The training, validation and test recordings."""
        counts = self.counts()
        return (
            f"{self.store.info.name}: {len(self.classes)} classes, {counts['train']} training, "
            f"{counts.get('validation', 0)} validation and {counts['test']} test recordings"
        )

    def testing(self) -> str:
        """Progress message before the test."""
        count = self.division.counts[TEST]
        return f"testing {count} recordings, {self.settings.test.clips} clips each"

    def tested_how(self) -> str:
        """The number of clips and the tested epoch."""
        epoch = "best epoch in validation" if self.selects_best else "last epoch"
        share = self.settings.train_share
        labels = "" if share == 1 else f", {100 * share:g} % of the labels"
        return f"{self.settings.test.clips} clips, {epoch}{labels}"

    def _divided(self, report: Report) -> Division:
        """The roles of the samples by the split, or by shares of the people."""
        settings, index = self.settings, self.store.index
        if settings.identities is not None:
            return self._by_shares(settings.identities, report)
        fold = "" if settings.fold is None else f", fold={settings.fold}"
        split = settings.table()
        with naming(f"split={settings.split}{fold or ', fold not set' if split.by_fold else fold}"):
            division = split.divide(index, settings.fold, overlap=settings.overlap)
        for note in division.notes:
            report(note)
        if division.counts.get(VALIDATION, 0):
            return division
        with naming(f"hold_out.people={settings.hold_out.people}"):
            return hold_out(
                division,
                index["identity"].to_numpy(),
                settings.hold_out.people,
                settings.train.seed,
                label=np.unique(self._label, return_inverse=True)[1],
                share=settings.hold_out.share,
            )

    def _by_shares(self, identities: IdentitySettings, report: Report) -> Division:
        """The roles by shares of the people, or of each class's samples if nobody is named."""
        people = self.store.index["identity"].to_numpy().astype(np.str_)
        seed = self.settings.train.seed
        if (people != "").all():
            groups = divide_identities(people.tolist(), identities, seed)
            roles = {TRAIN: groups.train, VALIDATION: groups.validation, TEST: groups.test}
            division = divide_people(people, roles)
            return replace(division, notes=tuple(filter(None, [groups.note])))
        with naming("identities"):
            shares = (identities.train, identities.validation)
            if max(shares) >= 1 or identities.table is not None:
                raise ValueError(
                    f"data set {self.store.info.name} does not name everybody, so that recordings "
                    "are divided: give shares below 1, not numbers of people or a table of them"
                )
            division = divide_samples(self._label, *shares, seed)
        for note in division.notes:
            report(note)
        return division

    def _shared(self, division: Division) -> Division:
        """The division with a share of each class's training samples."""
        if self.settings.train_share == 1:
            return division
        labels = label_rows(self._label[division.rows(TRAIN)], self.classes)
        kept = labelled_rows(labels, self.settings.train_share, self.settings.train.seed)
        note = (
            f"Trained on {len(kept)} of {len(labels)} training samples: "
            f"{100 * self.settings.train_share:g} % of each class, at least one (train_share)."
        )
        shared = train_on(division, division.rows(TRAIN)[kept])
        return replace(shared, notes=(*shared.notes, note))

    def _find_classes(self) -> tuple[str, ...]:
        """The source's classes in its order, without those that are not in the split."""
        used = set(self._labels(TRAIN)) | set(self._labels(VALIDATION)) | set(self._labels(TEST))
        unused = set(self._label.tolist()) - used
        names: Sequence[str] = self.store.info.classes or natural_order(self._label)
        return tuple(name for name in names if name not in unused and name)

    def _check_labels(self) -> None:
        used = np.concatenate([self.division.rows(r) for r in (TRAIN, VALIDATION, TEST)])
        nameless = used[self._label[used] == ""]
        where = f"data set {self.store.info.name}"
        if len(nameless):
            sample = self.store.index["sample"].to_numpy()[nameless[0]]
            raise ValueError(
                f"{where}: action recognition needs a label for every training, validation and "
                f"test sample; {len(nameless)} have none, the first is {sample}"
            )
        strange = sorted(set(self._labels(TEST)) - set(self._labels(TRAIN)))
        if strange:
            if self.settings.identities is not None:
                raise ValueError(
                    f"{where}: class {strange[0]!r} is tested, but none of the training people "
                    "does it: train on more people (-s identities.train=...), or draw others "
                    "(-s train.seed=...)"
                )
            held = strange[0] in self._labels(VALIDATION)
            fewer = ", or hold out fewer people (hold_out.people)" if held else ""
            raise ValueError(
                f"{where}: class {strange[0]!r} is tested but has no training sample in split "
                f"{self.settings.split}: use another split (-s split=...), or remove the class "
                f"from it{fewer}"
            )

    def _labels(self, role: str) -> list[str]:
        labels: list[str] = self._label[self.division.rows(role)].tolist()
        return labels
