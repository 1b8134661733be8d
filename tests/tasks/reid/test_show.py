from __future__ import annotations

import builtins
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from protocols.embeddings import load_embeddings
from tasks.reid import show as reid_show
from tasks.reid.show import show
from tasks.reid.spec import ReidQuery

NAMES = ("rank-lists", "rank-list-01", "rank-list-02", "distances", "identity-errors")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The rank lists that are drawn, without drawing anything."""
    seen: list[Any] = []

    def keep(lists: Any, *_: object) -> list[str]:
        seen.extend(lists)
        return []

    monkeypatch.setattr(reid_show, "_save_lists", keep)
    monkeypatch.setattr(reid_show, "_save", lambda *_: [])
    return seen


@pytest.fixture
def look(reid_run: Path, cache: Path, tmp_path: Path) -> Any:
    """`show` of the trained run, run to its end: the lines, and what was reported."""

    def run(run: Path | None = None, **options: Any) -> tuple[list[str], list[str]]:
        said: list[str] = []
        query = ReidQuery(options.pop("probe", None), options.pop("gallery", None))
        asked: dict[str, Any] = {"count": 2, "depth": 5, "wrong": True, "cache": cache}
        asked |= {"report": said.append, **options}
        return list(show(run or reid_run, tmp_path / "out", query, **asked)), said

    return run


@pytest.mark.slow
def test_every_picture_is_a_line_and_a_file(
    reid_run: Path, cache: Path, call: Any, tmp_path: Path
) -> None:
    out = tmp_path / "pictures"
    command = ("reid", "show", "--run", reid_run, "--out", out, "--cache", cache)
    done = call(*command, "--probe", "C", "--gallery", "N", "--count", 2, "--depth", 3)
    expected = {f"C-N-{name}.{kind}" for name in NAMES for kind in ("png", "svg")}
    assert {item.name for item in out.iterdir()} == expected  # and no draft
    lines = done.out.splitlines()
    assert {Path(line.partition(": ")[0]).name for line in lines} == expected
    for name in NAMES:
        pixels = imread(out / f"C-N-{name}.png")
        assert min(pixels.shape[:2]) > 100
        assert pixels[..., :3].std() > 0.02  # not an empty page
        text = (out / f"C-N-{name}.svg").read_text()
        assert text.rstrip().endswith("</svg>")
        assert "casia_b C-N, rule clean" in text


def test_lists_say_who_was_found(reid_run: Path, look: Any, drawn: list[Any]) -> None:
    look(probe="C", gallery="N", count=3)
    assert len(drawn) == 3
    saved = load_embeddings(reid_run / "embeddings.npz")
    rows = {name: row for row, name in enumerate(saved.sample.tolist())}
    unit = saved.embedding / np.linalg.norm(saved.embedding, axis=1, keepdims=True)
    gallery = np.flatnonzero(saved.condition == "nm")
    for one in drawn:
        probe = rows[one.probe.caption]
        assert saved.condition[probe] == "cl"
        assert one.probe.correct is None
        distance = 1 - unit[gallery] @ unit[probe]
        nearest = gallery[np.argsort(distance)[:5]]
        assert one.ranked[0].correct is False  # wrong ones are looked at
        for strip, row in zip(one.ranked, nearest.tolist(), strict=True):
            name, _, said = strip.caption.partition(", ")
            assert float(said) == pytest.approx(distance[gallery == row][0], abs=1e-3)
            assert strip.correct == (saved.subject[rows[name]] == saved.subject[probe])
            assert ("same view" in strip.flags) == (saved.view[rows[name]] == saved.view[probe])
            assert "same walk" not in strip.flags  # another condition is another walk
        assert re.fullmatch(r"AP 0\.\d\d", one.note)
    notes = [float(one.note[3:]) for one in drawn]
    assert notes == sorted(notes)


def test_the_skeletons_are_those_of_the_sequence(
    look: Any, drawn: list[Any], reid_walkers: Any
) -> None:
    look(probe="C", gallery="N", count=1)
    strip = drawn[0].probe
    recording, _, first = strip.caption.partition("@")
    row = reid_walkers.index["sample"].tolist().index(recording)
    frames = reid_walkers.clip(row)[int(first) : int(first) + 8, 0, :, :2]
    shown = np.asarray(strip.joints)
    assert shown.shape == (8, 17, 2)
    seen = np.isfinite(shown)
    np.testing.assert_array_equal(shown[seen], frames[seen])
    assert seen.mean() > 0.5


def test_by_default_the_first_pair_and_its_own_walks_are_flagged(
    look: Any, drawn: list[Any]
) -> None:
    look(count=9, depth=30, wrong=False)
    assert len(drawn) == 9
    for one in drawn:
        own = one.probe.caption.partition("@")[0]
        names = [strip.caption.partition(", ")[0] for strip in one.ranked]
        assert one.probe.caption not in names  # rule clean hides the probe itself
        for strip, name in zip(one.ranked, names, strict=True):
            assert ("same walk" in strip.flags) == (name.partition("@")[0] == own)
    assert any("same walk" in strip.flags for one in drawn for strip in one.ranked)
    assert {one.ranked[0].correct for one in drawn} == {True, False}


@pytest.mark.parametrize(
    ("name", "subject", "tells"),
    [
        ("008-nm-04-054@8", "008", True),
        ("Person008_4@126", "8", True),
        ("ann_2@0", "ann", True),
        ("Person018_4@8", "8", False),
        ("rec_7@0", "ann", False),
        ("rec@0", "ann", False),
    ],
)
def test_names_that_tell_the_person(name: str, subject: str, tells: bool) -> None:
    assert reid_show._names_person(name, subject) == tells


def test_nothing_wrong_is_said(look: Any, drawn: list[Any], reid_copy: Path) -> None:
    saved = load_embeddings(reid_copy / "embeddings.npz")
    place = np.unique(saved.subject, return_inverse=True)[1]
    fields = {name: getattr(saved, name) for name in saved.text_fields()}
    type(saved)(np.eye(3)[place], **fields).save(reid_copy / "embeddings.npz")
    _, said = look(run=reid_copy, probe="C", gallery="N")
    assert drawn == []
    assert any("every probe of C-N" in sentence and "--no-wrong" in sentence for sentence in said)
    look(run=reid_copy, probe="C", gallery="N", wrong=False)
    assert len(drawn) == 2


def test_other_data_are_refused(look: Any, reid_copy: Path) -> None:
    settings = reid_copy / "settings.yaml"
    text = settings.read_text()
    settings.write_text(text.replace("border_frames: 0", "border_frames: 1"))
    with pytest.raises(ValueError, match="are not those that the run was tested on"):
        look(run=reid_copy)
    settings.write_text(text)
    info = reid_copy / "run.json"
    info.write_text(re.sub(r'"fingerprint": "\w+"', '"fingerprint": "00"', info.read_text()))
    with pytest.raises(ValueError, match="--resume"):
        look(run=reid_copy)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--probe", "X", "--gallery", "N"), "'X' is not a set of protocol casia_b"),
        (("--probe", "C"), "give both --probe and --gallery"),
    ],
)
def test_mistakes(
    options: tuple[str, ...], words: str, reid_run: Path, cache: Path, call: Any, tmp_path: Path
) -> None:
    command = ("reid", "show", "--run", reid_run, "--out", tmp_path / "out", "--cache", cache)
    done = call(*command, *options, code=2)
    assert words in done.err
    assert not (tmp_path / "out").exists()


def test_a_run_that_has_not_ended(reid_copy: Path, look: Any, first: Path) -> None:
    (reid_copy / "embeddings.npz").unlink()
    with pytest.raises(ValueError, match="its training is not finished"):
        look(run=reid_copy)
    with pytest.raises(ValueError, match="is a run of `gait`"):
        look(run=first)
    shutil.rmtree(reid_copy)
    with pytest.raises(ValueError, match="is not a run"):
        look(run=reid_copy)


def test_without_matplotlib(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return plain(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=r"aclnet\[report\]"):
        look()


def test_a_page_shows_where_the_right_person_came(
    reid_run: Path, cache: Path, call: Any, tmp_path: Path, look: Any, drawn: list[Any]
) -> None:
    page = tmp_path / "lists.html"
    pair = ("--probe", "C", "--gallery", "N", "--count", 2, "--depth", 2)
    call("reid", "show", "--run", reid_run, "--to", page, "--cache", cache, *pair)
    text = page.read_text()
    look(probe="C", gallery="N", count=2, depth=400)
    assert text.count("<section>") == len(drawn) == 2
    for one in drawn:
        first = [strip.correct for strip in one.ranked].index(True) + 1
        assert f"ranked {first}, {one.note}" in text
        right = one.ranked[first - 1].caption
        assert f"<b>{first}. {right}</b>" in text
