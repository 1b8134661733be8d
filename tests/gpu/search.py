"""Exact search on the card: the rows that the CPU finds, and its time up to 10M rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from report import CUDA, DEVICE, SMALL, close, compare, holds, say, seconds

from protocols.ranking.engines import Device, choose_backend
from protocols.ranking.retrieval import Neighbours, search

DIMS, PROBES = 256, 1000
Rows = npt.NDArray[np.float16]


def people(count: int) -> tuple[Rows, Rows]:
    """(PROBES, DIMS) probes and (count, DIMS) unit rows of 50 a person, as float16."""
    generator = torch.Generator(DEVICE).manual_seed(0)

    def drawn(rows: int) -> torch.Tensor:
        return torch.randn(rows, DIMS, generator=generator, device=DEVICE, dtype=torch.float32)

    centres, parts = drawn(max(count // 50, 50)), []
    for first in range(0, count, 1_000_000):
        rows = torch.arange(first, min(first + 1_000_000, count), device=DEVICE) % len(centres)
        made = torch.nn.functional.normalize(centres[rows] + 1.6 * drawn(len(rows)), dim=1)
        parts.append(made.half().cpu())
    own = torch.arange(PROBES, device=DEVICE) * 7919 % len(centres)
    probes = torch.nn.functional.normalize(centres[own] + 1.6 * drawn(PROBES), dim=1)
    return probes.half().cpu().numpy(), torch.cat(parts).numpy()


def same_rows(where: Device) -> None:
    """Also where nearly everything is tied, and for the most neighbours that FAISS returns."""
    probe, gallery = people(2_000 if SMALL else 100_000)
    for metric in ("cosine", "euclidean"):
        found = search(probe, gallery, 10, metric=metric, device=where)
        wanted = search(probe, gallery, 10, metric=metric, device="cpu")
        equal = np.array_equal(found.rows, wanted.rows)
        exact = np.array_equal(found.distances, wanted.distances)
        holds(f"{where} and cpu find the same rows, {metric}", equal and exact, rows=len(gallery))
    generator = np.random.default_rng(0)
    grid = np.round(2 * generator.standard_normal((5200, 4))).astype(np.float32)
    for count in (5, 2048):
        sides = grid[:200], grid[200:]
        found = search(*sides, count, metric="euclidean", device=where)
        wanted = search(*sides, count, metric="euclidean", device="cpu")
        equal = np.array_equal(found.rows, wanted.rows)
        holds(f"{where} and cpu order ties alike", equal, neighbours=count)


def timed(where: Device, count: int, rounds: int, warm: int) -> None:
    """`search`, against a product and its largest entries in float16 by torch."""
    probe, gallery = people(count)
    found: list[Neighbours] = []

    def ours() -> None:
        found[:] = [search(probe, gallery, 1, device=where)]

    mine = seconds(ours, rounds, warm)
    say("search", rows=count, seconds=[round(each, 3) for each in mine])
    held, queries = torch.from_numpy(gallery).to(DEVICE), torch.from_numpy(probe).to(DEVICE)
    rows: list[torch.Tensor] = []

    def bare() -> None:
        rows[:] = [(block @ held.t()).max(dim=1).indices for block in queries.split(100)]

    plain = seconds(bare, rounds, warm=1)
    work = f"exact rank-1 on the GPU, {count:,} x {DIMS}, {PROBES:,} probes"
    compare(work, "a float16 product and its largest, gallery on the card", mine, plain)
    same = float(np.mean(torch.cat(rows).cpu().numpy() == found[0].rows[:, 0]))
    say("float16 finds the same", rows=count, share=same)


def main() -> None:
    gpu = choose_backend() == "faiss-gpu"
    holds("FAISS searches on the card", gpu or not CUDA, backend=choose_backend())
    where: Device = "gpu" if gpu else "cpu"
    same_rows(where)
    if SMALL:
        timed(where, 3_000, rounds=1, warm=0)
    else:
        timed(where, 1_000_000, rounds=3, warm=1)
        timed(where, 10_000_000, rounds=1, warm=0)
    close()


if __name__ == "__main__":
    main()
