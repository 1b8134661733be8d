"""What only a gallery in a database has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tasks import Gallery
from tasks.gallery import pages

pytestmark = pytest.mark.slow


def test_an_index_names_the_same_people(database: str, about: Any, people_of: Any) -> None:
    names, vectors = people_of(60, 4)
    with Gallery.create(database, about=about(), hnsw=True) as gallery:
        assert gallery.recall() is None
        # A table as small as this is otherwise read as a whole.
        gallery._storage._connection.execute("SET enable_seqscan = off")
        gallery.enrol_embeddings(names, vectors)
        assert gallery.recall() > 0.9
        answers = gallery.identify_embeddings(vectors[::4] + 0.01, threshold=0.5)
        assert [one.person for one in answers] == names[::4]
        plan = gallery._storage._connection.execute(
            "EXPLAIN SELECT id FROM gallery_template ORDER BY vector <=> %s LIMIT 10",
            (vectors[0].astype(np.float32),),
        ).fetchall()
    assert "gallery_template_hnsw" in str(plan)


def test_scores_are_those_of_a_file(
    database: str, about: Any, people_of: Any, tmp_path: Any
) -> None:
    probes = people_of(5, 3, seed=7)[1]
    found = []
    for place in (database, tmp_path / "file"):
        with Gallery.create(place, about=about()) as gallery:
            gallery.enrol_embeddings(*people_of(20, 5))
            found.append(gallery.identify_embeddings(probes, threshold=0.0))
    for one, other in zip(*found, strict=True):
        assert [name for name, _ in one.candidates] == [name for name, _ in other.candidates]
        mine, theirs = ([score for _, score in each.candidates] for each in (one, other))
        np.testing.assert_allclose(mine, theirs, atol=1e-7)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_many_probes_are_answered_as_few(
    database: str, about: Any, people_of: Any, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_PAGE_BYTES", 7 * 4 * 48)
    names, vectors = people_of(8, 6)
    probes = np.repeat(people_of(8, 6)[1][::2], 2, axis=0) + 0.01
    with Gallery.create(database, about=about(metric)) as gallery:
        gallery.enrol_embeddings(names, vectors, compare=False)
        gallery.enrol_embeddings([f"twin of {name}" for name in names], vectors, compare=False)
        rank = gallery._storage.rank
        few = [rank(probe[None].astype(np.float32), 5)[0] for probe in probes]
        assert rank(probes.astype(np.float32), 5) == few
        assert few[0][0].score == few[0][1].score  # a tie


def test_a_long_search_sees_who_is_there_at_its_end(
    database: str, about: Any, people_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, vectors = people_of(8, 6)
    probes = vectors[::2].astype(np.float32)
    monkeypatch.setattr(pages, "_PAGE_BYTES", 7 * 4 * 48)
    read, changes = pages.pages, [1]
    with Gallery.create(database, about=about()) as gallery, Gallery(database) as writer:
        gallery.enrol_embeddings(names, vectors)

        def changing(*given: Any) -> Any:
            for number, page in enumerate(read(*given)):
                yield page
                if number in changes:
                    changes.clear()
                    assert writer.remove(names[0], wait=0).erased
                    writer.enrol_embeddings([names[0]] * 20, np.repeat(-vectors[:1], 20, axis=0))

        monkeypatch.setattr(pages, "pages", changing)
        found = gallery._storage.rank(probes, 3)
        assert found == gallery._storage.rank(probes, 3)
        assert names[0] not in {one.person for own in found[:3] for one in own}


def test_erased_rows_are_not_in_the_tables(database: str, about: Any, people_of: Any) -> None:
    import psycopg

    names, vectors = people_of(5, 2)
    with Gallery.create(database, about=about()) as gallery:
        gallery.enrol_embeddings(names, vectors)
        removed = gallery.remove(names[0])
        assert removed.erased
        assert "administrator" in removed.beyond
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        for table in ("gallery_person", "gallery_template"):
            query = f"SELECT pg_read_binary_file(pg_relation_filepath('{table}'))"
            (content,) = connection.execute(query).fetchone()
            assert names[0].encode() not in content
            assert vectors[0].astype("<f4").tobytes()[:32] not in content
            query = f"SELECT COUNT(*) FROM {table}"
            assert connection.execute(query).fetchone()[0] in (4, 8)


def test_mistakes(call: Callable[..., Any], server: str, database: str, tmp_path: Any) -> None:
    for place, words in (
        (database, "holds no gallery"),
        (database.replace("/gallery", "/nothing"), "does not exist"),
        (database.replace("postgres:@", "ann:secret@"), "ann:***@"),
        (f"postgresql:///a?host={tmp_path}", "cannot be used"),
        ("postgresql:///a?nonsense=1", "nonsense"),
    ):
        done = call("gallery", "list", place, code=2)
        assert words in done.err
        assert "secret" not in done.err


def test_what_a_database_refuses_is_said(database: str, about: Any) -> None:
    import psycopg

    Gallery.create(database, about=about()).close()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
        with pytest.raises(ValueError, match="permission denied for table gallery_state"):
            Gallery(database.replace("postgres:@", "reader@"))
        connection.execute("UPDATE gallery_state SET value = '{}' WHERE key = 'about'")
    with pytest.raises(ValueError, match="is damaged: fingerprint: Field required"):
        Gallery(database)


def test_a_database_has_all_names(server: str, about: Any) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            "CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0 "
            "LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    with pytest.raises(ValueError, match="has the encoding LATIN1"):
        Gallery.create(server.replace("/postgres?", "/narrow?"), about=about())


def test_one_gallery_a_database(database: str, about: Any) -> None:
    Gallery.create(database, about=about()).close()
    with pytest.raises(ValueError, match="holds a gallery"):
        Gallery.create(database, about=about())
    with pytest.raises(ValueError, match="at most 2000"):
        Gallery.create(database, about=about(dimensions=2001), hnsw=True)


def test_a_file_has_no_index(tmp_path: Any, about: Any) -> None:
    with pytest.raises(ValueError, match="searched exactly"):
        Gallery.create(tmp_path / "file", about=about(), hnsw=True)
