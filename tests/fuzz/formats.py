"""Every format of a file from outside: its whole files, and the function that reads them."""

from __future__ import annotations

import contextlib
import functools
import importlib
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import seeds
from seeds import Seed

Read = Callable[[Path], object]


class Format(NamedTuple):
    """A format: the seeds, and what reads a file of it to the end."""

    seeds: Callable[[], Iterator[Seed]]
    read: Read
    unpickles: bool = False
    """Whether the program reads it in a child process with limits of its own; `read` then takes
    `child`, whether that happens here too."""
    hostile: bool = False
    """Whether it is always read in the child."""


class WrongContentError(Exception):
    """What was read cannot be what the file holds."""


def _recordings(name: str, seed: Callable[[], Iterator[Seed]]) -> Format:
    """A reader of recordings: recognised, and read to the last sample."""

    def read(path: Path, child: bool = False) -> None:
        formats = importlib.import_module("aclnet.data.formats")
        here = mock.patch.object(formats, "read_in_child", _read_here)
        with contextlib.nullcontext() if child else here:
            with contextlib.suppress(ValueError, OSError):  # named, it is read in any case
                formats.detect(path)
            _draw(formats.read(path, name))

    module = importlib.import_module("aclnet.data.formats").READERS[name]
    found = importlib.import_module(module)
    native = hasattr(found, "NATIVE")  # which ends or hangs the process that it is called in
    return Format(seed, read, native or getattr(found, "UNPICKLES", False), native)


def _read_here(module: str, path: Path, *, bounded: bool = False, **how: Any) -> Any:
    """What the child does, without its limits, in the time of a child's start."""
    return importlib.import_module(module).read(path, **how)


def _draw(opened: Any) -> None:
    info, samples = opened
    for sample in samples:
        if sample.frames.ndim != 4 or len(sample.numbers) != len(sample.frames):
            raise WrongContentError(f"sample {sample.sample!r} has frames {sample.frames.shape}")
    if any(count < 0 for count in info.dropped.values()):
        raise WrongContentError(f"dropped is {info.dropped}")


def _read_store(path: Path) -> None:
    from aclnet.data.store import open_store

    store = open_store(path)
    keys: set[str] = set()
    for row, sample in enumerate(store.samples()):
        if len(sample.frames) != store.lengths[row] or not len(sample.frames):
            raise WrongContentError(f"sample {row} has {len(sample.frames)} frames")
        if not np.isfinite(sample.frames).all():
            raise WrongContentError(f"sample {row} is not finite")
        if not sample.sample or sample.sample in keys:
            raise WrongContentError(f"the key {sample.sample!r} is empty or comes twice")
        keys.add(sample.sample)
    if len(store.first_numbers) != len(store.image_width):
        raise WrongContentError("columns of other lengths")


def _read_embeddings(path: Path) -> None:
    from protocols.embeddings import load_embeddings

    found = load_embeddings(path)
    if not np.isfinite(found.embedding).all():
        raise WrongContentError("an embedding is not finite")


def _read_pairs(path: Path) -> None:
    from protocols.pair_scores import load_tested

    load_tested(path, path.with_name("labels.csv"))


def _read_record(path: Path) -> None:
    from protocols.records import ResultRecord

    record = ResultRecord.read(path)
    record.described_rule  # noqa: B018 - it is read by every table


def _read_recipe(task: str) -> Read:
    def read(path: Path) -> None:
        from aclnet.config import dump_settings, load_settings
        from tasks.spec import find_task

        dump_settings(load_settings(find_task(task).settings, path))

    return read


def _function(module: str, name: str) -> Read:
    def read(path: Path) -> object:
        return getattr(importlib.import_module(module), name)(path)

    return read


def _read_run(path: Path) -> None:
    from aclnet.runs.info import read_run_info
    from aclnet.skeleton import layout_from_dict

    layout_from_dict(read_run_info(path).layout, f"{path / 'run.json'}: layout")


