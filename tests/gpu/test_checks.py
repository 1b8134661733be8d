from __future__ import annotations

import ctypes
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from protocols.report import build_report

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


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
    text = (HERE / "README.md").read_text(encoding="utf-8")
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
    forward = HERE / "cublas_forward.c"
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


SMALL = {"DEV": "cpu", "SMALL": "1", "OMP_NUM_THREADS": "1"}
CHECKS = [
    path.stem
    for path in sorted(HERE.glob("*.py"))
    if path.stem not in ("run", "test_checks") and '"__main__"' in path.read_text(encoding="utf-8")
]


@pytest.mark.slow
@pytest.mark.timeout(600)  # on a busy machine
@pytest.mark.parametrize("name", CHECKS)
def test_a_check_runs_without_a_gpu(name: str, ready: Any, tmp_path: Path) -> None:
    path = f"{ROOT}:{ROOT / 'tests' / 'benchmarks'}"
    process = ready(
        HERE / f"{name}.py", cwd=ROOT, env={**SMALL, "OUT": str(tmp_path), "PYTHONPATH": path}
    )
    out, err = process.communicate(600)
    assert process.returncode == 0, out[-3000:] + err[-3000:]
    assert all({"what", "ratio"} & json.loads(line).keys() for line in out.splitlines())


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """All checks by their names."""
    monkeypatch.setenv("SMALL", "1")
    return {check.name: check for check in runpy.run_path(str(HERE / "run.py"))["checks"]()}


def test_every_check_is_run(checks: dict[str, Any]) -> None:
    assert checks.keys() == {*CHECKS, "marked"}


def test_every_test_marked_gpu_is_run(
    checks: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    marked = {str(item.path) for item in request.session.items if item.get_closest_marker("gpu")}
    assert marked <= {*checks["marked"].command}


@pytest.mark.slow
def test_checks_are_logged_and_their_rows_are_a_table(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", HERE / "run.sh", "ranking"],
        capture_output=True,
        text=True,
        env=os.environ | SMALL | {"OUT": str(tmp_path), "PY": sys.executable},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    (line,) = (tmp_path / "checks.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert (found["check"], found["exit"]) == ("ranking", 0)
    (table,) = (one for one in build_report(tmp_path).tables if one.key == "benchmarks")
    assert any("on the GPU" in row.label for row in table.rows)
