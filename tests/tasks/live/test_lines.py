from __future__ import annotations

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.live.events import MOST_PEOPLE
from tasks.live.lines import Lines, parse_line


def line(**content: object) -> bytes:
    return json.dumps(content).encode()


def person(*joints: object, **more: object) -> dict[str, object]:
    return {"joints": list(joints), **more}


def test_a_line_is_a_frame() -> None:
    people = [person([1, 2, 0.5], [3, 4, 1], track=7, box=[1]), person([0, 0, 0], [5, 6, 1])]
    frame = parse_line(line(frame=3, time=0.1, people=people, more=1), 9.0)
    assert frame[:3] == (3, 0.1, ("7", ""))
    assert frame.points.tolist() == [[[1, 2, 0.5], [3, 4, 1]], [[0, 0, 0], [5, 6, 1]]]
    assert frame.arrived == 9.0
    empty = parse_line(line(people=[]), 0.0)
    assert (empty.number, empty.seconds, len(empty.points)) == (None, None, 0)


@pytest.mark.parametrize(
    ("track", "name"), [(None, ""), (-1, ""), (7, "7"), (7.0, "7"), ("7", "7"), ("left", "left")]
)
def test_names_of_tracks(track: object, name: str) -> None:
    assert parse_line(line(people=[person([1, 2], track=track)]), 0.0).tracks == (name,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"GET / HTTP/1.1", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", '"people" must be a list'),
        (line(people={}), '"people" must be a list'),
        (line(people=[3]), '"people" must be a list'),
        (line(people=[{}]), '"joints" must be a list'),
        (line(people=[person([1, 2], [1])]), '"joints" must be a list'),
        (line(people=[person([1, 2]), person([1, 2, 3])]), '"joints" must be a list'),
        (line(people=[person([1, "2"])]), '"joints" must be a list'),
        (line(people=[person([True, 2])]), '"joints" must be a list'),
        (line(people=[person([1, float("nan")])]), "not finite"),
        (line(people=[person([1, 10**400])]), "not finite"),
        (line(people=[person([1, 1e7])]), "beyond 1,000,000"),
        (line(people=[], frame=-1), '"frame" must be'),
        (line(people=[], frame=True), '"frame" must be'),
        (line(people=[], frame=2**60), '"frame" must be'),
        (line(people=[], time="1"), '"time" must be'),
        (line(people=[], time=float("inf")), '"time" must be'),
        (line(people=[], time=float("nan")), '"time" must be'),
        (line(people=[], time=10**400), '"time" must be'),
        (line(people=[person([1, 2], track="~1")]), '"track" has at most'),
        (line(people=[person([1, 2], track="a" * 101)]), '"track" has at most'),
    ],
)
def test_mistakes(text: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_line(text, 0.0)


def test_a_crowd_is_cut_off() -> None:
    frame = parse_line(line(people=[person([1, 2])] * (MOST_PEOPLE + 9)), 0.0)
    assert len(frame.points) == len(frame.tracks) == MOST_PEOPLE


@given(st.lists(st.binary(max_size=6).filter(lambda one: b"\n" not in one)), st.integers(1, 7))
def test_lines_are_found_however_they_come(texts: list[bytes], size: int) -> None:
    whole = b"\n".join(texts)
    lines, found = Lines(), []
    for first in range(0, len(whole), size):
        found += lines.feed(whole[first : first + size])
    found += lines.end()
    assert [one for one in found if one and one.strip()] == [one for one in texts if one.strip()]


def test_a_line_without_an_end_is_not_kept() -> None:
    lines = Lines(most=4)
    assert list(lines.feed(b"abcdefgh")) == [None]
    assert list(lines.feed(b"x" * 1000)) == []
    assert len(lines._rest) == 0
    assert list(lines.feed(b"y\nabcd\n12345\nz")) == [b"abcd", None]
    assert list(lines.end()) == [b"z"]


def test_points_are_float32() -> None:
    assert parse_line(line(people=[person([1, 2])]), 0.0).points.dtype == np.float32


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["people", "joints", "track", "frame", "time"]), inner)
    ),
    max_leaves=20,
)


@given(VALUES.map(lambda one: json.dumps(one).encode()) | st.binary(max_size=40))
def test_whatever_comes_is_a_frame_or_a_mistake(text: bytes) -> None:
    with suppress(ValueError):
        frame = parse_line(text, 0.0)
        assert frame.points.ndim == 3
        assert len(frame.points) == len(frame.tracks)
