"""A gallery in a file: private, whole, and erased to the last byte."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.files import owned
from tasks import Gallery

ROOT = Path(__file__).resolve().parents[3]
D = 48


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A file only."""
    return tmp_path / "people.gallery"


def test_what_a_reader_holds_up_is_erased_afterwards(
    full: Gallery, place: Path, reader: AbstractContextManager[None], people_of: Any
) -> None:
    names, vectors = people_of(10, 3)
    with reader:
        assert not full.remove(names[0], wait=0.2).erased
        assert residue(place.parent, names[0], vectors[:3])
    assert full.remove(names[0]).erased
    assert residue(place.parent, names[0], vectors[:3]) == []


def test_one_process_creates_a_gallery(place: Path, about: Any) -> None:
    with (
        owned(place.with_name(f".{place.name}.lock"), place, "wait"),
        pytest.raises(ValueError, match="is being written by"),
    ):
        Gallery.create(place, about=about())
    Gallery.create(place, about=about()).close()
    assert os.listdir(place.parent) == [place.name]


def test_two_writers_wait_for_each_other(full: Gallery, place: Path) -> None:
    writer = sqlite3.connect(place, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    full._storage._connection.execute("PRAGMA busy_timeout = 100")
    with pytest.raises(ValueError, match="being written by another process"):
        full.enrol_embeddings(["Ann"], np.ones((1, D)))
    assert len(full.people()) == 10  # readers do not wait
    writer.execute("ROLLBACK")
    writer.close()
    full.enrol_embeddings(["Ann"], np.ones((1, D)))
    assert full.remove("Ann", wait=0).erased  # which waits no shorter for the next writer
    assert full._storage._connection.execute("PRAGMA busy_timeout").fetchone() == (30_000,)


def test_files_are_private_and_the_log_too(full: Gallery, place: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.parent.iterdir()}
    names = {place.name, f"{place.name}-wal", f"{place.name}-shm"}
    assert modes == dict.fromkeys(names, 0o600)


def residue(folder: Path, name: str, vectors: np.ndarray) -> list[str]:
    """What stands in any file below a folder of a name and of all 32-byte windows of vectors."""
    found = []
    windows = {
        content[start : start + 32]
        for content in (row.tobytes() for row in vectors.astype("<f4"))
        for start in range(len(content) - 31)
    }
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if name.encode() in content:
            found.append(f"{path.name}: {name}")
        if any(content[at : at + 32] in windows for at in range(len(content) - 31)):
            found.append(f"{path.name}: a vector")
    return found


def test_removed_people_are_erased_from_all_files(
    full: Gallery, place: Path, people_of: Any
) -> None:
    names, vectors = people_of(10, 3)
    own = vectors[6:9]
    assert residue(place.parent, names[6], own)
    removed = full.remove(names[6])
    assert (removed.templates, removed.erased) == (3, True)
    assert residue(place.parent, names[6], own) == []
    assert residue(place.parent, names[3], vectors[3:6])  # what the search would find
    full.close()
    assert residue(place.parent, names[6], own) == []


@pytest.mark.parametrize("enrols", [True, False])
def test_the_next_writer_finishes_an_erasure(
    full: Gallery, place: Path, people_of: Any, enrols: bool
) -> None:
    names, vectors = people_of(10, 3)
    full._storage.remove(names[0])  # and killed before the erasure
    with Gallery(place) as other:
        if enrols:
            other.enrol_embeddings(["Ann"], people_of(1, 1, seed=9)[1])
        else:
            other.calibrate_embeddings(*people_of(3, 2, seed=9), target=0.5)
        assert other.check() == []
    assert residue(place.parent, names[0], vectors[:3]) == []


def test_an_erasure_leaves_the_mark_of_a_removal_meanwhile(
    full: Gallery, place: Path, people_of: Any
) -> None:
    names = people_of(10, 3)[0]
    with Gallery(place) as other:

        def remove_another(statement: str) -> None:
            if statement == "PRAGMA busy_timeout = 30000":  # given again after the checkpoint
                other._storage.remove(names[3])  # and killed before the erasure

        full._storage._connection.set_trace_callback(remove_another)
        assert full.remove(names[0]).erased
        assert other._storage.unerased()


def test_many_people_come_and_go_without_residue(place: Path, about: Any) -> None:
    """Pages are split, joined and reused; long vectors have pages of their own."""
    generator = np.random.default_rng(0)
    with Gallery.create(place, about=about(dimensions=1200)) as gallery:
        gone = []
        for turn in range(12):
            names = [f"{generator.integers(1 << 60):x}{turn}" for _ in range(15)]
            vectors = generator.normal(size=(30, 1200)).astype(np.float32)
            gallery.enrol_embeddings(names * 2, vectors, compare=False)
            for row in generator.permutation(15)[:8]:
                gone.append((names[row], vectors[[row, row + 15]]))
                assert gallery.remove(names[row]).erased
        content = b"".join(path.read_bytes() for path in place.parent.iterdir())
        for name, own in gone:
            assert name.encode() not in content
            assert not any(
                row.tobytes()[at : at + 32] in content for row in own for at in range(0, 4800, 480)
            )
        assert gallery.check() == []


def damaged(place: Path, sql: str, *values: object) -> None:
    with sqlite3.connect(place) as connection:
        connection.execute(sql, values)
    connection.close()


@pytest.mark.parametrize(
    ("sql", "value", "words"),
    [
        ("UPDATE template SET vector = ? WHERE id = 4", b"1234", "not 48 dimensions, such as 4"),
        (
            "UPDATE template SET vector = ? WHERE id = 5",
            np.full(D, np.inf, "<f4").tobytes(),
            "not finite, such as 5",
        ),
        ("UPDATE template SET person = ? WHERE id = 6", 99, "1 templates belong to nobody"),
        ("INSERT INTO person (name) VALUES (?)", "Eve", "1 people have no template"),
    ],
)
def test_check_finds_damage(
    full: Gallery, place: Path, sql: str, value: object, words: str
) -> None:
    assert full.check() == []
    damaged(place, sql, value)
    assert any(words in fault for fault in full.check()), full.check()


def test_what_is_no_gallery(tmp_path: Path, place: Path, about: Any) -> None:
    with pytest.raises(ValueError, match="there is no gallery"):
        Gallery(place)
    place.write_bytes(b"text" * 1000)
    with pytest.raises(ValueError, match="nor any SQLite file"):
        Gallery(place)
    with pytest.raises(ValueError, match="exists"):
        Gallery.create(place, about=about())
    assert place.read_bytes() == b"text" * 1000
    other = tmp_path / "other.db"
    damaged(other, "CREATE TABLE a (b)")
    with pytest.raises(ValueError, match="another SQLite file"):
        Gallery(other)
    newer = tmp_path / "newer.gallery"
    Gallery.create(newer, about=about()).close()
    damaged(newer, "PRAGMA user_version = 9")
    with pytest.raises(
        ValueError, match="is of version 9, but this program reads versions up to 1"
    ):
        Gallery(newer)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "newer.gallery",
        "other.db",
        "people.gallery",
    ]


