from __future__ import annotations

import contextlib
import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclnet.data.formats.pickles.unpickle import safe_unpickle
from aclnet.data.formats.pyskl.stream import AnnotationStream, ArrayOutline, looks_annotated

RNG = np.random.default_rng(0)


def annotation(number: int, frames: int = 5, **more: Any) -> dict[str, Any]:
    return {
        "frame_dir": f"sample-{number}",
        "label": number % 3,
        "img_shape": (1080, 1920),
        "keypoint": RNG.normal(size=(2, frames, 25, 3)).astype(np.float16),
        **more,
    }


def content(count: int = 4) -> dict[str, Any]:
    annotations = [annotation(i) for i in range(count)]
    names = [a["frame_dir"] for a in annotations]
    return {"split": {"train": names[::2], "val": names[1::2]}, "annotations": annotations}


def read(file: Path, **options: Any) -> tuple[list[dict[Any, Any]], dict[str, list[str]]]:
    stream = AnnotationStream(file)
    return list(stream.read(**options)), stream.splits


def same(found: list[dict[Any, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert list(one) == list(other)
        for name, value in other.items():
            np.testing.assert_array_equal(one[name], value)
            assert type(one[name]) is type(value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "annotations.pkl"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("count", [0, 1, 2, 2001], ids=["none", "one", "two", "batches"])
def test_every_protocol(protocol: int, count: int, file: Path) -> None:
    made = content(min(count, 2))
    # More than the 1000 that a pickle puts into a list at once.
    made["annotations"] = [made["annotations"][i % 2] | {"label": i} for i in range(count)]
    for one in made["annotations"]:
        one["keypoint"] = one["keypoint"][:, :1, :2].copy()
    made["split"] = {"train": ["sample-0"]}
    file.write_bytes(pickle.dumps(made, protocol))
    found, splits = read(file)
    same(found, made["annotations"])
    assert splits == made["split"]


@pytest.mark.parametrize("protocol", range(6))
def test_the_split_may_come_last_or_not_at_all(protocol: int, file: Path) -> None:
    made = content()
    file.write_bytes(pickle.dumps(dict(reversed(made.items())), protocol))
    found, splits = read(file)
    same(found, made["annotations"])
    assert splits == made["split"]
    for alone in ({"annotations": made["annotations"]}, made["annotations"]):
        file.write_bytes(pickle.dumps(alone, protocol))
        found, splits = read(file)
        same(found, made["annotations"])
        assert splits == {}


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_shared_arrays_fortran_order_and_scalars(protocol: int, file: Path) -> None:
    score = np.ones((1, 5, 17), np.float32)
    made = [
        annotation(
            i,
            keypoint_score=score,
            label=np.int64(i),
            keypoint=np.asfortranarray(RNG.normal(size=(1, 5, 17, 2))),
            valid={0.3: 5, 0.5: 4},
            original_shape=(1080, 1920),
        )
        for i in range(3)
    ]
    made.append(made[0])
    file.write_bytes(pickle.dumps({"split": {}, "annotations": made}, protocol))
    same(read(file)[0], made)


def test_pickles_of_python_2(file: Path) -> None:
    array = np.arange(6, dtype="<f4").reshape(1, 2, 3, 1)
    raw = array.tobytes()
    # {'annotations': [{'frame_dir': 'a', 'keypoint': array}]}; all texts are byte strings.
    made = (
        b"\x80\x02}U\x0bannotations](}(U\x09frame_dirU\x01aU\x08keypoint"
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01(K\x01K\x02K\x03K\x01tcnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U"
        + bytes([len(raw)])
        + raw
        + b"tbues."
    )
    file.write_bytes(made)
    same(safe_unpickle(file)["annotations"], [{"frame_dir": "a", "keypoint": array}])
    same(read(file)[0], [{"frame_dir": "a", "keypoint": array}])


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_outlines_are_not_built(protocol: int, file: Path) -> None:
    made = content()
    file.write_bytes(pickle.dumps(made, protocol))
    found, splits = read(file, arrays=False)
    assert [one["keypoint"] for one in found] == [
        ArrayOutline((2, 5, 25, 3), np.dtype(np.float16))
    ] * 4
    assert [one["frame_dir"] for one in found] == [f"sample-{i}" for i in range(4)]
    assert splits == made["split"]


@pytest.mark.parametrize(
    ("protocol", "alone"), [(0, False), (2, False), (4, False), (5, False), (5, True)]
)
def test_memory_does_not_grow_with_the_file(protocol: int, alone: bool, file: Path) -> None:
    # 1500: two batches of the pickle; each annotation is 15 kB.
    made = {"split": {"all": []}, "annotations": [annotation(i, 50) for i in range(1500)]}
    made["split"]["all"] = [one["frame_dir"] for one in made["annotations"]]
    file.write_bytes(pickle.dumps(made["annotations"] if alone else made, protocol))
    del made
    size = file.stat().st_size
    assert size > 20e6
    tracemalloc.start()
    try:
        stream = AnnotationStream(file)
        for arrays in (False, True):
            assert sum(1 for _ in stream.read(arrays=arrays)) == 1500
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size / 20


def test_how_far_it_is(file: Path) -> None:
    file.write_bytes(pickle.dumps(content(500)))
    size = file.stat().st_size
    looked: list[int] = []
    passed: list[int] = []
    stream = AnnotationStream(file, looked.append)
    list(stream.read(report=passed.append))
    for told in (looked, passed):
        assert told == sorted(told)
        assert told[-1] == size
        assert 50 < len(told) <= 1001


class Calls:
    """Pickles as a call of a function with arguments."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class Thing:
    pass


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("place", ["annotation", "split", "beside"])
@pytest.mark.parametrize(
    ("hostile", "name"),
    [
        (Calls(os.system, "touch pwned"), "posix.system"),
        (Calls(eval, "1"), ".eval"),
        (Calls(np.load, "x.npy"), "numpy"),
        (Calls(bytearray, 10**12), ".bytearray"),
        (Thing(), "Thing"),
        (np.dtype, "a function or type"),
    ],
    ids=["system", "eval", "load", "bytearray", "thing", "type"],
)
def test_hostile_pickles_are_refused(
    protocol: int, place: str, hostile: Any, name: str, file: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(file.parent)
    made = content()
    if place == "annotation":
        made["annotations"][2]["label"] = hostile
    elif place == "split":
        made["split"]["val"] = hostile
    else:
        made["other"] = hostile
    try:
        file.write_bytes(pickle.dumps(made, protocol))
    except (pickle.PicklingError, TypeError):
        pytest.skip("this protocol cannot write it")
    with pytest.raises(ValueError, match="do not trust this file") as caught:
        read(file, arrays=False)
    message = str(caught.value)
    assert name in message or "_reconstructor" in message
    assert message.startswith(f"{file}: the pickle asks for ")
    assert "\n" not in message
    assert not Path("pwned").exists()


START = b"\x80\x04}\x8c\x0bannotations](}("
"""The beginning of a file, up to the first key of its first annotation."""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"}" * 40_000, "more than 1 MiB at once"),
        (b"}(" * 40_000, "more than 1 MiB at once"),
        (b"\x8c\x01a\x94" + b"2" * 40_000, "more than 1 MiB at once"),
        (b"\x8c\x01a\x94" + b"h\x00" * 40_000, "more than 1 MiB at once"),
        (b"".join(b"}\x94" + b"j" + i.to_bytes(4, "little") for i in range(40_000)), "1 MiB"),
        (b"X\x00\x00\x20\x00" + b"a" * 0x200000, "more than 1 MiB at once"),
        (b"\x8e" + (10**15).to_bytes(8, "little"), "not a whole pickle"),
        (b"\x8b\xff\xff\xff\x7f", "not a whole pickle"),
        (b"K\x01K\x02a", r"not a whole pickle \(TypeError: items for a int"),
        (b"}K\x01\x85K\x02s", "a dict key of type tuple"),
        (b"\x8f", "the operation EMPTY_SET"),
        (b"h\x00", r"not a whole pickle \(KeyError"),
        (b"}}b", "a change to a dict"),
        (b"\x8c\x08builtins\x8c\x03set\x93", "builtins.set"),
        (b"\x82\x01", "the operation EXT1"),
        (b"I1\n.", "not a whole pickle"),
    ],
    ids=range(16),
)
def test_bombs_and_nonsense(body: bytes, message: str, file: Path) -> None:
    file.write_bytes(START + body + b"ues.")
    with pytest.raises(ValueError, match=message) as caught:
        list(AnnotationStream(file, most_held=1 << 20).read())
    assert len(str(caught.value)) < 500


def test_what_is_handed_out_is_not_counted(file: Path) -> None:
    made = content(100)
    file.write_bytes(pickle.dumps(made))
    assert file.stat().st_size > 150_000
    same(list(AnnotationStream(file, most_held=20_000).read()), made["annotations"])
    # Where each has an array twice, the pickle could ask for every one of them again.
    for one in made["annotations"]:
        one["keypoint_score"] = one["keypoint"]
    file.write_bytes(pickle.dumps(made))
    with pytest.raises(ValueError, match="at once"):
        list(AnnotationStream(file, most_held=20_000).read())


def test_shapes_and_types_of_arrays(file: Path) -> None:
    for array, message in (
        (np.zeros(2, dtype=object), "an array of type"),
        (np.zeros(2, dtype=[("a", "f8")]), "an array of type 'V8'"),
    ):
        file.write_bytes(pickle.dumps([{"frame_dir": "a", "keypoint": array}]))
        with pytest.raises(ValueError, match=message):
            read(file)
    whole = pickle.dumps([{"frame_dir": "a", "keypoint": np.arange(3, dtype=np.int16)}], 2)
    assert whole.count(b"K\x03\x85") == 1
    file.write_bytes(whole.replace(b"K\x03\x85", b"J\xff\xff\xff\x7f\x85"))
    with pytest.raises(ValueError, match=r"not a whole pickle \(ValueError: an array of shape"):
        read(file)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"split": {}}, "holds a dict without a list 'annotations'"),
        ({"annotations": 3}, "holds a dict without a list 'annotations'"),
        (np.zeros(3), "holds a ndarray without a list"),
        ({"poses": {"annotations": [{}]}}, "holds a dict without a list"),
        ([np.zeros(3)], "annotation 0 is a ndarray, not a dict"),
        ([{"label": 1}, None], "annotation 1 is a NoneType, not a dict"),
        ({"annotations": [], "split": ["a"]}, "split is a list, not a dict of lists"),
        ({"annotations": [], "split": {"train": "a"}}, "split 'train' is not a list of sample"),
        ({"annotations": [], "split": {"train": [1]}}, "split 'train' is not a list of sample"),
        ({"annotations": [], "split": {"train": []}}, "split 'train' is empty; list the names"),
    ],
)
def test_other_contents(made: Any, message: str, file: Path) -> None:
    file.write_bytes(pickle.dumps(made))
    with pytest.raises(ValueError, match=message) as caught:
        read(file)
    assert str(caught.value).startswith(f"{file}: ")


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone.pkl: cannot be read: No such file"):
        AnnotationStream(tmp_path / "gone.pkl")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([0, 2, 4, 5]), st.floats(0, 1, exclude_max=True))
def test_truncation_is_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, protocol: int, share: float
) -> None:
    whole = pickle.dumps(content(2), protocol)
    file = tmp_path_factory.mktemp("pickle") / "cut.pkl"
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"cut.pkl: not a whole pickle \(") as caught:
        AnnotationStream(file)
    assert "\n" not in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 400), st.booleans())
def test_any_bytes_give_annotations_or_a_value_error(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, start: int, within: bool
) -> None:
    file = tmp_path_factory.mktemp("pickle") / "noise.pkl"
    whole = pickle.dumps({"annotations": [annotation(0, frames=1)]}, 4)
    # Noise alone rarely gets past the first byte; noise inside a real pickle does.
    file.write_bytes(whole[:start] + noise + whole[start + len(noise) :] if within else noise)
    looks_annotated(file, ("frame_dir",))
    with contextlib.suppress(ValueError):  # any other exception fails the test
        read(file)


@pytest.mark.parametrize("protocol", range(6))
def test_how_a_file_begins(protocol: int, file: Path) -> None:
    made = content()
    for one, expected in (
        (made, True),
        (dict(reversed(made.items())), True),
        (made["annotations"], True),
        (made["annotations"][:1], True),
        ({"poses": made}, False),
        (made["annotations"][0], False),
        ([[1, 2]], False),
        ([], False),
        (np.zeros(3), False),
    ):
        file.write_bytes(pickle.dumps(one, protocol))
        assert looks_annotated(file, ("frame_dir", "label")) == expected
