"""Evaluation of gait and re-identification against the loops of the field, in one run.

    python tests/benchmarks/bench_evaluation.py [--only gait reid] [--rounds 5] [--reid 16000 31000]
        [--json results/benchmarks/evaluation.json]

The contenders work on the same embeddings in turn, must agree on every rank-1 count (re-ID: on mAP
to 1e-9), and are timed by the processor time of this process: run it with OMP_NUM_THREADS=1 for one
thread. `--wall` takes the clock for re-ID, whose blocks are ranked in several threads. Ratios are
of medians; the spread is the lowest and highest ratio of a round.

CASIA-B's size: 5,485 embeddings of 128 numbers, 11 x 11 views, three conditions.
`loop` compares probe by probe and view by view, as GaitGraph's code does. `sorted cells` is a
product, the distances and a sort for each cell of the table, as OpenGait's does, in NumPy, whose
sort is faster than torch's here; `cells` is less than that, a product and its largest entries.
Where the issue's author ran the released codes they took 1.15 and 0.17 s.
`hits` are ours for the counts alone, `table` is the whole of `evaluate_gait`, `table mAP` with
average precision and INP. The file's notes say what the bare products alone take, and a sort.

Re-ID: `grid` is our exact ranking without the proof, that of all versions before it; `whole` sorts
each row with its indices and takes the average precision probe by probe, as the toolboxes do, on an
eighth of the probes; `ours` is `identify`.
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ratios import ratio, write

from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.ranking.distances import as_pair, distance_blocks
from protocols.ranking.identification import (
    identify,
    identify_by_distances,
    identify_in_parts,
)

Work = Callable[[], Any]
VIEWS = 11
CONDITIONS = (("nm", 6), ("bg", 2), ("cl", 2))
SAMPLES = 5485


def casia(generator: np.random.Generator) -> Embeddings:
    """Embeddings of 50 people in 11 views."""
    rows = [
        (f"{person:03d}", condition, f"{take:02d}", f"{18 * view:03d}")
        for person in range(75, 125)
        for condition, takes in CONDITIONS
        for take in range(1, takes + 1)
        for view in range(VIEWS)
    ]
    kept = np.sort(generator.permutation(len(rows))[:SAMPLES])
    person, condition, take, view = (
        np.array(column) for column in zip(*(rows[i] for i in kept), strict=True)
    )
    of_person = generator.normal(0, 1, (125, 128))
    of_view = generator.normal(0, 1, (181, 128))
    noise = generator.normal(0, 2.2, (SAMPLES, 128))
    made = of_person[person.astype(int)] + of_view[view.astype(int)] + noise
    return Embeddings(made.astype(np.float32), person, condition, take, view)


def by_loop(data: Embeddings) -> npt.NDArray[np.int64]:
    """(3, 11, 11) rank-1 hits, one probe and one gallery view at a time."""
    unit = data.embedding / np.linalg.norm(data.embedding, axis=1, keepdims=True)
    gallery = (data.condition == "nm") & (data.take <= "04")
    views = sorted(set(data.view.tolist()))
    stored = [
        (unit[rows], data.subject[rows]) for rows in (gallery & (data.view == v) for v in views)
    ]
    hits = np.zeros((3, VIEWS, VIEWS), dtype=np.int64)
    places = {view: place for place, view in enumerate(views)}
    for number, (condition, _) in enumerate(CONDITIONS):
        for row in np.flatnonzero((data.condition == condition) & ~gallery).tolist():
            place = places[data.view[row]]
            for column, (vectors, people) in enumerate(stored):
                distance = np.linalg.norm(vectors - unit[row], axis=1)
                hits[number, place, column] += people[distance.argmin()] == data.subject[row]
    return hits


def by_cells(data: Embeddings) -> npt.NDArray[np.int64]:
    """(3, 11, 11) rank-1 hits, one product and selection a cell."""
    unit = data.embedding / np.linalg.norm(data.embedding, axis=1, keepdims=True)
    kind = np.char.add(np.char.add(data.condition, "-"), data.take)
    probes = [["nm-05", "nm-06"], ["bg-01", "bg-02"], ["cl-01", "cl-02"]]
    views = sorted(set(data.view.tolist()))
    hits = np.zeros((3, VIEWS, VIEWS), dtype=np.int64)
    for number, kinds in enumerate(probes):
        for place, probe_view in enumerate(views):
            for column, gallery_view in enumerate(views):
                enrolled = np.isin(kind, ["nm-01", "nm-02", "nm-03", "nm-04"])
                gallery = enrolled & np.isin(data.view, [gallery_view])
                probe = np.isin(kind, kinds) & np.isin(data.view, [probe_view])
                near = (unit[probe] @ unit[gallery].T).argmax(axis=1)
                right = data.subject[gallery][near] == data.subject[probe]
                hits[number, place, column] = right.sum()
    return hits


def by_sorted_cells(data: Embeddings) -> npt.NDArray[np.int64]:
    """(3, 11, 11) rank-1 hits, one product, its distances and their order a cell."""
    kind = np.char.add(np.char.add(data.condition, "-"), data.take)
    unit = data.embedding / np.linalg.norm(data.embedding, axis=1, keepdims=True)
    probes = [["nm-05", "nm-06"], ["bg-01", "bg-02"], ["cl-01", "cl-02"]]
    views = sorted(set(data.view.tolist()))
    hits = np.zeros((3, VIEWS, VIEWS), dtype=np.int64)
    for number, kinds in enumerate(probes):
        for place, probe_view in enumerate(views):
            probe = np.isin(kind, kinds) & np.isin(data.view, probe_view)
            left, own = unit[probe], data.subject[probe]
            for column, gallery_view in enumerate(views):
                gallery = np.isin(kind, ["nm-01", "nm-02", "nm-03", "nm-04"])
                gallery &= np.isin(data.view, [gallery_view])
                right, people = unit[gallery], data.subject[gallery]
                squared = (left**2).sum(1)[:, None] + (right**2).sum(1) - 2 * left @ right.T
                order = np.sqrt(np.maximum(squared, 0)).argsort(axis=1)
                hits[number, place, column] = (people[order[:, 0]] == own).sum()
    return hits


def ours(data: Embeddings) -> npt.NDArray[np.int64]:
    """(3, 11, 11) rank-1 hits, without labels read and a table made."""
    gallery = np.flatnonzero((data.condition == "nm") & (data.take <= "04"))
    probe = np.flatnonzero(~((data.condition == "nm") & (data.take <= "04")))
    view = np.unique(data.view, return_inverse=True)[1]
    person = np.unique(data.subject, return_inverse=True)[1]
    kinds = np.select([data.condition == "nm", data.condition == "bg"], [0, 1], 2)
    found = identify_in_parts(
        data.embedding[probe],
        data.embedding[gallery],
        person[probe],
        person[gallery],
        view[gallery],
        depth=1,
        precision=False,
    )
    hits = np.zeros((3, VIEWS, VIEWS), dtype=np.int64)
    for column, each in enumerate(found):
        np.add.at(hits[:, :, column], (kinds[probe], view[probe]), each.first_mate)
    return hits


def by_bare_product(data: Embeddings) -> Any:
    """The float32 products of all probes with the gallery, and nothing else."""
    gallery = (data.condition == "nm") & (data.take <= "04")
    return data.embedding[~gallery] @ data.embedding[gallery].T


def gait(generator: np.random.Generator, rounds: int) -> tuple[list[dict[str, Any]], str]:
    """CASIA-B's table, and a note."""
    data = casia(generator)
    table = evaluate_gait(data, "casia_b", precision=False)
    wanted = table.cells.hits[0]
    for count in (by_loop, by_sorted_cells, by_cells, ours):
        if not np.array_equal(count(data), wanted):
            raise RuntimeError(f"{count.__name__} has other hits")
    works: dict[str, Work] = {
        "loop": lambda: by_loop(data),
        "sorted cells": lambda: by_sorted_cells(data),
        "cells": lambda: by_cells(data),
        "bare": lambda: by_bare_product(data),
        "hits": lambda: ours(data),
        "table": lambda: evaluate_gait(data, "casia_b", precision=False),
        "table mAP": lambda: evaluate_gait(data, "casia_b"),
    }
    times = timed(works, rounds)
    plain = {
        "loop": "probe by probe, as GaitGraph's loop",
        "sorted cells": "a product and a sort a cell, as OpenGait's",
        "cells": "a product a cell, the largest alone",
    }
    name = "CASIA-B's table, 5,485 samples"
    rows = [
        ratio(work, words, times[our], times[key])
        for our, work in (("table", name), ("hits", "CASIA-B's hits alone"))
        for key, words in plain.items()
    ]
    with_map = ratio(
        f"{name}, with mAP and mINP", "without them", times["table mAP"], times["table"]
    )
    bare, loop = (statistics.median(times[key]) for key in ("bare", "loop"))
    note = (
        f"CASIA-B: the bare product of all probes with the gallery takes {1000 * bare:.0f} ms, "
        f"1/{loop / bare:.0f} of the loop."
    )
    return [*rows, with_map], note


