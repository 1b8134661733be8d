"""Files are answered as by the commands, people are enrolled and removed, nothing else is kept."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aclnet
from aclnet.runs.calibration import CALIBRATION, Calibration, weights_hash
from tasks import Gallery

Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """No test leaves a file of an upload."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


def drawn(text: str) -> list[dict[str, Any]]:
    """The clips of a page."""
    return [json.loads(unescape(one)) for one in re.findall(r'data-clip="([^"]+)"', text)]


def test_a_person_is_enrolled_named_and_removed(
    page: Any, gallery: Path, keypoints: Path, shown: Call, call: Call, tmp_path: Path
) -> None:
    walk = keypoints / "001" / "nm-01-090.json"
    done = page.post("/look", {walk.name: walk.read_bytes()})
    assert done.status == 200
    assert "Nobody is enrolled." in shown(done.text)

    for take in (1, 2):
        file = keypoints / "001" / f"nm-0{take}-090.json"
        done = page.post("/enrol", {file.name: file.read_bytes()}, person=" Ann <b> ")
        assert "Enrolled: 1 recording of Ann &lt;b&gt;." in done.text
    with Gallery(gallery) as opened:
        assert [(one.name, one.templates) for one in opened.people()] == [("Ann <b>", 2)]
        rows = opened._storage._connection.execute("SELECT file FROM template").fetchall()
    assert {row[0] for row in rows} == {"nm-01-090.json", "nm-02-090.json"}

    probe, out = keypoints / "001" / "nm-03-090.json", tmp_path / "out.json"
    done = page.post("/look", {probe.name: probe.read_bytes()})
    call("gallery", "identify", gallery, probe, "-o", "people=apart", "--json", out)
    (same,) = json.loads(out.read_text())["answers"]
    assert f"Score {same['score']:.4f}" in done.text
    verdict = re.search(r"<h3>(.*?)</h3>", done.text)
    assert verdict is not None
    assert ("Unknown" in verdict[1]) == (same["person"] is None)
    assert len(drawn(done.text)) == 1

    done = page.post("/remove", person="Ann <b>")
    assert "Erased: Ann &lt;b&gt;, 2 templates." in done.text
    assert "nobody called Ann" in page.post("/remove", person="Ann <b>").text
    with Gallery(gallery) as opened:
        assert opened.people() == []


def test_an_action_is_classified_as_by_the_model(
    actions: Any, gesture_run: Path, gesture_bytes: Callable[..., bytes], tmp_path: Path
) -> None:
    for kind in ("raise", "stand"):
        content = gesture_bytes(kind)
        done = actions.post("/look", {"video.npz": content})
        (tmp_path / "video.npz").write_bytes(content)
        (one,) = aclnet.load(gesture_run).classify(tmp_path / "video.npz")
        assert f"<h3>{one.classes[0]}</h3>" in done.text
        assert f"Probability {one.probabilities[0]:.1%}." in done.text
        assert one.classes[0] == kind
    assert "it does not know what it does not know" in done.text
    assert actions.post("/enrol", {"video.npz": content}, person="Ann").status == 422


