"""Training clips a second against pipelines that work sample by sample, in one run.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_data_path.py [--rounds 5] [--batch 64]
        [--step 4] [--json results/benchmarks/data_path.json]

Clips of NTU's shape (2 people, 100 of 60 to 140 frames, 25 joints) are sampled, rotated and turned
into streams as in `configs/action/released.yaml`, for joints, for bones, for all four streams, and
for joints with the distances between the two people.
Ours is what a training step calls; times are processor time, in turn. Three plain sides:

- *PYSKL's pipeline* (`plain_clips.py`): its transforms as it has them, normalisation first. PYSKL's
  own code took 322, 213 and 209 clips a second where the issue's author ran it; the file's values
  here are in `clips_per_second`, and they should not be lower.
- *prepared before*: the same without the normalisation, which ours does once, when data are
  converted (`data convert --prepare main_person`), and not in every epoch.
- *in NumPy*: the same transforms as ours, written to be fast, clip by clip. Of a whole recording it
  is checked to make the same streams.

A note tells the share of a training step that waits for its data: the batch and its streams
against forward, backward and update of the released backbone on this processor, one thread.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from plain_clips import training_batch
from ratios import ratio, write

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import AugmentSettings, ClipSettings, NormaliseSettings
from aclnet.data.sample import COLUMNS, StoreInfo
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.models.affinity_gcn import AffinityGcn, AffinityGcnSettings
from aclnet.skeleton import load_layout

Clip = npt.NDArray[np.float32]
Times = dict[str, list[float]]
STREAMS = {"j": ("j",), "b": ("b",), "four streams": ("j", "b", "jm", "bm")}
BETWEEN = {"j, ip, ipm": ("j", "ip", "ipm")}
"""Distances between two people, which PYSKL's pipeline does not make."""
FRAMES, ANGLE = 100, 0.3


