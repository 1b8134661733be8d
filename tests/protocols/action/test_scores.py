"""Files of class scores: what goes in comes out, and a bad one is told in one sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.action.scores import ClassScores, holds_class_scores, load_class_scores


def parts(count: int = 4, size: int = 3, seed: int = 0) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    logits = generator.standard_normal((count, size)).astype(np.float32)
    raised = np.exp(logits)
    return {
        "sample": [f"clip-{i}" for i in range(count)],
        "label": generator.integers(-1, size, count),
        "classes": [f"wave {k}" for k in range(size)],
        "probabilities": raised / raised.sum(axis=1, keepdims=True),
        "logits": logits,
        "subject": [f"Ø{i % 2}" for i in range(count)],
        "subset": ["copies", "others", "", "others"][:count],
    }


def table_of(scores: ClassScores, **columns: Any) -> pd.DataFrame:
    """A row a sample, with the names of classes as labels."""
    names = np.array([*scores.classes.tolist(), ""])
    made = {"sample": scores.sample, "label": names[scores.label], "subject": scores.subject}
    classes = dict(zip(scores.classes.tolist(), scores.probabilities.T, strict=True))
    return pd.DataFrame({**made, "subset": scores.subset, **classes, **columns})


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_tables_are_read_as_archives(ending: str, tmp_path: Path) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    scores = ClassScores(**{**parts(12), "subset": [""] * 12, "logits": None})
    path = tmp_path / f"scores{ending}"
    frame = table_of(scores)
    frame.to_csv(path, index=False) if ending == ".csv" else frame.to_parquet(path)
    assert_same(load_class_scores(path), scores)
    assert holds_class_scores(path)
    numbers = table_of(scores, label=scores.label)
    numbers.to_csv(path, index=False) if ending == ".csv" else numbers.to_parquet(path)
    np.testing.assert_array_equal(load_class_scores(path).label, scores.label)


def test_an_array_has_its_labels_beside_it(tmp_path: Path) -> None:
    scores = ClassScores(**{**parts(12), "subset": [""] * 12, "logits": None})
    path, labels = tmp_path / "x.npy", tmp_path / "labels.csv"
    np.save(path, scores.probabilities)
    with pytest.raises(ValueError, match=r"x\.npy: it holds no labels .*--labels FILE"):
        load_class_scores(path)
    rows = pd.DataFrame({name: getattr(scores, name) for name in ("sample", "label", "subject")})
    rows.to_csv(labels, index=False)
    assert_same(load_class_scores(path, labels), replace(scores, classes=["0", "1", "2"]))
    assert holds_class_scores(path, labels)
    with pytest.raises(ValueError, match=r"labels\.csv: it has labels of its own"):
        load_class_scores(labels, labels)


def test_labels_are_names_where_classes_are_named_by_numbers(tmp_path: Path) -> None:
    scores = replace(ClassScores(**parts()), classes=["1", "2", "3"])
    path = tmp_path / "scores.csv"
    table_of(scores, label=scores.label).to_csv(path, index=False)
    with pytest.raises(ValueError, match="label '0' is not a class: give a name of 1, 2, 3"):
        load_class_scores(path)
    table_of(scores).to_csv(path, index=False)
    np.testing.assert_array_equal(load_class_scores(path).label, scores.label)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"label": "swim"},
            "label 'swim' is not a class: give a name or number of wave 0, wave 1, w",
        ),
        ({"label": "3"}, "label '3' is not a class"),
        ({"wave 1": "much"}, "a probability is not a number"),
        ({"wave 1": 0.99}, "sum to .* instead of 1"),
    ],
)
def test_bad_tables_are_refused(columns: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    table_of(ClassScores(**parts()), **columns).to_csv(path, index=False)
    with pytest.raises(ValueError, match=message) as caught:
        load_class_scores(path)
    assert str(path) in str(caught.value)


def test_other_files_are_not_taken_for_class_scores(tmp_path: Path) -> None:
    for name, head in (("e.csv", "sample,label,e0,e1"), ("p.csv", "sample,label,probe,gallery")):
        (tmp_path / name).write_text(f"{head}\na,b,1,2\n")
        assert not holds_class_scores(tmp_path / name)
    np.savez(tmp_path / "e.npz", embedding=np.eye(2), subject=["a", "b"])
    np.save(tmp_path / "x.npy", np.eye(2))
    assert not holds_class_scores(tmp_path / "e.npz")
    assert not holds_class_scores(tmp_path / "x.npy")


def assert_same(a: ClassScores, b: ClassScores) -> None:
    for name in ("sample", "label", "classes", "probabilities", "subject", "subset"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name).dtype == getattr(b, name).dtype
    if a.logits is None or b.logits is None:
        assert a.logits is b.logits
    else:
        np.testing.assert_array_equal(a.logits, b.logits)


@pytest.mark.parametrize("absent", [(), ("logits",), ("logits", "subject", "subset")])
def test_what_is_saved_is_loaded(tmp_path: Path, absent: tuple[str, ...]) -> None:
    given_parts = {name: value for name, value in parts().items() if name not in absent}
    scores = ClassScores(**given_parts)
    path = tmp_path / "deep" / "scores.npz"
    scores.save(path)
    assert_same(load_class_scores(path), scores)
    assert [entry.name for entry in path.parent.iterdir()] == ["scores.npz"]
    with np.load(path, allow_pickle=False) as archive:
        assert ("logits" in archive.files) == ("logits" not in absent)


def test_fields_have_one_type_whatever_comes() -> None:
    frame = pd.DataFrame({"sample": ["a", "b"], "subject": [7, 8]})
    scores = ClassScores(
        frame["sample"].to_numpy(),
        np.array([0, 1], dtype=np.int16),
        ["x", "y"],
        np.eye(2, dtype=np.float16),
        subject=frame["subject"].to_numpy(),
    )
    assert scores.subject.tolist() == ["7", "8"]
    assert scores.label.dtype == np.int64
    assert scores.probabilities.dtype == np.float32
    assert scores.subset.tolist() == ["", ""]
    assert scores.logits is None
    assert len(scores) == 2


def test_names_are_composed() -> None:
    scores = ClassScores(["Zoe\u0308"], [0], ["gele\u0308"], [[1.0]])
    assert (scores.sample[0], scores.classes[0]) == ("Zo\u00eb", "gel\u00eb")


def test_equal_probabilities_go_to_the_lower_class() -> None:
    scores = ClassScores(["a", "b"], [2, -1], ["x", "y", "z"], [[0.2, 0.4, 0.4], [0.4, 0.2, 0.4]])
    assert scores.predicted.tolist() == [1, 0]


def test_rows_are_picked_from_every_field() -> None:
    scores = ClassScores(**parts())
    picked = scores.select([3, 1])
    assert picked.sample.tolist() == ["clip-3", "clip-1"]
    assert picked.label.tolist() == scores.label[[3, 1]].tolist()
    assert picked.classes.tolist() == scores.classes.tolist()
    np.testing.assert_array_equal(picked.probabilities, scores.probabilities[[3, 1]])
    assert picked.subset.tolist() == ["others", "others"]
    assert scores.select(scores.subject == "Ø0").sample.tolist() == ["clip-0", "clip-2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample": ["a", "b", "a", "c"]}, "sample must be unique, and 'a' comes 2 times"),
        ({"classes": ["x", "x", "y"]}, "classes must be unique, and 'x' comes 2"),
        ({"sample": [0.5, 1.5, 2.5, 3.5]}, "sample must be text or whole numbers"),
        ({"label": [0, 1, 2, 3]}, r"label of sample 'clip-3' is 3, but there are 3 classes"),
        ({"label": [0, 1, -2, 0]}, "label of sample 'clip-2' is -2"),
        ({"label": [0.0, 1.0, 2.0, 0.0]}, "label must hold one whole number"),
        ({"label": [0]}, "for each of 4 samples"),
        ({"probabilities": np.ones((4, 2)) / 2}, r"shape \(4, 3\).*not float64 of shape \(4, 2\)"),
        ({"probabilities": np.full((4, 3), np.nan)}, r"'clip-0' \(row 0\) are not finite \(4 in"),
        ({"probabilities": np.ones((4, 3))}, "sum to 3 instead of 1.*softmax"),
        ({"probabilities": np.tile([1.5, -0.5, 0.0], (4, 1))}, "'clip-0' are negative or sum to"),
        ({"logits": np.full((4, 3), np.inf)}, "logits of sample 'clip-0'"),
        ({"logits": np.zeros(4)}, "logits must be numbers of shape"),
        ({"subject": ["a"]}, "subject has 1 entries for 4 samples"),
        ({"sample": np.array([["a", "b"], ["c", "d"]])}, "one-dimensional"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClassScores(**(parts() | change))


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    whole = tmp_path / "whole.npz"
    ClassScores(**parts()).save(whole)
    cut = tmp_path / "cut.npz"
    cut.write_bytes(whole.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"cut\.npz: this is not an npz archive"):
        load_class_scores(cut)
    bare = tmp_path / "bare.npz"
    np.savez(bare, sample=np.array(["a"]))
    with pytest.raises(ValueError, match=r"bare\.npz: the key 'label' is missing; .* sample"):
        load_class_scores(bare)
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, **{**np.load(whole), "sample": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ValueError, match=r"pickled\.npz: the array 'sample' .* unpickling"):
        load_class_scores(pickled)
    with pytest.raises(FileNotFoundError, match=r"gone\.npz"):
        load_class_scores(tmp_path / "gone.npz")
    with pytest.raises(ValueError, match=r"saved as \.npz"):
        ClassScores(**parts()).save(tmp_path / "scores.csv")


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scores.npz"
    scores = ClassScores(**parts())
    scores.save(path)

    def full(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="disk full"):
        ClassScores(**parts(seed=1)).save(path)
    assert_same(load_class_scores(path), scores)
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.npz"]


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 4), size=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_any_shape_survives_a_file(
    tmp_path_factory: pytest.TempPathFactory, count: int, size: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("scores") / "any.npz"
    scores = ClassScores(**parts(count, size, seed))
    scores.save(path)
    assert_same(load_class_scores(path), scores)


def test_the_fingerprint_is_of_labels_and_keys() -> None:
    def scores(label: list[int], probability: float = 0.5) -> ClassScores:
        rows = [[probability, 1 - probability]] * 2
        return ClassScores(["x", "y"], label, ["sit", "wave"], rows, subject=["a", "b"])

    one = scores([0, -1])
    assert one.fingerprint == scores([0, -1], 0.9).select([1, 0]).fingerprint
    assert one.fingerprint != scores([1, -1]).fingerprint
