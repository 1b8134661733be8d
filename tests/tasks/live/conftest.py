"""Streams of the walkers and gestures, and a gallery for them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tasks import Gallery

Call = Callable[..., Any]


class Told(NamedTuple):
    answers: list[dict[str, Any]]
    err: str


def _lines(people: Sequence[tuple[str | int | None, int, np.ndarray]]) -> list[str]:
    """A stream of tracks: name, number of the first frame, and joints (T, V, C)."""
    ends = [first + len(joints) for _, first, joints in people]
    lines = []
    for number in range(max(ends)):
        there = [
            {"track": name, "joints": joints[number - first].tolist()}
            for name, first, joints in people
            if 0 <= number - first < len(joints)
        ]
        lines.append(json.dumps({"frame": number, "people": there}))
    return lines


@pytest.fixture(scope="session")
def lines_of() -> Callable[..., list[str]]:
    """The lines of a stream of tracks."""
    return _lines


@pytest.fixture
def live(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    """Answer lines on standard input."""

    def run(lines: Sequence[str], *arguments: object, code: int = 0) -> Told:
        file = tmp_path / "stream.jsonl"
        file.write_text("".join(f"{line}\n" for line in lines))
        with file.open() as stream:
            monkeypatch.setattr(sys, "stdin", stream)
            done = call("live", "-", *arguments, code=code)
        return Told([json.loads(line) for line in done.out.splitlines()], done.err)

    return run


@pytest.fixture(scope="session")
def walk_files(call: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key points of walkers in files of MMPose: `001/nm-01-090.json`."""
    folder = tmp_path_factory.mktemp("keypoints") / "all"
    call("data", "walkers", folder, "--people", 5)
    return folder


@pytest.fixture(scope="session")
def walk(walk_files: Path) -> Callable[..., np.ndarray]:
    """(T, 17, 3) of a person's walk."""

    def read(person: str, take: str = "nm-01-090", frames: int = 40) -> np.ndarray:
        content = json.loads((walk_files / person / f"{take}.json").read_text())
        people = [one["instances"][0] for one in content["instance_info"]][:frames]
        rows = [
            [
                [*place, score]
                for place, score in zip(one["keypoints"], one["keypoint_scores"], strict=True)
            ]
            for one in people
        ]
        return np.array(rows)

    return read


@pytest.fixture(scope="session")
def gallery(first: Path, walk_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of these walkers; whoever is as like as some other pair is named."""
    place = tmp_path_factory.mktemp("gallery") / "people.gallery"
    with Gallery.create(place, first) as made:
        for person in ("001", "002"):
            files = sorted((walk_files / person).glob("nm-*-090.json"))
            made.enrol(files, person=person)
        others = [
            walk_files / p / f"nm-0{t}-090.json" for p in ("003", "004", "005") for t in (1, 2)
        ]
        embedding = made._loaded().embed(others).embedding
        made.calibrate_embeddings([file.parent.name for file in others], embedding, target=0.1)
    return place
