from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def writer() -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes what it is told to, as ezc3d and FAISS, both made by SWIG, do not work
    in one process.
    """
    pytest.importorskip("ezc3d")
    program = [sys.executable, __file__]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process


@pytest.fixture
def c3d(writer: subprocess.Popen[bytes]) -> Callable[..., Path]:
    """Write a C3D of markers (T, L, 3) by ezc3d."""
    assert writer.stdin is not None
    assert writer.stdout is not None
    told, answers = writer.stdin, writer.stdout

    def written(*arguments: Any, **changes: Any) -> Path:
        pickle.dump((arguments, changes), told)
        told.flush()
        assert answers.readline() == b"written\n"
        return arguments[0]

    return written


def write(path: Path, labels: list[str], places: Any, **changes: Any) -> None:
    import ezc3d

    file = ezc3d.c3d()
    point = file["parameters"]["POINT"]
    point["LABELS"]["value"], point["UNITS"]["value"] = labels, [changes.pop("unit", "mm")]
    point["RATE"]["value"] = [changes.pop("fps", 120.0)]
    points = np.ones((4, len(labels), len(places)))
    points[:3] = np.moveaxis(np.asarray(places, dtype=float), -1, 0).swapaxes(1, 2)
    file["data"]["points"] = points
    residuals = np.zeros((1, len(labels), len(places)))
    for frame, marker in changes.pop("missing", ()):
        residuals[0, marker, frame] = -1
    file["data"]["meta_points"]["residuals"] = residuals
    file["header"]["points"]["first_frame"] = changes.pop("first", 0)
    for name, value in changes.items():
        file.add_parameter("POINT", name, value)
    file.write(str(path))


if __name__ == "__main__":
    with contextlib.suppress(EOFError):  # the tests have ended
        while True:
            given, how = pickle.load(sys.stdin.buffer)
            write(*given, **how)
            print("written", flush=True)