def test_unknown_actions_are_said(
    serving: Any, gesture_run: Path, gesture_bytes: Callable[..., bytes], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(gesture_run, run)
    weights = weights_hash(run / aclnet.load(run).settings.weights)
    made = Calibration(
        score="logit", temperature=1, known=(1e6,) * 50, people=1, error=(0, 0), weights=weights
    )
    (run / CALIBRATION).write_text(made.model_dump_json())
    with serving(run) as client:
        done = client.post("/look", {"video.npz": gesture_bytes("raise")})
    assert "Unknown" in done.text
    assert "the most alike is raise" in done.text


def test_an_exported_model_serves_too(
    serving: Any, first_onnx: tuple[Path, Any], gallery: Path, keypoints: Path
) -> None:
    walk = keypoints / "001" / "nm-01-090.json"
    with serving(first_onnx[0], gallery) as client:
        assert client.post("/look", {walk.name: walk.read_bytes()}).status == 200


def test_what_moves_has_the_joints_of_the_recording(
    actions: Any, gesture_bytes: Callable[..., bytes], gesture: Call
) -> None:
    (clip,) = drawn(actions.post("/look", {"video.npz": gesture_bytes("raise")}).text)
    assert (clip["persons"], clip["joints"], len(clip["frames"])) == (1, 17, 16)
    assert max(clip["width"], clip["height"]) == 1000
    points = np.array(clip["frames"]).reshape(16, 17, 2)
    given = gesture("raise", 20)[:, 0]
    scale = 1000 / (given.max(axis=(0, 1)) - given.min(axis=(0, 1))).max()
    expected = (given - given.min(axis=(0, 1))) * scale
    np.testing.assert_allclose(points, expected, atol=0.51)


def test_two_pages_at_once_get_their_own_answers(
    actions: Any, gesture_bytes: Callable[..., bytes]
) -> None:
    content = {kind: gesture_bytes(kind) for kind in ("raise", "stand")}
    found: list[tuple[str, str]] = []

    def send(kind: str) -> None:
        found.append((kind, actions.post("/look", {f"{kind}.npz": content[kind]}).text))

    tabs = [threading.Thread(target=send, args=(kind,)) for kind in content for _ in range(2)]
    for one in tabs:
        one.start()
    for one in tabs:
        one.join()
    assert len(found) == 4
    for kind, text in found:
        assert f"<h3>{kind}</h3>" in text
        assert f"<h2>{kind}.npz</h2>" in text


def test_changes_by_others_are_seen(page: Any, gallery: Path, keypoints: Path, call: Call) -> None:
    walk = keypoints / "002" / "nm-01-090.json"
    answer = page.post("/look", {walk.name: walk.read_bytes()}).text
    assert "Nobody is enrolled." in answer
    call("gallery", "enrol", gallery, walk, "--person", "Ben", "-o", "people=apart")
    until = time.monotonic() + 5
    while "Ben" not in page.get("/people").text:
        assert time.monotonic() < until
    assert "<h3>Ben</h3>" in page.post("/look", {walk.name: walk.read_bytes()}).text
    call("gallery", "remove", gallery, "Ben")
    assert "Ben" not in page.get("/people").text


def test_another_gallery_may_take_its_place(
    serving: Any, first: Path, keypoints: Path, tmp_path: Path
) -> None:
    walk, place, other = keypoints / "002" / "nm-01-090.json", tmp_path / "g", tmp_path / "other"
    for path, name in ((place, "Ann"), (other, "Eve")):
        with Gallery.create(path, first) as made:
            made.enrol_embeddings([name], np.ones((1, made.about.dimensions)))
    with serving(first, place) as client:
        assert "Ann" in client.post("/look", {walk.name: walk.read_bytes()}).text
        for part in (place, tmp_path / "g-wal", tmp_path / "g-shm"):
            part.unlink(missing_ok=True)
        gone = client.post("/look", {walk.name: walk.read_bytes()})
        assert (gone.status, "there is no gallery" in gone.text) == (422, True)
        other.rename(place)
        assert "Eve" in client.post("/look", {walk.name: walk.read_bytes()}).text


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "no file was sent"),
        ({"a.pkl": b"\x80\x04cos\nsystem\n."}, "pickles are not accepted"),
        ({"a.json": b"[" * 100_000}, "a.json"),
        ({"a.json": b'{"instance_info": 3}'}, "a.json"),
        ({"a.npz": b"PK\x03\x04" + b"\0" * 99}, "a.npz"),
        ({"../../a.json": b"{}", "x/a.json": b"{}"}, "two files are called a.json"),
        ({"<script>.json": b"\xff\xfe"}, "_script_.json"),
    ],
)
def test_hostile_uploads_are_refused(page: Any, files: dict[str, bytes], words: str) -> None:
    done = page.post("/look", files)
    assert done.status == 422
    assert words in done.text
    assert tempfile.gettempdir() not in done.text


def test_an_archive_with_objects_is_refused(actions: Any, tmp_path: Path) -> None:
    path = tmp_path / "objects.npz"
    np.savez(path, joints=np.array([{}, []], dtype=object), offsets=np.array([0, 2]))
    done = actions.post("/look", {path.name: path.read_bytes()})
    assert done.status == 422
    assert "objects.npz" in done.text


def test_nobody_is_enrolled_without_a_name(page: Any, keypoints: Path) -> None:
    walk = keypoints / "001" / "nm-01-090.json"
    for name in ("", "  ", "x" * 201):
        assert page.post("/enrol", {walk.name: walk.read_bytes()}, person=name).status == 422
    assert "Nobody yet" in page.get("/people").text


def test_several_files_are_one_folder(page: Any, keypoints: Path) -> None:
    walks = [keypoints / "001" / f"nm-0{take}-090.json" for take in (1, 2)]
    done = page.post("/look", {walk.name: walk.read_bytes() for walk in walks})
    assert done.status == 200
    assert "<h2>nm-01-090.json and 1 more</h2>" in done.text
    assert len(drawn(done.text)) == 2


def test_a_recording_that_does_not_fit_is_named(actions: Any, keypoints: Path) -> None:
    walk = keypoints / "001" / "nm-01-090.json"
    done = actions.post("/look", {walk.name: walk.read_bytes()})
    assert done.status == 422
    assert "<p>nm-01-090.json: the data have 17 joints" in done.text


def test_who_walks_past_stays_in_the_picture(page: Any, keypoints: Path) -> None:
    walk = keypoints / "001" / "nm-01-090.json"
    (clip,) = drawn(page.post("/look", {walk.name: walk.read_bytes()}).text)
    points = np.array(clip["frames"]).reshape(len(clip["frames"]), 17, 2)
    assert clip["height"] == 1000  # that of a body, not of its way
    assert np.median(np.ptp(points[..., 1], axis=1)) > 700


def test_too_many_at_once_are_sent_away(
    page: Any, keypoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.serve import desk

    monkeypatch.setattr(desk, "MOST_WAITING", 0)
    walk = keypoints / "001" / "nm-01-090.json"
    done = page.post("/look", {walk.name: walk.read_bytes()})
    assert (done.status, "try again soon" in done.text) == (503, True)


def test_who_leaves_in_the_middle_is_no_fault(page: Any, caplog: pytest.LogCaptureFixture) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=a", "Content-Length": "9000"}
    connection = http.client.HTTPConnection(page.access.host, page.access.port, timeout=60)
    connection.request("POST", "/look", b"--a\r\n", kind)
    time.sleep(0.3)
    connection.close()
    time.sleep(0.3)
    assert page.get("/").status == 200
    assert caplog.records == []
