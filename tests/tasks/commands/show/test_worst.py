from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.action.scores import ClassScores
from protocols.embeddings import Embeddings
from protocols.gait.gallery_probe import load_protocol
from protocols.gait.ranking import missed_probes
from tasks.action.worst import worst


def test_gait_shows_where_the_right_person_came(
    copy: Path, cache: Path, call: Any, tmp_path: Path
) -> None:
    from protocols.embeddings import load_embeddings

    saved = load_embeddings(copy / "embeddings.npz")
    # Everybody is taken for the next: the first direction tells the person, of the probes shifted.
    people = np.unique(saved.subject, return_inverse=True)[1]
    gallery = (saved.condition == "nm") & (saved.take.astype(int) <= 4)
    fields = {name: getattr(saved, name) for name in saved.text_fields()}
    Embeddings(np.eye(3)[(people + ~gallery) % 3], **fields).save(copy / "embeddings.npz")
    page = tmp_path / "worst.html"
    call("gait", "show", copy, "--to", page, "--cache", cache, "--count", 2, "--depth", 3)
    text = page.read_text()
    assert text.count("<section>") == 2
    assert text.count("✗ wrong") == 6
    assert text.count("✓ right") == 2
    for rank, of in re.findall(r"ranked (\d+) of (\d+)", text):
        assert 3 < int(rank) < int(of)
    call("gait", "show", copy, "--to", tmp_path / "worst.png", "--cache", cache, "--count", 2)
    assert (tmp_path / "worst.png").read_bytes().startswith(b"\x89PNG")


def test_the_worst_probe_comes_first_and_its_list_is_the_ranking() -> None:
    vectors = np.array([[0.0], [1.0], [2.0], [3.0], [2.1], [0.9]])  # gallery a-d, probes of a, b
    data = Embeddings(
        vectors,
        sample=list("stuvwx"),
        subject=list("abcdab"),
        condition=["nm"] * 6,
        take=["1", "1", "1", "1", "2", "2"],
        view=[""] * 6,
    )
    (one,) = missed_probes(data, load_protocol("own"), "euclidean", 5, 2)
    assert (one.probe, one.mate, one.rank, one.compared) == (4, 0, 4, 4)
    assert one.nearest.tolist() == [2, 3]
    np.testing.assert_allclose(one.distances, [0.1, 0.9], atol=1e-5)


def test_the_most_confident_error_of_a_classifier_comes_first() -> None:
    scores = ClassScores(
        list("abcde"),
        [0, 0, 1, 1, -1],
        ["sit", "wave"],
        [[0.4, 0.6], [0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.5, 0.5]],
    )
    first, second = worst(scores, None, 9, 5)  # type: ignore[arg-type]
    assert (first.row, first.note) == (2, "predicted sit 80%, true wave 20%")
    assert [(answer.row, answer.correct) for answer in first.answers] == [(1, False), (3, True)]
    assert second.row == 0


def test_action_says_when_there_is_no_mistake(gesture_run: Path, call: Any, tmp_path: Path) -> None:
    page = tmp_path / "p.html"
    done = call("action", "show", gesture_run, "--to", page, "--cache", tmp_path)
    assert "makes no mistake" in done.out
    assert not page.exists()


def test_without_rerun_one_sentence_names_the_extra(
    first: Path, walkers: Path, mistake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    for command in (("gait", "show", first), ("data", "show", walkers)):
        mistake(*command, "--to", tmp_path / "w.rrd", words=["aclnet[viewer]"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("out", ["p.txt", "folder"])
def test_other_endings_are_refused(out: str, gesture_run: Path, mistake: Any) -> None:
    mistake("action", "show", gesture_run, "--to", out, words=[".html", ".rrd", "--to"])
