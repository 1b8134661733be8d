"""The environment of a run: commit, versions, processors, devices."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from aclnet.training.machine.instructions import cpu_info

PACKAGES = (
    "aclnet",
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "lightning-fabric",
    "pydantic",
    "faiss-cpu",
    "faiss-gpu",
    "matplotlib",
)


@cache
def package_versions() -> dict[str, str | None]:
    """Installed version of each relevant package; None if it is missing. Looked up once."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def describe_environment() -> dict[str, Any]:
    """Commit, versions, processors and devices, for a result record.

    Returns:
        Plain values: `commit` (in a checkout), `python`, `platform`, `processors`, `cpu`,
        `packages`, and if PyTorch is loaded `torch_threads`, `cpu_capability` (the instruction set
        that it uses) and `devices`.
    """
    torch, computing = sys.modules.get("torch"), {}
    if torch is not None:
        devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        computing = {
            "torch_threads": torch.get_num_threads(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "devices": devices or ["cpu"],
        }
    found = {
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "cpu": cpu_info("model name") or platform.processor() or None,
        **computing,
        "packages": {name: v for name, v in package_versions().items() if v is not None},
    }
    return {name: value for name, value in found.items() if value is not None}


def _commit() -> str | None:
    """The commit of this checkout, with `-dirty` if files differ from it; None elsewhere.

    Records do not count: a command that writes several would call the later ones dirty.
    """
    root = Path(__file__).resolve().parents[2]
    # Otherwise Git would name the commit of a repository around an installed package.
    if not (root / ".git").exists():
        return None
    git = ["git", "-C", str(root), "--no-optional-locks"]
    changes = ["status", "--porcelain", "--untracked-files=no", "--", ":(exclude)results"]
    try:
        found = [
            subprocess.run([*git, *words], capture_output=True, text=True, timeout=20).stdout  # noqa: S603
            for words in (["rev-parse", "HEAD"], changes)
        ]
    except (OSError, subprocess.TimeoutExpired):
        return None
    commit, changed = (text.strip() for text in found)
    return f"{commit}-dirty" if commit and changed else commit or None
