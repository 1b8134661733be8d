from __future__ import annotations

import collections
import contextlib
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclnet.data.formats.pickles.unpickle import as_array, loaded_npy, unpickled

pytestmark = pytest.mark.usefixtures("little_memory")

POSES = np.random.default_rng(0).normal(size=(7, 17, 3))


def load(file: Path) -> Any:
    with unpickled(file) as value:
        return value


def load_npy(file: Path) -> Any:
    with loaded_npy(file) as array:
        return array


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "poses.pkl"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        POSES,
        POSES.astype(np.float32),
        POSES.astype(">f8"),
        np.asfortranarray(POSES[0]),
        POSES[:0],
        np.array(["nm", "bg-01"]),
        np.array([b"nm", b"bg"]),
        np.array([True, False]),
        np.arange(5, dtype=np.uint8),
        np.float32(1.5),
        np.int64(-3),
    ],
    ids=lambda a: f"{a.dtype.str}{a.shape}",
)
def test_arrays_of_every_protocol(array: Any, protocol: int, file: Path) -> None:
    file.write_bytes(pickle.dumps(array, protocol))
    loaded = load(file)
    np.testing.assert_array_equal(loaded, array)
    assert loaded.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    assert isinstance(loaded, np.ndarray) == isinstance(array, np.ndarray)


# Later protocols give names with their length: only these can be edited in place.
@pytest.mark.parametrize("protocol", range(4))
def test_old_and_new_numpy_paths(protocol: int, file: Path) -> None:
    new = pickle.dumps(POSES, protocol)
    assert b"numpy._core" in new
    file.write_bytes(new.replace(b"numpy._core", b"numpy.core"))
    np.testing.assert_array_equal(load(file), POSES)


def test_containers(file: Path) -> None:
    content = {
        "poses": [POSES, POSES[:2]],
        "meta": (1, 2.5, "nm", None, True, b"x"),
        "order": collections.OrderedDict(a=POSES[0]),
    }
    file.write_bytes(pickle.dumps(content))
    loaded = load(file)
    np.testing.assert_array_equal(loaded["poses"][1], POSES[:2])
    assert loaded["meta"] == content["meta"]
    np.testing.assert_array_equal(loaded["order"]["a"], POSES[0])


def test_arrays_of_objects_count_as_lists(file: Path) -> None:
    ragged = np.empty(2, dtype=object)
    ragged[0], ragged[1] = POSES, POSES[:3]
    file.write_bytes(pickle.dumps(ragged))
    loaded = load(file)
    np.testing.assert_array_equal(loaded[1], POSES[:3])
    with pytest.raises(ValueError, match="inhomogeneous"):
        as_array(loaded)
    loaded[1] = POSES
    np.testing.assert_array_equal(as_array([loaded, loaded]), [[POSES, POSES]] * 2)


def test_what_is_shared_and_what_holds_itself(file: Path) -> None:
    nested: list[Any] = [POSES, POSES]
    file.write_bytes(pickle.dumps(nested))
    loaded = load(file)
    assert loaded[0] is loaded[1]
    nested.append(nested)
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    often = np.empty(300, object)
    often[:] = [(POSES,) * 100_000] * 300
    for content in (nested, deep, often):
        file.write_bytes(pickle.dumps(content))
        with pytest.raises(ValueError, match=r"refers to its parts so often, or so deeply"):
            load(file)


