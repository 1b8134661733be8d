"""Search of galleries too large for an exact one: FAISS's IVF and HNSW, with the recall measured.

IVF divides the gallery into cells and looks into those next to a probe; HNSW walks along a graph of
neighbours. Both miss some of the nearest rows. How many is measured: some of the probes are
searched exactly too, and the share of their nearest rows that was found comes with the answer.

IVF: Jégou et al., "Product Quantization for Nearest Neighbor Search", TPAMI 2011. HNSW: Malkov and
Yashunin, "Efficient and Robust Approximate Nearest Neighbor Search Using Hierarchical Navigable
Small World Graphs", TPAMI 2020.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import (
    BLOCK_BYTES,
    FloatArray,
    IntArray,
    Metric,
    Points,
    as_pair,
    as_points,
    require_alike,
    row_blocks,
    to_distance,
)
from protocols.ranking.engines import Device, choose_backend, load_faiss
from protocols.ranking.retrieval import SPARE_CANDIDATES, nearest_of, search_points

Kind = Literal["ivf", "hnsw"]
KINDS: tuple[Kind, ...] = ("ivf", "hnsw")

_TILE_ROWS = 65_536
_ROWS_A_CELL = 39
"""As few rows train a cell's centre as FAISS asks for."""
_LINKS = 32


class ApproximateNeighbours(NamedTuple):
    """The nearest rows that an index found, nearest first, and its recall.

    Attributes:
        rows: (P, k) int64 gallery rows; -1 where fewer were found.
        distances: (P, k) float64, exact, of these rows; infinite where there is none.
        recall: Share of the exact search's nearest rows that were found, of the probes tried.
        tried: Probes that were searched exactly too.
    """

    rows: IntArray
    distances: FloatArray
    recall: float
    tried: int

    def __str__(self) -> str:
        """The recall in words."""
        depth = self.rows.shape[1]
        return f"recall {self.recall:.4f} of the {depth} nearest, measured on {self.tried} probes"


class Index:
    """An index of a gallery, built once and searched often.

    Args:
        gallery: (G, D) numbers, or (G, C, parts) under ``cosine``; G >= 1. A gallery in float16 is
            held in float16.
        kind: ``ivf`` (built in seconds or minutes) or ``hnsw`` (slower to build, faster to search,
            more memory).
        metric: ``cosine`` or ``euclidean``.
        nprobe: Cells that a search of ``ivf`` looks at: more find more, and take longer; by default
            a sixteenth of them.
        ef_search: The same of ``hnsw``, candidates; by default 128.
        device: ``auto``, ``cpu`` or ``gpu``; HNSW runs on the CPU only.

    Raises:
        ValueError: FAISS is not installed, the kind is unknown, ``nprobe`` or ``ef_search`` is
            below 1 or of the other kind, or as :func:`protocols.ranking.retrieval.search`.
    """

    def __init__(
        self,
        gallery: npt.ArrayLike,
        kind: Kind,
        *,
        metric: Metric = "cosine",
        nprobe: int | None = None,
        ef_search: int | None = None,
        device: Device = "auto",
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"The index must be one of {', '.join(KINDS)}, not {kind!r}.")
        for name, value, own in (("nprobe", nprobe, "ivf"), ("ef_search", ef_search, "hnsw")):
            if value is not None and (value < 1 or kind != own):
                raise ValueError(f"{name} is for {own} and at least 1, not {value} for {kind}.")
        if kind == "hnsw" and device == "gpu":
            raise ValueError("FAISS has no HNSW on a GPU: use device cpu, or an ivf index.")
        _, self._gallery = as_pair(gallery, gallery, metric)
        if not self._gallery.in_one_space:
            raise ValueError(
                "Several parts have a mean of Euclidean distances, which no index can search by: "
                "take the cosine metric, or search exactly."
            )
        self._device = device
        self._index = _build(self._gallery, kind, nprobe or ef_search, device)

    def search(
        self, probe: npt.ArrayLike, k: int, *, sample: int = 100, block_bytes: int = BLOCK_BYTES
    ) -> ApproximateNeighbours:
        """Find about the ``k`` nearest gallery rows of every probe, and measure how well.

        Args:
            probe: (P, D) numbers, or (P, C, parts).
            k: Neighbours a probe, at least 1; cut to G.
            sample: Probes at most, evenly spaced, that are searched exactly too, at least 1.
            block_bytes: Working memory in bytes.

        Raises:
            ValueError: ``k`` or ``sample`` is below 1, there is no probe, or as
                :func:`protocols.ranking.retrieval.search`.
        """
        gallery = self._gallery
        points = replace(as_points(probe, gallery.metric, "probe"), centre=gallery.centre)
        require_alike(points, gallery)
        if min(k, sample, len(points)) < 1:
            raise ValueError(
                f"An index needs a probe, and k and sample of at least 1, not {len(points)} "
                f"probes, k {k} and sample {sample}."
            )
        count = min(k, len(gallery))
        fetch = min(len(gallery), count + SPARE_CANDIDATES)
        rows = np.empty((len(points), count), np.int64)
        squared = np.empty(rows.shape)
        for block in row_blocks(len(points), 24 * fetch + 4 * gallery.values.shape[1], block_bytes):
            part = points.take(block)
            _, near = self._index.search(part.vectors(np.float32), fetch)
            rows[block], squared[block] = nearest_of(part, gallery, near, count, block_bytes)
        tried = np.unique(np.linspace(0, len(points) - 1, min(sample, len(points))).astype(int))
        exact = search_points(points.take(tried), gallery, count, self._device, block_bytes)
        # By distance: of equally near rows any will do.
        right = to_distance(squared[tried], gallery.metric) <= exact.distances[:, -1:]
        distances = to_distance(squared, gallery.metric)
        return ApproximateNeighbours(rows, distances, float(right.mean()), len(tried))


def _build(gallery: Points, kind: Kind, width: int | None, device: Device) -> Any:
    """FAISS's index, with the gallery in it; ``width`` is nprobe or efSearch."""
    faiss = load_faiss()
    if faiss is None:
        raise ValueError(
            f"An {kind} index needs FAISS: install aclnet[cpu] or aclnet[gpu], or search exactly."
        )
    count, half = len(gallery), gallery.values.dtype == np.float16
    cells = max(1, min(round(4 * count**0.5), count // _ROWS_A_CELL))
    name = {
        "ivf": f"IVF{cells},{'SQfp16' if half else 'Flat'}",
        "hnsw": f"HNSW{_LINKS}{'_SQfp16' if half else ',Flat'}",
    }[kind]
    measure = faiss.METRIC_INNER_PRODUCT if gallery.metric == "cosine" else faiss.METRIC_L2
    index = faiss.index_factory(gallery.values.shape[1], name, measure)
    if kind == "ivf":
        index.nprobe = min(width or max(1, cells // 16), cells)
        if choose_backend(device) == "faiss-gpu":
            options = faiss.GpuMultipleClonerOptions()
            options.shard, options.useFloat16 = True, half
            index = faiss.index_cpu_to_all_gpus(index, options)
    else:
        index.hnsw.efSearch = min(width or 128, count)
    if not index.is_trained:
        some = np.random.default_rng(0).permutation(count)[: 64 * cells]
        index.train(gallery.take(np.sort(some)).vectors(np.float32))
    for tile in row_blocks(count, 1, _TILE_ROWS):
        index.add(gallery.take(tile).vectors(np.float32))
    return index
