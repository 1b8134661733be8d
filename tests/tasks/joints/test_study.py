from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.sample import StoreInfo
from aclnet.runs.windows import window_store
from aclnet.skeleton import load_layout
from protocols.embeddings import Embeddings
from tasks.joints.hiding import Hiding
from tasks.joints.right import RightScore, margin
from tasks.joints.study import JointStudy

COCO = load_layout("coco17")
INFO = StoreInfo(name="x", layout=COCO.to_dict(), channels=("x", "y"), unit="pixel")


def test_the_margin_is_how_much_nearer_the_right_person_is() -> None:
    vectors = np.array([[0.0], [1.0], [4.0], [9.0], [7.0]])
    tested = Embeddings(vectors, subject=list("aabbc"))
    gallery = np.arange(5)
    right = margin(
        tested, "euclidean", np.array([0, 4]), lambda row: gallery, lambda copies: np.ones((3, 1))
    )
    copies = window_store([np.ones((2, 1, 17, 2), dtype=np.float32)] * 3, INFO)
    found = right.score(copies, np.array([0, 2, 4]))
    # Of a: b at 3, itself at 0. Of b: a at 0, its other sample at 8. Of c: nobody but itself.
    np.testing.assert_allclose(found, [3.0, -8.0, np.nan], atol=1e-5)


def study(people: str, scores: np.ndarray) -> JointStudy:
    store = window_store([np.ones((4, 1, 17, 2), dtype=np.float32)] * len(people), INFO)
    store.index["identity"] = list(people)
    right = RightScore("margin", "", 1.0, np.arange(len(people)), lambda copies, of: of * 1.0)
    return JointStudy("r", right, Hiding.of(COCO, "part", 2), store, scores, 0)


def test_intervals_are_over_people_and_equal_falls_keep_their_order() -> None:
    scores = np.ones((6, 6, 3))
    scores[:, 3, 2] = 0.5
    scores[:3, 1, 2] = 0.0  # of one person of two
    found = study("aaabbb", scores)
    low, high = found.intervals()
    assert (low[1, 2], found.mean[1, 2], high[1, 2]) == (0.0, 0.5, 1.0)
    assert (low[3, 2], high[3, 2]) == (0.5, 0.5)
    listed = [line.split("  ")[0] for line in found.render().splitlines()[3:8]]
    assert listed == ["right arm", "right leg", "left arm", "left leg", "trunk"]
    assert np.isnan(study("aaaaaa", scores).intervals()[0]).all()


def test_gait_end_to_end(first: Path, cache: Path, call: Any, tmp_path: Path) -> None:
    options = ("--cache", cache, "--count", 6, "--segments", 2)
    files = ("--to", tmp_path / "j.png", "--json", tmp_path / "j.json")
    done = call("gait", "joints", first, *files, *options)
    assert "margin of the right person" in done.out
    assert (tmp_path / "j.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads((tmp_path / "j.json").read_text())
    assert found["rows"] == [
        "left arm",
        "right arm",
        "left leg",
        "right leg",
        "trunk",
        "all joints",
    ]
    falls = np.array([one["fall"] for one in found["samples"]], dtype=float)
    assert falls.shape == (6, 6, 3)
    mean = np.array(found["mean_fall"], dtype=float)
    np.testing.assert_allclose(falls[:, :, :2].mean(axis=0), mean[:, :2])
    one = found["samples"][2]
    call("gait", "joints", first, "--sample", one["sample"], *options[:2], *options[4:], *files[2:])
    alone = json.loads((tmp_path / "j.json").read_text())
    assert [each["sample"] for each in alone["samples"]] == [one["sample"]]
    np.testing.assert_allclose(alone["samples"][0]["score"], one["score"], atol=1e-5)


def test_reid_end_to_end(reid_run: Path, cache: Path, call: Any, tmp_path: Path) -> None:
    values = tmp_path / "j.json"
    options = ("--count", 4, "--segments", 2, "--by", "joint", "--cache", cache)
    call("reid", "joints", reid_run, "--json", values, *options)
    assert len(json.loads(values.read_text())["rows"]) == 18


@pytest.mark.parametrize("named", ["--to", "--sample"])
def test_mistakes_write_nothing(
    named: str, gesture_run: Path, mistake: Any, tmp_path: Path
) -> None:
    value = tmp_path / "j.txt"
    mistake("action", "joints", gesture_run, named, value, "--cache", tmp_path, words=[named])
    assert not value.exists()


@pytest.mark.parametrize(("json", "words"), [("j.png", "are both"), ("-", "give a file")])
def test_values_are_a_file_of_their_own(
    json: str, words: str, gesture_run: Path, mistake: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    mistake("action", "joints", gesture_run, "--to", "j.png", "--json", json, words=[words])
    assert list(tmp_path.iterdir()) == []
