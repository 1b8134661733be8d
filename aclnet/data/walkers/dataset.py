"""Synthetic people walking: the data set that is at hand without any download.

Each person has a body and a way to walk (``traits``), walks several times past a ring of
cameras (``body``, ``legs``), sometimes with a bag or in a coat
(``conditions``), and is seen by cameras (``camera``) and a pose estimator that errs
for reasons (``estimator``); ``recording`` joins these for one person. All cameras
record the same walk at once, as in CASIA-B, whose naming of subjects, conditions, takes and views
is kept. The walkers are no evidence about real people: they show that a learner learns.

What determines what: person n depends on the seed and n alone (and on ``identity_spread``, which
scales everybody's distance from the mean), so more identities add people and change nobody; the
walks depend on the number of takes and frames besides; the recordings also on the views, the
picture and the noise. People are made one at a time, so how many are asked for at once changes
nothing. Nothing but body and gait is tied to a person: the start and length of a sequence, the
place in the picture, the lane, the bag, the coat and the level of confidence are drawn anew for
every walk or recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import Store, write_store
from aclnet.data.walkers.recording import record_person
from aclnet.data.walkers.settings import WALKERS_VERSION, WalkerSettings
from aclnet.skeleton import load_layout


def make_walkers(settings: WalkerSettings) -> tuple[StoreInfo, Iterator[Sample]]:
    """The walkers as a description and a stream of samples, one person after the other.

    Args:
        settings: what the walkers are.

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


def write_walkers(path: str | Path, settings: WalkerSettings, overwrite: bool = False) -> Store:
    """Make the walkers and write them to a store; only one person is in memory at a time.

    Args:
        path: the folder to make.
        settings: what the walkers are.
        overwrite: replace a store that is already there.

    Raises:
        ValueError: the folder exists and may not be replaced.
    """
    info, samples = make_walkers(settings)
    return write_store(path, samples, info, overwrite=overwrite)


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
