from __future__ import annotations

import os
from pathlib import Path

import pytest

from aclnet.foreign.text import check_regular, load_json, naming, read_bytes, read_text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.txt"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with a name")
def test_what_is_no_regular_file(file: Path) -> None:
    os.mkfifo(file)
    loop = file.with_name("loop")
    loop.symlink_to(loop)
    for place in (file, file.parent, loop, Path("/dev/zero"), Path("a\0b"), file.parent / "gone"):
        with pytest.raises(ValueError, match=r"is not a regular file|cannot be read") as caught:
            check_regular(place)
        assert str(caught.value).startswith(f"{place}: ")


def test_texts(file: Path) -> None:
    file.write_bytes("\ufeffZoë\r\n".encode())
    assert read_text(file) == "Zoë\n"
    assert read_text(file, most=4) == "Zoë\n"
    for fault in (
        lambda: read_text(file, most=3),
        lambda: read_text(file, most=1),
        lambda: read_bytes(file, 4),
    ):
        with pytest.raises(ValueError, match=r"a.txt: is longer than the \d"):
            fault()
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"a.txt: cannot be read: 'utf-8' codec"):
        read_text(file)


@pytest.mark.parametrize(
    "text", ["{", "[" * 100_000, "1" * 5000, "\ud800".encode("utf-8", "surrogatepass")]
)
def test_what_is_no_json(text: str | bytes, file: Path) -> None:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=r"a.txt: (not JSON|cannot be read)"):
        load_json(file)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (ValueError("a.txt: is odd"), r"\Aa.txt: is odd\Z"),
        (ValueError("sample 'x' is odd"), r"a.txt: sample 'x' is odd\Z"),
        (KeyError("x"), r"a.txt: cannot be read as npz \(KeyError: 'x'\); it is damaged"),
        (MemoryError(), r"a.txt: needs more memory than is available"),
        (OSError(5, "Input/output error"), r"a.txt: Input/output error\Z"),
    ],
)
def test_faults_name_the_file(fault: Exception, message: str, file: Path) -> None:
    with pytest.raises(ValueError, match=message), naming(file, "npz"):
        raise fault
