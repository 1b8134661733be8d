"""Exact search of a table in PostgreSQL for many probes at once: the table is read in pages.

A page takes some hundred megabytes here, however large the gallery, and is compared with all probes
as a file's gallery is; a person counts by the best template of all pages. Nothing is kept between
searches: reading a table costs less than comparing it with a thousand probes.

A search of a large table takes seconds, in which people may be enrolled and removed. One
transaction around it would keep what it sees from being erased. Each page therefore has a
transaction of its own, and the answers hold for the moment after the last page: pages follow the
order of enrolment, so that what is enrolled meanwhile is seen whole or not at all; and probes whose
candidates have been removed meanwhile are searched again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from protocols.ranking.distances import IntArray, Metric, Points, as_points
from tasks.gallery.content import Candidate, Templates
from tasks.gallery.search import best_of, rank_people

_PAGE_BYTES = 64 << 20
"""Of the vectors of a page, which is in memory three times as it is read."""

_HEADER = 19
"""Bytes before the rows of a binary COPY, if it has no extension."""

_PAGE = sql.SQL(
    "COPY (SELECT id, person, vector FROM gallery_template WHERE id > {} ORDER BY id LIMIT {}) "
    "TO STDOUT (FORMAT BINARY)"
)
_NAMES = (
    "SELECT t.id, name FROM gallery_template t JOIN gallery_person p ON person = p.id "
    "WHERE t.id = ANY(%s)"
)


def rank_in_pages(
    connection: psycopg.Connection[Any], probe: Points, count: int
) -> list[list[Candidate]]:
    """The `count` most alike people of each of P probes, the best first, as they are now.

    Args:
        connection: to the database, without a transaction.
        probe: P points of D dimensions, those of the table.
        count: at least 1.
    """
    found: list[list[Candidate]] = [[] for _ in range(len(probe))]
    left: IntArray = np.arange(len(probe))
    while len(left):
        ranked = _rank(connection, probe.take(left), count)
        numbers = sorted({one.template for own in ranked for one in own})
        names = dict(connection.execute(_NAMES, (numbers,)).fetchall())
        gone = []
        for row, own in zip(left, ranked, strict=True):
            if not all(one.template in names for one in own):
                gone.append(row)
            found[row] = [
                one._replace(person=names[one.template]) for one in own if one.template in names
            ]
        left = np.array(gone, dtype=np.int64)
    return found


def _rank(connection: psycopg.Connection[Any], probe: Points, count: int) -> list[list[Candidate]]:
    """The most alike people of each probe, by their numbers."""
    best: list[list[Candidate]] = [[] for _ in range(len(probe))]
    for page in pages(connection, probe.values.shape[1], probe.metric):
        here = rank_people(probe.values, page, count)
        best = [best_of([*one, *other], count) for one, other in zip(best, here, strict=True)]
    return best


def pages(
    connection: psycopg.Connection[Any], dimensions: int, metric: Metric
) -> Iterator[Templates]:
    """All templates in the order of their enrolment; people are called by their numbers."""
    row = np.dtype(
        [
            ("fields", ">i2"),
            *[("id_bytes", ">i4"), ("id", ">i8")],
            *[("person_bytes", ">i4"), ("person", ">i8")],
            *[("vector_bytes", ">i4"), ("dimensions", ">i2"), ("unused", ">i2")],
            ("vector", ">f4", (dimensions,)),
        ]
    )
    most, last = max(_PAGE_BYTES // (4 * dimensions), 1), 0
    while True:
        content = bytearray()
        query = _PAGE.format(sql.Literal(last), sql.Literal(most))
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            for part in copy:
                content += part
        rows = np.frombuffer(content, row, (len(content) - _HEADER) // row.itemsize, _HEADER)
        if not len(rows):
            return
        last = int(rows["id"][-1])
        people, person = np.unique(rows["person"].astype(np.int64), return_inverse=True)
        points = as_points(rows["vector"], metric, "enrolled")
        yield Templates(list(map(str, people)), person, rows["id"].astype(np.int64), points)
        if len(rows) < most:
            return