def by_toolbox(
    probe: Any, gallery: Any, own: npt.NDArray[np.int64], enrolled: npt.NDArray[np.int64]
) -> float:
    """Mean average precision, each row sorted with its indices, probe by probe."""
    distance = probe @ gallery.T
    order = np.argsort(-distance, axis=1)
    found = []
    for row, mine in zip(order, own, strict=True):
        right = enrolled[row] == mine
        if right.any():
            found.append((right.cumsum() / np.arange(1, len(right) + 1))[right].mean())
    return float(np.mean(found))


def reid(
    generator: np.random.Generator,
    rounds: int,
    sizes: tuple[int, int],
    now: Callable[[], float],
) -> tuple[list[dict[str, Any]], str, float | None]:
    """A re-ID pair with mAP, a note, and the peak of memory."""
    people = 164
    own, enrolled = (generator.integers(0, people, size) for size in sizes)
    centres = generator.normal(0, 1, (people, 128))
    probe, gallery = (
        (centres[side] + generator.normal(0, 1.5, (len(side), 128))).astype(np.float32)
        for side in (own, enrolled)
    )
    part = slice(0, len(own) // 8)

    def grid() -> float:
        blocks = distance_blocks(*as_pair(probe, gallery, "cosine"))
        return float(np.mean(identify_by_distances(blocks, own, enrolled).average_precision))

    def mine() -> float:
        return float(np.mean(identify(probe, gallery, own, enrolled).average_precision))

    if abs(grid() - mine()) > 1e-9:
        raise RuntimeError("the two have another mAP")
    peak = peak_mib(mine)

    def bare() -> None:
        left, right = probe[part].astype(np.float64), gallery.astype(np.float64)
        for start in range(0, len(left), 128):
            (left[start : start + 128] @ right.T).sort(axis=1)

    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (probe, gallery)]
    works: dict[str, Work] = {
        "grid": grid,
        "ours": mine,
        "bare, an eighth": bare,
        "whole, an eighth": lambda: by_toolbox(unit[0][part], unit[1], own[part], enrolled),
    }
    times = timed(works, rounds, now)
    times["whole"] = [8 * seconds for seconds in times["whole, an eighth"]]
    work = f"re-ID with mAP, {sizes[0]:,} x {sizes[1]:,}"
    rows = [
        ratio(work, "each row sorted, probe by probe", times["ours"], times["whole"]),
        ratio(work, "our exact ranking without the proof", times["ours"], times["grid"]),
    ]
    seconds = 8 * statistics.median(times["bare, an eighth"])
    note = f"Re-ID: bare float64 products and the sort of each row take {seconds:.1f} s."
    return rows, note, peak


