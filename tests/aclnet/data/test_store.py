from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aclnet.data.sample import COLUMNS, FIELDS, Sample, StoreInfo
from aclnet.data.store import file_fingerprint, open_store, write_store

LAYOUT = {
    "name": "three",
    "joints": ["hip", "left_foot", "right_foot"],
    "bones": [["left_foot", "hip"], ["right_foot", "hip"]],
    "centre": "hip",
}
INFO = StoreInfo(name="test", layout=LAYOUT, channels=("x", "y"), unit="pixel")

Clip = npt.NDArray[np.float32]


def clip(frames: int, seed: int = 0, persons: int = 1) -> Clip:
    return np.random.default_rng(seed).normal(size=(frames, persons, 3, 2)).astype(np.float32)


def samples(*lengths: int) -> list[Sample]:
    return [
        Sample(f"s{i}", clip(length, i), identity=f"00{i}", view="018")
        for i, length in enumerate(lengths)
    ]


# Text as people write it: any printable characters, commas, quotes and blanks included.
texts = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=6).filter(
    lambda text: text == "" or text.isprintable()
)
clips = hnp.arrays(
    np.float32,
    st.tuples(st.integers(0, 5), st.just(2), st.just(3), st.just(2)),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_as_it_is_read(tmp_path: Path, value: float) -> None:
    good, bad = np.full((3, 2, 3, 2), 1e30, np.float32), np.ones((4, 2, 3, 2), np.float32)
    bad[2, 1, 0, 1] = value
    store = write_store(tmp_path / "s", [Sample("good", good), Sample("bad", bad)], INFO)
    np.testing.assert_array_equal(store.clip(0), good)
    np.testing.assert_array_equal(store.gather([0, 1], [[0, 2], [1, 0]]).max(), good.max())
    wanted = "s: sample 'bad' has values that are NaN or infinite; `aclnet-task data validate`"
    for read in (
        lambda: store.clip(1),
        lambda: list(store.samples()),
        lambda: store.gather([0, 1], [[0, 1], [0, 2]]),
        lambda: store.select([1]).gather([0], [[2]]),
    ):
        with pytest.raises(ValueError, match=wanted):
            read()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(clips, st.lists(texts, min_size=len(FIELDS), max_size=len(FIELDS))), max_size=5
    )
)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, content: list[tuple[Clip, list[str]]]
) -> None:
    if not content:
        return
    path = tmp_path_factory.mktemp("store") / "s"
    written = []
    for i, (frames, values) in enumerate(content):
        fields: dict[str, Any] = dict(zip(FIELDS, values, strict=True))
        written.append(Sample(f"key {i}", frames, **fields))
    store = write_store(path, written, INFO)
    assert len(store) == len(written)
    for i, sample in enumerate(written):
        np.testing.assert_array_equal(store.clip(i), sample.frames)
        row = store.index.iloc[i]
        assert [row[name] for name in ("sample", *FIELDS)] == [
            getattr(sample, name) for name in ("sample", *FIELDS)
        ]
    assert store.info.fingerprint == file_fingerprint(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_gather_equals_slicing_clips(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=6))
    store = write_store(tmp_path_factory.mktemp("store") / "s", samples(*lengths), INFO)
    if data.draw(st.booleans()):
        store = store.select(data.draw(st.permutations(range(len(store)))))
    count = data.draw(st.integers(0, 5))
    window = data.draw(st.integers(1, 7))
    rows = [data.draw(st.integers(0, len(store) - 1)) for _ in range(count)]
    frames = [
        [data.draw(st.integers(0, int(store.lengths[row]) - 1)) for _ in range(window)]
        for row in rows
    ]
    index = np.array(frames, dtype=np.int64).reshape(count, window)
    batch = store.gather(np.array(rows, dtype=np.int64), index)
    assert batch.shape == (count, 1, window, 3, 2)
    assert batch.dtype == np.float32
    assert batch.flags.c_contiguous
    for one, row, frame in zip(batch, rows, frames, strict=True):
        np.testing.assert_array_equal(one, store.clip(row)[frame].transpose(1, 0, 2, 3))


