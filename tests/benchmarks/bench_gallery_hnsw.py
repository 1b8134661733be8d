"""A gallery in PostgreSQL with an HNSW index: how fast it is searched, and what it misses.

    python tests/benchmarks/bench_gallery_hnsw.py [--templates 200000] [--probes 1000] [--few 10]
        [--json FILE]

As `bench_gallery_postgres.py`; plainly the table is searched exactly, for a few probes by the
database and for many in one reading. The index grows with each template that is enrolled.
`same_person` is the share of the probes for which both ways name the same person, `recall_of_10`
that of the ten nearest templates that the index finds, and `crossing` the number of templates a
probe below which reading the table is faster.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from bench_gallery import create, enrol, people
from bench_gallery_postgres import identified, probes_of, read, served
from ratios import ratio, write


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--templates", type=int, default=200_000)
    parser.add_argument("--probes", type=int, default=1000)
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names, vectors = people(options.templates, options.dim)
    given, few, about = probes_of(vectors, options.probes), options.few, {}
    with served() as server, create(server.database("few"), options.dim, hnsw=True) as gallery:
        about["enrol_seconds"] = server.timed(lambda: enrol(gallery, names, vectors))[0].seconds
        connection = gallery._storage._connection
        by_index = identified(server, gallery, given, in_pages=False)
        some = identified(server, gallery, given[:few], in_pages=False)
        in_pages = identified(server, gallery, given)
        connection.execute("SET enable_indexscan = off")
        by_database = identified(server, gallery, given[:few], in_pages=False)
        connection.execute("SET enable_indexscan = on")
        about["read_seconds"] = server.timed(lambda: read(gallery))[0].seconds
        about["recall_of_10"] = gallery.recall()
    same = [one == other for one, other in zip(by_index[1], in_pages[1], strict=True)]
    about["same_person"] = float(np.mean(same))
    index, paged = by_index[0].seconds, in_pages[0].seconds
    a_probe = (index - paged + about["read_seconds"]) / len(given)
    about["crossing"] = len(vectors) * a_probe / about["read_seconds"]
    among = f"identified among {len(vectors):,} templates by HNSW"
    exactly = [by_database[0].seconds]
    rows = [
        ratio(f"{few:,} probes {among}", "exactly, by the database", [some[0].seconds], exactly),
        ratio(f"{len(given):,} probes {among}", "exactly, in pages", [index], [paged]),
    ]
    measured = {name: round(value, 4) for name, value in about.items()}
    write(
        "gallery_hnsw",
        rows,
        options.json,
        templates=len(vectors),
        probes=options.probes,
        dim=options.dim,
        measured=measured,
    )


if __name__ == "__main__":
    main()