def test_pickles_of_python_2(file: Path) -> None:
    array = np.arange(6, dtype="<f4").reshape(1, 2, 3, 1)
    raw = array.tobytes()
    # {'annotations': [{'frame_dir': 'a', 'keypoint': array}]}; all texts are byte strings.
    file.write_bytes(
        b"\x80\x02}U\x0bannotations](}(U\x09frame_dirU\x01aU\x08keypoint"
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01(K\x01K\x02K\x03K\x01tcnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U"
        + bytes([len(raw)])
        + raw
        + b"tbues."
    )
    (annotation,) = load(file)["annotations"]
    assert annotation["frame_dir"] == "a"
    np.testing.assert_array_equal(annotation["keypoint"], array)


class Calls:
    """Pickles as a call of a function with arguments."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (Calls(os.system, "touch pwned"), "system"),
        (Calls(eval, "1"), "builtins.eval"),
        (Calls(np.load, "x.npy"), "numpy.load"),
        (Calls(np.ndarray, (10**12,)), "a call of bytes or numpy.ndarray"),
        (Calls(np.dtype, [("a", "f8")]), "an array of type"),
        ([Calls(bytearray, 10**12)], "builtins.bytearray"),
        (Path("x"), "pathlib"),
        (np.zeros(2, dtype=[("a", "f8"), ("b", "O")]), "an array of type V16"),
        (np.zeros((2, 2), dtype=object), "an array of objects in several dimensions"),
    ],
    ids=["system", "eval", "load", "ndarray", "dtype", "bytearray", "path", "record", "objects"],
)
def test_hostile_pickles_are_refused(content: Any, name: str, file: Path) -> None:
    file.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="do not trust this file") as caught:
        load(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: the pickle asks for ")
    assert name in message
    assert "\n" not in message
    assert not Path("pwned").exists()


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
INT16 = b"cnumpy\ndtype\nX\x02\x00\x00\x00i2\x89\x88\x87R"
BUILT = ARRAY + b"(K\x01K\x01\x85" + INT16 + b"\x89C\x02abtb"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        # numpy.dtype's state would be {'_make': 'x'}.
        (b"cnumpy\ndtype\n}X\x05\x00\x00\x00_makeK\x01sb", "a change to a function"),
        (BUILT + b"(K\x01K\x01\x85" + INT16 + b"\x89C\x02cdtb", "a change to an array"),
        (b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R", "another codec than"),
        (b"cbuiltins\nbytes\nJ\xff\xff\xff\x7f\x85R", "a call of bytes"),
        (b"cnumpy\ndtype\nK\x01K\x02\x86\x85R", "an array of type tuple"),
        (ARRAY + b"(K\x01K\x01\x85K\x01\x89C\x02abtb", "an array without a type"),
        (ARRAY + b"(K\x01J\xff\xff\xff\x7f\x85" + INT16 + b"\x89C\x02abtb", "2147483647"),
        (ARRAY + b"(K\x01](Ne\x85" + INT16 + b"\x89C\x02abtb", "not a few whole numbers"),
        (ARRAY + b"(K\x01K\x01\x85" + INT16 + b"\x89Ntb", "an array without bytes"),
        (b"cx\x1b[2J\ny\n", r"asks for x\?\[2J.y, but only"),
        (b"c" + b"x" * 9999 + b"\ny\n", r"asks for x{200}…, but only"),
        (b"K\x01K\x02a", "not a whole pickle"),
        (b"\x82\x01", "not a whole pickle"),
        (b"P1\n", "not a whole pickle"),
    ],
    ids=range(14),
)
def test_what_a_pickle_is_refused(body: bytes, message: str, file: Path) -> None:
    file.write_bytes(b"\x80\x03" + body + b".")
    with pytest.raises(ValueError, match=message) as caught:
        load(file)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < len(str(file)) + 400


@pytest.mark.parametrize("array", [POSES, POSES[:0], np.array(["nm", "bg"]), np.float32(2)])
def test_npy_of_numbers_and_texts(array: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    loaded = load_npy(tmp_path / "a.npy")
    assert isinstance(loaded.base, np.memmap)
    np.testing.assert_array_equal(loaded, array)


def test_npy_of_objects(tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    np.save(file, {"001": [0, 1], 2: np.arange(3)}, allow_pickle=True)
    lone = load_npy(file).item()
    assert lone["001"] == [0, 1]
    np.testing.assert_array_equal(lone[2], np.arange(3))
    np.save(file, np.array([1, "a", None], dtype=object), allow_pickle=True)
    assert load_npy(file).tolist() == [1, "a", None]
    file.write_bytes(file.read_bytes()[:128] + pickle.dumps([1]))
    with pytest.raises(ValueError, match=r"a.npy: not a whole .npy file \(no array follows"):
        load_npy(file)


@pytest.mark.parametrize(
    "content",
    [Calls(os.system, "touch pwned"), np.zeros(1, dtype=[("a", "O")])],
    ids=["call", "record"],
)
def test_hostile_npy_is_refused(content: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", content, allow_pickle=True)
    with pytest.raises(ValueError, match=r"a.npy: the pickle asks for .*; do not trust this file"):
        load_npy(tmp_path / "a.npy")
    assert not Path("pwned").exists()


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.floats(0, 1, exclude_max=True), st.binary(max_size=4))
def test_cut_npy_is_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, objects: bool, share: float, end: bytes
) -> None:
    file = tmp_path_factory.mktemp("npy") / "cut.npy"
    np.save(file, {"a": [1]} if objects else POSES[0, :3], allow_pickle=True)
    whole = file.read_bytes()
    file.write_bytes((whole[: int(share * len(whole))] + end)[: len(whole) - 1])
    with pytest.raises(
        ValueError, match=r"cut.npy: (not a whole|the pickle asks|needs more mem)"
    ) as caught:
        load_npy(file)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone.pkl: cannot be read: No such file"):
        load(tmp_path / "gone.pkl")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([2, 4, 5]), st.floats(0, 1, exclude_max=True))
def test_truncation_is_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, protocol: int, share: float
) -> None:
    whole = pickle.dumps({"poses": [POSES[0], "x"]}, protocol)
    file = tmp_path_factory.mktemp("pickle") / "cut.pkl"
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"cut.pkl: not a whole pickle \("):
        load(file)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_give_a_value_or_a_value_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, within: bool
) -> None:
    file = tmp_path_factory.mktemp("pickle") / "noise.pkl"
    whole = pickle.dumps(POSES[0, :1], 4)
    # Noise alone rarely gets past the first byte; noise inside a real pickle does.
    file.write_bytes(whole[:40] + content + whole[40 + len(content) :] if within else content)
    with contextlib.suppress(ValueError):  # any other exception fails the test
        load(file)
