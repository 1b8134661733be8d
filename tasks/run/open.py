"""Opens a trained run with its data: the adapter and the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from aclnet.config import load_settings
from aclnet.data.store import Store
from aclnet.distributed import every_rank, in_agreement, rank, require_same
from aclnet.models import SkeletonNetwork
from aclnet.progress import counting
from aclnet.runs.finished import require_finished
from aclnet.runs.inference import embed
from aclnet.runs.info import SETTINGS, RunInfo, read_run_model
from aclnet.runs.model import load
from aclnet.runs.reading import settings_for
from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.machine.launch import join_ranks
from aclnet.training.settings import TrainSettings
from aclnet.training.state import RunState
from protocols.embeddings import Embeddings
from tasks.run.adapter import TaskAdapter
from tasks.run.saved import require_task
from tasks.run.trained_data import changed_since
from tasks.samples.left_out import left_out_of
from tasks.samples.open import dropped_counts, open_data
from tasks.settings import TaskSettings, naming_data
from tasks.spec import Report, TaskSpec, silent


def open_run(
    spec: TaskSpec,
    run: Path,
    cache: Path,
    report: Report = silent,
    *,
    data: Path | None = None,
    changes: Callable[[Any], Mapping[str, Any]] | None = None,
    unfinished: bool = False,
) -> tuple[TaskAdapter[Any], SkeletonNetwork]:
    """Open a trained run with its data.

    Args:
        spec: the task.
        run: the run's folder; it is not changed.
        cache: folder for converted and generated data.
        report: called with progress messages, and if the run's data have changed since.
        data: other data, read and divided like the run's own; None: the run's.
        changes: function of the run's settings that returns overrides by name.
        unfinished: also open a run whose training is not finished.

    Raises:
        ValueError: the folder is not a run of this task, its training is not finished, it has no
            checkpoint, or the data do not fit its network.
    """
    require_task(spec, run)
    settings = load_settings(spec.settings, run / SETTINGS)
    model = load(run, unfinished=unfinished)
    if data is not None:
        moved = settings.data.model_copy(update={"path": data})
        settings = settings.model_copy(update={"data": moved})
    if changes is not None:
        settings = settings.model_copy(update=dict(changes(settings)))
    store = open_data(settings.data, cache, report, model.layout)
    with naming_data(settings.data):
        adapter = spec.adapter(settings, store, report)
    adapter.initial = model.info.initial
    adapter.clip_input.distances = model.info.distances
    model.info.require(adapter.store, run)
    _require_classes(adapter, model.info, run)
    if data is None and (note := changed_since(adapter.store, model.info, run)):
        report(note)
    return adapter, on_best_device(model.network, settings.train)


def embed_data(
    spec: TaskSpec,
    run: Path,
    data: Path | None,
    cache: Path,
    report: Report = silent,
    *,
    unfinished: bool = False,
) -> Embeddings:
    """Embed data with a run's network; all ranks that torchrun started share the work.

    `data` are read like the run's data (joints, minimum length; format and layout too if the file
    names have the same suffix).

    Args:
        spec: the task.
        run: a trained run's folder.
        data: a store, or anything that can be converted into one; None: the run's test samples.
        cache: folder for converted and generated data.
        report: called with progress messages.
        unfinished: also embed with a run whose training is not finished.

    Raises:
        ValueError: the folder is not a run, its training is not finished, or the data do not fit
            its network.
    """
    finished = require_finished(run, unfinished)
    require_task(spec, run)
    settings: TaskSettings = load_settings(spec.settings, run / SETTINGS)
    join_ranks(settings.train)
    if rank() > 0:
        report = silent
    if not finished:
        report(trained_so_far(run)[1])
    if data is None:

        def opened() -> tuple[TaskAdapter[Any], SkeletonNetwork]:
            return open_run(spec, run, cache, report, unfinished=unfinished)

        adapter, network = in_agreement(opened)
        if left_out := left_out_of(adapter.counts()):
            report(left_out)
        with _sharing(adapter.store):
            return adapter.embeddings(network, adapter.test_samples(), report)
    model = load(run, unfinished=unfinished)
    reads = settings_for(settings.data, data)
    store = in_agreement(lambda: open_data(reads, cache, report, model.layout))
    if left_out := left_out_of(dropped_counts(store.info)):
        report(left_out)
    samples = spec.adapter.whole(settings, spec.adapter.prepared(settings, store, report))
    model.info.require(samples, run)
    on_best_device(model.network, settings.train)
    report(f"embedding {len(samples)} sequences")
    with _sharing(samples), counting(report, "embedding") as progress:
        vectors = embed(model.network, samples, model.clip_input, settings.embed, progress)
    return spec.adapter.labelled(settings, vectors, samples)


@contextmanager
def _sharing(store: Store) -> Iterator[None]:
    """While entered, all ranks embed, each a share of the same data."""
    require_same(
        store.info.fingerprint,
        "not every rank finds the same data: with several machines give each the same",
    )
    with every_rank():
        yield


def trained_so_far(run: Path) -> tuple[RunState, str]:
    """The state that a run's weights were saved in, and a sentence: its training is not finished.

    Raises:
        ValueError: the run has no checkpoint, or a damaged one.
    """
    weights = run / read_run_model(run).weights
    state = RunState.saved(load_checkpoint(weights).get("state", {}), weights)
    whole = state.epoch - 1
    return state, f"The training of {run} is not finished: the weights are those of epoch {whole}."


def on_best_device(network: SkeletonNetwork, settings: TrainSettings) -> SkeletonNetwork:
    """Move the network to a GPU, if there is one and the run's settings allow it."""
    if settings.accelerator != "cpu" and torch.cuda.is_available():
        network.to("cuda")
    return network


def _require_classes(adapter: TaskAdapter[Any], info: RunInfo, run: Path) -> None:
    """Check that the data have the classes, or training people, of the run."""
    if adapter.classes == info.classes:
        return
    now, then = (
        f"{', '.join(names[:5])}, ... ({len(names)})" for names in (adapter.classes, info.classes)
    )
    raise ValueError(
        f"the data have the classes {now}, but {run} was trained on {then}: give data with the "
        "same classes, divided as for the training"
    )
