"""Motion families and embeddings over training."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from protocols.figures.evolution import draw_evolution
from protocols.figures.families import (
    FamilyClass,
    MotionFamily,
    draw_family_counts,
    draw_motion_families,
)

BONES = [(0, 1), (1, 2), (1, 3)]
POSE = np.array([[0, 2, 0], [0, 1, 0], [-0.3, 0, 0], [0.3, 0, 0]])


def shown(name: str, *weights: float, taken_for: int = 0, taken_back: int = 0) -> FamilyClass:
    return FamilyClass(name, POSE, weights, taken_for, taken_back)


def family() -> MotionFamily:
    members = (
        shown("write", 0, 0, 1, 0.9, taken_for=3, taken_back=1),
        shown("drink", 1, 0, 0.9, 0),
        shown("type", 0, 0, 0, 1),
    )
    return MotionFamily(shown("read", 0.1, 0.2, 0.8, 0.1), members)


def test_families_mark_the_notable_joints_of_both_and_of_one() -> None:
    figure = draw_motion_families([family()], BONES, parts={"head": [0], "right_arm": [2]})
    anchor, write, drink, _ = figure.axes
    assert anchor.get_title() == "read\nanchor, 3 in family"
    assert write.get_title() == "write\ntaken for it 3, back 1"
    assert [plot.get_xlabel() for plot in figure.axes[:3]] == ["right arm", "right arm", "head"]
    filled, rings = (s for s in write.collections if isinstance(s, PathCollection))
    np.testing.assert_allclose(filled.get_offsets(), [[-0.3, 0]])
    np.testing.assert_allclose(rings.get_offsets(), [[0.3, 0]])
    assert len(filled.get_facecolors()) == 1
    assert len(rings.get_facecolors()) == 0
    filled, rings = (s for s in drink.collections if isinstance(s, PathCollection))
    np.testing.assert_allclose(filled.get_offsets(), [[-0.3, 0]])
    np.testing.assert_allclose(rings.get_offsets(), [[0, 2]])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["joint notable in both", "in one only"]


def test_families_draw_unseen_joints_and_no_weights_at_all() -> None:
    pose = POSE.copy()
    pose[3] = np.nan
    calm = FamilyClass("calm", pose, np.zeros(4))
    plot = draw_motion_families([MotionFamily(calm, (calm,))], BONES).axes[1]
    assert [len(s.get_offsets()) for s in plot.collections if isinstance(s, PathCollection)] == [
        0,
        0,
    ]


def test_families_refuse() -> None:
    with pytest.raises(ValueError, match="At least one motion family"):
        draw_motion_families([], BONES)
    with pytest.raises(ValueError, match="At least one motion family"):
        draw_motion_families([MotionFamily(shown("read", 1, 1, 1, 1), ())], BONES)
    with pytest.raises(
        ValueError, match="'write' must have a position and a weight for each of its anchor's 4"
    ):
        draw_motion_families(
            [MotionFamily(shown("read", 1, 1, 1, 1), (shown("write", 1, 1),))], BONES
        )


def test_family_counts_show_the_most_mistaken_first() -> None:
    cells = {"sit": [["run", 0, 1], ["wave", 4, 2]], "wave": [["sit", 2, 4]], "run": []}
    figure = draw_family_counts(cells)
    sit, wave = figure.axes
    assert sit.get_title(loc="left") == "sit (2)"
    assert wave.get_title(loc="left") == "wave (1)"
    assert [tick.get_text() for tick in sit.get_yticklabels()] == ["wave", "run"]
    assert [[bar.get_width() for bar in kind] for kind in sit.containers] == [[4, 0], [2, 1]]
    hatches = [kind[0].get_hatch() for kind in sit.containers]
    assert hatches[0] != hatches[1]
    assert sit.get_xlim() == wave.get_xlim()


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({}, "At least one"),
        ({"sit": []}, "At least one"),
        ({"sit": [["wave", 1]]}, "a name and two counts"),
    ],
)
def test_family_counts_refuse(cells: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw_family_counts(cells)


def test_evolution_has_a_row_a_method_and_a_column_an_epoch() -> None:
    generator = np.random.default_rng(0)
    planes = {name: list(generator.standard_normal((3, 6, 2))) for name in ("ce", "acl")}
    planes["ce"][0][1] = np.nan
    labels = [0, 0, 1, 1, 2, 2]
    figure = draw_evolution(planes, [1, 20, 60], labels, ["sit", "run", "wave"])
    assert len(figure.axes) == 6
    assert [plot.get_title() for plot in figure.axes[:3]] == ["epoch 1", "epoch 20", "epoch 60"]
    assert [figure.axes[place].get_ylabel() for place in (0, 3)] == ["ce", "acl"]
    np.testing.assert_allclose(figure.axes[4].lines[1].get_xydata(), planes["acl"][1][2:4])
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xydata(), planes["ce"][0][:2])
    marks = {(line.get_color(), line.get_marker()) for line in figure.axes[0].lines}
    assert len(marks) == 3
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["sit", "run", "wave"]


def test_evolution_refuses() -> None:
    plane = np.zeros((2, 2))
    with pytest.raises(ValueError, match="At least one method"):
        draw_evolution({}, [1], [0, 0], ["a"])
    with pytest.raises(ValueError, match="Labels run from 0 to 1"):
        draw_evolution({"ce": [plane]}, [1], [0, 1], ["a"])
    with pytest.raises(ValueError, match=r"epoch 1, must be \(3, 2\)"):
        draw_evolution({"ce": [plane]}, [1], [0, 0, 0], ["a"])
    with pytest.raises(ValueError, match="Epochs of 'ce' must be 1 names"):
        draw_evolution({"ce": [plane]}, [1, 2], [0, 0], ["a"])
    assert len(draw_evolution({"ce": [plane]}, [1], [0, 0], ["a"]).axes) == 1
