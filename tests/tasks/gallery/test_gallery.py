"""A gallery of embeddings: enrolled, found, unknown, removed; one file, private and whole."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tasks import Gallery
from tasks.gallery.content import About, Template

ROOT = Path(__file__).resolve().parents[3]
D = 48


def about(metric: str = "cosine", dimensions: int = D) -> About:
    return About.model_validate(
        {"fingerprint": "f" * 64, "dimensions": dimensions, "metric": metric}
    )


def people_of(count: int, each: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """`count` people far apart, with `each` recordings near each other."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(count, D))
    vectors = np.repeat(centres, each, axis=0) + 0.1 * generator.normal(size=(count * each, D))
    return [f"person-{seed}-{i}" for i in range(count) for _ in range(each)], vectors


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "people.gallery"


@pytest.fixture
def gallery(place: Path) -> Gallery:
    with Gallery.create(place, about=about()) as made:
        yield made


@pytest.fixture
def full(gallery: Gallery) -> Gallery:
    """Ten people enrolled, and a threshold chosen on 30 others."""
    gallery.calibrate_embeddings(*people_of(30, 4, seed=1), target=0.0002)
    gallery.enrol_embeddings(*people_of(10, 3))
    return gallery


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_enrolled_people_are_named_and_strangers_are_not(place: Path, metric: str) -> None:
    with Gallery.create(place, about=about(metric)) as gallery:
        gallery.calibrate_embeddings(*people_of(30, 4, seed=1), target=0.0002)
        names, vectors = people_of(10, 4)
        rows = np.arange(40) % 4 > 0
        gallery.enrol_embeddings(np.array(names)[rows].tolist(), vectors[rows])
        answers = gallery.identify_embeddings(vectors[~rows])
        assert [one.person for one in answers] == names[::4]
        assert all(one.margin is not None and one.margin > 0 for one in answers)
        strangers = gallery.identify_embeddings(people_of(20, 1, seed=2)[1])
        assert {one.person for one in strangers} == {None}
        assert all(one.score < one.threshold for one in strangers)
        assert {len(one.candidates) for one in strangers} == {5}


def test_score_of_a_person_is_that_of_the_best_template(full: Gallery) -> None:
    """By a plain reading: all cosines, the largest of each person."""
    names, vectors = people_of(10, 3)
    probe = people_of(4, 2, seed=5)[1].astype(np.float32)
    stored = vectors.astype(np.float32).astype(float)
    cosine = (probe @ stored.T) / np.linalg.norm(probe, axis=1)[:, None]
    best = (cosine / np.linalg.norm(stored, axis=1)).reshape(len(probe), 10, 3).max(axis=2)
    for one, row in zip(full.identify_embeddings(probe, candidates=10), best, strict=True):
        order = np.argsort(-row)
        assert [name for name, _ in one.candidates] == [names[3 * place] for place in order]
        np.testing.assert_allclose([score for _, score in one.candidates], row[order], atol=1e-9)
        assert one.margin == pytest.approx(row[order[0]] - row[order[1]])


def test_people_behind_one_with_many_templates_are_found(gallery: Gallery) -> None:
    vectors = np.eye(D)[np.r_[np.zeros(100, int), 1, 2]] + 0.01
    names = ["many"] * 100 + ["one", "two"]
    gallery.enrol_embeddings(names, vectors)
    (answer,) = gallery.identify_embeddings(np.eye(D)[:1], threshold=0.5)
    assert [name for name, _ in answer.candidates] == ["many", "one", "two"]


def test_nobody_is_enrolled_at_first(gallery: Gallery) -> None:
    (answer,) = gallery.identify_embeddings(np.ones((1, D)), threshold=-1.0)
    assert (answer.person, answer.score, answer.margin, answer.candidates) == (None, None, None, ())


def test_no_threshold_no_name(gallery: Gallery) -> None:
    gallery.enrol_embeddings(["Ann"], np.ones((1, D)))
    with pytest.raises(ValueError, match="strangers would be named"):
        gallery.identify_embeddings(np.ones((1, D)))


def test_names_are_compared_composed(gallery: Gallery) -> None:
    gallery.enrol_embeddings(["Zoe\u0308", "Zo\u00eb "], np.eye(D)[:2])
    assert [(one.name, one.templates) for one in gallery.people()] == [("Zo\u00eb", 2)]


