from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from aclnet.data.formats.keypoints.files import (
    find_frame_folders,
    find_recordings,
    first_head,
    first_lines,
    frame_numbers,
)


@pytest.mark.parametrize(
    ("names", "frames", "numbers"),
    [
        (["12.jpg", "2.jpg", "2.jpg"], [10, 0, 0], range(2, 13)),
        (["v_000000000007_keypoints.json", "v_000000000005_keypoints.json"], [2, 0], range(5, 8)),
        (["3", "1"], [2, 0], range(1, 4)),
        # No common text before the number, a number that lacks, equal numbers: order only.
        (["a_9.jpg", "b_10.jpg"], [0, 1], range(2)),
        (["shot.jpg", "shot_2.jpg"], [0, 1], range(2)),
        (["f01.jpg", "f1.jpg"], [0, 1], range(2)),
        # Times are no frame numbers.
        (["1637584893.jpg", "1637588893.jpg"], [0, 1], range(2)),
        ([], [], range(0)),
        # A constant step, in rounded numbers or with gaps too, is a frame rate.
        (["15", "5", "10", "25"], [2, 0, 1, 4], range(5, 26, 5)),
        (["0", "33", "67", "133", "167"], [0, 1, 2, 4, 5], [0, 33, 67, 100, 133, 167]),
        (["0", "33333", "66667"], [0, 1, 2], [0, 33333, 66667]),
        (["0", "4", "8", "11", "15", "19"], range(6), [0, 4, 8, 11, 15, 19]),
        (["0", "2", "5", "8", "10"], range(5), [0, 2, 5, 8, 10]),
        (["0", "8", "15", "22", "30"], range(5), [0, 8, 15, 22, 30]),
        (["0", "5", "10", "16", "20"], range(5), [0, 5, 10, 16, 20]),
        # The number that runs, of several.
        (["f_007_cam2.jpg", "f_005_cam2.jpg"], [2, 0], range(5, 8)),
        (["a.2.jpg", "b.2.jpg"], [0, 1], range(2)),
        # Gaps alone are none.
        (["0", "2", "5", "6", "9"], [0, 2, 5, 6, 9], range(10)),
        (["0", "2", "6", "12"], [0, 2, 6, 12], range(13)),
        (["0", "2", "5", "7"], [0, 2, 5, 7], range(8)),
        (["0", "33", "70", "100"], [0, 33, 70, 100], range(101)),
        # Frames that a slower clock skips look like frames that were lost: in time either way.
        ([*"0124567"], [0, 1, 2, 4, 5, 6, 7], range(8)),
    ],
)
def test_frame_numbers(names: list[str], frames: Sequence[int], numbers: Sequence[int]) -> None:
    found, counted = frame_numbers(names)
    assert found.tolist() == list(frames)
    assert counted.tolist() == list(numbers)


