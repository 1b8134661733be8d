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

from aclnet.data.formats.pickles.unpickle import safe_load_npy, safe_unpickle

POSES = np.random.default_rng(0).normal(size=(7, 17, 3))


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
    loaded = safe_unpickle(file)
    np.testing.assert_array_equal(loaded, array)
    assert loaded.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")


# Later protocols give names with their length: only these can be edited in place.
@pytest.mark.parametrize("protocol", range(4))
def test_old_and_new_numpy_paths(protocol: int, file: Path) -> None:
    new = pickle.dumps(POSES, protocol)
    assert b"numpy._core" in new
    file.write_bytes(new.replace(b"numpy._core", b"numpy.core"))
    np.testing.assert_array_equal(safe_unpickle(file), POSES)


def test_containers(file: Path) -> None:
    content = {
        "poses": [POSES, POSES[:2]],
        "meta": (1, 2.5, "nm", None, True, b"x"),
        "order": collections.OrderedDict(a=POSES[0]),
    }
    file.write_bytes(pickle.dumps(content))
    loaded = safe_unpickle(file)
    np.testing.assert_array_equal(loaded["poses"][1], POSES[:2])
    assert loaded["meta"] == content["meta"]
    np.testing.assert_array_equal(loaded["order"]["a"], POSES[0])


def test_arrays_of_objects_come_as_lists(file: Path) -> None:
    ragged = np.empty(2, dtype=object)
    ragged[0], ragged[1] = POSES, POSES[:3]
    file.write_bytes(pickle.dumps(ragged))
    loaded = safe_unpickle(file)
    assert isinstance(loaded, list)
    np.testing.assert_array_equal(loaded[1], POSES[:3])


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
        (Calls(np.ndarray, (10**12,)), "a call of numpy.ndarray"),
        (Calls(np.dtype, [("a", "f8")]), "an array of type"),
        ([Calls(bytearray, 10**12)], "builtins.bytearray"),
        (Path("x"), "pathlib"),
        (np.zeros(2, dtype=[("a", "f8"), ("b", "O")]), "an array of type 'V16'"),
        (np.dtype, "a function or type"),
    ],
    ids=["system", "eval", "load", "ndarray", "dtype", "bytearray", "path", "record", "function"],
)
def test_hostile_pickles_are_refused(content: Any, name: str, file: Path) -> None:
    file.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="do not trust this file") as caught:
        safe_unpickle(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: the pickle asks for ")
    assert name in message
    assert "\n" not in message
    assert not Path("pwned").exists()


def test_functions_cannot_be_changed(file: Path) -> None:
    # BUILD: numpy.dtype's state would be set to {'_make': 'x'}.
    file.write_bytes(b"\x80\x02cnumpy\ndtype\n}U\x05_makeU\x01xsb.")
    with pytest.raises(ValueError, match="a change to a function"):
        safe_unpickle(file)


def test_codecs_are_not_called(file: Path) -> None:
    file.write_bytes(b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.")
    with pytest.raises(ValueError, match="the codec rot13"):
        safe_unpickle(file)


def test_deep_nesting_is_refused(file: Path) -> None:
    nested: list[Any] = []
    nested.append(nested)
    file.write_bytes(pickle.dumps(nested))
    with pytest.raises(ValueError, match="nested more than"):
        safe_unpickle(file)


def test_a_shape_larger_than_its_bytes(file: Path) -> None:
    content = pickle.dumps(np.arange(3, dtype=np.int16), 2)
    assert content.count(b"K\x03\x85") == 1
    file.write_bytes(content.replace(b"K\x03\x85", b"J\xff\xff\xff\x7f\x85"))
    with pytest.raises(ValueError, match="not a whole pickle"):
        safe_unpickle(file)


@pytest.mark.parametrize("array", [POSES, POSES[:0], np.array(["nm", "bg"]), np.float32(2)])
def test_npy_of_numbers_and_texts(array: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    loaded = safe_load_npy(tmp_path / "a.npy")
    assert isinstance(loaded, np.memmap)
    np.testing.assert_array_equal(loaded, array)


def test_npy_of_objects(tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    np.save(file, {"001": [0, 1], 2: np.arange(3)}, allow_pickle=True)
    (lone,) = safe_load_npy(file)
    assert lone["001"] == [0, 1]
    np.testing.assert_array_equal(lone[2], np.arange(3))
    np.save(file, np.array([1, "a", None], dtype=object), allow_pickle=True)
    assert safe_load_npy(file) == [1, "a", None]
    np.save(file, np.empty((2, 2), dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="objects in several dimensions"):
        safe_load_npy(file)


@pytest.mark.parametrize(
    "content",
    [Calls(os.system, "touch pwned"), np.zeros(1, dtype=[("a", "O")])],
    ids=["call", "record"],
)
def test_hostile_npy_is_refused(content: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", content, allow_pickle=True)
    with pytest.raises(ValueError, match=r"a.npy: the pickle asks for .*; do not trust this file"):
        safe_load_npy(tmp_path / "a.npy")
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
    with pytest.raises(ValueError, match=r"cut.npy: (not a whole|the pickle asks)") as caught:
        safe_load_npy(file)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone.pkl: cannot be read: No such file"):
        safe_unpickle(tmp_path / "gone.pkl")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([2, 4, 5]), st.floats(0, 1, exclude_max=True))
def test_truncation_is_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, protocol: int, share: float
) -> None:
    whole = pickle.dumps({"poses": [POSES[0], "x"]}, protocol)
    file = tmp_path_factory.mktemp("pickle") / "cut.pkl"
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"cut.pkl: not a whole pickle \("):
        safe_unpickle(file)


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
        safe_unpickle(file)
