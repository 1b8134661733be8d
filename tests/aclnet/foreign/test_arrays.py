from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from aclnet.foreign.arrays import mapped_npy, member_names, read_arrays


def npy(shape: str, descr: str = "'<f4'", content: bytes = b"") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def archive(path: Path, members: Mapping[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.npz"


def test_only_wanted_arrays_are_read(path: Path) -> None:
    archive(path, {"b": npy("(2,)", content=bytes(8)), "huge": npy("(9000000000000,)")})
    assert member_names(path) == ["b", "huge"]
    found = read_arrays(path, lambda keys: [key for key in keys if key == "b"])
    np.testing.assert_array_equal(found["b"], np.zeros(2, np.float32))
    assert list(found) == ["b"]


HEADERS = [
    npy("(75000000000000,)"),
    npy("(2,)", content=bytes(4)),
    npy("(2,)", content=bytes(12)),
    npy("(-2,)", content=bytes(8)),
    npy("(9000000000,)", "'<U0'"),
    npy("(0, 9000000000)"),
    npy("(9000000000, 0)"),
    npy("()", "'|O'", b"\x80\x04N."),
    npy("(1,)", "[('a', '<f4')]", bytes(4)),
    npy("(1,)", "('<f4', (2,))", bytes(8)),
    npy("(" * 3000),
    b"\x93NUMPY\x09\x00",
    b"",
]


@pytest.mark.parametrize("content", HEADERS, ids=range(len(HEADERS)))
def test_headers_that_do_not_fit(content: bytes, path: Path) -> None:
    archive(path, {"a": content})
    with pytest.raises(ValueError, match=r"a.npz: not a readable .npz without pickles: "):
        read_arrays(path, list)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a.npz: not a whole .npy file"):
        mapped_npy(path)


def test_poses_that_are_mostly_empty_are_read(path: Path) -> None:
    joints = np.zeros((110_000, 1000), np.int8)  # unpacks to 120 times its bytes
    joints[:800] = np.random.default_rng(0).integers(-99, 99, (800, 1000))
    np.savez_compressed(path, joints=joints)
    assert np.array_equal(read_arrays(path, list)["joints"], joints)


def test_archives_that_are_refused(path: Path) -> None:
    bomb = npy("(200000000,)", "'|i1'", bytes(200_000_000))
    archive(path, {"a": bomb}, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"a.npz: .* bytes unpack to 200000\d+; save it without"):
        read_arrays(path, list)
    assert read_arrays(path, lambda _: []) == {}
    archive(path, {"a": npy("(1,)", content=bytes(4))}, zipfile.ZIP_LZMA)
    with pytest.raises(ValueError, match=r"a.npz: .*the compression of 'a.npy' is not supported"):
        read_arrays(path, list)
    with zipfile.ZipFile(path, "w") as file, warnings.catch_warnings(action="ignore"):
        for _ in range(2):
            file.writestr("a.npy", npy("(1,)", content=bytes(4)))
    with pytest.raises(ValueError, match=r"a.npz: .*an array appears twice"):
        read_arrays(path, list)
    path.write_bytes(b"PK\x05\x06" + bytes(10))
    with pytest.raises(ValueError, match=r"a.npz: not a readable .npz"):
        read_arrays(path, list)
    assert member_names(path) == []


def test_flipped_bytes_are_a_value_error(path: Path) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, a=np.arange(40.0), b=np.array(["x", "yy"]))
    whole = stream.getvalue()
    generator = np.random.default_rng(0)
    for _ in range(300):
        content = bytearray(whole)
        for place in generator.integers(len(whole), size=3):
            content[place] = generator.integers(256)
        path.write_bytes(content[: generator.integers(len(whole) // 2, len(whole) + 1)])
        with contextlib.suppress(ValueError):
            read_arrays(path, list)
