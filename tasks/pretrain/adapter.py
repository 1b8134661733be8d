"""Pre-training as a task: the training samples without labels, and the probe's features."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np

from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.pretraining.actclr import ActionletContrast
from aclnet.progress import Progress, counting, share
from aclnet.runs.averages import Scored
from aclnet.runs.inference import score
from aclnet.runs.info import read_run_model
from aclnet.runs.networks import fill_part, weight_generator
from aclnet.training.pretraining import ViewTraining
from protocols.action.division import TEST, TRAIN, VALIDATION
from protocols.action.evaluate import evaluate_action
from protocols.action.scores import ClassScores
from tasks.action.adapter import VALIDATION_METRIC, ActionAdapter
from tasks.pretrain.actionlets import save_actionlets
from tasks.pretrain.probe import probabilities
from tasks.pretrain.settings import PretrainSettings, ProbeSettings
from tasks.samples.labels import labelled_rows
from tasks.spec import Report, silent

_LEAST = 1e-6

ACTIONLETS = "actionlets.npz"
"""Of a run of ActCLR, drawn by `protocols.figures.actionlets`."""


class PretrainAdapter(ActionAdapter):
    """Pre-training as a task: trained on the training samples of a split, judged by a probe."""

    settings: PretrainSettings

    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Accuracy on the validation samples by the nearest training samples."""
        if not self.division.counts.get(VALIDATION, 0):
            return {}
        votes = self.settings.probe.model_copy(update={"kind": "knn", "share": 1.0})
        metrics = evaluate_action(self.probed(network, self.samples(VALIDATION), votes)).metrics
        return {VALIDATION_METRIC: metrics["top1"]}

    def represent(
        self, network: SkeletonNetwork, samples: Store, report: Report = silent
    ) -> ClassScores:
        """The probe's scores of test samples."""
        return self.probed(network, samples, self.settings.probe, report)

    def save_more(self, network: SkeletonNetwork, run: Path) -> None:
        """The actionlets of a few test clips, for the report."""
        if self.settings.method != "actclr":
            return
        objective = cast(ViewTraining, self.make_task(network, weight_generator(0))).objective
        fill_part(run / read_run_model(run).weights, objective, "objective")
        save_actionlets(
            run / ACTIONLETS,
            cast(ActionletContrast, objective.to(next(network.parameters()).device)),
            self.clip_input,
            self.samples(TRAIN),
            self.samples(TEST),
            self.settings.sampler.batch_size,
        )

    def probed(
        self,
        network: SkeletonNetwork,
        samples: Store,
        probe: ProbeSettings,
        report: Report = silent,
    ) -> ClassScores:
        """The scores of a probe that learns from the training samples."""
        store, labels = self.training_samples()
        rows = labelled_rows(labels, probe.share, self.settings.train.seed)

        def features(of: Store, progress: Progress | None) -> Scored:
            return score(network, of, self.clip_input, self.settings.test, progress=progress)

        with counting(report, "testing") as progress:
            known = features(store.select(rows), share(progress, 0, 2))
            asked = features(samples, share(progress, 1, 2))
        with counting(report, "probing"):
            found = probabilities(
                known.embedding, labels[rows], asked.embedding, len(self.classes), probe
            )
        return self.scores(Scored(found, np.log(found + _LEAST), asked.embedding), samples)

    def tested_how(self) -> str:
        """The probe, and the tested epoch."""
        return f"{self.settings.probe.described}, {super().tested_how()}"
