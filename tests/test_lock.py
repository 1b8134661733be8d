"""requirements.lock: the versions of constraints.txt with hashes, and all that CI installs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SEVERAL = {"os_name": "posix", "platform_machine": "x86_64", "implementation_name": "cpython"}
CHOSEN = {"torch", "opencv-python", "opencv-contrib-python", "rerun-sdk", "rtmlib"}
"""Chosen by the machine, or by extras that CI does not install."""


def pins(file: str, python: str, system: str) -> dict[str, str]:
    """Versions by name, as an interpreter on a system is given them."""
    place = {**SEVERAL, "python_full_version": python, "sys_platform": system}
    lines = (ROOT / file).read_text("utf-8").replace("\\\n", "").splitlines()
    texts = [line.partition(" --hash")[0] for line in lines if line[:1] not in ("#", " ", "")]
    found = map(Requirement, texts)
    here = [one for one in found if one.marker is None or one.marker.evaluate(place)]
    return {canonicalize_name(one.name): str(one.specifier) for one in here}


@pytest.mark.parametrize("system", ["linux", "darwin"])
@pytest.mark.parametrize("python", ["3.11.2", "3.11.7", "3.12.0", "3.13.5"])
def test_the_lock_has_the_versions_of_the_constraints(python: str, system: str) -> None:
    locked, known = (
        pins(file, python, system) for file in ("requirements.lock", "constraints.txt")
    )
    assert {name: known.get(name) for name in locked} == locked, "make lock"
    if system == "linux":
        assert known.keys() - locked.keys() == CHOSEN


def test_every_locked_file_has_a_hash() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", "")
    lines = [line for line in text.splitlines() if line[:1] not in ("#", " ", "")]
    assert lines
    assert [line for line in lines if not re.search(r"--hash=sha256:[0-9a-f]{64}", line)] == []


def test_the_lock_has_all_that_ci_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (extras,) = re.findall(r"^EXTRAS \?= (.+)$", makefile, re.MULTILINE)
    wanted = [*project["dependencies"]]
    for extra in extras.split(","):
        wanted += project["optional-dependencies"][extra]
    locked = pins("requirements.lock", "3.11.7", "linux")
    for one in map(Requirement, wanted):
        if one.name != "torch":
            version = locked[canonicalize_name(one.name)].removeprefix("==")
            assert one.specifier.contains(version), "make lock"
