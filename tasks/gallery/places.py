"""Where galleries are kept: a file, or a database by its URI."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.gallery.content import About, Storage
from tasks.gallery.sqlite import SqliteStorage

if TYPE_CHECKING:
    from tasks.gallery.postgres import PostgresStorage

_PLACES = "a file, or postgresql://user@host/database"


def open_storage(place: str | Path) -> Storage:
    """Open the gallery at a place.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    if _is_database(place):
        return _postgres()(str(place))
    return SqliteStorage(Path(place))


def create_storage(place: str | Path, about: About) -> None:
    """Create an empty gallery at a place.

    Raises:
        ValueError: something is there.
    """
    if _is_database(place):
        _postgres().create(str(place), about).close()
    else:
        SqliteStorage.create(Path(place), about).close()


def _is_database(place: str | Path) -> bool:
    """Whether it is a database that can be used.

    Raises:
        ValueError: it is another one, or no place at all.
    """
    if not Path(place).name:
        raise ValueError(f"{str(place)!r} is not a place for a gallery: give {_PLACES}")
    scheme = re.match(r"([A-Za-z][\w+.-]*)://", str(place))
    if scheme is not None and scheme[1] not in ("postgresql", "postgres"):
        raise ValueError(f"no gallery is kept in {scheme[1]}://...: give {_PLACES}")
    return scheme is not None


def _postgres() -> type[PostgresStorage]:
    try:
        from tasks.gallery.postgres import PostgresStorage
    except ImportError:
        raise ValueError(
            "a gallery in PostgreSQL needs psycopg and pgvector: install aclnet[postgres]"
        ) from None
    return PostgresStorage
