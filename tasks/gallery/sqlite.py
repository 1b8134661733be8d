"""A gallery in one SQLite file: one writer and many readers, whole after any kill.

The log is written ahead (WAL): after `kill -9` the next process that opens the file finds the old
or the new state. What is deleted is overwritten (`secure_delete`) in a new version of its pages;
the old bytes stay in the log, and in the file, until the log is copied into the file and cut to
nothing. A reader in a transaction prevents this. Therefore nothing here holds a transaction longer
than a load, and a person is called erased only after that. `-wal` and `-shm` get the file's mode.

SQLite needs locks and shared memory between processes: not a network file system.
"""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from aclnet.files import owned, whole_file
from aclnet.foreign.version import refuse_newer
from protocols.ranking.distances import FloatArray
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
from tasks.gallery.search import only, rank_people, ready_points

_APPLICATION_ID = 0x61636C67  # "aclg"
_BUSY_SECONDS = 30.0
_CHUNK = 50_000
_SCHEMA = """
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE template (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    vector BLOB NOT NULL,
    file TEXT NOT NULL,
    sample TEXT NOT NULL,
    frames INTEGER NOT NULL,
    created TEXT NOT NULL,
    version TEXT NOT NULL
);
CREATE INDEX template_of_person ON template (person);
"""
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