def test_metadata_stay_text(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s", samples(3, 4), INFO)
    again = open_store(tmp_path / "s")
    assert again.index["view"].tolist() == ["018", "018"]
    assert again.index["identity"].tolist() == ["000", "001"]
    assert again.index["label"].tolist() == ["", ""]
    assert again.lengths.tolist() == [3, 4]
    assert again.lengths.dtype == np.int64
    assert again.layout.joints == ("hip", "left_foot", "right_foot")
    assert again.info == store.info


def test_text_is_composed(tmp_path: Path) -> None:
    """A folder's name may be decomposed (ë as e and two dots), a table's rarely is."""
    info = INFO.model_copy(update={"classes": ("gele\u0308",)})
    info = StoreInfo.model_validate(info.model_dump())
    written = [Sample("Zoe\u0308", clip(2), identity="Zoe\u0308", label="gele\u0308")]
    store = write_store(tmp_path / "s", written, info)
    assert store.index[["sample", "identity", "label"]].values.tolist() == [
        ["Zo\u00eb", "Zo\u00eb", "gel\u00eb"]
    ]
    twice = [*written, Sample("Zo\u00eb", clip(2), label="gele\u0308")]
    with pytest.raises(ValueError, match="empty or not unique"):
        write_store(tmp_path / "t", twice, info)


def test_frames_stay_on_disk(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s", samples(3), INFO)
    assert not store.frames.flags.owndata
    assert not store.frames.flags.writeable
    assert store.clip(0).flags.writeable


def test_float16_halves_the_file(tmp_path: Path) -> None:
    content = [Sample("a", np.full((500, 1, 3, 2), 0.5))]
    half = write_store(tmp_path / "half", content, INFO, dtype="float16")
    whole = write_store(tmp_path / "whole", content, INFO)
    assert half.frames.dtype == np.float16
    assert half.clip(0).dtype == np.float32
    assert half.gather([0], [[1]]).dtype == np.float32
    np.testing.assert_array_equal(half.clip(0), whole.clip(0))
    with pytest.raises(ValueError, match="sample 'big': frames hold values too large for float16"):
        write_store(tmp_path / "b", [Sample("big", clip(2) * 1e6)], INFO, dtype="float16")
    with pytest.raises(ValueError, match="float32 or float16, not 'int8'"):
        write_store(tmp_path / "c", [], INFO, dtype="int8")  # type: ignore[arg-type]


def test_select_shares_frames(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s", samples(3, 4, 5), INFO)
    some = store.select(store.index["identity"] != "001")
    assert some.index["sample"].tolist() == ["s0", "s2"]
    assert some.index.index.tolist() == [0, 1]
    assert some.frames is store.frames
    np.testing.assert_array_equal(some.clip(1), store.clip(2))
    np.testing.assert_array_equal(store.select([2, 0]).clip(0), store.clip(2))
    assert len(store.select([])) == 0
    with pytest.raises(ValueError, match="mask of shape"):
        store.select([True, False])
    with pytest.raises(ValueError, match=r"row 3 is not in 0\.\.2"):
        store.select([3])


def test_gather_refuses_what_is_not_there(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s", samples(3, 4), INFO)
    with pytest.raises(ValueError, match=r"frame number 3 is not in 0\.\.2"):
        store.gather([1, 0], [[3], [3]])
    with pytest.raises(ValueError, match="frame number -1"):
        store.gather([1], [[-1]])
    with pytest.raises(ValueError, match="row 2"):
        store.gather([2], [[0]])
    with pytest.raises(ValueError, match="gather needs rows"):
        store.gather([0, 1], [[0]])
    with pytest.raises(ValueError, match="no sample 2, there are 2"):
        store.clip(2)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Sample("s0", clip(2)), "'s0' is empty or not unique"),
        (Sample("", clip(2)), "'' is empty or not unique"),
        (Sample("a", clip(2)[:, :, :2]), r"\(T, 1, 3, 2\) for layout three .* not \(2, 1, 2, 2\)"),
        (Sample("a", clip(2, persons=2)), r"frames must be .* not \(2, 2, 3, 2\)"),
        (Sample("a", clip(2)[0]), "frames must be"),
        (Sample("a", clip(2), image_size=(0, 5)), "'a': image_size must be width and height"),
        (Sample("a", clip(2), view="1\n2"), "view must be plain text"),
        (Sample("a", clip(2), identity=7), "identity must be plain text: 7"),  # type: ignore[arg-type]
    ],
)
def test_a_bad_sample_leaves_nothing(bad: Sample, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        write_store(tmp_path / "s", [*samples(3), bad], INFO)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_reader_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[Sample]:
        yield from samples(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_store(tmp_path / "s", broken(), INFO)
    assert list(tmp_path.iterdir()) == []


def test_no_sample_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    info = INFO.model_copy(update={"dropped": {}})
    info.count_dropped("empty sequences", 4)
    info.count_dropped("empty sequences")
    with pytest.raises(ValueError, match=r"no sample to write \(dropped: \{'empty sequences': 5\}"):
        write_store(tmp_path / "s", [], info)
    assert list(tmp_path.iterdir()) == []


def test_overwriting_is_asked_for(tmp_path: Path) -> None:
    write_store(tmp_path / "s", samples(3), INFO)
    with pytest.raises(ValueError, match="already exists"):
        write_store(tmp_path / "s", samples(4), INFO)
    store = write_store(tmp_path / "s", samples(4), INFO, overwrite=True)
    assert store.lengths.tolist() == [4]
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(ValueError, match="is not a store; it is left"):
        write_store(tmp_path / "mine", samples(3), INFO, overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_a_failed_overwrite_keeps_the_old(tmp_path: Path) -> None:
    write_store(tmp_path / "s", samples(3), INFO)
    with pytest.raises(ValueError, match="not unique"):
        write_store(tmp_path / "s", [*samples(4), *samples(4)], INFO, overwrite=True)
    assert open_store(tmp_path / "s").lengths.tolist() == [3]
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    one = write_store(tmp_path / "a", samples(3, 4), INFO)
    same = write_store(tmp_path / "b", samples(3, 4), INFO)
    other = write_store(tmp_path / "c", samples(4, 3), INFO)
    assert one.info.fingerprint == same.info.fingerprint != other.info.fingerprint
    assert len(one.info.fingerprint) == 64


def test_image_sizes_are_kept(tmp_path: Path) -> None:
    content = samples(3, 4, 2)
    content[1].image_size = (340, 256)
    store = write_store(tmp_path / "s", content, INFO)
    lines = (tmp_path / "s" / "index.csv").read_text().splitlines()
    assert lines[0] == ",".join((*COLUMNS, "image_size"))
    assert [line.rpartition(",")[2] for line in lines[1:]] == ["", "340x256", ""]
    np.testing.assert_array_equal(store.image_width, [np.nan, 340, np.nan])
    assert store.image_width.dtype == np.float32
    np.testing.assert_array_equal(store.select([1, 0]).image_width, [340, np.nan])
    assert file_fingerprint(tmp_path / "s") == store.info.fingerprint

    whole = INFO.model_copy(update={"image_size": (1920, 1080)})
    store = write_store(tmp_path / "t", content, whole)
    np.testing.assert_array_equal(store.image_width, [1920, 340, 1920])


def timed() -> list[Sample]:
    content = samples(3, 4, 2)
    content[1].frame_numbers, content[1].fps = np.array([300, 301, 305, 310]), 29.97
    return content


def test_a_sample_keeps_its_frame_numbers_and_rate(tmp_path: Path) -> None:
    write_store(tmp_path / "s", timed(), INFO.model_copy(update={"fps": 25.0}))
    lines = (tmp_path / "s" / "index.csv").read_text().splitlines()
    assert lines[0] == ",".join((*COLUMNS, "frames", "fps"))
    assert [line.split(",")[-2:] for line in lines[2:]] == [
        ["300-301 305 310", "29.97"],
        ["", ""],
    ]
    store = open_store(tmp_path / "s")
    assert [store.frame_numbers(i).tolist() for i in (0, 1)] == [[0, 1, 2], [300, 301, 305, 310]]
    assert [store.fps(i) for i in range(3)] == [25.0, 29.97, 25.0]
    sample = store.select([1]).sample(0)
    assert (sample.sample, sample.identity, sample.fps) == ("s1", "001", 29.97)
    assert sample.numbers.tolist() == [300, 301, 305, 310]
    assert sample.keep(np.array([False, True, True, False])).numbers.tolist() == [301, 305]


def test_parts_of_samples_keep_their_frame_numbers(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s", timed(), INFO)
    parts = store.cut([1, 1, 0], first=[0, 2, 1], lengths=[2, 2, 2])
    assert [parts.frame_numbers(i).tolist() for i in range(3)] == [[300, 301], [305, 310], [1, 2]]
    np.testing.assert_array_equal(parts.clip(1), store.clip(1)[2:])


@pytest.mark.parametrize("numbers", [[1, 2], [3, 2, 4], [-1, 0, 1], [0.5, 1.0, 2.0]])
def test_frame_numbers_that_do_not_count_frames(tmp_path: Path, numbers: list[int]) -> None:
    content = samples(3)
    content[0].frame_numbers = np.array(numbers)
    with pytest.raises(ValueError, match="'s0': frame_numbers must be 3 rising whole numbers"):
        write_store(tmp_path / "s", content, INFO)


def test_a_store_without_sizes_keeps_its_bytes(tmp_path: Path) -> None:
    frames = np.arange(12, dtype=np.float32).reshape(2, 1, 3, 2)
    content = [Sample("s0", frames, identity="000", view="018")]
    store = write_store(tmp_path / "s", content, INFO)
    index = (tmp_path / "s" / "index.csv").read_text()
    assert index == (
        "sample,start,length,identity,label,condition,view,take,camera,split\ns0,0,2,000,,,018,,,\n"
    )
    # Taken before there were image sizes: a change here would disown every recorded result.
    taken = "4dbbae4ad2858cfa2020d02a185d31d287aaf3e4417f82aff3bf3101b28a1c6c"
    assert store.info.fingerprint == taken
    assert np.isnan(store.image_width).tolist() == [True]


def test_labels_are_among_the_classes(tmp_path: Path) -> None:
    info = INFO.model_copy(update={"classes": ("walk", "run")})
    content = samples(2, 2)
    content[0].label, content[1].label = "run", "walk"
    store = write_store(tmp_path / "s", content, info)
    assert store.info.classes == open_store(tmp_path / "s").info.classes == ("walk", "run")
    content[1].label = "jump"
    with pytest.raises(ValueError, match=r"'s1': label 'jump' is not one of the 2 .*walk, run"):
        write_store(tmp_path / "t", content, info)
    with pytest.raises(ValueError, match="'s0': label '' is not one of"):
        write_store(tmp_path / "t", samples(2), info)
    assert not (tmp_path / "t").exists()


def test_dims_are_the_space_coordinates() -> None:
    assert INFO.dims == 2
    assert INFO.model_copy(update={"channels": ("x", "y", "z", "confidence")}).dims == 3
