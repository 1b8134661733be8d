"""Whole rankings on the card: mAP and hits equal to the CPU's, and their time."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from report import DEVICE, SMALL, close, compare, holds, seconds

from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.ranking.engines import Device
from protocols.ranking.identification import Identification, identify
from tasks.run.device import TorchEngine

FIELDS = ("first_mate", "mates", "candidates", "average_precision", "inverse_penalty")
WHERE: tuple[Device, Device] = ("gpu", "cpu")
ENGINE = TorchEngine(DEVICE.type)


def reid(probes: int, rows: int, rounds: int) -> None:
    """164 people, 128 numbers, TF32 allowed to others."""
    generator = np.random.default_rng(0)
    people = [generator.integers(0, 164, count) for count in (probes, rows)]
    centres = generator.standard_normal((164, 128))
    sides = [
        (centres[own] + 1.5 * generator.standard_normal((len(own), 128))).astype(np.float32)
        for own in people
    ]
    torch.set_float32_matmul_precision("high")
    for precision in (True, False):

        def rank(device: Device, precision: bool = precision) -> Identification:
            return identify(*sides, *people, precision=precision, device=device, engine=ENGINE)

        found, wanted = rank("gpu"), rank("cpu")
        equal = True
        for name in FIELDS:
            equal &= np.array_equal(getattr(found, name), getattr(wanted, name), equal_nan=True)
        what = "with mAP" if precision else "hits alone"
        holds(f"card and CPU rank alike, {what}", equal, probes=probes, rows=rows)
        times = [seconds(partial(rank, device), rounds, warm=1) for device in WHERE]
        compare(f"re-ID {what}, {probes:,} x {rows:,}, on the GPU", "ours on the CPU", *times)


def gait() -> None:
    """CASIA-B's table."""
    people, views = (4, 3) if SMALL else (50, 11)
    takes = [("nm", n) for n in range(1, 7)] + [(c, n) for c in ("bg", "cl") for n in (1, 2)]
    labels = [
        (f"{p:03d}", c, f"{n:02d}", f"{18 * v:03d}")
        for p in range(people)
        for c, n in takes
        for v in range(views)
    ]
    columns = [np.array(column) for column in zip(*labels, strict=True)]
    vectors: npt.NDArray[np.float32] = np.random.default_rng(0).standard_normal(
        (len(labels), 128), dtype=np.float32
    )
    data = Embeddings(vectors, *columns)
    found, wanted = (evaluate_gait(data, device=where, engine=ENGINE) for where in WHERE)
    equal = found.metrics == wanted.metrics
    holds("card and CPU give one table of CASIA-B", equal, samples=len(data))


def main() -> None:
    gait()
    reid(*((60, 150, 1) if SMALL else (16_000, 31_000, 3)))
    close()


if __name__ == "__main__":
    main()
