"""A trained run with its data: the adapter, and the network that is tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from aclnet.config import load_settings
from aclnet.models import SkeletonNetwork
from aclnet.runs.embedding import embed
from aclnet.runs.info import SETTINGS, RunInfo
from aclnet.runs.model import load
from aclnet.runs.reading import settings_for
from aclnet.training.settings import TrainSettings
from protocols.embeddings import Embeddings
from tasks.run.adapter import TaskAdapter
from tasks.run.saved import require_task
from tasks.samples.open import open_data
from tasks.settings import TaskSettings
from tasks.spec import TaskSpec

Report = Callable[[str], None]


def open_run(
    spec: TaskSpec,
    run: Path,
    cache: Path,
    report: Report | None = None,
    *,
    data: Path | None = None,
    changes: Callable[[Any], Mapping[str, Any]] | None = None,
) -> tuple[TaskAdapter[Any], SkeletonNetwork]:
    """A trained run of a task, with its data.

    Args:
        spec: the task.
        run: the run's folder; nothing in it is changed.
        cache: folder for converted and generated data.
        report: takes sentences of progress.
        data: other data, read and divided as the run's own; None: the run's.
        changes: gives, of the run's settings, those that replace them, by name.

    Raises:
        ValueError: the folder is no run of this task or has no checkpoint yet, or the data do not
            fit its network.
    """
    require_task(spec, run)
    settings = load_settings(spec.settings, run / SETTINGS)
    model = load(run)
    if data is not None:
        moved = settings.data.model_copy(update={"path": data})
        settings = settings.model_copy(update={"data": moved})
    if changes is not None:
        settings = settings.model_copy(update=dict(changes(settings)))
    adapter = spec.adapter(settings, open_data(settings.data, cache, report), report)
    model.info.require(adapter.store, run)
    _require_classes(adapter, model.info, run)
    return adapter, on_best_device(model.network, settings.train)


def embed_data(
    spec: TaskSpec, run: Path, data: Path | None, cache: Path, report: Report | None = None
) -> Embeddings:
    """Embed data with a run's network: the samples of `data`, or the run's own test samples.

    `data` are read as the run's data were (joints, least length; format and layout too, where the
    name ends alike).

    Args:
        spec: the task.
        run: a trained run's folder.
        data: a store, or anything that can be converted into one; None: the run's test samples.
        cache: folder for converted and generated data.
        report: takes sentences of progress.

    Raises:
        ValueError: the run is none, or the data do not fit its network.
    """
    if data is None:
        adapter, network = open_run(spec, run, cache, report)
        return adapter.embeddings(network, adapter.test_samples(), report)
    require_task(spec, run)
    settings: TaskSettings = load_settings(spec.settings, run / SETTINGS)
    model = load(run)
    store = open_data(settings_for(settings.data, data), cache, report)
    samples = spec.adapter.whole(settings, spec.adapter.prepared(settings, store, report))
    model.info.require(samples, run)
    on_best_device(model.network, settings.train)
    if report is not None:
        report(f"embedding {len(samples)} sequences")
    vectors = embed(model.network, samples, model.clip_input, settings.embed)
    return spec.adapter.labelled(settings, vectors, samples)


def on_best_device(network: SkeletonNetwork, settings: TrainSettings) -> SkeletonNetwork:
    """The network on a GPU where there is one and the run's settings allow it."""
    if settings.accelerator != "cpu" and torch.cuda.is_available():
        network.to("cuda")
    return network


def _require_classes(adapter: TaskAdapter[Any], info: RunInfo, run: Path) -> None:
    """Refuse data of other classes or training people than the run was trained on."""
    if adapter.classes == info.classes:
        return
    now, then = (
        f"{', '.join(names[:5])}, ... ({len(names)})" for names in (adapter.classes, info.classes)
    )
    raise ValueError(
        f"the data have the classes {now}, and {run} was trained on {then}: have they changed "
        "since the training? Give data of the same classes, or divided as they were"
    )