@functools.cache
def _network() -> Any:
    """Stands for the network that the seeds' weights fill."""
    import io

    import torch

    from aclnet.models.official import import_official

    (content,) = next(seeds.weights()).files.values()
    own = import_official(torch.load(io.BytesIO(content), weights_only=True))
    return types.SimpleNamespace(state_dict=lambda: dict(own))


def _read_weights(path: Path) -> None:
    from tasks.action import weights

    weights._match_weights(weights.read_weights(path), _network(), path)


_READERS: dict[str, Callable[[], Iterator[Seed]]] = {
    "gaitgraph_csv": seeds.gaitgraph_csv,
    "pose_pickle": seeds.pose_pickle,
    "pyskl": seeds.pyskl,
    "npz": seeds.npz_format,
    "kgbd_text": seeds.kgbd_text,
    "transg_npy": seeds.transg_npy,
    "ntu_skeleton": seeds.ntu_skeleton,
    "nwucla_json": seeds.nwucla_json,
    "kinetics_json": seeds.kinetics_json,
    "alphapose_json": seeds.alphapose_json,
    "openpose_json": seeds.openpose_json,
    "mmpose_json": seeds.mmpose_json,
    "ultralytics_json": seeds.ultralytics_json,
    "ultralytics_text": seeds.ultralytics_text,
    "mediapipe": seeds.mediapipe,
    "keypoint_csv": seeds.keypoint_csv,
    "bvh": seeds.bvh,
    "asf_amc": seeds.asf_amc,
    "c3d": seeds.c3d,
    "trc": seeds.trc,
    "parquet": seeds.parquet,
}

FORMATS: dict[str, Format] = {
    **{name: _recordings(name, seed) for name, seed in _READERS.items()},
    **{
        f"hostile_{name}": _recordings(name, seeds.hostile_pickle)._replace(hostile=True)
        for name in ("pyskl", "pose_pickle")
    },
    "keypoint_labels": Format(
        seeds.keypoint_labels, _function("aclnet.data.formats.keypoints.labels", "read_labels")
    ),
    "names": Format(seeds.names, _function("aclnet.data.missing", "read_names")),
    "store": Format(seeds.store, _read_store),
    "embeddings_npz": Format(seeds.embeddings_npz, _read_embeddings),
    "embeddings_csv": Format(seeds.embeddings_csv, _read_embeddings),
    "embeddings_parquet": Format(seeds.embeddings_parquet, _read_embeddings),
    "embeddings_npy": Format(seeds.embeddings_npy, _read_embeddings),
    "class_scores": Format(
        seeds.class_scores, _function("protocols.action.scores", "load_class_scores")
    ),
    "pair_scores": Format(seeds.pair_scores, _read_pairs),
    "record": Format(seeds.record, _read_record),
    **{
        f"recipe_{task}": Format(functools.partial(seeds.recipe, task), _read_recipe(task))
        for task in ("action", "gait", "reid")
    },
    "layout": Format(seeds.layout, _function("aclnet.skeleton", "load_layout")),
    "gait_protocol": Format(
        seeds.gait_protocol, _function("protocols.gait.gallery_probe", "load_protocol")
    ),
    "people_split": Format(
        seeds.people_split, _function("protocols.splits", "load_identity_split")
    ),
    "pair_protocol": Format(seeds.pair_protocol, _function("protocols.reid.pairs", "load_pairs")),
    "action_split": Format(seeds.action_split, _function("protocols.action.split", "load_split")),
    "probe_names": Format(
        seeds.probe_names, _function("protocols.gait.gallery_probe", "read_probe_names")
    ),
    "run_info": Format(seeds.run_info, _read_run),
    "run_log": Format(seeds.run_log, _function("aclnet.training.log", "read_log")),
    "checkpoint": Format(
        seeds.checkpoint, _function("aclnet.training.checkpoint", "load_checkpoint")
    ),
    "weights": Format(seeds.weights, _read_weights),
}


@functools.cache
def seeds_of(name: str) -> tuple[Seed, ...]:
    """The whole files of a format, always in the same order; none where they cannot be had here."""
    return tuple(FORMATS[name].seeds())
