"""A gallery of a million templates: enrolled, opened, searched, a person removed.

    python tests/benchmarks/bench_gallery.py [--templates 1000000] [--probes 1000] [--json FILE]

Plain ways: templates enrolled one INSERT and COMMIT at a time (a part of them, named in the row),
and probes compared with all templates by NumPy's float32 product, the best of the ten adjoining
templates of each person, and as many people as ours names, the best first. Both must name the same
people. Seconds are processor time, waits for the disk are in `wall_seconds`; peaks are resident
memory above that before (Linux).
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bench_evaluation import peak_mib
from ratios import ratio, write

from tasks import Gallery
from tasks.gallery.content import About
from tasks.gallery.people import CANDIDATES

EACH = 10
"""Templates of a person."""
BATCH = 50_000


def people(templates: int, dimensions: int) -> tuple[list[str], np.ndarray]:
    """Names and (N, D) vectors, ten of a person in a row."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((templates // EACH, dimensions), dtype=np.float32)
    vectors = np.repeat(centres, EACH, axis=0)
    for start in range(0, len(vectors), BATCH):
        part = vectors[start : start + BATCH]
        part += generator.standard_normal(part.shape, dtype=np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)  # as runs give them
    return [f"person {row // EACH}" for row in range(len(vectors))], vectors


def create(place: Path | str, dimensions: int, hnsw: bool = False) -> Gallery:
    about = About(fingerprint="0" * 64, dimensions=dimensions, metric="cosine")
    return Gallery.create(place, about=about, hnsw=hnsw)


def enrol(gallery: Gallery, names: Sequence[str], vectors: np.ndarray) -> None:
    """In batches, as the documentation says."""
    for start in range(0, len(vectors), BATCH):
        part = slice(start, start + BATCH)
        gallery.enrol_embeddings(names[part], vectors[part], compare=False)


def enrol_plainly(place: Path, names: Sequence[str], vectors: np.ndarray) -> None:
    """One INSERT and COMMIT at a time, with the same settings of the database."""
    connection = sqlite3.connect(place, isolation_level=None)
    for pragma in ("journal_mode = WAL", "secure_delete = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE template (id INTEGER PRIMARY KEY, name TEXT, vector BLOB)")
    for name, vector in zip(names, vectors, strict=True):
        sql = "INSERT INTO template (name, vector) VALUES (?, ?)"
        connection.execute(sql, (name, vector.tobytes()))
    connection.close()


def identify_plainly(vectors: np.ndarray, probes: np.ndarray) -> list[int]:
    """The person with the most alike template of each probe."""
    found = []
    for start in range(0, len(probes), 50):
        part = probes[start : start + 50]
        best = (part @ vectors.T).reshape(len(part), -1, EACH).max(axis=2)
        near = np.argpartition(-best, CANDIDATES, axis=1)[:, :CANDIDATES]
        order = np.argsort(-np.take_along_axis(best, near, axis=1), axis=1, kind="stable")
        found += np.take_along_axis(near, order, axis=1)[:, 0].tolist()
    return found


def timed(work: Callable[[], Any], rounds: int) -> tuple[Any, list[float], dict[str, float]]:
    """Result, processor seconds of each round, and the last round's wall seconds and peak."""
    seconds, about, results = [], {}, []
    for _ in range(rounds):
        wall, start = time.monotonic(), time.process_time()
        peak = peak_mib(lambda: results.append(work()))
        seconds.append(max(time.process_time() - start, 1e-3))
        about = {"wall_seconds": round(time.monotonic() - wall, 2), "peak_mib": peak}
    return results[-1], seconds, about


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--templates", type=int, default=1_000_000)
    parser.add_argument("--probes", type=int, default=1000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--part", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names, vectors = people(options.templates, options.dim)
    rows, about = [], {}
    with tempfile.TemporaryDirectory(prefix="gallery-") as folder:
        root, part = Path(folder), options.part
        ours: list[float] = []
        theirs: list[float] = []
        for turn in range(options.rounds):
            with create(root / f"part{turn}", options.dim) as few:
                ours += timed(lambda: enrol(few, names[:part], vectors[:part]), 1)[1]
            plain = root / f"plain{turn}"
            work = (plain, names[:part], vectors[:part])
            theirs += timed(lambda: enrol_plainly(*work), 1)[1]  # noqa: B023
        what = f"{part:,} templates of {options.dim} dimensions enrolled"
        rows.append(ratio(what, "one INSERT and COMMIT at a time", ours, theirs))
        place = root / "people.gallery"
        with create(place, options.dim) as gallery:
            _, seconds, about["enrol"] = timed(lambda: enrol(gallery, names, vectors), 1)
            about["enrol"]["seconds"] = round(seconds[0], 2)
        about["file_mib"] = round(place.stat().st_size / 2**20, 1)
        chosen = np.random.default_rng(1).integers(0, len(vectors), options.probes)
        noise = np.random.default_rng(2).standard_normal((len(chosen), options.dim))
        probes = (vectors[chosen] + 0.03 * noise).astype(np.float32)
        with Gallery(place) as gallery:
            _, seconds, about["open"] = timed(lambda: gallery._storage.templates(), 1)
            about["open"]["seconds"] = round(seconds[0], 2)
            answers, ours, about["identify"] = timed(
                lambda: gallery.identify_embeddings(probes, threshold=-1.0), options.rounds
            )
            plain, theirs, about["plain_identify"] = timed(
                lambda: identify_plainly(vectors, probes), options.rounds
            )
            assert [one.person for one in answers] == [f"person {row}" for row in plain]
            what = f"{len(probes):,} probes identified among {len(vectors):,} templates"
            rows.append(ratio(what, f"NumPy's product, the {CANDIDATES} best people", ours, theirs))
            removed, seconds, about["remove"] = timed(lambda: gallery.remove("person 0"), 1)
            assert removed.erased
            about["remove"]["seconds"] = round(seconds[0], 3)
    write("gallery", rows, options.json, templates=len(vectors), dim=options.dim, measured=about)


if __name__ == "__main__":
    main()
