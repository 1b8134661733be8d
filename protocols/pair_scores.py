"""Scores of pairs of samples: all that a ranking needs where a system gives no embeddings.

A file is a table (CSV, Parquet) or an ``.npz`` with ``probe`` and ``gallery``, names of samples,
and ``score`` (higher is more alike) or ``distance`` (lower is). A second table holds the labels of
the samples by their name: ``sample``, ``subject``, ``condition``, ``take``, ``view``, ``camera``.
For verification it is enough if the file itself says who they are, in ``probe_subject`` and
``gallery_subject``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.embeddings import TABLES, Embeddings, TextArray, load_embeddings, read_labels
from protocols.files import column_names, read_columns
from protocols.foreign import read_arrays
from protocols.names import composed
from protocols.ranking.distances import FloatArray, IntArray, Metric, row_blocks
from protocols.ranking.exclusion import ExclusionRule

GIVEN = "given"
"""The metric of scores, in results."""

_BLOCK_BYTES = 64 * 2**20
_SUBJECTS = ("probe_subject", "gallery_subject")
_NAMES = {"probe", "gallery", "score", "distance", *_SUBJECTS}


@dataclass(frozen=True, eq=False)
class PairScores:
    """Scores of pairs of labelled samples.

    Attributes:
        samples: N samples with their labels, whose embeddings have no dimension.
        pair: (K,) int64, ascending: row of the probe times N plus row of the gallery sample.
        distance: (K,) float64, lower is more alike.
    """

    samples: Embeddings
    pair: IntArray
    distance: FloatArray

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def sample(self) -> TextArray:
        """(N,) keys of the samples."""
        return self.samples.sample

    @property
    def fingerprint(self) -> str:
        """Hash of the samples' keys and labels, as of embeddings of the same samples."""
        return self.samples.fingerprint

    def blocks(
        self, probe: IntArray, gallery: IntArray, exclude: ExclusionRule | None = None
    ) -> Iterator[tuple[slice, FloatArray]]:
        """Distances of probes to a gallery, by blocks of probes.

        Args:
            probe: (P,) rows of ``samples``.
            gallery: (G,) rows of ``samples``.
            exclude: Pairs that need no score; they are infinitely far where they have none.

        Yields:
            A slice of probes with their (B, G) distances.

        Raises:
            ValueError: A pair has no score; it is named.
        """
        for block in row_blocks(len(probe), 32 * len(gallery), _BLOCK_BYTES):
            wanted = probe[block, None] * len(self.samples) + gallery
            place = np.searchsorted(self.pair, wanted).clip(max=len(self.pair) - 1)
            absent = self.pair[place] != wanted
            lacking = absent if exclude is None else absent & ~exclude(block)
            if lacking.any():
                row, column = np.argwhere(lacking)[0]
                rows = (probe[block][row], gallery[column])
                names = [repr(str(name)) for name in self.samples.sample[[*rows]]]
                raise ValueError(
                    f"The scores lack probe {names[0]} against gallery {names[1]}: score every "
                    "probe of the protocol against its whole gallery."
                )
            yield block, np.where(absent, np.inf, self.distance[place])

    def matrix(self, probe: IntArray, gallery: IntArray) -> FloatArray:
        """(P, G) distances of rows of ``samples``; NaN for pairs without a score."""
        wanted = probe[:, None] * len(self.samples) + gallery
        place = np.searchsorted(self.pair, wanted).clip(max=len(self.pair) - 1)
        return np.where(self.pair[place] == wanted, self.distance[place], np.nan)


def split_scores(
    data: Embeddings | PairScores, metric: Metric | None
) -> tuple[PairScores | None, Embeddings]:
    """Scores, if that is what was given, and the samples.

    Raises:
        ValueError: There are scores and a metric, which they do not need.
        TypeError: It is neither.
    """
    if not isinstance(data, PairScores):
        if not isinstance(data, Embeddings):
            raise TypeError(
                f"Embeddings or PairScores are evaluated (see load_tested), not {type(data)}."
            )
        return None, data
    if metric is not None:
        raise ValueError(f"Scores are ranked as they are, without a metric ({metric}).")
    return data, data.samples