@pytest.mark.parametrize(
    ("people", "vectors", "words"),
    [
        (["Ann", " "], np.ones((2, D)), "1 to 200 characters, not 0"),
        (["A" * 201], np.ones((1, D)), "not 201"),
        (["Ann"], np.ones((2, D)), "a person for each of the 2"),
        ([], np.ones((0, D)), "at least one"),
        (["Ann"], np.ones((1, D + 1)), f"of {D} dimensions, not {D + 1}"),
        (["Ann"], np.full((1, D), np.nan), "not finite"),
        (["Ann"], np.zeros((1, D)), "all zeros"),
    ],
)
def test_what_cannot_be_enrolled(
    gallery: Gallery, people: list[str], vectors: np.ndarray, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        gallery.enrol_embeddings(people, vectors)
    assert gallery.people() == []


def test_enrolment_is_whole_or_absent(full: Gallery) -> None:
    """An error half-way leaves neither people nor templates."""
    before, generation = full.people(), full._storage.generation()

    def half() -> Iterator[Template]:
        yield Template("Ann", np.ones(D, np.float32))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        full._storage.add(half())
    assert (full.people(), full._storage.generation()) == (before, generation)


def test_near_duplicates_are_warned_about(full: Gallery) -> None:
    names, vectors = people_of(10, 3)
    done = full.enrol_embeddings([names[0]], vectors[:1] + 1e-5, sample=["again"])
    (warning,) = done.warnings
    assert "recording again of person-0-0 is almost the same" in warning
    (warning,) = full.enrol_embeddings(["Ann"], vectors[:3].mean(axis=0, keepdims=True)).warnings
    assert "looks like person-0-0" in warning
    assert full.enrol_embeddings(["Eve"], people_of(1, 1, seed=9)[1]).warnings == ()


def test_another_process_sees_changes(full: Gallery, place: Path) -> None:
    names, vectors = people_of(10, 3)
    with Gallery(place) as other:
        assert other.identify_embeddings(vectors[:1])[0].person == names[0]
        assert full.remove(names[0]).erased
        assert other.identify_embeddings(vectors[:1])[0].person is None
        full.enrol_embeddings(["Ann"], vectors[:1])
        assert other.identify_embeddings(vectors[:1])[0].person == "Ann"


def test_fmr_by_a_plain_reading(gallery: Gallery) -> None:
    names, vectors = people_of(12, 5, seed=3)
    vectors[:, :40] = 1.0  # people who look alike
    known = gallery.calibrate_embeddings(names, vectors, target=0.05)
    unit = vectors.astype(np.float32) / np.linalg.norm(vectors, axis=1)[:, None]
    scores = unit @ unit.T
    impostor = [scores[i, j] for i in range(60) for j in range(i) if names[i] != names[j]]
    genuine = [scores[i, j] for i in range(60) for j in range(i) if names[i] == names[j]]
    assert known.comparisons == len(impostor) == 1650
    assert (known.people, known.recordings, known.enrolled) == (12, 60, 0)
    assert known.achieved == pytest.approx(82 / 1650)
    assert np.mean(np.array(impostor) >= known.value) == pytest.approx(known.achieved)
    assert np.mean(np.array(genuine) < known.value) == pytest.approx(known.fnmr)
    assert gallery.threshold == known


def test_fpir_counts_strangers_who_are_named(full: Gallery) -> None:
    names, vectors = people_of(50, 2, seed=4)
    known = full.calibrate_embeddings(names, vectors, kind="fpir", target=0.1)
    named = [one.person for one in full.identify_embeddings(vectors)]
    assert sum(name is not None for name in named) == 10 == known.achieved * 100
    assert (known.kind, known.comparisons, known.enrolled) == ("fpir", 100, 10)
    assert known.fpir == known.achieved


@pytest.mark.parametrize(
    ("people", "how", "words"),
    [
        (["a", "a", "b"], {}, "0.01 cannot be seen in 2 comparisons of two people: .* least 100"),
        (["a", "a", "a"], {}, "at least two other people"),
        (["a", "b", "c"], {"target": 1.5}, "above 0 and below 1"),
        (["a", "b", "person-0-3"], {"target": 0.5}, "person-0-3 is enrolled"),
        (["a", "a", "b"], {"kind": "fpir"}, "seen in 3 recordings of strangers"),
    ],
)
def test_what_cannot_be_calibrated(
    full: Gallery, people: list[str], how: dict[str, object], words: str
) -> None:
    before = full.threshold
    with pytest.raises(ValueError, match=words):
        full.calibrate_embeddings(people, np.eye(D)[:3] + 0.1, **how)
    assert full.threshold == before


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


def test_removed_people_are_erased_from_all_files(full: Gallery, place: Path) -> None:
    names, vectors = people_of(10, 3)
    own = vectors[6:9]
    assert residue(place.parent, names[6], own)
    removed = full.remove(names[6])
    assert (removed.templates, removed.erased) == (3, True)
    assert residue(place.parent, names[6], own) == []
    assert residue(place.parent, names[3], vectors[3:6])  # what the search would find
    full.close()
    assert residue(place.parent, names[6], own) == []


def test_a_reader_holds_up_the_erasure(full: Gallery, place: Path) -> None:
    names, vectors = people_of(10, 3)
    reader = sqlite3.connect(place, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM person").fetchall()
    assert full.remove(names[0], wait=0.2).erased is False
    assert any("not yet erased" in fault for fault in full.check())
    assert names[0] not in [one.name for one in full.people()]
    assert residue(place.parent, names[0], vectors[:3])
    reader.execute("COMMIT")
    assert full.remove(names[0]).erased
    assert residue(place.parent, names[0], vectors[:3]) == []
    assert full.check() == []
    reader.close()
    with pytest.raises(ValueError, match="nobody called"):
        full.remove(names[0])


def test_the_next_writer_finishes_an_erasure(full: Gallery, place: Path) -> None:
    names, vectors = people_of(10, 3)
    full._storage.remove(names[0])  # and killed before the erasure
    with Gallery(place) as other:
        other.enrol_embeddings(["Ann"], people_of(1, 1, seed=9)[1])
        assert other.check() == []
    assert residue(place.parent, names[0], vectors[:3]) == []


def test_many_people_come_and_go_without_residue(place: Path) -> None:
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


def test_what_is_no_gallery(tmp_path: Path, place: Path) -> None:
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
    with pytest.raises(ValueError, match="has the schema 9"):
        Gallery(newer)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "newer.gallery",
        "other.db",
        "people.gallery",
    ]


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


LIGHT = """
import sys
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


def test_a_full_disk_names_the_gallery(full: Gallery, place: Path) -> None:
    pages = full._storage._connection.execute("PRAGMA page_count").fetchone()[0]
    full._storage._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OSError, match="full") as caught:
        full.enrol_embeddings(*people_of(500, 1, seed=8), compare=False)
    assert caught.value.filename == str(place)
    assert len(full.people()) == 10
