"""Streams that say nothing, and sockets of others."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tasks.live import loop, sockets
from tasks.live.events import Event, Frame, Silence, Wrong
from tasks.live.loop import Live
from tasks.live.sockets import LineSource, SocketSource


def test_empty_lines_are_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "SILENCE_SECONDS", 0.2)
    reading, writing = os.pipe()
    os.write(writing, b"\n")
    events = LineSource("a pipe", reading).events()
    for _ in range(8):  # a sender that keeps the connection alive
        time.sleep(0.05)
        os.write(writing, b"\n \n")
    assert isinstance(next(events), Silence)
    os.close(writing)
    os.close(reading)


def test_a_path_that_another_program_took_is_left(tmp_path: Path) -> None:
    path = tmp_path / "live.sock"
    with closing(SocketSource(f"unix:{path}")):
        path.rename(tmp_path / "kept")  # so that its number is not given again
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    assert path.exists()


class _Told:
    """A source of events; one comes each 20 ms."""

    name = "a stream"

    def __init__(self, event: Event) -> None:
        self.event, self.count = event, 0

    def events(self) -> Iterator[Event]:
        while self.count < 100:
            time.sleep(0.02)
            self.count += 1
            yield self.event


def _live(answers: Any) -> Live:
    joints = SimpleNamespace(shape=(17, 3), of=lambda _: None)
    tracks = SimpleNamespace(add=lambda *_: [], end=lambda _: [])
    return Live(cast(Any, joints), cast(Any, tracks), answers, None, print, lambda _: None)


def test_lines_without_a_frame_do_not_keep_a_stream_alive() -> None:
    answers = SimpleNamespace(idle=lambda: None, of=lambda _: ())
    source = _Told(Wrong("no frame"))
    with pytest.raises(ValueError, match="nothing could be used"):
        _live(answers).run(source, idle=0.1)
    assert source.count < 100


def test_removed_people_are_forgotten_while_nobody_is_seen(
    monkeypatch: pytest.MonkeyPatch, frames_of_nobody: Frame
) -> None:
    monkeypatch.setattr(loop, "LOOK_SECONDS", 0.1)
    looks: list[int] = []
    answers = SimpleNamespace(idle=lambda: looks.append(1), of=lambda _: ())
    _live(answers).run(_Told(frames_of_nobody))
    assert len(looks) > 3


@pytest.fixture
def frames_of_nobody() -> Frame:
    """A picture without people."""
    return sockets.parse_line(b'{"people": []}', 0.0)