def peak_mib(work: Work) -> float | None:
    """Resident memory that the work takes at its peak; Linux only."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None

    def field(name: str) -> int:
        lines = (line for line in status.read_text().splitlines() if line.startswith(name))
        return int(next(lines).split()[1])

    ctypes.CDLL(None).malloc_trim(0)  # else the work takes what earlier work gave back
    Path("/proc/self/clear_refs").write_text("5")
    before = field("VmRSS")
    work()
    return round((field("VmHWM") - before) / 1024, 1)


def apart(function: Callable[..., float | None], *arguments: Any) -> float:
    """What a function of the script gives in a process of its own, where only imports came before.

    It is forked from one that has imported most of the script's modules, so that they are paid
    for once.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "torch",
            "aclnet.models.affinity_gcn",
            "aclnet.losses.objective",
            "protocols.gait.evaluate",
        ]
    )
    with ProcessPoolExecutor(1, context) as process:
        return process.submit(function, *arguments).result() or 0.0


def timed(
    works: Mapping[str, Work], rounds: int, now: Callable[[], float] = time.process_time
) -> dict[str, list[float]]:
    """Seconds of each, in turn."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = now()
            work()
            times[name].append(now() - start)
    return times


def main() -> None:
    """Measure, print, and write."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("--only", nargs="+", choices=("gait", "reid"), default=["gait", "reid"])
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--reid", type=int, nargs=2, default=(16_000, 31_000))
    made.add_argument("--wall", action="store_true", help="re-ID by the clock, on all threads")
    made.add_argument("--json", type=Path)
    options = made.parse_args()
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    about: dict[str, Any] = {}
    if "gait" in options.only:
        rows, note = gait(np.random.default_rng(0), options.rounds)
        notes.append(note)
    if "reid" in options.only:
        sizes = (options.reid[0], options.reid[1])
        clock = time.perf_counter if options.wall else time.process_time
        own, note, peak = reid(np.random.default_rng(0), options.rounds, sizes, clock)
        rows += own
        notes.append(note)
        about = {"clock": "wall" if options.wall else "processor", "reid_peak_mib": peak}
    write("evaluation", rows, options.json, notes=notes, **about)


if __name__ == "__main__":
    main()
