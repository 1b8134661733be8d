from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aclnet.data.sample import StoreInfo
from aclnet.data.store import Store
from aclnet.runs.windows import window_store
from aclnet.skeleton import load_layout
from tasks.joints import hiding as module
from tasks.joints.hiding import Hiding, hidden_scores

COCO = load_layout("coco17")
INFO = StoreInfo(name="x", layout=COCO.to_dict(), channels=("x", "y"), unit="pixel")
PARTS = Hiding.of(COCO, "part", 4)
LEFT_ARM = PARTS.names.index("left arm")


def recordings(*lengths: int) -> Store:
    draw = np.random.default_rng(0).uniform
    return window_store([draw(1, 2, (T, 1, 17, 2)).astype(np.float32) for T in lengths], INFO)


def arm_late(copies: Store, of: np.ndarray) -> np.ndarray:
    """A network that looks at the left arm only, in the second half of the recording."""
    arm = COCO.part_index("left_arm")
    late = [copies.clip(row)[copies.lengths[row] // 2 :, :, arm] for row in range(len(of))]
    return np.array([clip.astype(np.float64).sum() for clip in late])


def test_what_the_network_looks_at_is_found_exactly() -> None:
    scores = hidden_scores(recordings(8, 16), [0, 1], PARTS, arm_late)
    falls = scores[:, -1:, -1:] - scores
    mattered = np.zeros(PARTS.shape, dtype=bool)
    mattered[np.ix_([LEFT_ARM, -1], [2, 3])] = True  # the arm and all joints, in the second half
    mattered[LEFT_ARM, -1] = True
    np.testing.assert_array_equal(falls > 0, [mattered, mattered])
    whole = scores[:, -1, -1]
    np.testing.assert_allclose(falls[:, LEFT_ARM, -1], whole)
    np.testing.assert_allclose(falls[:, LEFT_ARM, 2:4].sum(axis=1), whole)


def test_single_joints() -> None:
    scores = hidden_scores(recordings(8), [0], Hiding.of(COCO, "joint", 2), arm_late)
    found = np.flatnonzero(scores[0, :-1, -1] < scores[0, -1, -1])
    assert found.tolist() == COCO.part_index("left_arm").tolist()


def test_many_copies_are_scored_at_once_and_none_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(copies: Store, of: np.ndarray) -> np.ndarray:
        calls.append(len(of))
        return arm_late(copies, of)

    store = recordings(8, 8, 16)
    together = hidden_scores(store, [2, 0], PARTS, counted)
    assert calls == [2 * 6 * 5]
    monkeypatch.setattr(module, "_FRAMES", 40)
    done: list[tuple[int, int]] = []
    apart = hidden_scores(store, [2, 0], PARTS, counted, lambda *now: done.append(now))
    np.testing.assert_array_equal(apart, together)
    assert sum(calls[1:]) == 60
    assert max(calls[1:]) == 5
    assert done[-1] == (2, 2)


def test_what_is_not_there_cannot_be_hidden() -> None:
    store = recordings(8, 2)  # two frames have no four segments
    store.frames[:4, :, COCO.part_index("left_arm")] = 0
    scores = hidden_scores(store, [0, 1], PARTS, arm_late)
    nothing = np.isnan(scores)
    assert np.argwhere(nothing[0]).tolist() == [[LEFT_ARM, 0], [LEFT_ARM, 1]]
    assert nothing[1, :, :-1].sum(axis=1).tolist() == [2] * 6


def test_a_layout_without_parts_names_the_option() -> None:
    with pytest.raises(ValueError, match="--by joint"):
        Hiding.of(replace(COCO, parts={}), "part", 4)


def test_hiding_a_part_always_is_what_the_study_of_table_ix_does(
    gesture_run: Any, tmp_path: Any
) -> None:
    from protocols.action.scores import load_class_scores
    from tasks.action.joints import right_score
    from tasks.run.open import open_run
    from tasks.spec import find_task

    adapter, network = open_run(find_task("action"), gesture_run, tmp_path)
    tested = load_class_scores(gesture_run / "scores.npz")
    right = right_score(adapter, network, tested)
    scores = hidden_scores(adapter.test_samples(), right.rows.tolist(), PARTS, right.score)
    rows, label = np.arange(len(tested)), tested.label
    np.testing.assert_allclose(scores[:, -1, -1], tested.probabilities[rows, label], atol=1e-6)
    blind = adapter.test_scores(network, hidden=COCO.part_index("left_arm")).probabilities
    np.testing.assert_allclose(scores[:, LEFT_ARM, -1], blind[rows, label], atol=1e-6)
