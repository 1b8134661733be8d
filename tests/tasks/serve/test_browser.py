"""The page in Chromium; skipped where there is none."""

from __future__ import annotations

import json
import os
import time
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocols.files import write_text
from tasks import Gallery
from tasks.serve.browse import Places

pytestmark = pytest.mark.slow

PATIENCE = 30.0
CLIP = "document.querySelector('#answer canvas')"
PICTURE = f"{CLIP}.toDataURL()"


@pytest.fixture(scope="module")
def site(
    serving: Any, first: Path, gallery: Path, keypoints: Path, call: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:  # fmt: skip
    """A page with a gallery of two people, a report and runs."""
    folder = tmp_path_factory.mktemp("site")
    call("report", "--results", first.parent, "--out", folder / "report")
    with Gallery(gallery) as opened:
        for person, name in (("001", "Ann"), ("002", "Ben " + "long-name-" * 12)):
            opened.enrol(
                [keypoints / person / f"nm-0{take}-090.json" for take in (1, 2)],
                person=name,
                people="apart",
            )
    with serving(first, gallery, Places(folder / "report", first.parent)) as client:
        yield client


def wait(chromium: Any, condition: str) -> None:
    until = time.monotonic() + PATIENCE
    while not chromium.run(condition):
        assert time.monotonic() < until, chromium.run("document.body.innerText")
        time.sleep(0.02)


def give(chromium: Any, *files: Path) -> None:
    """Choose files as a person does."""
    field = chromium("Runtime.evaluate", expression="document.getElementById('files')")
    chosen = {"files": list(map(str, files)), "objectId": field["result"]["objectId"]}
    chromium("DOM.setFileInputFiles", **chosen)


def look(chromium: Any, *files: Path) -> None:
    give(chromium, *files)
    chromium.run("document.querySelector('#upload button.main').click()")
    wait(chromium, "document.querySelector('#answer .reply, #answer .wrong') !== null")


def picture(chromium: Any, name: str) -> None:
    """Keep a screenshot where ACLNET_SCREENSHOTS names a folder."""
    made = chromium("Page.captureScreenshot", captureBeyondViewport=True)["data"]
    assert len(made) > 1000
    if folder := os.environ.get("ACLNET_SCREENSHOTS"):
        Path(folder, f"{name}.png").write_bytes(b64decode(made))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_recording_is_shown_and_named(
    chromium: Any, site: Any, keypoints: Path, width: int, scheme: str, contrast: str
) -> None:
    address = site.access.address
    chromium.show(address, width=width, scheme=scheme)
    picture(chromium, f"start-{width}-{scheme}")
    look(chromium, keypoints / "001" / "nm-03-090.json")
    assert chromium.run("document.querySelectorAll('#answer .guesses tbody tr').length") == 2
    assert chromium.run(f"{CLIP}.checkVisibility() && {CLIP}.height > 200")
    assert chromium.run("document.documentElement.scrollWidth") <= width
    ratio, where = chromium.run(contrast)
    assert ratio >= 4.5, where
    picture(chromium, f"answer-{width}-{scheme}")
    asked = [
        event["params"]["request"]["url"]
        for event in chromium.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert len(asked) >= 4
    assert all(url.startswith(address) for url in asked), asked
    faults = ("Log.entryAdded", "Runtime.exceptionThrown")
    assert not [event for event in chromium.events if event["method"] in faults]


def test_the_skeleton_moves_and_stops(chromium: Any, site: Any, keypoints: Path) -> None:
    chromium.show(site.access.address)
    look(chromium, keypoints / "001" / "nm-03-090.json")
    before = chromium.run(PICTURE)
    time.sleep(0.3)
    assert chromium.run(PICTURE) == before  # whoever wants less motion sees none
    button = "document.querySelector('#answer .player button')"
    assert chromium.run(f"{button}.textContent") == "Play"
    chromium.run(f"{button}.click()")
    wait(chromium, f"{PICTURE} !== {json.dumps(before)}")
    chromium.run(f"{button}.click()")
    slider = "document.querySelector('#answer .player input')"
    chromium.run(f"{slider}.value = 5; {slider}.dispatchEvent(new Event('input'))")
    assert chromium.run(f"{CLIP}.dataset.frame") == "5"


def test_a_file_is_dropped(chromium: Any, site: Any, keypoints: Path) -> None:
    chromium.show(site.access.address)
    text = (keypoints / "001" / "nm-03-090.json").read_text()
    chromium.run(
        "{ const data = new DataTransfer();"
        f" data.items.add(new File([{json.dumps(text)}], 'dropped.json'));"
        " document.querySelector('.drop').dispatchEvent("
        "new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true})); }"
    )
    wait(chromium, "document.querySelector('#answer .reply') !== null")
    assert "dropped.json" in chromium.run("document.getElementById('answer').innerText")


def test_people_are_enrolled_and_removed(
    chromium: Any, site: Any, gallery: Path, keypoints: Path
) -> None:
    chromium.show(site.access.address)
    evil = "Eve <img src=x onerror='window.hacked = 1'>"
    give(chromium, keypoints / "003" / "nm-01-090.json")
    chromium.run(f"document.getElementById('person').value = {json.dumps(evil)}")
    chromium.run("document.querySelector('[formaction]').click()")
    named = "[...document.querySelectorAll('#people .name')].map(one => one.textContent)"
    wait(chromium, f"{named}.includes({json.dumps(evil)})")
    assert "Enrolled: 1 recording" in chromium.run("document.getElementById('answer').innerText")
    with Gallery(gallery) as opened:  # another process
        opened.remove("Ann")
    start = time.monotonic()
    wait(chromium, f"!{named}.includes('Ann')")
    assert time.monotonic() - start < 5
    last = "[...document.querySelectorAll('#people li')].at(-1)"
    chromium.run(f"{last}.querySelector('summary').click()")
    assert chromium.run(f"{last}.querySelector('button').checkVisibility()")
    chromium.run(f"{last}.querySelector('button').click()")
    wait(chromium, f"!{named}.includes({json.dumps(evil)})")
    assert chromium.run("window.hacked") is None
    assert "Erased: Eve" in chromium.run("document.getElementById('answer').innerText")


def test_what_is_wrong_is_said(chromium: Any, site: Any, keypoints: Path, tmp_path: Path) -> None:
    chromium.show(site.access.address, width=390)
    write_text(tmp_path / "bad.json", "{")
    look(chromium, tmp_path / "bad.json")
    assert "bad.json" in chromium.run("document.querySelector('#answer .wrong').innerText")
    picture(chromium, "wrong-390-light")
    (tmp_path / "large.json").write_bytes(b" " * (3 << 20))
    look(chromium, tmp_path / "large.json")
    said = chromium.run("document.querySelector('#answer .wrong').innerText")
    assert said.startswith("These files have 3.0 MiB; at most 1 MiB")
    look(chromium, keypoints / "002" / "nm-01-090.json")  # and the page still works
    assert chromium.run("document.querySelector('#answer .reply') !== null")


def test_it_works_without_the_script(chromium: Any, site: Any, keypoints: Path) -> None:
    chromium("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chromium.show(site.access.address)
        look(chromium, keypoints / "002" / "nm-01-090.json")
        assert chromium.run("location.pathname") == "/look"
    finally:
        chromium("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.parametrize("width", [390, 1280])
def test_runs_and_report_are_browsed(chromium: Any, site: Any, width: int, contrast: str) -> None:
    address = site.access.address
    for path, name in (("runs", "runs"), ("runs/first", "run"), ("report", "report")):
        chromium.show(f"{address}{path}", width=width, scheme="dark")
        assert chromium.run("document.documentElement.scrollWidth") <= width
        ratio, where = chromium.run(contrast)
        assert ratio >= 4.5, where
        picture(chromium, f"{name}-{width}-dark")
    events = chromium.show(f"{address}report/index.html", width=width)
    faults = ("Log.entryAdded", "Runtime.exceptionThrown")
    assert not [event for event in events if event["method"] in faults]
    assert chromium.run("document.querySelectorAll('thead button').length") > 0  # its script runs
    blocked = f"fetch({json.dumps(address)}).then(() => 'read', () => 'blocked')"
    found = chromium("Runtime.evaluate", expression=blocked, awaitPromise=True)
    assert found["result"]["value"] == "blocked"
    picture(chromium, f"index-{width}-light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_token_is_asked_for(
    chromium: Any, serving: Any, gesture_run: Path, clips_file: Any, gesture: Any, contrast: str,
    scheme: str,
) -> None:  # fmt: skip
    video = clips_file("video.npz", *(gesture(kind, 20) for kind in ("raise", "stand")))
    with serving(gesture_run, ask_token=True) as client:
        chromium.show(client.access.address, width=390, scheme=scheme)
        assert chromium.run("location.pathname") == "/enter"
        for token, place in (("wrong", "/enter"), (client.access.token, "/")):
            chromium.run(f"document.getElementById('token').value = {json.dumps(token)}")
            chromium.run("window.before = true; document.querySelector('button.main').click()")
            loaded = "document.readyState === 'complete'"
            wait(chromium, f"window.before === undefined && {loaded}")
            assert chromium.run("location.pathname") == place
            ratio, where = chromium.run(contrast)
            assert ratio >= 4.5, where
            picture(chromium, f"enter-{len(place)}-{scheme}")
        look(chromium, video)
        heads = "[...document.querySelectorAll('.reply h3')].map(one => one.textContent)"
        assert chromium.run(heads) == ["raise", "stand"]
        picture(chromium, f"action-390-{scheme}")
