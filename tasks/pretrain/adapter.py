"""Pre-training as a task: the training samples without labels, and the probe's features."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch

from aclnet.clips.input import ClipInput
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.models.encoder import Encoder
from aclnet.pretraining.actclr import ActionletContrast
from aclnet.pretraining.aimclr import ExtremeContrast
from aclnet.pretraining.embedder import Embedder, Projector
from aclnet.pretraining.masked import MaskedMotion
from aclnet.pretraining.objective import ViewObjective
from aclnet.pretraining.transfer import Stream
from aclnet.pretraining.views.curriculum import stage1_plan, stage2_plan
from aclnet.runs.info import InitialWeights, read_run_info, read_run_model
from aclnet.runs.networks import fill_part, weight_generator
from aclnet.runs.scoring import Scored, score
from aclnet.training.pretraining import MaskedTraining, Untrained, ViewTraining
from aclnet.training.task import Trainable
from protocols.action.division import TEST, TRAIN, VALIDATION
from protocols.action.evaluate import evaluate_action
from protocols.action.scores import ClassScores
from tasks.action.adapter import VALIDATION_METRIC, ActionAdapter
from tasks.pretrain.actionlets import save_actionlets
from tasks.pretrain.probe import probabilities
from tasks.pretrain.settings import PretrainSettings, ProbeSettings
from tasks.pretrain.spec import Pretrain
from tasks.run.adapter import Clips
from tasks.run.initial import ENCODER, fill_from
from tasks.samples.labels import labelled_rows
from tasks.settings import naming
from tasks.spec import Report, silent

_LEAST = 1e-6

ACTIONLETS = "actionlets.npz"
"""Of a run of ActCLR, drawn by `protocols.figures.actionlets`."""

PROJECTOR = "objective.online.projector"
"""The part of the checkpoint of both stages of ActCLR that a later stage begins with too."""


class PretrainAdapter(ActionAdapter):
    """Pre-training as a task: trained on the training samples of a split, judged by a probe."""

    settings: PretrainSettings

    def check_start(self) -> None:
        """Refuse an `init_from` that is no finished run of pre-training, or does not fit.

        Raises:
            ValueError: it is none, its network is another one, or it lacks the projection that the
                method needs.
        """
        super().check_start()
        if self.settings.start is None:
            return
        start = Path(self.settings.start)
        with naming(f"init_from={start}"):
            if read_run_info(start).task != Pretrain.name:
                raise ValueError(f"{start} is no run of pre-training: give one of stage 1")
            contrasts = {"aimclr": self.settings.aimclr, "actclr": self.settings.actclr}
            if chosen := contrasts.get(self.settings.method):
                given = self.clip_input
                encoder = build_encoder(
                    self.settings.network.encoder, given.layout, given.channels, weight_generator(0)
                )
                projector = Projector(encoder.feature_dim, chosen.projection_dim)
                fill_part(start / read_run_model(start).weights, projector, PROJECTOR)

    def initialise(self, network: SkeletonNetwork, trainable: Trainable) -> InitialWeights | None:
        """Begin with the encoder of `init_from`, and its projection or decoder."""
        start, objective = self.settings.start, getattr(trainable, "objective", None)
        if start is not None and isinstance(objective, MaskedMotion):
            with naming(f"init_from={start}"):
                return fill_from(Path(start), {ENCODER: network.encoder, "objective": objective})
        if start is None or not isinstance(objective, ViewObjective):
            return super().initialise(network, trainable)
        online = objective.online
        parts = {ENCODER: online.encoder, PROJECTOR: online.projector}
        with naming(f"init_from={start}"):
            found = fill_from(Path(start), parts)
        objective.slow.network.load_state_dict(online.state_dict())
        return found

    def make_task(self, network: SkeletonNetwork, generator: torch.Generator) -> Trainable:
        """The network with its objective, whose queue holds no more keys than there are clips."""
        most = max(8, len(self.training_samples()[0]))
        sizes = {
            name: one.model_copy(update={"queue_size": min(one.queue_size, most)})
            for name, one in (("aimclr", self.settings.aimclr), ("actclr", self.settings.actclr))
        }
        settings = self.settings.model_copy(update=sizes)
        return self.trainable(settings, network, self.clip_input, generator, self.training_clips)

    @classmethod
    def trainable(
        cls,
        settings: PretrainSettings,  # type: ignore[override]
        network: SkeletonNetwork,
        clip_input: ClipInput,
        generator: torch.Generator,
        clips: Clips,
    ) -> Trainable:
        """The network's encoder with the method's objective."""
        del clips
        if settings.method == "random":
            return Untrained(network, clip_input)
        if settings.method == "masked":
            dims = clip_input.dims
            objective = MaskedMotion(network.encoder, settings.masked, dims, generator)
            return MaskedTraining(network, objective, clip_input)
        chosen = settings.aimclr if settings.method == "aimclr" else settings.actclr
        feature_dim = network.classifier.in_features
        projector = Projector(feature_dim, chosen.projection_dim, generator)
        embedder = Embedder(cast(Encoder, network.encoder), projector)
        epochs = settings.train.epochs
        if settings.method == "aimclr":
            views = settings.aimclr.views
            return ViewTraining(
                network,
                ExtremeContrast(embedder, settings.aimclr, epochs, generator),
                clip_input,
                lambda _: stage1_plan(views),
                views.changes,
            )
        return ViewTraining(
            network,
            ActionletContrast(
                embedder,
                settings.actclr,
                epochs,
                clip_input.layout,
                clip_input.dims,
                cast(Stream, settings.clip.streams[0]),
                generator,
            ),
            clip_input,
            partial(stage2_plan, settings.actclr.views, epochs=epochs, seed=settings.train.seed),
            settings.actclr.views.changes,
        )

    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Accuracy on the validation samples by the nearest training samples."""
        if not self.division.counts.get(VALIDATION, 0):
            return {}
        votes = self.settings.probe.model_copy(update={"kind": "knn", "share": 1.0})
        metrics = evaluate_action(self.probed(network, VALIDATION, votes)).metrics
        return {VALIDATION_METRIC: metrics["top1"]}

    def represent(self, network: SkeletonNetwork, report: Report = silent) -> ClassScores:
        """The probe's scores of the test samples."""
        del report
        return self.probed(network, TEST, self.settings.probe)

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

    def probed(self, network: SkeletonNetwork, role: str, probe: ProbeSettings) -> ClassScores:
        """The scores of a probe that learns from the training samples."""
        store, labels = self.training_samples()
        rows = labelled_rows(labels, probe.share, self.settings.train.seed)
        samples = self.samples(role)

        def features(of: Store) -> Scored:
            return score(network, of, self.clip_input, self.settings.test)

        known, asked = features(store.select(rows)), features(samples)
        found = probabilities(
            known.embedding, labels[rows], asked.embedding, len(self.classes), probe
        )
        return self.scores(Scored(found, np.log(found + _LEAST), asked.embedding), samples, role)

    def tested_how(self) -> str:
        """The probe, and the tested epoch."""
        return f"{self.settings.probe.described}, {super().tested_how()}"
