"""Synthetic people walking: the data set that is there without any download.

Each person has a body and a way to walk (``traits``) and walks several times (``body``), sometimes
with a bag or in a coat (``conditions``), past a ring of cameras with a pose estimator that errs for
reasons (``camera``). All cameras record the same walk at once, as in CASIA-B, whose naming of
subjects, conditions, takes and views is kept. The walkers are no evidence about real people: they
show that a learner learns.

Person n depends on the seed and n alone (and on ``identity_spread``, which scales everybody's
distance from the mean), so more identities add people and change nobody; the walks depend on the
number of takes and frames besides; the recordings also on the views, the image and the noise.
People are made one at a time, so their number changes nobody. Only body and gait are tied to a
person: the start and length of a sequence, the place in the image, the lane, the bag, the coat and
the level of confidence are drawn anew for every walk or recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import Store, write_store
from aclnet.data.walkers.body import walk_joints
from aclnet.data.walkers.camera import JOINTS, Scene, film
from aclnet.data.walkers.conditions import (
    carry_bag,
    draw_bag,
    draw_coat,
    place_bag,
    show_outline,
    wear_coat,
)
from aclnet.data.walkers.settings import WALKERS_VERSION, WalkerSettings
from aclnet.data.walkers.traits import Array, draw_person, draw_takes
from aclnet.progress import Progress, with_progress
from aclnet.skeleton import load_layout


def make_walkers(settings: WalkerSettings) -> tuple[StoreInfo, Iterator[Sample]]:
    """The walkers as a description and a stream of samples, one person after the other.

    Args:
        settings: those of the walkers.

    Returns:
        the description, and samples of frames (T, 1, 17, 3) with keys like ``001-nm-01-090``.
    """
    info = StoreInfo(
        name="walkers",
        layout=load_layout("coco17").to_dict(),
        channels=("x", "y", "confidence"),
        unit="pixel",
        image_size=settings.image_size,
        fps=settings.fps,
        synthetic=True,
        source=f"aclnet.data.walkers, version {WALKERS_VERSION}: synthetic people walking",
        settings=settings.model_dump(mode="json"),
    )
    return info, _samples(settings)


def write_walkers(
    path: str | Path, settings: WalkerSettings, progress: Progress | None = None
) -> Store:
    """Make the walkers and write them to a store; only one person is in memory at a time.

    Args:
        path: the folder to make.
        settings: those of the walkers.
        progress: called with the number of recordings made and their total.

    Raises:
        ValueError: the folder already exists.
    """
    info, samples = make_walkers(settings)
    return write_store(path, with_progress(samples, settings.recordings, progress), info)


def _samples(settings: WalkerSettings) -> Iterator[Sample]:
    digits = max(3, len(str(settings.identities)))
    for number in range(1, settings.identities + 1):
        identity = f"{number:0{digits}d}"
        recordings = record_person(settings, number)
        for walk, (condition, take) in enumerate(settings.takes):
            for camera, angle in enumerate(settings.views):
                start = int(recordings.starts[walk, camera])
                end = start + int(recordings.lengths[walk, camera])
                view = f"{angle:03d}"
                yield Sample(
                    sample=f"{identity}-{condition}-{take:02d}-{view}",
                    frames=recordings.frames[walk, camera, start:end, None],
                    identity=identity,
                    label=identity,
                    condition=condition,
                    view=view,
                    take=f"{take:02d}",
                    camera=view,
                )


class Recordings(NamedTuple):
    """All recordings of one person: S walks seen by K cameras.

    ``frames`` (S, K, F, V, 3) float32: pixels and confidence; of recording s, k the frames
    ``starts[s, k]`` to ``starts[s, k] + lengths[s, k]`` are in the data set. ``joints``
    (S, F, V, 3) float32 are the true joints in metres, without bag, coat or estimator.
    """

    frames: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    joints: npt.NDArray[np.float32]


def record_person(settings: WalkerSettings, number: int) -> Recordings:
    """Make one person and record all their walks with all cameras.

    Args:
        settings: those of the walkers.
        number: the person's, from 1.
    """
    root = np.random.SeedSequence([settings.seed, number])
    body, walks, causes, cameras, cuts = (np.random.default_rng(s) for s in root.spawn(5))
    names = np.array([condition for condition, _ in settings.takes])
    longest = settings.frames[1]
    bag = draw_bag(causes, names == "bg")
    coat = draw_coat(causes, names == "cl")
    person = draw_person(body, settings.identity_spread)
    walk = draw_takes(walks, person, len(names), settings.take_spread)
    walk = wear_coat(carry_bag(walk, bag, causes), coat)
    joints = _take_lane(walk_joints(walk, longest, settings.fps, walks), walks)
    apparent, veil = show_outline(joints, coat, causes)
    middle, radius = place_bag(joints, bag)
    veils = np.zeros((len(radius), len(JOINTS)), dtype=np.float32)
    for name, level in veil.items():
        veils[:, JOINTS.index(name)] = level
    scene = Scene(_stack(apparent), middle.astype(np.float32), radius.astype(np.float32), veils)
    frames = film(scene, settings, cameras)
    lengths = cuts.integers(settings.frames[0], longest + 1, frames.shape[:2])
    starts = cuts.integers(0, longest - lengths + 1)
    return Recordings(frames, starts, lengths, _stack(joints))


def _stack(joints: dict[str, Array]) -> npt.NDArray[np.float32]:
    """Joints by name as one array (S, F, V, 3)."""
    return np.stack([joints[name] for name in JOINTS], axis=2, dtype=np.float32)


def _take_lane(joints: dict[str, Array], generator: np.random.Generator) -> dict[str, Array]:
    """Nobody walks the same line twice: shift each walk along and across, and turn it a little."""
    takes = len(joints["nose"])
    angle = np.deg2rad(generator.normal(0.0, 2.0, takes))
    along = generator.normal(0.0, 0.15, takes)
    across = generator.normal(0.0, 0.20, takes)
    cosine, sine, zero = np.cos(angle), np.sin(angle), np.zeros(takes)
    # Rows are multiplied from the left: x' = x cos - y sin, y' = x sin + y cos.
    turn = np.array([[cosine, sine, zero], [-sine, cosine, zero], [zero, zero, zero + 1.0]])
    turn = np.moveaxis(turn, -1, 0)
    shift = np.stack([along, across, zero], axis=-1)[:, None]
    return {name: points @ turn + shift for name, points in joints.items()}
