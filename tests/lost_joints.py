"""Rank-1 on walkers that lose joints, by what is done about them; by hand, in a minute.

    python tests/lost_joints.py [--people 60] [--network walkers-gait]

The network that comes with the package was trained on whole bodies in two dimensions. It is tested
on walkers of another seed, before three cameras: the first walk of each is enrolled, the second is
looked for in the same view. Both lose joints. Estimates come from walkers of a third seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

import aclnet
from aclnet.clips.completion import completed, joint_distances
from aclnet.data.degrade import Kind, degrade
from aclnet.data.gaps import fill_samples
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.walkers.dataset import make_walkers
from aclnet.data.walkers.settings import WalkerSettings

CASES: tuple[tuple[Kind, float], ...] = (
    ("joints", 0.1), ("joints", 0.3), ("gaps", 0.1), ("gaps", 0.3), ("gaps", 0.5),
)  # fmt: skip
SECONDS = 0.3


def walks(people: int, seed: int) -> tuple[StoreInfo, list[Sample]]:
    """Two plain walks of each before three cameras."""
    settings = WalkerSettings(
        identities=people, seed=seed, nm_takes=2, bg_takes=0, cl_takes=0, views=(36, 90, 144)
    )
    info, samples = make_walkers(settings)
    return info, list(samples)


def rank1(embedding: npt.NDArray[np.float32], samples: list[Sample]) -> float:
    """The rate at which the nearest first walk in the same view is the person's, in per cent."""
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    person, take, view = (
        np.array([getattr(one, name) for one in samples]) for name in ("identity", "take", "view")
    )
    first = take == sorted(set(take))[0]
    scores = np.where(view[~first, None] == view[first], unit[~first] @ unit[first].T, -np.inf)
    return 100 * float(np.mean(person[first][scores.argmax(axis=1)] == person[~first]))


def main() -> None:
    """Print a row a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--network", default="walkers-gait")
    given = parser.parse_args()
    model = aclnet.load(given.network)
    info, whole = walks(given.people, 991)
    others = walks(30, 992)[1]
    distances = joint_distances((one.frames for one in others), info.dims)

    def tested(samples: Iterator[Sample], *, fill: bool, estimate: bool) -> str:
        if fill:
            _, samples = fill_samples(info, samples, SECONDS)
        made = list(samples)
        if estimate:
            made = [replace(s, frames=completed(s.frames, distances, info.dims)) for s in made]
        return f"{rank1(model.embed([one.frames for one in made]).embedding, whole):10.1f}"

    print(f"{'lost':12}{'zero':>10}{'filled':>10}{'estimated':>10}{'both':>10}")
    print(f"{'nothing':12}{tested(iter(whole), fill=False, estimate=False)}")
    ways = [(False, False), (True, False), (False, True), (True, True)]
    for kind, level in CASES:
        cells = (
            tested(
                (degrade(one, kind, level, info.dims) for one in whole),
                fill=fill,
                estimate=estimate,
            )
            for fill, estimate in ways
        )
        print(f"{f'{kind} {level:.0%}':12}{''.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
