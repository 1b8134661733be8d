from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from protocols.report import build_report

ROOT = Path(__file__).parents[2]


def needed(*names: str) -> set[str]:
    """Distributions that these need on Python 3.12, themselves included."""
    environment = {"python_version": "3.12", "python_full_version": "3.12.0", "extra": ""}
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found.add(name)
            lines = map(Requirement, metadata.requires(name) or ())
            waiting += [
                one.name for one in lines if not one.marker or one.marker.evaluate(environment)
            ]
    return found


def test_the_wheels_of_a_bare_machine_are_all_named() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    own = [Requirement(line).name for line in pyproject["project"]["dependencies"]]
    text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"pip download(.*?)\n\n", text, flags=re.DOTALL)
    words = command.partition("--dest tests/gpu")[2].replace("\\", " ").split()
    named = {canonicalize_name(word.partition("==")[0]) for word in words}
    assert needed(*own, "pytest", "hypothesis") - needed("torch", "numpy") <= named


REAL = """
long cublasGemmStridedBatchedEx(long a, long b, long c, long d, long e, long f, long g, long h,
    long i, long j, long k, long l, long m, long n, long o, long p, long q, long r, long s, long t,
    long u, long v, long w) { return 100 * a + w; }
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
def test_the_stand_in_for_cublas_passes_all_arguments_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, real = tmp_path / "real.c", tmp_path / "real.so"
    source.write_text(REAL)
    forward = Path(__file__).with_name("cublas_forward.c")
    stand_in = tmp_path / "stand_in.so"
    for code, library in ((source, real), (forward, stand_in)):
        command = [
            "gcc",
            "-std=gnu11",
            "-w",
            "-O1",
            "-shared",
            "-fPIC",
            "-o",
            library,
            code,
            "-ldl",
        ]
        subprocess.run(command, check=True)
    monkeypatch.setenv("CUBLAS13", str(real))
    call = ctypes.CDLL(str(stand_in)).cublasGemmStridedBatchedEx
    assert call(*map(ctypes.c_long, range(1, 24))) == 123


@pytest.mark.slow
@pytest.mark.timeout(1800)  # on a busy machine; alone a minute
def test_the_checks_run_without_a_gpu(tmp_path: Path) -> None:
    small = {"DEV": "cpu", "SMALL": "1", "OMP_NUM_THREADS": "1"}
    environment = {**small, "OUT": str(tmp_path), "PY": sys.executable}
    done = subprocess.run(
        ["bash", Path(__file__).with_name("run.sh")],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    lines = (tmp_path / "checks.jsonl").read_text().splitlines()
    assert all(json.loads(line)["exit"] == 0 for line in lines)
    assert len(lines) == 9
    (table,) = (one for one in build_report(tmp_path).tables if one.key == "benchmarks")
    assert any("on the GPU" in row.label for row in table.rows)
