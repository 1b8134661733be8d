"""The embeddings beside a run: its own, anybody's, and those of other data by its network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from aclnet.data.settings import DataSettings
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.training.settings import TrainSettings
from protocols.embeddings import Embeddings, load_embeddings
from protocols.records import DatasetReference
from tasks.run.folder import RUN_INFO, RunInfo, parse_run_info, require_run
from tasks.samples.reading import Reading

EMBEDDINGS = "embeddings.npz"
BASELINE, BASELINE_RECORD = "bone-length", "record-bone-length.json"

FOREIGN = "Foreign embeddings: whether the data were generated is not known."
"""Stands beside every table of embeddings of unknown data."""


def run_embeddings(run: Path, task: str) -> Embeddings:
    """The test embeddings that a run saved.

    Args:
        run: the run's folder.
        task: whose train command goes on with it.

    Raises:
        ValueError: the folder is no run of this task, or has none yet.
    """
    require_run(run)
    of = parse_run_info(run / RUN_INFO).task
    if of != task:
        raise ValueError(
            f"{run} is a run of `{of}`, not of `{task}`: see `aclnet-task {of} --help`"
        )
    if not (run / EMBEDDINGS).is_file():
        raise ValueError(
            f"{run} has no {EMBEDDINGS}: its training has not ended; go on with "
            f"`aclnet-task {task} train --run {run} --resume`"
        )
    return load_embeddings(run / EMBEDDINGS)


def saved_by(path: Path) -> RunInfo | None:
    """The run that saved a file of embeddings; None where nothing is known of them.

    It is the run beside which the file lies, if the file has the name that runs give: one of any
    other name may be an embedding of other data, put into the run's folder.
    """
    beside = path.parent / RUN_INFO
    return parse_run_info(beside) if path.name == EMBEDDINGS and beside.is_file() else None


def embeddings_dataset(path: Path) -> tuple[DatasetReference, bool]:
    """The data that a file of embeddings stands for, and whether they are known: a run's are."""
    info = saved_by(path)
    if info is not None:
        known = DatasetReference(
            name=info.dataset, fingerprint=info.fingerprint, synthetic=info.synthetic
        )
        return known, True
    fingerprint = hashlib.sha256(path.read_bytes()).hexdigest()
    return DatasetReference(name=path.stem, fingerprint=fingerprint, synthetic=False), False


def read_alike(own: DataSettings, data: Path) -> DataSettings:
    """Settings that read other data as a run's own (`tasks.samples.reading.Reading`).

    Raises:
        ValueError: no reader recognises them.
    """
    return Reading(own).settings(data)


def on_best_device(network: SkeletonNetwork, settings: TrainSettings) -> SkeletonNetwork:
    """The network on a GPU where there is one and the run's settings allow it."""
    if settings.accelerator != "cpu" and torch.cuda.is_available():
        network.to("cuda")
    return network


def labelled(vectors: npt.NDArray[np.float32], samples: Store) -> Embeddings:
    """Vectors (N, D) with the labels of the samples that they stand for."""
    index = samples.index

    def text(column: str) -> npt.NDArray[np.str_]:
        return index[column].to_numpy().astype(np.str_)

    return Embeddings(
        embedding=np.asarray(vectors, dtype=np.float32),
        subject=text("identity"),
        condition=text("condition"),
        take=text("take"),
        view=text("view"),
        camera=text("camera"),
        sample=text("sample"),
    )