def test_recordings_in_numeric_order(tmp_path: Path) -> None:
    for name in ("b/10.json", "b/9.json", "a.JSON", "b/.hidden.json", "note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("[]")
    found = find_recordings(tmp_path, (".json",))
    assert [(r.key, r.folder) for r in found] == [
        ("a", tmp_path.name),
        ("b/9", "b"),
        ("b/10", "b"),
    ]
    with pytest.raises(ValueError, match=r"contains no \.csv file"):
        find_recordings(tmp_path, (".csv",))


def test_a_folder_may_hold_several_videos_of_frames(tmp_path: Path) -> None:
    for name in ("run/x_2.json", "run/x_10.json", "walk/x_1.json", "walk/y_1.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    found = {r.key: r for r in find_frame_folders(tmp_path)}
    assert list(found) == ["run", "walk/x", "walk/y"]
    assert [file.name for file in found["run"].files] == ["x_2.json", "x_10.json"]
    assert (found["run"].folder, found["walk/x"].folder) == (tmp_path.name, "walk")
    (alone,) = find_frame_folders(tmp_path / "run" / "x_2.json")
    assert (alone.key, alone.folder) == ("x_2", "run")
    with pytest.raises(ValueError, match=r"contains no \.txt file"):
        find_frame_folders(tmp_path, ".txt")


@pytest.mark.parametrize(
    ("files", "recordings"),
    [
        ("f_{t:06d}_cam{c}_keypoints", ["v/f_cam0", "v/f_cam1"]),
        ("{t:06d}_view-{c}", ["v/_view-0", "v/_view-1"]),
        ("cam{c}_{t:03d}", ["v/cam0", "v/cam1"]),
        ("p{c}_{t:03d}_x", ["v/p0_x", "v/p1_x"]),
    ],
)
def test_files_of_two_cameras_are_two_recordings(
    files: str, recordings: list[str], tmp_path: Path
) -> None:
    (tmp_path / "v").mkdir()
    for t in (298, 299, 301):
        for c in (0, 1):
            (tmp_path / "v" / f"{files.format(t=t, c=c)}.json").touch()
    found = find_frame_folders(tmp_path)
    assert [one.key for one in found] == recordings
    for one in found:
        frames, numbers = frame_numbers([file.name for file in one.files])
        assert (frames.tolist(), numbers.tolist()) == ([0, 1, 3], [298, 299, 300, 301])


def test_one_cameras_number_is_no_frame(tmp_path: Path) -> None:
    for t in range(12):
        (tmp_path / f"{t:03d}_2_keypoints.json").touch()
    (one,) = find_frame_folders(tmp_path)
    assert (one.key, len(one.files)) == (tmp_path.name, 12)
    (tmp_path / "000_1_keypoints.json").touch()
    with pytest.raises(ValueError, match=r"000_1_key.*is its frame 1 or 0\?.* write cam"):
        find_frame_folders(tmp_path)


def test_files_with_one_number_are_refused(tmp_path: Path) -> None:
    for name in ("f1", "f2", "f3", "f01", "f02", "f03"):
        (tmp_path / f"{name}_keypoints.json").touch()
    with pytest.raises(ValueError, match=r"f01.* and f1.*, which seem to belong to two videos"):
        find_frame_folders(tmp_path)


def test_names_are_two_by_the_text_before_their_number(tmp_path: Path) -> None:
    for name in ("f1", "f2", "f_1", "f_2", "g_1", "g_2"):
        (tmp_path / f"{name}.json").touch()
    found = find_frame_folders(tmp_path)
    assert [(one.key, len(one.files)) for one in found] == [("f", 2), ("f_", 2), ("g", 2)]


def test_a_look_passes_over_empty_frames(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number:02d}.json").write_text(" [ ]\n")
    (tmp_path / "30.json").write_text('[ {"name" :\n 1')
    assert first_head(tmp_path) == '[{"name":1'
    assert first_head(tmp_path / "01.json") == ""


@pytest.mark.parametrize(
    ("content", "head"),
    [
        ("[" + "[], " * 3000 + '[{"x": 1}]]', '[[{"x":1}]]'),
        ("[" + '{"frame": 3, "points": null}, ' * 500 + '{"x": 1}]', '[{"x":1}]'),
        ('{"1.jpg": [], "2.jpg": null, "3.jpg": [3]}', '{"3.jpg":[3]}'),
        ('{"frames": [null, null, [3]]}', '{"frames":[[3]]}'),
        # No frames: what a single frame has, and a landmark.
        ('{"people": [], "version": 1.3}', '{"people":[],"version":1.3}'),
        ('[[{"x": 1, "y": 2}, {"x": 3, "y": 4}]]', '[[{"x":1,"y":2},{"x":3,"y":4}]]'),
        ('{"meta": {"a": []}, "b": 1}', '{"meta":{"a":[]},"b":1}'),
    ],
)
def test_a_head_begins_with_what_says_something(content: str, head: str, tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(content)
    assert first_head(tmp_path) == head


def test_first_lines_pass_over_empty_files(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number:02d}.txt").write_text("\n")
    (tmp_path / "30.txt").write_text("\none\ntwo\n")
    assert list(first_lines(tmp_path, ".txt")) == ["one\n"]
