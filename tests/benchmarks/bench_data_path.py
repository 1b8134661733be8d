"""Training clips a second against a pipeline that works sample by sample, in one run.

    python tests/benchmarks/bench_data_path.py [--rounds 5] [--batch 64]
        [--json results/benchmarks/data_path.json]

Clips of NTU's shape (2 people, 100 of 60 to 140 frames, 25 joints) are sampled, rotated and turned
into streams as in `configs/action/released.yaml`, for joints, for bones, and for all four streams.
`sample by sample` does it in NumPy for one clip after the other, as the pipelines of the field do,
with PYSKL's transforms and without its normalisation; `batch` is what our training calls. Of a
whole recording both are checked to make the same streams. Times are processor time, in turn; run it
with OMP_NUM_THREADS=1. The issue's author measured PYSKL's own pipeline at 322, 213 and 209 clips a
second, with its normalisation.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from ratios import ratio, write

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import AugmentSettings, ClipSettings, NormaliseSettings
from aclnet.data.sample import COLUMNS, StoreInfo
from aclnet.data.store import Store
from aclnet.skeleton import load_layout

Clip = npt.NDArray[np.float32]
STREAMS = {"j": ("j",), "b": ("b",), "four streams": ("j", "b", "jm", "bm")}
FRAMES, ANGLE = 100, 0.3


def store(generator: np.random.Generator, count: int) -> Store:
    """Recordings in memory."""
    layout = load_layout("ntu25")
    lengths = generator.integers(60, 141, count)
    frames = generator.normal(0, 1, (int(lengths.sum()), 2, 25, 3)).astype(np.float32)
    index = pd.DataFrame({name: [""] * count for name in COLUMNS})
    index["sample"] = [f"s{i}" for i in range(count)]
    index["start"], index["length"] = np.cumsum(lengths) - lengths, lengths
    info = StoreInfo(name="made", layout=layout.to_dict(), channels=("x", "y", "z"), unit="metre")
    return Store(info, index, frames)


def rotation(angles: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """R = Rz Ry Rx as `aclnet.clips.augmentation.rotate` has it, of one clip."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(-angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, dtype=np.float32)


def one_by_one(
    data: Store, rows: npt.NDArray[Any], streams: Sequence[str], angles: npt.NDArray[np.float32]
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
            if stream.endswith("m"):
                moved = np.zeros_like(found)
                moved[:-1] = found[1:] - found[:-1]
                found = moved
            parts.append(found)
        joined = np.concatenate(parts, axis=-1)
        edges = np.arange(FRAMES + 1) * length // FRAMES
        width = np.diff(edges)
        chosen = edges[:-1] + np.minimum((generator.random(FRAMES) * width).astype(int), width)
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


def main() -> None:
    """Measure, print, and write."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--batch", type=int, default=64)
    made.add_argument("--json", type=Path)
    options = made.parse_args()
    generator = np.random.default_rng(0)
    data = store(generator, 512)
    rows: list[dict[str, Any]] = []
    for name, streams in STREAMS.items():
        settings = ClipSettings(
            frames=FRAMES,
            sampling="uniform",
            least_share=1.0,
            streams=streams,
            motion="recording",
            normalise=NormaliseSettings(centre="none", scale="none"),
            augment=AugmentSettings(mirror=0, joint_noise=0, point_noise=0, scale=0, rotate=ANGLE),
        )
        clips = ClipInput(settings, data.layout, data.info.channels)
        check(clips, data, streams)
        times: dict[str, list[float]] = {"sample by sample": [], "batch": []}
        for _ in range(options.rounds):
            chosen = generator.integers(0, len(data), options.batch)
            angles = generator.uniform(-ANGLE, ANGLE, (len(chosen), 3)).astype(np.float32)
            start = time.process_time()
            one_by_one(data, chosen, streams, angles)
            times["sample by sample"].append(time.process_time() - start)
            start = time.process_time()
            for _ in range(5):
                batched(clips, data, chosen)
            times["batch"].append((time.process_time() - start) / 5)
        work = f"Streams of {options.batch} clips of 100 frames: {name}"
        rows.append(ratio(work, "clip by clip in NumPy", times["batch"], times["sample by sample"]))
    write("data_path", rows, options.json, batch=options.batch)


if __name__ == "__main__":
    main()
