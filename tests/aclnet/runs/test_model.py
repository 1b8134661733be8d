"""The front door: a run loaded by `aclnet.load` embeds and classifies what it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aclnet
from aclnet.clips.settings import ClipSettings
from aclnet.data.convert import convert
from aclnet.data.store import open_store
from aclnet.runs.inference import score
from aclnet.runs.model import Model
from protocols.embeddings import load_embeddings

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def walker_model(first: Path) -> Model:
    return aclnet.load(first)


@pytest.fixture(scope="module")
def gesture_model(gesture_run: Path) -> Model:
    return aclnet.load(str(gesture_run))


def test_a_model_describes_its_run(walker_model: Model, gesture_model: Model, first: Path) -> None:
    assert (walker_model.layout.name, gesture_model.layout.name) == ("coco17", "coco17")
    assert gesture_model.classes == ("raise", "stand")
    assert len(walker_model.classes) == 3
    assert (walker_model.info.task, walker_model.run) == ("gait", first)
    assert (walker_model.settings.test, walker_model.settings.embed.stride) == (None, 4)
    assert gesture_model.settings.test is not None
    assert isinstance(walker_model.settings.clip, ClipSettings)
    assert not any(module.training for module in walker_model.network.modules())


def test_files_are_embedded_as_by_the_command(
    walker_model: Model, first: Path, walkers: Path, call: Make, tmp_path: Path
) -> None:
    store = open_store(walkers)
    walks = [store.clip(row) for row in range(5)]
    offsets = np.cumsum([0, *map(len, walks)])
    joined = np.concatenate(walks)
    points, confidence = joined[..., :2], joined[..., 2]
    names = np.array(walker_model.layout.joints)
    file = tmp_path / "walks.npz"
    np.savez(file, joints=points, confidence=confidence, offsets=offsets, joint_names=names)
    for source in (file, walkers):
        out = tmp_path / "embeddings.npz"
        call("gait", "embed", "--run", first, "--data", source, "--out", out, "--cache", tmp_path)
        wanted, found = load_embeddings(out), walker_model.embed(source)
        assert found.sample == wanted.sample.tolist()
        np.testing.assert_array_equal(found.embedding, wanted.embedding)
    arrays = walker_model.embed(walks)
    assert arrays.sample == ["0", "1", "2", "3", "4"]
    np.testing.assert_allclose(arrays.embedding, found.embedding[:5], atol=1e-6)
    twice = walker_model.embed([file, str(walkers)])
    np.testing.assert_array_equal(twice.embedding[5:], found.embedding)
    np.testing.assert_allclose(twice.embedding[:5], arrays.embedding, atol=1e-6)


def test_progress_is_told_who_asks(
    walker_model: Model, walkers: Path, gesture_model: Model, gesture: Make, capfd: Any
) -> None:
    walks = [open_store(walkers).clip(row) for row in range(3)]
    for source in (walkers, [walkers, walkers], walks):
        calls: list[tuple[int, int]] = []
        found = walker_model.embed(source, progress=lambda *call, calls=calls: calls.append(call))
        shares = [done / total for done, total in calls]
        assert shares == sorted(shares)
        assert (len(shares) > 3, shares[-1]) == (True, 1)
        np.testing.assert_array_equal(found.embedding, walker_model.embed(source).embedding)
    calls = []
    gesture_model.classify([gesture("stand", 1)] * 2, progress=lambda *call: calls.append(call))
    assert calls == [(1, 2), (2, 2)]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bones", [True, False])
def test_the_runs_joints_in_another_order_map_by_themselves(
    bones: bool, walker_model: Model, walkers: Path, tmp_path: Path
) -> None:
    clip, order = open_store(walkers).clip(0), np.random.default_rng(0).permutation(17)
    names = np.array([name.title() for name in walker_model.layout.joints])[order]
    tree = {"bones": np.argsort(order)[walker_model.layout.bone_index]} if bones else {}
    file, turned = tmp_path / "walk.npz", clip[:, :, order]
    points = {"joints": turned[..., :2], "confidence": turned[..., 2], "joint_names": names}
    np.savez(file, offsets=np.array([0, len(clip)]), **points, **tree)
    store = tmp_path / "store"
    convert(file, store)
    for source in (file, store):
        found, wanted = walker_model.embed(source), walker_model.embed(clip)
        np.testing.assert_array_equal(found.embedding, wanted.embedding)
        (one,), (other,) = walker_model.classify(source), walker_model.classify(clip)
        assert one.probabilities == other.probabilities


def test_an_action_run_embeds_by_its_test_clips(
    gesture_model: Model, gesture_run: Path, gesture: Make, clips_file: Make
) -> None:
    recordings = [gesture("raise", 30), gesture("stand", 31, length=9)]
    found = gesture_model.embed(clips_file("clips.npz", *recordings), prepare="none")
    store, settings = gesture_run.parent / "store", gesture_model.settings
    assert settings.test is not None
    clip_input = gesture_model.clip_input
    wanted = score(gesture_model.network, open_store(store), clip_input, settings.test)
    np.testing.assert_array_equal(gesture_model.embed(store).embedding, wanted.embedding)
    arrays = gesture_model.embed(recordings)
    np.testing.assert_array_equal(found.embedding, arrays.embedding)
    (alone,) = gesture_model.embed(recordings[0]).embedding
    np.testing.assert_allclose(alone, found.embedding[0], atol=1e-6)


def test_a_gait_run_classifies_by_person(walker_model: Model, walkers: Path) -> None:
    store = open_store(walkers)
    person, *others = store.index["identity"].unique()
    found = walker_model.classify(store.clip(0), top=99)
    assert person == "001"
    assert set(found[0].classes) == set(walker_model.classes) <= {person, *others}
    assert sum(found[0].probabilities) == pytest.approx(1)
    assert list(found[0].probabilities) == sorted(found[0].probabilities, reverse=True)


def test_a_short_recording_is_one_window(
    gesture_model: Model, gesture: Make, clips_file: Make, tmp_path: Path
) -> None:
    file = clips_file("clip.npz", gesture("raise", 30), gesture("stand", 31))
    before = sorted(tmp_path.rglob("*"))
    first, second = gesture_model.classify(file, fps=10.0)
    assert (first.classes[0], second.classes[0]) == ("raise", "stand")
    assert (first.start, first.end, first.person) == (0, 16, None)
    assert (first.start_seconds, first.end_seconds) == (0.0, 1.6)
    assert sum(first.probabilities) == pytest.approx(1)
    assert sorted(tmp_path.rglob("*")) == before
    arrays = gesture_model.classify([gesture("raise", 30), gesture("stand", 31)], fps=10.0)
    assert [one.sample for one in arrays] == ["0", "1"]
    assert [one.probabilities for one in arrays] == [first.probabilities, second.probabilities]


def test_a_long_recording_is_judged_piece_by_piece(
    gesture_model: Model, gesture: Make, clips_file: Make
) -> None:
    long = np.concatenate([gesture("raise", 40), gesture("stand", 41), gesture("raise", 42)])
    found = gesture_model.classify(clips_file("long.npz", long), window=16, stride=16, top=1)
    assert [(one.start, one.end) for one in found] == [(0, 16), (16, 32), (32, 48)]
    assert [one.classes for one in found] == [("raise",), ("stand",), ("raise",)]
    assert found[0].start_seconds is None
    usual = [(one.start, one.end) for one in gesture_model.classify(long)]
    assert usual == [(0, 32), (16, 48)]  # four clips of 8 frames, half of them apart


def test_people_apart(gesture_model: Model, gesture: Make) -> None:
    both = gesture("raise", 50)
    both[:, 1] = gesture("stand", 51)[:, 0]
    found = gesture_model.classify(both, persons="apart")
    assert [(one.person, one.classes[0]) for one in found] == [(0, "raise"), (1, "stand")]
    alone = gesture_model.classify(gesture("raise", 50))
    assert found[0].probabilities == pytest.approx(alone[0].probabilities, abs=1e-6)


def test_a_window_without_anybody_is_left_out(
    gesture_model: Model, gesture: Make, clips_file: Make
) -> None:
    frames = np.concatenate([np.zeros_like(gesture("stand", 1)), gesture("stand", 1)])
    (one,) = gesture_model.classify(frames, window=16, stride=16)
    assert (one.start, one.left_out) == (16, {"frames in no window": 16})
    found = gesture_model.classify([np.zeros_like(frames), frames[16:]])
    assert [one.left_out for one in found] == [{"recordings without a person": 1}]
    nobody = clips_file("nobody.npz", np.zeros_like(frames))
    with pytest.raises(ValueError, match=r"nobody\.npz: there is nothing to predict"):
        gesture_model.classify(nobody)


def test_other_data_are_refused(gesture_model: Model, gesture: Make, clips_file: Make) -> None:
    frames = np.concatenate([gesture("stand", 1), np.ones((16, 2, 17, 1), np.float32)], axis=-1)
    deep = clips_file("deep.npz", frames)
    other = clips_file("other.npz", np.ones((9, 1, 20, 2)), joints="msr20")
    wrong = gesture("stand", 1)
    wrong[3, 0, 5, 1] = np.nan
    nan = clips_file("nan.npz", wrong)
    for use in (gesture_model.classify, gesture_model.embed):
        with pytest.raises(ValueError, match=r"deep\.npz.*channels x, y, z.*trained on 17 joints"):
            use(deep, unit="normalised")
        with pytest.raises(ValueError, match=r"other\.npz.*20 joints.*on 17 joints \(coco17\)"):
            use(other)
        with pytest.raises(ValueError, match=r"nan\.npz.*frame 3, person 0, joint 5 is not a fin"):
            use(nan)
    for change, message in (
        (lambda one: one[:0], "sample '1' has no frame"),
        (lambda one: one * 0, "sample '1': nobody is seen"),
        (
            lambda one: one.astype(np.float64) * 1e300,
            "sample '1': frame 0, person 0, joint 0 is not",
        ),
    ):
        with pytest.raises(ValueError, match=f"array: {message}"):
            gesture_model.embed([gesture("stand", 1), change(gesture("stand", 1))])
    with pytest.raises(ValueError, match="format is for files"):
        gesture_model.embed(gesture("stand", 1), format="npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"top": 0}, "top must be at least 1, not 0"),
        ({"window": 0}, "window must be at least 1, not 0"),
        ({"stride": -1}, "stride must be at least 1, not -1"),
        ({"persons": "some"}, "persons must be one of together, apart, not 'some'"),
        ({"prepare": "some"}, "prepare must be one of none, main_person, not 'some'"),
        ({"source": ["a.npz", np.ones((2, 17, 2))]}, "give either files or arrays"),
        ({"source": []}, "there is nothing to read"),
        ({"source": [[1.0, 2.0]]}, "expected files or arrays, not list"),
        ({"source": np.ones((9, 5, 2))}, r"array 0 has the shape \(9, 5, 2\): .* 17 joints, 2 ch"),
        ({"source": np.full((9, 17, 2), "x")}, "array 0 is of <U1: expected numbers"),
        ({"source": np.ones((17, 2))}, r"array 0 has the shape \(17, 2\): a recording is"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: dict[str, Any], message: str, gesture_model: Model, gesture: Make
) -> None:
    with pytest.raises(ValueError, match=message):
        gesture_model.classify(**{"source": gesture("stand", 1)} | arguments)