LIGHT = """
import sys
from aclnet.files import owned
from tasks import Gallery
import tasks.cli
gallery = Gallery(sys.argv[1])
print(gallery.identify_embeddings([[1.0] * 48], threshold=-1.0)[0].person)
gallery.check(), gallery.people(), gallery.remove("Ann")
print([name for name in ("torch", "sklearn", "pandas", "scipy") if name in sys.modules])
"""


def test_no_network_library_is_loaded(gallery: Gallery, place: Path) -> None:
    gallery.enrol_embeddings(["Ann"], np.ones((1, D)))
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, str(place)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.splitlines() == ["Ann", "[]"], done.stderr


def test_a_full_disk_names_the_gallery(full: Gallery, place: Path, people_of: Any) -> None:
    pages = full._storage._connection.execute("PRAGMA page_count").fetchone()[0]
    full._storage._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OSError, match="full") as caught:
        full.enrol_embeddings(*people_of(500, 1, seed=8), compare=False)
    assert caught.value.filename == str(place)
    assert len(full.people()) == 10


def test_damaged_bytes_are_refused_in_a_sentence(full: Gallery, place: Path) -> None:
    full.close()
    whole, generator = place.read_bytes(), np.random.default_rng(0)
    refused, sentences = 0, []
    for turn in range(60):
        content = bytearray(whole[: generator.integers(len(whole))] if turn % 3 == 0 else whole)
        for at in generator.integers(0, len(content), 20):
            content[at] = generator.integers(256)
        other = place.with_name(f"damaged{turn}")
        other.write_bytes(content)
        try:
            with Gallery(other) as gallery:
                gallery.identify_embeddings(np.ones((1, D)))
                refused += bool(gallery.check())
        except (ValueError, OSError) as error:
            refused += 1
            sentences.append(str(error))
    assert refused > 40
    assert [one for one in sentences if "damaged" not in one] == []
