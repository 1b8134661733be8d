"""The files of competitions, against a plain reading of what OpenGait writes."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.embeddings import Embeddings
from protocols.gait.submission import submission
from protocols.ranking.reranking import rerank


def grew(people: int = 15) -> Embeddings:
    """Two walks of each person, and six of nobody known."""
    rows = [(f"{s:05}", f"0{k}", f"v{s}{k}") for s in range(1, people + 1) for k in (1, 2)]
    rows += [("probe", "03", f"4XPn{i}") for i in range(5)] + [("", "03", "last")]
    subject, condition, view = (np.array(column) for column in zip(*rows, strict=True))
    embedding = np.random.default_rng(0).normal(size=(len(rows), 6, 2))
    return Embeddings(embedding, subject, condition, view=view)


def test_grew_names_twenty_persons_a_video() -> None:
    data = grew()
    points = data.embedding.astype(np.float64)
    ranks = ",".join(f"rank{k}" for k in range(1, 21))
    lines = [f"videoId,{ranks}"]
    for row in np.flatnonzero(data.condition == "03"):
        stored = np.flatnonzero(data.condition != "03")
        distance = np.linalg.norm(points[stored] - points[row], axis=1).mean(axis=1)
        nearest = stored[np.argsort(distance)[:20]]
        lines.append(",".join([str(data.view[row]), *(str(int(data.subject[n])) for n in nearest)]))
    assert submission(data, "grew") == "\n".join(lines) + "\n"


def test_hid_names_one_person_after_re_ranking() -> None:
    data = grew()
    probe = np.isin(data.subject, ["probe", ""])
    sides = (data.embedding[probe], data.embedding[~probe])
    ((_, distance),) = rerank(
        *sides, k1=6, k2=6, weight=0.3, metric="euclidean", form="opengait", block_bytes=2**30
    )
    person = data.subject[~probe][np.argmin(distance, axis=1)]
    lines = [f"{video},{who}" for video, who in zip(data.view[probe], person, strict=True)]
    assert submission(data, "hid").splitlines() == ["videoID,label", *lines]


def test_names_with_commas_stay_one_cell() -> None:
    data = grew()
    views = np.where(data.view == "last", "last, of all", data.view)
    data = Embeddings(data.embedding, data.subject, data.condition, view=views)
    rows = list(csv.reader(submission(data, "hid").splitlines()))
    assert [row[0] for row in rows[1:]] == data.view[np.isin(data.subject, ["probe", ""])].tolist()
    assert {len(row) for row in rows} == {2}


def test_what_cannot_be_handed_in_is_refused() -> None:
    data = grew()
    with pytest.raises(ValueError, match=r"grew needs 20 or more gallery samples .* 16 and 6"):
        submission(grew(8), "grew")
    with pytest.raises(ValueError, match=r"hid needs 1 or more .* 30 and 0"):
        submission(data.select(data.condition != "03"), "hid")
    named = np.where(data.subject == "00003", "ann", data.subject)
    with pytest.raises(ValueError, match="whole numbers, and a gallery sample has 'ann'"):
        submission(Embeddings(data.embedding, named, data.condition, view=data.view), "grew")
    named = np.where(data.subject == "00003", "4", data.subject)
    with pytest.raises(ValueError, match="persons '4' and '00004' are one number"):
        submission(Embeddings(data.embedding, named, data.condition, view=data.view), "grew")
    views = np.where(data.view == "last", "4XPn0", data.view)
    with pytest.raises(ValueError, match="video '4XPn0' appears twice"):
        submission(Embeddings(data.embedding, data.subject, data.condition, view=views), "hid")
    with pytest.raises(ValueError, match="one of grew, hid, not 'x'"):
        submission(data, "x")  # type: ignore[arg-type]


def test_the_command_writes_the_file(call: Any, tmp_path: Path) -> None:
    data, out = grew(), tmp_path / "there" / "grew.csv"
    data.save(tmp_path / "x.npz")
    done = call("gait", "submit", "grew", "--embeddings", tmp_path / "x.npz", "--out", out)
    assert done.out == f"6 probes in {out}\n"
    assert out.read_text() == submission(data, "grew")
