"""The page of moving skeletons in a browser; skipped where there is no Chromium."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.sample import StoreInfo
from aclnet.data.show.moving import MovingClip, MovingGroup, write_page
from aclnet.skeleton import load_layout

pytestmark = pytest.mark.slow

EVIL = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
BODY = load_layout("ntu25")
METRES = StoreInfo(
    name="x", layout=BODY.to_dict(), channels=("x", "y", "z"), unit="metre", fps=30.0
)


def clip(caption: str, correct: bool | None = None) -> MovingClip:
    frames = np.random.default_rng(0).normal(size=(1, 1, 25, 3)).repeat(9, axis=0)
    frames[:, 0, BODY.index("left_hand"), 1] += np.linspace(0, 2, 9)
    numbers = np.arange(100, 109)
    words = (f"{EVIL} {'w' * 200}",)
    return MovingClip(frames.astype(np.float32), METRES, caption, correct, words, numbers)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = [clip("probe"), clip(EVIL, True), clip("c", False)]
    groups = [MovingGroup(EVIL, clips), MovingGroup("alone", [clip("d")])]
    return write_page(tmp_path_factory.mktemp("page") / "page.html", EVIL, groups)


PICTURE = "document.querySelector('canvas').toDataURL()"


def test_nothing_is_fetched_and_nothing_foreign_runs(chromium: Any, page: Path) -> None:
    events = chromium.show(page)
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked == [page.as_uri()]
    assert not [e for e in events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
    assert chromium.run("window.hacked") is None
    assert chromium.run("document.title") == EVIL


def test_the_slider_moves_the_body_and_says_the_recordings_frame(chromium: Any, page: Path) -> None:
    chromium.show(page)
    before = chromium.run(PICTURE)
    assert chromium.run("document.querySelector('output').textContent") == "frame 100"
    slider = "document.querySelector('input[type=range]')"
    chromium.run(f"{slider}.value = 8; {slider}.dispatchEvent(new Event('input'))")
    assert chromium.run("document.querySelector('output').textContent") == "frame 108"
    assert chromium.run(PICTURE) != before


def test_it_plays_and_pauses(chromium: Any, page: Path) -> None:
    chromium.show(page)  # whoever wants no motion gets none
    assert chromium.run("play.textContent") == "Play"
    before = chromium.run(PICTURE)
    chromium.run("play.click()")
    assert chromium.run("play.textContent") == "Pause"
    end = time.monotonic() + 20
    while chromium.run(PICTURE) == before:
        assert time.monotonic() < end
    chromium.run("play.click()")
    assert chromium.run("play.textContent") == "Play"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_its_bodies_stand_out(
    chromium: Any, page: Path, width: int, scheme: str
) -> None:
    chromium.show(page, width=width, scheme=scheme)
    assert chromium.run("document.documentElement.scrollWidth") <= width
    drawn = chromium.run(
        "(() => { const c = document.querySelector('canvas');"
        " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " let seen = 0; for (let i = 3; i < d.length; i += 4) seen += d[i] > 200;"
        " return seen; })()"
    )
    assert drawn > 300
    ground = chromium.run("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(20, 23, 27)") == (scheme == "dark")