def load_tested(path: Path | str, labels: Path | str | None = None) -> Embeddings | PairScores:
    """Read embeddings, or scores of pairs, whichever a file holds.

    Args:
        path: The file (:func:`protocols.embeddings.load_embeddings`, or one of scores).
        labels: The table of labels of an ``.npy`` or of scores.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged or needs other labels; the message names it.
    """
    source = Path(path)
    if source.suffix not in (".npz", *TABLES) or not source.is_file():
        return load_embeddings(source, labels)
    if not {"probe", "gallery"} <= set(column_names(source)):
        return load_embeddings(source, labels)
    try:
        columns = _read(source)
        fields = _own_labels(columns) if labels is None else read_labels(Path(labels))
        if not {"sample", "subject"} <= fields.keys():
            raise ValueError(f"labels {labels}: the columns sample and subject are needed.")
        samples = Embeddings(np.empty((len(fields["sample"]), 0), dtype=np.float32), **fields)
        return _joined(samples, columns)
    except (ValueError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"Scores {source}: {error}") from error


def _read(source: Path) -> dict[str, Any]:
    """The columns of scores; a file of embeddings has others."""
    if source.suffix == ".npz":
        return read_arrays(source, lambda keys: {key: key for key in keys if key in _NAMES})
    return read_columns(source)


def _own_labels(columns: dict[str, Any]) -> dict[str, TextArray]:
    """The person of every sample, as the columns of a file of scores say."""
    if not columns.keys() >= set(_SUBJECTS):
        raise ValueError(
            "scores need a table with the sample, subject, condition, take and view of every name: "
            "give it with --labels FILE, or the persons in columns probe_subject and "
            "gallery_subject."
        )
    names, subjects = (
        np.concatenate([composed(columns[name]) for name in side])
        for side in (("probe", "gallery"), _SUBJECTS)
    )
    if names.shape != subjects.shape:
        raise ValueError("every probe and gallery sample needs its subject.")
    sample, first, number = np.unique(names, return_index=True, return_inverse=True)
    other = np.flatnonzero(subjects != subjects[first[number]])
    if len(other):
        raise ValueError(f"sample {str(names[other[0]])!r} has two subjects.")
    return {"sample": sample, "subject": subjects[first]}


def _joined(samples: Embeddings, columns: dict[str, Any]) -> PairScores:
    """The scores with their labels."""
    sides = [_rows(samples.sample, columns[side], side) for side in ("probe", "gallery")]
    measures = [name for name in ("score", "distance") if name in columns]
    if len(measures) != 1:
        raise ValueError("there must be one column score (higher is more alike) or distance.")
    try:
        values = np.asarray(columns[measures[0]]).astype(np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"a {measures[0]} is not a number ({error}).") from error
    if values.shape != sides[0].shape or values.shape != sides[1].shape:
        raise ValueError("probe, gallery and score must have one entry per pair.")
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"there must be a finite {measures[0]} for every pair, and one at least.")
    pair = sides[0] * len(samples) + sides[1]
    order = np.argsort(pair, kind="stable")
    twice = np.flatnonzero(np.diff(pair[order]) == 0)
    if len(twice):
        probe, gallery = (str(samples.sample[side[order[twice[0]]]]) for side in sides)
        raise ValueError(f"probe {probe!r} and gallery {gallery!r} appear twice.")
    distance = values if measures[0] == "distance" else -values
    return PairScores(samples, pair[order], distance[order])


def _rows(known: TextArray, names: Any, side: str) -> IntArray:
    """(K,) rows of the samples of these names."""
    order = np.argsort(known, kind="stable")
    ordered, wanted = known[order], composed(names)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        raise ValueError(f"the labels name sample {str(twice[0])!r} twice.")
    place = np.searchsorted(ordered, wanted).clip(max=max(len(known) - 1, 0))
    strange = wanted[ordered[place] != wanted] if len(known) else wanted
    if len(strange):
        raise ValueError(f"{side} {str(strange.flat[0])!r} is not among the samples of the labels.")
    rows: npt.NDArray[np.int64] = order[place].astype(np.int64)
    return rows
