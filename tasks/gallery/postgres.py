"""A gallery in a PostgreSQL database with the extension pgvector, for more than one machine.

The commands are the same, with `postgresql://...` in place of the file: one gallery a database, or
a schema (`?options=-csearch_path%3Dname`). Templates are searched exactly: for a few probes in the
database, in one pass over the table each, and for many here, in one pass for all
(`tasks.gallery.pages`); or through an HNSW index, which is faster for a few and may miss some
(`recall`). What the database finds is compared again here, so that scores are those of a file's
gallery.

Removed people are deleted and their tables rewritten (VACUUM FULL) once nobody's transaction can
see them. The server's write-ahead log, replicas and backups are its administrator's.

psycopg is under the LGPL.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from psycopg import errors, sql

from aclnet.foreign.version import refuse_newer
from protocols.ranking.distances import FloatArray, as_points
from tasks.gallery.content import (
    SCHEMA_VERSION,
    About,
    Candidate,
    Person,
    Template,
    Templates,
    Threshold,
    Vectors,
    refusing_damage,
)
from tasks.gallery.pages import rank_in_pages
from tasks.gallery.search import rank_people

_BUSY_MS = 30_000
_POLL_SECONDS = 0.1
_NEAREST = 10
_MOST_INDEXED = 2000
"""Dimensions that an HNSW index takes."""
_PROBES = 100
_FEW = 10
"""Probes up to which the database is faster: so many of its passes over the table take as long as
reading it (`crossing` of `tests/benchmarks/bench_gallery_postgres.py`)."""
_INDEXED = 2000
"""Templates a probe from which an index is faster (of `tests/benchmarks/bench_gallery_hnsw.py`)."""
_OPERATORS = {"cosine": ("<=>", "vector_cosine_ops"), "euclidean": ("<->", "vector_l2_ops")}
_SCHEMA = """
CREATE TABLE gallery_state (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE gallery_person (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE
);
CREATE TABLE gallery_template (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person bigint NOT NULL REFERENCES gallery_person (id) ON DELETE CASCADE,
    vector vector({dimensions}) NOT NULL,
    file text NOT NULL,
    sample text NOT NULL,
    frames bigint NOT NULL,
    created text NOT NULL,
    version text NOT NULL
);
CREATE INDEX gallery_template_of_person ON gallery_template (person);
"""
_INDEX = "CREATE INDEX gallery_template_hnsw ON gallery_template USING hnsw (vector {operators})"
_VACUUM = "VACUUM (FULL) gallery_template; VACUUM (FULL) gallery_person"


class PostgresStorage:
    """A gallery in a database, for one thread at a time.

    Args:
        uri: `postgresql://user@host/database`.

    Raises:
        ValueError: the database cannot be reached or holds no gallery, or one of a newer version.
    """

    beyond = "the server's log, replicas and backups are its administrator's to erase"

    def __init__(self, uri: str) -> None:
        self.place = without_password(uri)
        with self._naming():
            self._connection = _connect(uri)
        try:
            with self._naming():
                version = int(self._state("schema"))
                register_vector(self._connection)
            refuse_newer(self.place, version, SCHEMA_VERSION)
            with refusing_damage(self.place):
                self._about = About.model_validate_json(self._state("about"))
            if self._about.hnsw:
                self._connection.execute("SET hnsw.ef_search = 100")
                self._connection.execute("SET hnsw.iterative_scan = strict_order")
        except BaseException:
            self._connection.close()
            raise

    @classmethod
    def create(cls, uri: str, about: About) -> PostgresStorage:
        """Create an empty gallery, whole or not at all.

        Raises:
            ValueError: there is one, pgvector is not installed there, or the index takes fewer
                dimensions.
        """
        place = without_password(uri)
        if about.hnsw and about.dimensions > _MOST_INDEXED:
            raise ValueError(
                f"an HNSW index takes at most {_MOST_INDEXED} dimensions, not {about.dimensions}: "
                "leave out --hnsw"
            )
        with _naming(place), _connect(uri) as connection, connection.transaction():
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                raise ValueError(
                    f"{place} has the encoding {encoding}, which cannot hold every name: give a "
                    "database of the encoding UTF8"
                )
            try:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
                for statement in _SCHEMA.format(dimensions=about.dimensions).split(";")[:-1]:
                    connection.execute(sql.SQL(statement))
            except (errors.DuplicateTable, errors.UniqueViolation):
                raise ValueError(f"{place} holds a gallery: give another database") from None
            if about.hnsw:
                operators = _OPERATORS[about.metric][1]
                connection.execute(sql.SQL(_INDEX).format(operators=sql.SQL(operators)))
            state = {
                "schema": str(SCHEMA_VERSION),
                "about": about.model_dump_json(),
                "generation": "0",
                "unerased": "0",
            }
            for row in state.items():
                connection.execute("INSERT INTO gallery_state VALUES (%s, %s)", row)
        return cls(uri)

    @property
    def about(self) -> About:
        """What all templates have in common."""
        return self._about

    def generation(self) -> int:
        """Number of changes so far."""
        with self._naming():
            return int(self._state("generation"))

    def people(self) -> list[Person]:
        """All people, by name."""
        rows = self._rows(
            "SELECT name, COUNT(t.id), COALESCE(MIN(created), ''), COALESCE(MAX(created), '') "
            "FROM gallery_person p LEFT JOIN gallery_template t ON t.person = p.id "
            'GROUP BY p.id ORDER BY name COLLATE "C"'
        )
        return [Person(*row) for row in rows]

    def rank(self, probe: Vectors, count: int) -> list[list[Candidate]]:
        """The most alike people of each of (P, D) probes."""
        points = as_points(probe, self._about.metric, "probe")
        if not len(points):
            return []
        if points.values.shape[1] != self._about.dimensions:
            raise ValueError(
                f"the recordings have embeddings of {points.values.shape[1]} dimensions and the "
                f"enrolled people of {self._about.dimensions}: both must come from the same model"
            )
        ((people,),) = self._rows("SELECT COUNT(*) FROM gallery_person")
        if self._fast_in_pages(len(points)):
            with self._naming():
                return rank_in_pages(self._connection, points, count)
        found = []
        for vector in points.values:
            fetch = 4 * count
            while True:
                near = self._nearest(vector, fetch)
                if len(near) < fetch or len({row[1] for row in near}) >= min(count, people):
                    break
                fetch *= 4
            found.append(rank_people(vector[None], self._templates(near), count)[0])
        return found

    def scores_with(self, probe: Vectors, person: str) -> FloatArray | None:
        """(P,) scores of probes with one person; None if nobody has this name."""
        rows = self._rows(
            "SELECT t.id, name, vector FROM gallery_template t JOIN gallery_person p "
            "ON person = p.id WHERE name = %s",
            (person,),
        )
        if not rows:
            return None
        return np.array([row[0].score for row in rank_people(probe, self._templates(rows), 1)])

    def template(self, number: int) -> tuple[str, str]:
        """File and sample of a template; empty texts if it is not there."""
        query = "SELECT file, sample FROM gallery_template WHERE id = %s"
        found = self._rows(query, (number,))
        return (found[0][0], found[0][1]) if found else ("", "")

    def add(self, templates: Iterable[Template]) -> None:
        """Enrol all or none.

        Raises:
            ValueError: another process keeps writing.
        """
        rows = list(templates)
        names = sorted({one.person for one in rows})
        with self._naming(), self._change():
            execute = self._connection.execute
            execute(
                "INSERT INTO gallery_person (name) SELECT unnest(%s::text[]) "
                "ON CONFLICT DO NOTHING",
                (names,),
            )
            query = "SELECT name, id FROM gallery_person WHERE name = ANY(%s)"
            known = dict(execute(query, (names,)).fetchall())
            columns = "person, vector, file, sample, frames, created, version"
            with (
                self._connection.cursor() as cursor,
                cursor.copy(
                    f"COPY gallery_template ({columns}) FROM STDIN (FORMAT BINARY)"
                ) as copy,
            ):
                copy.set_types(("int8", "vector", "text", "text", "int8", "text", "text"))
                for one in rows:
                    vector = np.asarray(one.vector, dtype=np.float32)
                    copy.write_row((known[one.person], vector, *one[2:]))

    def remove(self, person: str) -> int:
        """Delete a person; returns the number of templates, 0 if nobody has this name."""
        with self._naming(), self._change():
            execute = self._connection.execute
            query = "SELECT id FROM gallery_person WHERE name = %s"
            found = execute(query, (person,)).fetchone()
            if found is None:
                return 0
            count = execute("DELETE FROM gallery_template WHERE person = %s", found).rowcount
            execute("DELETE FROM gallery_person WHERE id = %s", found)
            self._set_state("unerased", "1")
        return count

    def unerased(self) -> bool:
        """Whether deleted people may still stand in the tables."""
        with self._naming():
            return self._state("unerased") == "1"

    def erase(self, wait: float) -> bool:
        """Rewrite the tables without what was deleted; older transactions are waited for.

        Args:
            wait: seconds.

        Returns:
            Whether it is done; not so while a transaction could still see the deleted rows.
        """
        until = time.monotonic() + wait
        older = (
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND xact_start < %s"
        )
        with self._naming():
            generation = self._state("generation")
            ((now,),) = self._rows("SELECT clock_timestamp()")
            while self._rows(older, (now,))[0][0]:
                if time.monotonic() >= until:
                    return False
                time.sleep(_POLL_SECONDS)
            left = max(int(1000 * (until - time.monotonic())), 100)
            self._connection.execute(sql.SQL("SET lock_timeout = {}").format(left))
            try:
                for statement in _VACUUM.split("; "):
                    self._connection.execute(statement)
            except errors.LockNotAvailable:
                return False
            finally:
                self._connection.execute(sql.SQL("SET lock_timeout = {}").format(_BUSY_MS))
            # What others have removed meanwhile is not erased yet.
            self._connection.execute(
                "UPDATE gallery_state SET value = '0' WHERE key = 'unerased' AND "
                "(SELECT value FROM gallery_state WHERE key = 'generation') = %s",
                (generation,),
            )
        return True

    def threshold(self) -> Threshold | None:
        """The calibrated threshold."""
        found = self._rows("SELECT value FROM gallery_state WHERE key = 'threshold'")
        with refusing_damage(self.place):
            return Threshold.model_validate_json(found[0][0]) if found else None

    def set_threshold(self, threshold: Threshold) -> None:
        """Replace the threshold."""
        with self._naming(), self._change():
            self._set_state("threshold", threshold.model_dump_json())

    def faults(self) -> list[str]:
        """What is wrong with the stored data; the server itself keeps vectors whole and finite."""
        query = (
            "SELECT COUNT(*) FROM gallery_person p "
            "WHERE NOT EXISTS (SELECT FROM gallery_template WHERE person = p.id)"
        )
        ((empty,),) = self._rows(query)
        return [f"{empty} people have no template"] if empty else []

    def recall(self) -> float | None:
        """Share of the ten nearest templates that the index finds, for up to 100 enrolled ones.

        None: the search is exact, or nobody is enrolled.
        """
        if not self._about.hnsw:
            return None
        query = "SELECT vector FROM gallery_template ORDER BY hashint8(id), id LIMIT %s"
        found, there = 0, 0
        for (vector,) in self._rows(query, (_PROBES,)):
            values = vector.to_numpy()
            near = {row[0] for row in self._nearest(values, _NEAREST)}
            with self._naming(), self._connection.transaction():
                self._connection.execute("SET LOCAL enable_indexscan = off")
                exact = {row[0] for row in self._nearest(values, _NEAREST)}
            found, there = found + len(near & exact), there + len(exact)
        return found / there if there else None

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def _fast_in_pages(self, probes: int) -> bool:
        """Whether so many probes are answered faster by reading the table than by the database."""
        if probes <= _FEW or not self._about.hnsw:
            return probes > _FEW
        ((templates,),) = self._rows("SELECT COUNT(*) FROM gallery_template")
        return bool(templates < _INDEXED * probes)

    def _nearest(self, vector: Vectors, count: int) -> list[tuple[Any, ...]]:
        """Number, person and vector of the nearest templates by the database's arithmetic."""
        operator = _OPERATORS[self._about.metric][0]
        # An index is used only where nothing else orders.
        ties = "" if self._about.hnsw else ", id"
        query = (
            "SELECT t.id, name, vector FROM (SELECT id, person, vector FROM gallery_template "  # noqa: S608
            f"ORDER BY vector {operator} %s{ties} LIMIT %s) t "
            "JOIN gallery_person p ON person = p.id"
        )
        return self._rows(query, (vector, count))

    def _templates(self, rows: Sequence[tuple[Any, ...]]) -> Templates:
        """Templates from rows of number, person and vector."""
        ordered = sorted(rows, key=lambda row: row[0])
        names = sorted({row[1] for row in ordered})
        number = np.array([row[0] for row in ordered], dtype=np.int64)
        person = np.array([names.index(row[1]) for row in ordered], dtype=np.int64)
        vectors = np.array([row[2].to_numpy() for row in ordered], dtype=np.float32)
        shaped = vectors.reshape(len(ordered), self._about.dimensions)
        return Templates(names, person, number, as_points(shaped, self._about.metric, "enrolled"))

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._naming():
            return self._connection.execute(query, values).fetchall()

    def _state(self, key: str) -> str:
        query = "SELECT value FROM gallery_state WHERE key = %s"
        found = self._connection.execute(query, (key,)).fetchone()
        if found is None:
            raise ValueError(f"{self.place} is damaged: it lacks {key}; restore a copy")
        return str(found[0])

    def _set_state(self, key: str, value: str) -> None:
        self._connection.execute(
            "INSERT INTO gallery_state VALUES (%s, %s) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )

    @contextmanager
    def _change(self) -> Iterator[None]:
        """A transaction of the only writer, counted as a new generation."""
        with self._connection.transaction():
            query = "SELECT value FROM gallery_state WHERE key = 'generation' FOR UPDATE"
            self._connection.execute(query)
            yield
            self._set_state("generation", str(int(self._state("generation")) + 1))

    @contextmanager
    def _naming(self) -> Iterator[None]:
        with _naming(self.place):
            yield


def without_password(uri: str) -> str:
    """A URI as it may be shown.

    >>> without_password("postgresql://ann:secret@host/people?password=secret&x=1")
    'postgresql://ann:***@host/people?password=***&x=1'
    """
    hidden = re.sub(r"(//[^/?@:]*):[^/?@]*@", r"\1:***@", uri)
    return re.sub(r"(password=)[^&]*", r"\1***", hidden)


def _connect(uri: str) -> psycopg.Connection[tuple[Any, ...]]:
    connection = psycopg.connect(uri, autocommit=True, connect_timeout=10)
    connection.execute(sql.SQL("SET lock_timeout = {}").format(_BUSY_MS))
    return connection


@contextmanager
def _naming(place: str) -> Iterator[None]:
    """Turn the server's errors into sentences that name the database."""
    try:
        yield
    except errors.LockNotAvailable:
        raise ValueError(
            f"{place} is being written by another process: wait for it to end, and run the command "
            "again"
        ) from None
    except errors.UndefinedTable:
        raise ValueError(
            f"{place} holds no gallery: create one with `aclnet-task gallery create`"
        ) from None
    except errors.DiskFull as error:
        raise OSError(errno.ENOSPC, str(error), place) from None
    except (errors.UndefinedFile, errors.FeatureNotSupported):
        raise ValueError(f"{place} has no extension pgvector: install it on the server") from None
    except psycopg.Error as error:
        first = (str(error).splitlines() or ["no reason given"])[0]
        raise ValueError(f"{place} cannot be used: {first}") from None