class SqliteStorage:
    """A gallery in a file, for one thread at a time.

    Args:
        path: the file.

    Raises:
        ValueError: there is no such file, it is not a gallery, it is damaged, or it was written by
            a newer version.
    """

    beyond = ""

    def __init__(self, path: Path) -> None:
        self.path, self.place = path, str(path)
        self._loaded: tuple[int, Templates] | None = None
        if not path.is_file():
            raise ValueError(
                f"there is no gallery {path}: create one with `aclnet-task gallery create {path} "
                "--run RUN`"
            )
        with _naming(path):
            self._connection = _connect(path)
        try:
            self._about = self._read_about()
        except BaseException:
            self._connection.close()
            raise

    @classmethod
    def create(cls, path: Path, about: About) -> SqliteStorage:
        """Create an empty gallery, private to its owner; it is there whole or not at all.

        Raises:
            ValueError: there is a file.
        """
        if about.hnsw:
            raise ValueError(
                "a file is searched exactly, in memory: an HNSW index is for postgresql://..."
            )
        lock = owned(path.with_name(f".{path.name}.lock"), path, "wait for it to end")
        with lock, whole_file(path) as draft, _naming(path), closing(_connect(draft)) as connection:
            if path.exists():
                raise ValueError(f"{path} exists: give another file, or move it away")
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
            state = {"about": about.model_dump_json(), "generation": "0", "unerased": "0"}
            connection.executemany("INSERT INTO state VALUES (?, ?)", state.items())
        return cls(path)

    @property
    def about(self) -> About:
        """What all templates have in common."""
        return self._about

    def generation(self) -> int:
        """Number of changes so far."""
        with _naming(self.path):
            return int(self._state("generation"))

    def people(self) -> list[Person]:
        """All people, by name."""
        query = (
            "SELECT name, COUNT(template.id), COALESCE(MIN(created), ''), "
            "COALESCE(MAX(created), '') FROM person LEFT JOIN template ON person = person.id "
            "GROUP BY person.id ORDER BY name"
        )
        with _naming(self.path):
            return [Person(*row) for row in self._connection.execute(query).fetchall()]

    def rank(self, probe: Vectors, count: int) -> list[list[Candidate]]:
        """The most alike people of each of (P, D) probes, searched in memory."""
        return rank_people(probe, self.templates(), count)

    def scores_with(self, probe: Vectors, person: str) -> FloatArray | None:
        """(P,) scores of probes with one person; None if nobody has this name."""
        templates = self.templates()
        if person not in templates.names:
            return None
        own = rank_people(probe, only(templates, person), 1)
        return np.array([row[0].score for row in own])

    def templates(self) -> Templates:
        """All templates in memory, read again if anybody has changed the gallery."""
        if self._loaded is None or self._loaded[0] != self.generation():
            self._loaded = None  # two would not always fit
            self._loaded = self._load()
        return self._loaded[1]

    def _load(self) -> tuple[int, Templates]:
        """Generation and templates at one moment."""
        with _naming(self.path), self._transaction("DEFERRED"):
            generation = int(self._state("generation"))
            people = self._connection.execute("SELECT id, name FROM person ORDER BY id").fetchall()
            (count,) = self._connection.execute("SELECT COUNT(*) FROM template").fetchone()
            vectors = np.empty((count, self._about.dimensions), dtype=np.float32)
            number, owner = np.empty((2, count), dtype=np.int64)
            rows = self._connection.execute("SELECT id, person, vector FROM template ORDER BY id")
            for first in range(0, count, _CHUNK):
                part = rows.fetchmany(_CHUNK)
                here = slice(first, first + len(part))
                try:
                    number[here], owner[here] = np.array([row[:2] for row in part]).T
                    vectors[here] = self._vectors([row[2] for row in part])
                except (TypeError, OverflowError):  # a damaged page has cells of any type
                    raise ValueError(
                        f"{self.path} is damaged: a template cannot be read; restore a copy"
                    ) from None
        ids = np.array([number for number, _ in people], dtype=np.int64)
        if not np.isin(owner, ids).all():
            raise ValueError(
                f"{self.path} is damaged: templates belong to nobody (`aclnet-task gallery check` "
                "lists faults); restore a copy"
            )
        names = tuple(name for _, name in people)
        try:
            points = ready_points(vectors, self._about.metric)
        except ValueError as error:
            raise ValueError(f"{self.path} is damaged: {error}") from None
        return generation, Templates(names, np.searchsorted(ids, owner), number, points)

    def template(self, number: int) -> tuple[str, str]:
        """File and sample of a template; empty texts if it is not there."""
        query = "SELECT file, sample FROM template WHERE id = ?"
        with _naming(self.path):
            found = self._connection.execute(query, (number,)).fetchall()
        return found[0] if found else ("", "")

    def add(self, templates: Iterable[Template]) -> None:
        """Enrol all or none.

        Raises:
            ValueError: another process keeps writing.
        """
        with _naming(self.path), self._change():
            known = dict(self._connection.execute("SELECT name, id FROM person").fetchall())

            def rows() -> Iterator[tuple[object, ...]]:
                for one in templates:
                    if one.person not in known:
                        sql = "INSERT INTO person (name) VALUES (?)"
                        known[one.person] = self._connection.execute(sql, (one.person,)).lastrowid
                    yield (known[one.person], _bytes(one.vector), *one[2:])

            columns = "person, vector, file, sample, frames, created, version"
            self._connection.executemany(
                f"INSERT INTO template ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                rows(),
            )

    def remove(self, person: str) -> int:
        """Delete a person; returns the number of templates, 0 if nobody has this name."""
        with _naming(self.path), self._change():
            query = "SELECT id FROM person WHERE name = ?"
            found = self._connection.execute(query, (person,)).fetchall()
            if not found:
                return 0
            query = "DELETE FROM template WHERE person = ?"
            count = self._connection.execute(query, found[0]).rowcount
            self._connection.execute("DELETE FROM person WHERE id = ?", found[0])
            self._set_state("unerased", "1")
        self._loaded = None
        return count

    def unerased(self) -> bool:
        """Whether deleted people may still stand in the files."""
        with _naming(self.path):
            return self._state("unerased") == "1"

    def erase(self, wait: float) -> bool:
        """Copy the log into the file and cut it to nothing; readers are waited for.

        Args:
            wait: seconds.

        Returns:
            Whether it is done; not so while a reader holds a transaction.
        """
        until = time.monotonic() + wait
        with _naming(self.path):
            generation = self._state("generation")
            while True:
                left = max(until - time.monotonic(), 0.0)
                self._connection.execute(f"PRAGMA busy_timeout = {int(1000 * min(left, 1.0))}")
                try:
                    query = "PRAGMA wal_checkpoint(TRUNCATE)"
                    busy = bool(self._connection.execute(query).fetchone()[0])
                except sqlite3.OperationalError as error:
                    if not _is_busy(error):
                        raise
                    busy = True
                if not busy or left <= 0:
                    break
            self._connection.execute(f"PRAGMA busy_timeout = {int(1000 * _BUSY_SECONDS)}")
            if not busy:
                # What others have removed meanwhile is not erased yet.
                self._connection.execute(
                    "UPDATE state SET value = '0' WHERE key = 'unerased' AND "
                    "(SELECT value FROM state WHERE key = 'generation') = ?",
                    (generation,),
                )
        return not busy

    def threshold(self) -> Threshold | None:
        """The calibrated threshold."""
        with _naming(self.path):
            query = "SELECT value FROM state WHERE key = 'threshold'"
            found = self._connection.execute(query).fetchall()
        with refusing_damage(self.place):
            return Threshold.model_validate_json(found[0][0]) if found else None

    def set_threshold(self, threshold: Threshold) -> None:
        """Replace the threshold."""
        with _naming(self.path), self._change():
            self._set_state("threshold", threshold.model_dump_json())

    def faults(self) -> list[str]:
        """What is wrong with the stored data; a sentence each."""
        with _naming(self.path), self._transaction("DEFERRED"):
            found = [
                f"the file is damaged: {text}"
                for (text,) in self._connection.execute("PRAGMA integrity_check(20)").fetchall()
                if text != "ok"
            ]
            loose = self._connection.execute("PRAGMA foreign_key_check").fetchall()
            if loose:
                found.append(f"{len(loose)} templates belong to nobody")
            query = "SELECT COUNT(*) FROM person WHERE id NOT IN (SELECT person FROM template)"
            (empty,) = self._connection.execute(query).fetchone()
            if empty:
                found.append(f"{empty} people have no template")
            rows = self._connection.execute("SELECT id, vector FROM template ORDER BY id")
            while part := rows.fetchmany(_CHUNK):
                found += self._wrong_vectors(part)
        return found

    def recall(self) -> float | None:
        """None: the search is exact."""
        return None

    def close(self) -> None:
        """Close it; the last connection removes the log."""
        self._connection.close()

    def _wrong_vectors(self, rows: list[tuple[int, bytes]]) -> Iterator[str]:
        size = 4 * self._about.dimensions
        short = [number for number, v in rows if not isinstance(v, bytes) or len(v) != size]
        if short:
            yield (
                f"{len(short)} templates have not {self._about.dimensions} dimensions, such as "
                f"{short[0]}"
            )
            return
        vectors = self._vectors([vector for _, vector in rows])
        broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(broken):
            yield f"{len(broken)} templates are not finite, such as {rows[broken[0]][0]}"

    def _vectors(self, stored: list[bytes]) -> Vectors:
        """(N, D) from N texts of bytes."""
        if {len(vector) for vector in stored} - {4 * self._about.dimensions}:
            raise ValueError(
                f"{self.path} is damaged: templates have other than {self._about.dimensions} "
                "dimensions (`aclnet-task gallery check` lists them)"
            )
        found = np.frombuffer(b"".join(stored), dtype="<f4")
        return found.reshape(len(stored), self._about.dimensions)

    def _read_about(self) -> About:
        with _naming(self.path):
            pragmas = ("application_id", "user_version")
            mark, version = (
                self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas
            )
            if mark != _APPLICATION_ID:
                raise ValueError(f"{self.path} is not a gallery, but another SQLite file")
            refuse_newer(self.place, version, SCHEMA_VERSION)
            self._connection.execute("PRAGMA journal_mode = WAL")
            text = self._state("about")
        with refusing_damage(self.place):
            return About.model_validate_json(text)

    def _state(self, key: str) -> str:
        query = "SELECT value FROM state WHERE key = ?"
        found = self._connection.execute(query, (key,)).fetchall()
        if not found:
            raise ValueError(f"{self.path} is damaged: it lacks {key}; restore a copy")
        return str(found[0][0])

    def _set_state(self, key: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))

    @contextmanager
    def _change(self) -> Iterator[None]:
        """A writing transaction, counted as a new generation if it changed anything."""
        with self._transaction("IMMEDIATE"):
            before = self._connection.total_changes
            yield
            if self._connection.total_changes != before:
                self._set_state("generation", str(int(self._state("generation")) + 1))

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[None]:
        self._connection.execute(f"BEGIN {kind}")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    for pragma in ("foreign_keys = ON", "secure_delete = ON", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    # The log is flushed to the disk with each commit: what was said to be enrolled stays enrolled.
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _bytes(vector: Vectors) -> bytes:
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def _is_busy(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into sentences that name the file."""
    try:
        yield
    except UnicodeDecodeError:  # of the text of SQLite's own error
        raise ValueError(f"{path} is damaged: a text cannot be read; restore a copy") from None
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if _is_busy(error):
            raise ValueError(
                f"{path} is being written by another process: wait for it to end, and run the "
                "command again"
            ) from None
        if code in _FULL:
            raise OSError(errno.ENOSPC, str(error), str(path)) from None
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            why = f"{error} (a gallery is read, too, only where its folder can be written)"
            raise OSError(errno.EACCES, why, str(path)) from None
        if code == sqlite3.SQLITE_NOTADB:
            raise ValueError(f"{path} is not a gallery, nor any SQLite file") from None
        raise ValueError(f"{path} is damaged: {error}; restore a copy") from None
