"""The worst errors of runs on pages beside a report."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.embeddings import Embeddings, load_embeddings


def mistaken(run: Path) -> Path:
    """The run, with every person taken for the next in all recordings but the first of each."""
    saved = load_embeddings(run / "embeddings.npz")
    people, numbers = np.unique(saved.subject, return_inverse=True)
    later = ~np.isin(np.arange(len(numbers)), np.unique(numbers, return_index=True)[1])
    fields = {name: getattr(saved, name) for name in saved.text_fields()}
    vectors = np.eye(len(people))[(numbers + later) % len(people)]
    Embeddings(vectors, **fields).save(run / "embeddings.npz")
    return run


@pytest.fixture
def made(call: Callable[..., Any], cache: Path, tmp_path: Path) -> Callable[..., Any]:
    """Write a report of no record but those of a run's folder, with errors of these runs."""

    def write(*runs: Path, code: int = 0, formats: str = "html") -> Any:
        options = [word for run in runs for word in ("--errors", run)]
        where = ("--results", runs[0], "--out", tmp_path / "out", "--cache", cache)
        return call("report", *where, "--formats", formats, "--no-figures", *options, code=code)

    return write


def test_every_task_has_a_private_page_to_which_the_report_leads(
    made: Callable[..., Any], copy: Path, reid_copy: Path, gesture_run: Path, tmp_path: Path
) -> None:
    done = made(mistaken(copy), mistaken(reid_copy), gesture_run)
    assert f"{gesture_run} makes no mistake: it has no page" in done.err
    index = (tmp_path / "out" / "index.html").read_text()
    links = re.findall(r'<a href="(errors/[^"]+)">(.+?)</a>', index)
    assert [link for link, _ in links] == ["errors/copy.html", "errors/reid.html"]
    assert links[0][1].startswith("Gait recognition on ")
    for link, _ in links:
        page = tmp_path / "out" / link
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        text = page.read_text()
        cases = text.count("<section>")
        assert 0 < cases <= 6
        # The error, what was nearest, and the nearest of the right person.
        assert text.count("<figure") == 3 * cases
        assert text.count("✗ wrong") == text.count("✓ right") == cases


def test_a_page_needs_a_report_to_lead_there(made: Callable[..., Any], copy: Path) -> None:
    assert "--errors is for the report's page" in made(copy, formats="csv", code=2).err


def test_a_task_without_errors_is_refused(
    made: Callable[..., Any], copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tasks.gait.spec import Gait

    monkeypatch.setattr(Gait, "worst", None)
    assert "`gait` has no errors to show" in made(copy, code=2).err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("fps", "count", "step"), [(30.0, 90, 2), (None, 400, 4), (10.0, 60, 1)])
def test_long_and_fast_clips_are_thinned_and_keep_their_time(
    fps: float | None, count: int, step: int
) -> None:
    from aclnet.data.sample import StoreInfo
    from aclnet.data.show.moving import MovingClip
    from aclnet.skeleton import load_layout
    from tasks.commands.show.errors import thinned

    layout = load_layout("coco17").to_dict()
    info = StoreInfo(name="x", layout=layout, channels=("x", "y"), unit="pixel", fps=fps)
    frames = np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1).repeat(17, 2).repeat(2, 3)
    short = thinned(MovingClip(frames, info, "x"))
    assert short.numbers is not None
    assert short.numbers.tolist() == list(range(0, count, step))
    assert short.frames[:, 0, 0, 0].tolist() == short.numbers.tolist()
