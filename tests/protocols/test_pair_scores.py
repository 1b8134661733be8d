"""Scores of pairs: the tables of embeddings without the embeddings, and files that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.pair_scores import PairScores, load_tested
from protocols.reid.evaluate import evaluate_reid


def walks(people: int = 5) -> Embeddings:
    takes = [("nm", t) for t in range(1, 7)] + [(c, t) for c in ("bg", "cl") for t in (1, 2)]
    rows = [(f"{s:03}", c, t, 18 * v) for s in range(people) for c, t in takes for v in range(3)]
    subject, condition, take, view = (np.array(column) for column in zip(*rows, strict=True))
    embedding = np.random.default_rng(0).normal(size=(len(rows), 4)) + subject.astype(int)[:, None]
    return Embeddings(embedding.astype(np.float32), subject, condition, take, view)


def labels_of(data: Embeddings, path: Path) -> Path:
    names = Embeddings.text_fields()
    pd.DataFrame({name: getattr(data, name) for name in names}).to_csv(path, index=False)
    return path


def distances(data: Embeddings) -> npt.NDArray[np.float64]:
    points = data.embedding.astype(np.float64)
    made: npt.NDArray[np.float64] = np.linalg.norm(points[:, None] - points, axis=-1)
    return made


def table(data: Embeddings, kept: Any = slice(None), **columns: Any) -> pd.DataFrame:
    probe, gallery = (side.ravel() for side in np.indices((len(data), len(data))))
    made = {"probe": data.sample[probe], "gallery": data.sample[gallery]}
    frame = pd.DataFrame({**made, "distance": distances(data).ravel(), **columns})
    return frame[kept]


@pytest.fixture
def data() -> Embeddings:
    return walks()


def test_scores_give_the_tables_of_their_embeddings(data: Embeddings, tmp_path: Path) -> None:
    labels = labels_of(data, tmp_path / "labels.csv")
    frame = table(data).sample(frac=1.0, random_state=1)
    frame.to_csv(tmp_path / "distances.csv", index=False)
    frame["score"] = -frame.pop("distance")
    arrays = {side: frame[side].to_numpy(dtype=np.str_) for side in ("probe", "gallery")}
    np.savez(tmp_path / "scores.npz", score=frame["score"].to_numpy(), **arrays)
    expected = evaluate_gait(data, metric="euclidean")
    pairs = evaluate_reid(data, "casia_b", metric="euclidean")
    for name in ("distances.csv", "scores.npz"):
        scores = load_tested(tmp_path / name, labels)
        assert isinstance(scores, PairScores)
        assert scores.fingerprint == data.fingerprint
        found = evaluate_gait(scores)
        assert (found.metrics, found.metric) == (expected.metrics, "given")
        assert found.counts == expected.counts
        assert evaluate_reid(scores, "casia_b").metrics == pairs.metrics


def test_pairs_that_the_protocol_leaves_out_need_no_score(data: Embeddings, tmp_path: Path) -> None:
    labels = labels_of(data, tmp_path / "labels.csv")
    same = (data.view[:, None] == data.view) & (data.subject[:, None] == data.subject)
    table(data, ~same.ravel()).to_csv(tmp_path / "s.csv", index=False)
    scores = load_tested(tmp_path / "s.csv", labels)
    expected = evaluate_gait(data, "casia_b_pooled", metric="euclidean").metrics
    assert evaluate_gait(scores, "casia_b_pooled").metrics == expected
    with pytest.raises(ValueError, match=r"lack probe '000-nm-5-0' against gallery '000-nm-1-0'"):
        evaluate_gait(scores, "casia_b_no_view")


def test_what_needs_embeddings_is_refused(data: Embeddings, tmp_path: Path) -> None:
    labels = labels_of(data, tmp_path / "labels.csv")
    table(data).to_csv(tmp_path / "s.csv", index=False)
    scores = load_tested(tmp_path / "s.csv", labels)
    with pytest.raises(ValueError, match="without a metric"):
        evaluate_gait(scores, metric="cosine")
    with pytest.raises(ValueError, match="Whole walks, re-ranking and query expansion need"):
        evaluate_reid(scores, "casia_b", level="walk")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"probe": "nobody"}, "probe 'nobody' is not among the samples"),
        ({"distance": "far"}, "a distance is not a number"),
        ({"distance": np.inf}, "a finite distance for every pair"),
        ({"score": 1.0}, "one column score .* or distance"),
        ({"gallery": "000-nm-1-0"}, "gallery '000-nm-1-0' appear twice"),
    ],
)
def test_bad_scores_are_refused(
    columns: dict[str, Any], message: str, data: Embeddings, tmp_path: Path
) -> None:
    labels = labels_of(data, tmp_path / "labels.csv")
    path = tmp_path / "s.csv"
    table(data, **columns).to_csv(path, index=False)
    with pytest.raises(ValueError, match=message) as caught:
        load_tested(path, labels)
    assert str(path) in str(caught.value)


def test_the_file_may_say_itself_who_the_samples_are(data: Embeddings, tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    probe, gallery = (side.ravel() for side in np.indices((len(data), len(data))))
    own = {"probe_subject": data.subject[probe], "gallery_subject": data.subject[gallery]}
    table(data, **own).to_csv(path, index=False)
    found = load_tested(path)
    assert isinstance(found, PairScores)
    who = dict(zip(data.sample.tolist(), data.subject.tolist(), strict=True))
    assert dict(zip(found.sample.tolist(), found.samples.subject.tolist(), strict=True)) == who
    own["gallery_subject"] = np.where(gallery == 3, "007", own["gallery_subject"])
    table(data, **own).to_csv(path, index=False)
    with pytest.raises(ValueError, match="sample '000-nm-2-0' has two subjects"):
        load_tested(path)


def test_labels_of_scores(data: Embeddings, tmp_path: Path) -> None:
    path, labels = tmp_path / "s.csv", tmp_path / "labels.csv"
    table(data).to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"scores need a table .*--labels FILE"):
        load_tested(path)
    with pytest.raises(ValueError, match=r"there is no .*labels\.csv"):
        load_tested(path, labels)
    labels.write_text("sample,view\n000-nm-1-0,0\n")
    with pytest.raises(ValueError, match="the columns sample and subject are needed"):
        load_tested(path, labels)
    labels.write_text("sample,subject\n000-nm-1-0,0\n000-nm-1-0,0\n")
    with pytest.raises(ValueError, match="the labels name sample '000-nm-1-0' twice"):
        load_tested(path, labels)


def test_embeddings_are_read_as_ever(data: Embeddings, tmp_path: Path) -> None:
    data.save(tmp_path / "x.npz")
    found = load_tested(tmp_path / "x.npz")
    assert isinstance(found, Embeddings)
    with pytest.raises(ValueError, match="it has labels of its own"):
        load_tested(tmp_path / "x.npz", tmp_path / "labels.csv")
