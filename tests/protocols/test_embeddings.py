"""Embedding files: what goes in comes out, and a bad file is told in one sentence."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from protocols.embeddings import Embeddings, fuse_embeddings, load_embeddings


def example() -> Embeddings:
    return Embeddings(
        np.arange(6, dtype=np.float32).reshape(3, 2),
        subject=np.array(["Ann", "Øyvind", "7"]),
        condition=np.array(["nm", "bg", "cl"]),
        take=np.array([1, 2, 3]),
        view=np.array(["018", "036", "180"]),
        camera=np.array(["a", "b", ""]),
    )


def assert_same(first: Embeddings, second: Embeddings) -> None:
    np.testing.assert_array_equal(first.embedding, second.embedding)
    for name in Embeddings.text_fields():
        assert getattr(first, name).tolist() == getattr(second, name).tolist()


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "run.npz"
    example().save(path)
    assert_same(load_embeddings(path), example())
    assert [entry.name for entry in path.parent.iterdir()] == ["run.npz"]
    with np.load(path, allow_pickle=False) as archive:
        assert sorted(archive.files) == sorted(["embedding", *Embeddings.text_fields()])


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.npz"
    example().save(path)

    def full(*_args: Any, **_named: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="disk full"):
        example().select([0]).save(path)
    assert len(load_embeddings(path)) == 3
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]


@settings(max_examples=30, deadline=None)
@given(
    embedding=arrays(np.float32, (3, 2), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    subject=st.lists(st.text("abcÄ -_/\"',\n0", min_size=1, max_size=9), min_size=3, max_size=3),
)
def test_any_text_and_any_number_survive(
    tmp_path_factory: pytest.TempPathFactory, embedding: npt.NDArray[np.float32], subject: list[str]
) -> None:
    path = tmp_path_factory.mktemp("npz") / "x.npz"
    data = Embeddings(embedding, np.array(subject))
    data.save(path)
    assert_same(load_embeddings(path), data)


def test_keys_of_other_toolboxes_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(
        path,
        emb=np.eye(2, dtype=np.float16),
        identity=np.array([3.0, 4.0]),
        cond=np.array([0, 2], dtype=np.int8),
        seq=np.array([b"01", b"02"]),
        angle=np.array([0, 18]),
        unrelated=np.zeros(7),
    )
    data = load_embeddings(path)
    assert data.embedding.dtype == np.float32
    assert data.subject.tolist() == ["3", "4"]
    assert data.condition.tolist() == ["0", "2"]
    assert data.take.tolist() == ["01", "02"]
    assert data.sample.tolist() == ["3-0-01-0", "4-2-02-18"]
    assert data.camera.tolist() == ["", ""]


def test_the_golden_file_loads(shared: Path) -> None:
    data = load_embeddings(shared / "golden" / "gait" / "casia_b_full.npz")
    assert data.embedding.shape == (5500, 16)
    assert data.sample[0] == "75-1-1-0"


@pytest.mark.parametrize(
    "text",
    [
        "subject,condition,take,view,e1,e0\nann,nm,01,018,2,1\nbob,bg,2,,-4e-1,3\n",
        'subject,condition,take,view,embedding\nann,nm,01,018,"1 2"\nbob,bg,2,,3  -4e-1\n',
        "subject, condition, take, view, embedding\nann, nm, 01, 018, 1 2\nbob, bg, 2, , 3 -0.4\n",
        "\ufeffsubject,condition,take,view,e0,e1,\r\nann,nm,01,018,1,2,\r\n\r\nbob,bg,2,,3,-.4,,\r\n",
    ],
)
def test_csv(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    data = load_embeddings(path)
    np.testing.assert_array_equal(data.embedding, np.array([[1, 2], [3, -0.4]], dtype=np.float32))
    assert data.subject.tolist() == ["ann", "bob"]
    assert data.take.tolist() == ["01", "2"]
    assert data.view.tolist() == ["018", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("condition,e0\nnm,1\n", "'subject' is missing"),
        ("subject,view\nann,1\n", "'embedding' is missing"),
        ("subject,e0,e2\nann,1,2\n", "column 'e1' is missing among e0 to e1"),
        ("subject,embedding\nann,1 2\nbob,1\n", "line 3 holds 1 embedding values, line 2 holds 2"),
        ("subject,e0\nann,one\n", "not a number"),
        ("subject,take,e0\nann,1,1\nbob,2,nan\n", "sample 'bob-2' .row 1. is not finite"),
        ("subject,view,view,e0\nann,1,2,1\n", "column view appears twice"),
        ("subject,e0\nann,1\nbob,1,2\n", "row 2 has 3 cells, the header 2"),
        ("subject,e0,e1\nann,1\n", "row 1 has 2 cells, the header 3"),
        ("", "there is no header"),
    ],
)
def test_a_bad_csv_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        load_embeddings(path)
    assert str(path) in str(caught.value)


BASE: dict[str, npt.NDArray[Any]] = {
    "embedding": np.eye(2, dtype=np.float32),
    "subject": np.array(["a", "b"]),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subject": np.array(["a", None], dtype=object)}, "'subject' cannot be read without unpi"),
        ({"embedding": np.array([None], dtype=object)}, "'embedding' cannot be read without unpi"),
        ({"view": np.array(["0"])}, r"view has shape \(1,\), but there are 2 embeddings"),
        ({"embedding": np.zeros((2, 2, 2, 2))}, r"shape \(N, D\)"),
        ({"embedding": np.array([[0, 1], [np.nan, 1]])}, "sample 'b' .row 1. is not finite"),
        ({"take": np.array([0.5, 1.0])}, "take must be text or whole numbers"),
        ({"subject": np.array([np.inf, 1.0])}, "subject must be text or whole numbers"),
        ({"subject": np.array([1e300, 1.0])}, "subject must be text or whole numbers"),
        ({"take": np.array([True, False])}, "take must be text or whole numbers"),
    ],
)
def test_a_bad_npz_is_refused(
    tmp_path: Path, change: dict[str, npt.NDArray[Any]], message: str
) -> None:
    path = tmp_path / "x.npz"
    merged: dict[str, Any] = BASE | change
    np.savez(path, **merged)
    with pytest.raises(ValueError, match=message) as caught:
        load_embeddings(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("missing", ["embedding", "subject"])
def test_a_missing_key_is_named(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "x.npz"
    kept: dict[str, Any] = {key: value for key, value in BASE.items() if key != missing}
    np.savez(path, **kept)
    with pytest.raises(ValueError, match=f"the field '{missing}' is missing"):
        load_embeddings(path)


def test_damaged_files(tmp_path: Path) -> None:
    whole = tmp_path / "whole.npz"
    example().save(whole)
    cut = tmp_path / "cut.npz"
    cut.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"cut\.npz: this is not an npz archive"):
        load_embeddings(cut)
    turned = bytearray(whole.read_bytes())
    turned[150] ^= 255
    flipped = tmp_path / "flipped.npz"
    flipped.write_bytes(bytes(turned))
    with pytest.raises(ValueError, match=r"flipped\.npz"):
        load_embeddings(flipped)
    with pytest.raises(FileNotFoundError, match=r"no embeddings file .*gone\.npz"):
        load_embeddings(tmp_path / "gone.npz")
    with pytest.raises(ValueError, match=r"read from \.npz, \.npy, \.csv"):
        load_embeddings(tmp_path / "x.pkl")
    with pytest.raises(ValueError, match=r"saved as \.npz"):
        example().save(tmp_path / "x.csv")


def test_names_are_composed() -> None:
    data = Embeddings(np.eye(1), subject=["Zoe\u0308"], condition=["gele\u0308"])
    assert (data.subject[0], data.sample[0]) == ("Zo\u00eb", "Zo\u00eb-gel\u00eb")


def test_select_takes_rows_or_a_mask() -> None:
    data = example()
    assert data.select([2, 0]).subject.tolist() == ["7", "Ann"]
    assert data.select(data.condition == "bg").embedding.tolist() == [[2.0, 3.0]]


def test_no_embeddings_at_all_is_a_file_like_any_other(tmp_path: Path) -> None:
    empty = example().select(np.zeros(3, dtype=np.bool_))
    empty.save(tmp_path / "x.npz")
    assert len(load_embeddings(tmp_path / "x.npz")) == 0


def test_spaces_of_names_are_kept_where_the_header_has_none(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("e0,subject\n1, ann\n2,ann\n3,ann \n")
    assert load_embeddings(path).subject.tolist() == [" ann", "ann", "ann "]
    path.write_text('e0, subject\n1, ann\n2, ann\n3," ann"\n')
    assert load_embeddings(path).subject.tolist() == ["ann", "ann", " ann"]


LABELS = "subject,condition,take,view\nAnn,nm,1,018\nØyvind,bg,2,036\n7,cl,3,180\n"


def test_an_npy_is_read_with_a_table_of_labels(tmp_path: Path) -> None:
    vectors, beside, other = (tmp_path / name for name in ("x.npy", "x.csv", "other.csv"))
    np.save(vectors, example().embedding)
    with pytest.raises(ValueError, match=r"x\.npy: it holds no labels .*x\.csv; .*--labels FILE"):
        load_embeddings(vectors)
    beside.write_text(LABELS)
    data = load_embeddings(vectors)
    np.testing.assert_array_equal(data.embedding, example().embedding)
    assert data.subject.tolist() == ["Ann", "Øyvind", "7"]
    other.write_text(LABELS.replace("Ann", "Bea"))
    assert load_embeddings(vectors, other).subject.tolist() == ["Bea", "Øyvind", "7"]
    other.write_text(LABELS.partition("7")[0])
    with pytest.raises(ValueError, match=r"subject has shape \(2,\), but there are 3 embeddings"):
        load_embeddings(vectors, other)
    other.write_text("subject\nAnn,\n1,2\n")
    with pytest.raises(ValueError, match=r"x\.npy: labels .*other\.csv: row 2 has 2 cells"):
        load_embeddings(vectors, other)
    whole = vectors.read_bytes()
    huge = whole.replace(b"(3, 2), }" + 9 * b" ", b"(3000000000, 2), }")
    assert huge != whole
    np.save(vectors, np.array([{}], dtype=object), allow_pickle=True)
    for content in (vectors.read_bytes(), b"", whole[:-1], huge, b"PK\x03\x04"):
        vectors.write_bytes(content)
        with pytest.raises(ValueError, match=r"x\.npy: this is not a \.npy of plain numbers"):
            load_embeddings(vectors, beside)


@pytest.mark.parametrize("form", ["columns", "lists"])
def test_parquet(form: str, tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow (extra parquet) is not installed")
    from pyarrow import parquet

    data, path = example(), tmp_path / "x.parquet"
    columns: dict[str, Any] = {"subject": data.subject.tolist(), "take": [1, 2, 3]}
    columns["camera"] = ["a", "b", None]
    columns["view"] = [18.0, 36.0, 180.0]
    if form == "lists":
        columns["embedding"] = data.embedding.tolist()
    else:
        columns |= {"e1": data.embedding[:, 1].tolist(), "e0": data.embedding[:, 0].tolist()}
    parquet.write_table(arrow.table(columns), path)
    found = load_embeddings(path)
    np.testing.assert_array_equal(found.embedding, data.embedding)
    assert found.subject.tolist() == data.subject.tolist()
    assert (found.take.tolist(), found.view.tolist()) == (["1", "2", "3"], ["18", "36", "180"])
    assert found.camera.tolist() == ["a", "b", ""]
    parquet.write_table(arrow.table({"subject": ["a"], "e0": [None]}), path)
    with pytest.raises(ValueError, match=r"x\.parquet: The embedding of sample 'a' .* not finite"):
        load_embeddings(path)


def test_a_damaged_parquet_file_is_said_on_one_line(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow (extra parquet) is not installed")
    from pyarrow import parquet

    path = tmp_path / "x.parquet"
    parquet.write_table(arrow.table({"subject": ["a"], "e0": [1.0]}), path)
    whole = path.read_bytes()
    footer = bytes(byte ^ 0x55 for byte in whole[-60:-30])
    for content in (b"PAR1", whole[:-20], whole[:-60] + footer + whole[-30:]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"x\.parquet: not a readable Parquet file: [^\n]+\Z"):
            load_embeddings(path)


def test_parquet_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"x\.parquet: .*pip install 'aclnet\[parquet\]'"):
        load_embeddings(tmp_path / "x.parquet")


def test_fused_cosines_are_the_weighted_means() -> None:
    random = np.random.default_rng(0)
    people = np.arange(5)
    runs = [Embeddings(random.normal(size=(5, width)), people) for width in (3, 7)]
    order = random.permutation(5)
    fused = fuse_embeddings([runs[0], runs[1].select(order)], [3, 1], ["one", "two"]).embedding
    unit = [run.embedding / np.linalg.norm(run.embedding, axis=1)[:, None] for run in runs]
    expected = 0.75 * unit[0] @ unit[0].T + 0.25 * unit[1] @ unit[1].T
    np.testing.assert_allclose(fused @ fused.T, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("other", "weights", "words"),
    [
        (Embeddings(np.eye(2), ["a", "c"], sample=["1", "2"]), [1, 1], "'2' the subject 'c'"),
        (Embeddings(np.zeros((2, 2)), ["a", "b"], sample=["1", "2"]), [1, 1], "two: .*all zeros"),
        (Embeddings(np.ones((2, 2, 2)), ["a", "b"], sample=["1", "2"]), [1, 1], "numbers of parts"),
        (Embeddings(np.eye(2), ["a", "b"], sample=["1", "2"]), [1, 0], "above 0"),
        (Embeddings(np.eye(2), ["a", "b"], sample=["1", "2"]), [1], "1 weights"),
    ],
)
def test_embeddings_that_are_not_fused(other: Embeddings, weights: Any, words: str) -> None:
    one = Embeddings(np.eye(2), ["a", "b"], sample=["1", "2"])
    with pytest.raises(ValueError, match=words):
        fuse_embeddings([one, other], weights, ["one", "two"])
