from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.data.class_names import class_names
from aclnet.data.formats import detect, read
from aclnet.data.formats.ntu_skeleton import Body, FloatArray, clean_bodies, motion
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import open_store, write_store
from aclnet.skeleton import load_layout

Array = npt.NDArray[np.float64]


def moving(frames: int, speed: float, seed: int = 0) -> Array:
    """A narrow body of 25 joints: (T, 25, 3)."""
    joints = np.random.default_rng(seed).uniform(0, 1, size=(25, 3)) * (0.5, 1.6, 0.3)
    steps = np.arange(1, frames + 1)[:, None, None] * (0.0, 0.0, speed)
    return np.round(joints + steps, 6)


def text_of(frames: list[dict[str, Array]]) -> str:
    """A file of frames of bodies by their number, each (25, 3)."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body, joints in bodies.items():
            lines += [f"{body} 0 1 1 1 1 0 0.02 -0.22 2", str(len(joints))]
            for x, y, z in joints:
                lines.append(f"{x} {y} {z} 277.4 191.5 1036.6 519.2 nan -inf 0.98 0.1 2")
    return "\n".join(lines) + "\n"


def write(folder: Path, name: str, *bodies: tuple[str, int, Array], frames: int = 0) -> Path:
    """A file in which each body (number, first frame, joints) is seen from its first frame on."""
    count = frames or max(start + len(joints) for _, start, joints in bodies)
    table: list[dict[str, Array]] = [{} for _ in range(count)]
    for body, start, joints in bodies:
        for t, frame in enumerate(joints, start):
            table[t][body] = frame
    path = folder / f"{name}.skeleton"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_of(table))
    return path


def drawn(path: Path) -> tuple[StoreInfo, list[Sample]]:
    info, samples = read(path)
    return info, list(samples)


def test_a_file_is_read_with_its_name(tmp_path: Path) -> None:
    joints = moving(5, 0.1)
    # Frames 0, 1 and 7 are nobody's.
    path = write(tmp_path, "S003C002P017R001A060", ("72057594037944738", 2, joints), frames=8)
    assert detect(path) == "ntu_skeleton"
    seen: list[tuple[int, int]] = []
    info, samples = read(path, progress=lambda done, total: seen.append((done, total)))
    (sample,) = samples
    assert sample.frames.shape == (5, 2, 25, 3)
    assert sample.frames.dtype == np.float32
    np.testing.assert_array_equal(sample.frames[:, 0], joints.astype(np.float32))
    assert not sample.frames[:, 1].any()
    assert (sample.sample, sample.label) == ("S003C002P017R001A060", "walking apart")
    fields = (sample.identity, sample.camera, sample.take, sample.condition, sample.view)
    assert fields == ("17", "2", "1", "3", "")
    assert info.classes == class_names("ntu60")
    assert info.layout == load_layout("ntu25").to_dict()
    assert (info.unit, info.fps, info.channels) == ("metre", 30.0, ("x", "y", "z"))
    assert sample.numbers.tolist() == [2, 3, 4, 5, 6]
    assert (info.dropped, seen) == ({"frames without a person": 3}, [(1, 1)])


def test_two_people_and_noise_become_two_tracks(tmp_path: Path) -> None:
    calm, lively, chair = moving(30, 0.01, 1), moving(12, 0.2, 2), moving(30, 0.5, 3)
    chair[..., 0] *= 9
    again = moving(14, 0.1, 4)
    bodies = (("1", 0, calm), ("2", 0, lively), ("3", 0, chair), ("4", 16, again))
    write(tmp_path, "S001C001P001R001A050", *bodies, ("5", 0, moving(11, 9.0, 5)))
    info, samples = read(tmp_path)
    (sample,) = samples
    assert sample.frames.shape == (30, 2, 25, 3)
    noise = {"bodies in at most 11 frames (noise)": 1, "bodies wider than people (noise)": 1}
    assert info.dropped == noise
    np.testing.assert_array_equal(sample.frames[:12, 0], lively.astype(np.float32))
    np.testing.assert_array_equal(sample.frames[12:16, 0], 0)
    np.testing.assert_array_equal(sample.frames[16:, 0], again.astype(np.float32))
    np.testing.assert_array_equal(sample.frames[:, 1], calm.astype(np.float32))
    info, one = read(tmp_path, persons=1)
    np.testing.assert_array_equal(next(one).frames, sample.frames[:, :1])
    assert info.dropped == {**noise, "second tracks beside the one person asked for": 1}


def test_a_third_person_is_counted(case: Callable[[str], Path]) -> None:
    info, (sample,) = drawn(case("ntu_three"))
    # The two that move most; a frame moves them by 0.02 and 0.01 m.
    assert info.dropped == {"bodies beyond the 2 tracks that move most": 1}
    steps = np.diff(sample.frames[:, :, 0, 0], axis=0)
    np.testing.assert_allclose(steps, [[0.02, 0.01]] * 19, atol=1e-6)


def test_two_bodies_with_one_number_are_two_tracks(case: Callable[[str], Path]) -> None:
    info, (sample,) = drawn(case("ntu_same_id"))
    assert (sample.frames.shape[:2], info.dropped) == ((20, 2), {})
    first, second = sample.frames[:, 0, 0, 0], sample.frames[8:, 1, 0, 0]
    np.testing.assert_allclose(first, 0.01 * np.arange(20), atol=1e-6)
    np.testing.assert_allclose(second, 1 + 0.01 * np.arange(8, 20), atol=1e-6)


def test_bodies_with_one_number_in_any_order_and_twice(tmp_path: Path) -> None:
    one, other = moving(20, 0.01, 1), moving(20, 0.02, 2) + 1
    table = [[one[t], other[t]][:: -1 if t % 2 else 1] + [one[t]] * (t == 5) for t in range(20)]
    path = tmp_path / "S001C001P001R001A050.skeleton"
    marked = [{f"{k}": pose for k, pose in enumerate(frame)} for frame in table]
    path.write_text(re.sub(r"(?m)^\d (0 1 1 1 1 0)", r"7 \1", text_of(marked)))
    info, (sample,) = drawn(path)
    assert info.dropped == {"bodies listed twice in a frame": 1}
    for person, joints in enumerate((other, one)):  # who moves most comes first
        np.testing.assert_array_equal(sample.frames[:, person], joints.astype(np.float32))


def test_frames_without_anybody_are_counted_and_the_others_keep_their_numbers(
    tmp_path: Path,
) -> None:
    write(tmp_path, "S001C001P001R001A001", ("1", 4, moving(6, 0.1)))
    noise, late = ("1", 2, moving(3, 9.0)), ("2", 7, moving(12, 0.1))
    write(tmp_path, "S001C001P001R001A050", noise, late, ("3", 9, moving(13, 0.1, 2)))
    info, samples = read(tmp_path)
    alone, two = samples
    assert alone.numbers.tolist() == list(range(4, 10))
    assert two.numbers.tolist() == list(range(7, 22))
    assert info.dropped["frames without a person"] == 4 + 7


def test_float16_rounds_as_published(tmp_path: Path) -> None:
    joints = moving(4, 0.1)
    write(tmp_path, "S001C001P001R001A001", ("1", 0, joints))
    info, samples = read(tmp_path, precision="float16")
    frames = next(samples).frames
    assert frames.dtype == np.float16
    np.testing.assert_array_equal(frames[:, 0], joints.astype(np.float32).astype(np.float16))
    assert info.settings["precision"] == "float16"


def test_a_folder_becomes_a_store(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for name in ("s/S018C001P003R002A061", "s/S001C001P001R001A001", "t/S001C001P001R001A120"):
        write(raw, name, ("1", 0, moving(3, 0.1)))
    write(raw, "s/S001C002P005R002A008", ("1", 0, moving(3, 0.1)))  # in the authors' list
    (raw / "s" / "S002C001P001R001A001.skeleton").write_text("2\n0\n0\n")
    (raw / "s" / "readme.txt").write_text("not a recording")
    info, samples = read(raw)
    store = write_store(tmp_path / "store", samples, info)
    assert store.index["sample"].tolist() == [
        "S001C001P001R001A001",
        "S001C001P001R001A120",
        "S018C001P003R002A061",
    ]
    assert store.index["label"].tolist()[1:] == ["rock-paper-scissors", "put on headphone"]
    written = open_store(tmp_path / "store").info
    assert written.classes == class_names("ntu120")
    assert written.dropped == {
        "recordings listed as without skeleton": 1,
        "recordings without a body": 1,
    }
    info, samples = read(raw, benchmark="ntu60", missing="keep")
    assert [s.sample for s in samples] == ["S001C001P001R001A001", "S001C002P005R002A008"]
    assert info.classes == class_names("ntu60")
    assert info.dropped["recordings of actions above 60"] == 2


def test_a_list_of_ones_own_leaves_out_more(tmp_path: Path) -> None:
    for name in ("S001C001P001R001A001", "S001C001P001R001A002", "S001C002P005R002A008"):
        write(tmp_path / "raw", name, ("1", 0, moving(3, 0.1)))
    mine = tmp_path / "mine.txt"
    mine.write_text("S001C001P001R001A001.skeleton\n")
    info, samples = read(tmp_path / "raw", missing=str(mine))
    assert [s.sample for s in samples] == ["S001C001P001R001A002"]
    assert info.dropped == {"recordings listed as without skeleton": 2}
    assert info.settings["missing"] == "mine.txt"


def test_other_names_have_no_class(tmp_path: Path) -> None:
    write(tmp_path, "kitchen", ("1", 0, moving(3, 0.1)))
    info, samples = read(tmp_path)
    (sample,) = samples
    assert (sample.sample, sample.label, info.classes) == ("kitchen", "", ())


NAME = "S001C001P001R001A001"


@pytest.mark.parametrize(
    ("line", "replaced", "message"),
    [
        (1, "two", "line 1: expected the number of frames, got 'two'"),
        (2, "-1", "line 2: expected the number of bodies in frame 1 of 2, got '-1'"),
        (3, "1 2 3", "line 3: expected 10 numbers of a body, got '1 2 3'"),
        (4, "20", r"line 4: expected 25 joints \(layout ntu25\), got '20'"),
        (7, "0.1 0.2 x" + " 0" * 9, "line 7: expected 12 numbers of a joint .*, got '0.1 0.2 x"),
        (8, "0.1 nan 0.2" + " 0" * 9, "line 8: expected 12 .* finite.*, got '0.1 nan 0.2"),
        (29, "0.1 inf 0.2" + " 0" * 9, "line 29: expected 12 .* finite.*, got '0.1 inf 0.2"),
        (9, "0.1 0.2", "line 9: expected 12 numbers of a joint .*, got '0.1 0.2'"),
        (58, "0", "line 58: expected the end of the file after 2 frames, got '0'"),
    ],
)
def test_bad_lines_are_named(line: int, replaced: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, NAME, ("1", 0, moving(2, 0.1)))
    lines = [*path.read_text().splitlines(), ""]
    lines[line - 1] = replaced
    path.write_text("\n".join(lines))
    _, samples = read(path)
    with pytest.raises(ValueError, match=message) as caught:
        list(samples)
    assert str(caught.value).startswith(f"{path}: line {line}: ")
    assert "option missing" in str(caught.value)


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 10, 29, 30, 56])
def test_cut_files_are_named(kept: int, tmp_path: Path) -> None:
    path = write(tmp_path, NAME, ("1", 0, moving(2, 0.1)))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:kept]))
    with pytest.raises(ValueError, match=rf"line {kept + 1}: expected .* the file ends there"):
        list(read(path)[1])


def test_bad_files_leave_no_store(tmp_path: Path) -> None:
    write(tmp_path / "raw", NAME, ("1", 0, moving(2, 0.1)))
    (tmp_path / "raw" / "S001C001P001R001A002.skeleton").write_text("3\n1\n")
    info, samples = read(tmp_path / "raw")
    with pytest.raises(ValueError, match=r"A002.skeleton: line 3: expected a body, but the file"):
        write_store(tmp_path / "store", samples, info)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_options_and_names_that_are_none(tmp_path: Path) -> None:
    write(tmp_path, "S001C001P001R001A121", ("1", 0, moving(2, 0.1)))
    with pytest.raises(ValueError, match=r"A121\.skeleton names action 121, NTU RGB\+D 120 has"):
        read(tmp_path)
    with pytest.raises(ValueError, match="persons must be one of 1, 2, not 3"):
        read(tmp_path, persons=3)
    with pytest.raises(ValueError, match="precision must be one of float32, float16, not 'half'"):
        read(tmp_path, precision="half")
    with pytest.raises(ValueError, match="benchmark must be one of None, ntu60, ntu120"):
        read(tmp_path, benchmark="ntu")
    with pytest.raises(ValueError, match="listet: not a readable list of names"):
        read(tmp_path, missing="listet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"contains no \*.skeleton file"):
        read(tmp_path / "empty", "ntu_skeleton")


def person(frames: int, moving: float = 1.0, width: float = 0.4, place: float = 1.0) -> FloatArray:
    """A body of 5 joints, 1 m high, whose joint 0 goes `moving` metres."""
    joints = np.zeros((frames, 5, 3), np.float32)
    joints[:, :, 0] = np.linspace(0, width, 5)
    joints[:, :, 1] = np.linspace(0, 1, 5)
    joints[:, :, 2] = place
    joints[:, :, 2] += np.linspace(0, moving, frames)[:, None]
    return joints


def test_one_body_is_taken_as_it_is() -> None:
    joints = person(3, width=5.0)  # short and wide, but the only one
    np.testing.assert_array_equal(clean_bodies([Body(4, joints)]), joints[:, None])


def test_motion_is_the_sum_of_the_variances() -> None:
    joints = np.random.default_rng(0).normal(size=(7, 5, 3)).astype(np.float32)
    points = joints.reshape(-1, 3).astype(np.float64)
    wanted = ((points - points.mean(0)) ** 2).mean(0).sum()
    assert motion(joints) == pytest.approx(wanted, rel=1e-5)


def test_short_bodies_are_noise_up_to_eleven_frames() -> None:
    still = Body(0, person(30, 0.1))
    assert clean_bodies([still, Body(0, person(11, 9.0))]).shape == (30, 1, 5, 3)
    both = clean_bodies([still, Body(0, person(12, 9.0))])
    assert both.shape == (30, 2, 5, 3)
    # Who moves most comes first.
    np.testing.assert_array_equal(both[:12, 0], person(12, 9.0))


@pytest.mark.parametrize(("wide", "kept"), [(69, 2), (70, 1)])
def test_wide_bodies_are_noise_from_the_published_share_on(wide: int, kept: int) -> None:
    table = person(100, 9.0)
    table[:wide, :, 0] *= 3  # 1.2 m wide, 1 m high
    tracks = clean_bodies([Body(0, person(100, 0.5)), Body(0, table)])
    assert tracks.shape == (100, kept, 5, 3)


def test_what_moves_in_wide_frames_is_not_counted() -> None:
    jumping = person(40, 0.1)
    jumping[:20] *= 9
    jumping[:20, :, 0] *= 3
    walking = person(40, 2.0)
    assert motion(jumping) > motion(walking)
    np.testing.assert_array_equal(clean_bodies([Body(0, jumping), Body(0, walking)])[:, 0], walking)


def test_bodies_one_after_another_are_one_track() -> None:
    first, again, other = person(20, 5.0), person(20, 4.0, place=2), person(50, 3.0, place=9)
    tracks = clean_bodies([Body(0, first), Body(30, again), Body(2, other)])
    assert tracks.shape == (52, 2, 5, 3)
    np.testing.assert_array_equal(tracks[:20, 0], first)
    np.testing.assert_array_equal(tracks[20:30, 0], 0)
    np.testing.assert_array_equal(tracks[30:50, 0], again)
    np.testing.assert_array_equal(tracks[2:, 1], other)


def test_a_third_at_the_same_time_is_left_out() -> None:
    bodies = [Body(0, person(20, moving)) for moving in (1.0, 3.0, 2.0)]
    left_out: Counter[str] = Counter()
    tracks = clean_bodies(bodies, lambda why, count: left_out.update({why: count}))
    assert +left_out == {"bodies beyond the 2 tracks that move most": 1}
    np.testing.assert_array_equal(tracks[:, 0], bodies[1].joints)
    np.testing.assert_array_equal(tracks[:, 1], bodies[2].joints)


def test_the_track_seen_first_comes_first() -> None:
    late, early = person(20, 5.0), person(40, 1.0)
    tracks = clean_bodies([Body(10, late), Body(3, early)])
    np.testing.assert_array_equal(tracks[:, 0], early)
    assert len(tracks) == 40  # frames 0 to 2 are nobody's


def test_filters_that_leave_nobody_are_not_applied() -> None:
    assert clean_bodies([Body(0, person(4)), Body(0, person(5))]).shape == (5, 2, 5, 3)
    wide = [Body(0, person(20, width=3.0)), Body(0, person(20, 2.0, width=3.0))]
    assert clean_bodies(wide).shape == (20, 2, 5, 3)
    with pytest.raises(ValueError, match="no body"):
        clean_bodies([])


# The published steps once more, frame by frame in plain Python: what `clean_bodies` must equal.
Frame = list[list[float]]
People = list[tuple[int, list[Frame]]]


def spread(frames: list[Frame]) -> float:
    points = [point for frame in frames for point in frame]
    total = 0.0
    for axis in range(3):
        values = [point[axis] for point in points]
        mean = sum(values) / len(values)
        total += sum((value - mean) ** 2 for value in values) / len(values)
    return total


def is_narrow(frame: Frame) -> bool:
    x, y = [point[0] for point in frame], [point[1] for point in frame]
    return max(x) - min(x) <= 0.8 * (max(y) - min(y))


def chosen(people: People) -> People:
    people = sorted(people, key=lambda person: -spread(person[1]))
    if len(people) > 1:
        people = [person for person in people if len(person[1]) > 11] or people
    if len(people) > 1:
        ranked = []
        for start, frames in people:
            narrow = [frame for frame in frames if is_narrow(frame)]
            if 1 - len(narrow) / len(frames) < 0.69754:
                ranked.append((min(spread(frames), spread(narrow)), start, frames))
        ranked.sort(key=lambda entry: -entry[0])
        people = [(start, frames) for _, start, frames in ranked] or people
    return people


def placed(people: People) -> list[list[Any]]:
    tracks: list[list[Any]] = [[None, None] for _ in range(max(s + len(f) for s, f in people))]
    taken: list[tuple[int, int] | None] = [None, (0, 0)]
    for start, frames in people:
        end = start + len(frames)
        free = [i for i, span in enumerate(taken) if not span or start >= span[1] or end <= span[0]]
        for track in free[:1]:
            for t, frame in enumerate(frames, start):
                tracks[t][track] = frame
            span = taken[track] or (start, end)
            taken[track] = (min(start, span[0]), max(end, span[1]))
    return tracks


def plain(bodies: list[Body]) -> Any:
    people = chosen([(body.start, body.joints.tolist()) for body in bodies])
    if len(people) == 1:
        return [[frame] for frame in people[0][1]]
    tracks = placed(people)
    while tracks[0] == [None, None]:
        tracks.pop(0)
    while tracks[-1] == [None, None]:
        tracks.pop()
    if tracks[0][0] is None:
        tracks = [[b, a] for a, b in tracks]
    empty = [[0.0] * 3] * bodies[0].joints.shape[1]
    return [[track or empty for track in frame] for frame in tracks]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), min_size=1, max_size=6))
def test_equals_a_plain_reading_of_the_published_steps(spans: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(len(spans) + sum(a * 41 + b for a, b in spans))
    bodies = []
    for start, frames in spans:
        joints = rng.normal(size=(frames, 4, 3)) * rng.uniform(0.5, 2, size=3) + 5
        bodies.append(Body(start, joints.astype(np.float32)))
    np.testing.assert_array_equal(clean_bodies(bodies), np.array(plain(bodies), np.float32))