def store(generator: np.random.Generator, count: int, frames: int = FRAMES) -> Store:
    """Recordings of about so many frames in memory."""
    layout = load_layout("ntu25")
    lengths = generator.integers(6 * frames // 10, 14 * frames // 10 + 1, count)
    joints = generator.normal(0, 1, (int(lengths.sum()), 2, 25, 3)).astype(np.float32)
    index = pd.DataFrame({name: [""] * count for name in COLUMNS})
    index["sample"] = [f"s{i}" for i in range(count)]
    index["start"], index["length"] = np.cumsum(lengths) - lengths, lengths
    info = StoreInfo(name="made", layout=layout.to_dict(), channels=("x", "y", "z"), unit="metre")
    return Store(info, index, joints)


def rotation(angles: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """R = Rz Ry Rx as `aclnet.clips.augmentation.rotate` has it, of one clip."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(-angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, dtype=np.float32)


def one_by_one(
    data: Store,
    rows: npt.NDArray[Any],
    streams: Sequence[str],
    angles: npt.NDArray[np.float32],
    frames: int = FRAMES,
) -> torch.Tensor:
    """(N, M, T, V, C) streams, clip after clip."""
    parents = data.layout.parents.tolist()
    generator, made = np.random.default_rng(1), []
    for row, angle in zip(rows.tolist(), angles, strict=True):
        start, length = int(data.starts[row]), int(data.lengths[row])
        whole = np.einsum("ab,tmvb->tmva", rotation(angle), data.frames[start : start + length])
        parts = []
        for stream in streams:
            found = whole
            if stream[0] == "b":
                found = np.zeros_like(whole)
                for joint, parent in enumerate(parents):
                    found[:, :, joint] = whole[:, :, joint] - whole[:, :, parent]
            if stream.startswith("ip"):
                apart = whole[:, :, :, None] - whole[:, ::-1, None]
                found = np.sqrt(np.square(apart).sum(axis=-1))
            if stream.endswith("m"):
                moved = np.zeros_like(found)
                moved[:-1] = found[1:] - found[:-1]
                found = moved
            parts.append(found)
        joined = np.concatenate(parts, axis=-1)
        edges = np.arange(frames + 1) * length // frames
        width = np.diff(edges)
        chosen = edges[:-1] + np.minimum((generator.random(frames) * width).astype(int), width)
        made.append(np.ascontiguousarray(joined[chosen].transpose(1, 0, 2, 3)))
    return torch.from_numpy(np.stack(made))


def batched(clips: ClipInput, data: Store, rows: npt.NDArray[Any]) -> torch.Tensor:
    """(N, M, T, V, C) streams, as in training."""
    frames = clips.training_frames(data.lengths[rows], np.random.default_rng(1))
    stored = clips.stored(data, rows, frames)
    return clips.augmented(stored, torch.Generator().manual_seed(0))


def check(clips: ClipInput, data: Store, streams: Sequence[str]) -> None:
    """Both make the same streams of whole recordings of FRAMES frames."""
    row = int(np.flatnonzero(data.lengths == FRAMES)[0])
    frames = np.arange(FRAMES)[None]
    ours = clips.augmented(clips.stored(data, np.array([row]), frames), torch.Generator())
    drawn = ANGLE * (2 * torch.rand(1, 3, generator=torch.Generator()) - 1)
    plain = one_by_one(data, np.array([row]), streams, drawn.numpy())
    torch.testing.assert_close(plain, ours, atol=1e-5, rtol=1e-4)


def input_for(data: Store, streams: Sequence[str], frames: int = FRAMES) -> ClipInput:
    """The clips of `configs/action/released.yaml`."""
    settings = ClipSettings(
        frames=frames,
        sampling="uniform",
        least_share=1.0,
        streams=tuple(streams),
        motion="recording",
        normalise=NormaliseSettings(centre="none", scale="none"),
        augment=AugmentSettings(mirror=0, joint_noise=0, point_noise=0, scale=0, rotate=ANGLE),
    )
    return ClipInput(settings, data.layout, data.info.channels)


def annotations(data: Store) -> list[dict[str, Any]]:
    """The recordings as PYSKL stores them: (M, T, V, 3) in half precision."""
    return [
        {
            "frame_dir": f"s{row}",
            "label": 0,
            "total_frames": length,
            "keypoint": data.clip(row).transpose(1, 0, 2, 3).astype(np.float16),
        }
        for row, length in enumerate(data.lengths.tolist())
    ]


def seconds(work: Callable[[], Any], times: int = 1) -> float:
    """Processor time of one of `times` runs."""
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


def streams_rows(
    data: Store, generator: np.random.Generator, rounds: int, batch: int
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """The rows of all streams, and how many clips a second PYSKL's pipeline makes."""
    samples, parents = annotations(data), data.layout.parents.tolist()
    rows: list[dict[str, Any]] = []
    speeds: dict[str, float] = {}
    for name, streams in (STREAMS | BETWEEN).items():
        clips = input_for(data, streams)
        check(clips, data, streams)
        random = np.random.RandomState(1)
        ours: list[float] = []
        others: Times = {}
        for _ in range(rounds):
            chosen = generator.integers(0, len(data), batch)
            some = [samples[row] for row in chosen]
            angles = generator.uniform(-ANGLE, ANGLE, (batch, 3)).astype(np.float32)
            pyskl = functools.partial(training_batch, some, streams, FRAMES, ANGLE, parents, random)
            works: dict[str, Callable[[], Any]] = {
                "clip by clip, as PYSKL's pipeline": pyskl,
                "the same, prepared before": functools.partial(pyskl, prepared=True),
                "clip by clip in NumPy": functools.partial(
                    one_by_one, data, chosen, streams, angles
                ),
            }
            if name in BETWEEN:
                works = {plain: work for plain, work in works.items() if "NumPy" in plain}
            for plain, work in works.items():
                others.setdefault(plain, []).append(seconds(work))
            ours.append(seconds(functools.partial(batched, clips, data, chosen), 5))
        work = f"Streams of {batch} clips of {FRAMES} frames: {name}"
        rows += [ratio(work, plain, ours, times) for plain, times in others.items()]
        if name in STREAMS:
            plain_seconds = statistics.median(others["clip by clip, as PYSKL's pipeline"])
            speeds[name] = round(batch / plain_seconds)
    return rows, speeds


def share_of_a_step(data: Store, generator: np.random.Generator, rounds: int, batch: int) -> float:
    """The share of a training step that makes its data."""
    clips = input_for(data, ("j",))
    network = SkeletonNetwork(AffinityGcn(AffinityGcnSettings(), 25, 3), 60)
    optimizer = torch.optim.SGD(network.parameters(), 0.025, momentum=0.9, nesterov=True)
    waiting: list[float] = []
    whole: list[float] = []
    for _ in range(rounds + 1):
        chosen = generator.integers(0, len(data), batch)
        made = batched(clips, data, chosen)
        waiting.append(seconds(functools.partial(batched, clips, data, chosen), 5))

        def step(made: torch.Tensor = made) -> None:
            optimizer.zero_grad()
            network(made).logits.square().mean().backward()
            optimizer.step()

        whole.append(waiting[-1] + seconds(step))
    return statistics.median(waiting[1:]) / statistics.median(whole[1:])


def main() -> None:
    """Measure, print, and write."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--batch", type=int, default=64)
    made.add_argument("--step", type=int, default=4, help="clips of the training step; 0: none")
    made.add_argument("--json", type=Path)
    options = made.parse_args()
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    data = store(generator, 512)
    rows, speeds = streams_rows(data, generator, options.rounds, options.batch)
    about: dict[str, Any] = {"batch": options.batch, "clips_per_second": speeds}
    if options.step:
        share = share_of_a_step(data, generator, options.rounds, options.step)
        note = f"Data take {share:.2%} of a training step of {options.step} clips."
        about["notes"] = [note]
    write("data_path", rows, options.json, **about)


if __name__ == "__main__":
    main()
