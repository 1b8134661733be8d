"""The environment of a run: versions, processors, devices."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any

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


def package_versions() -> dict[str, str | None]:
    """Installed version of each relevant package; None if it is missing."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def describe_environment() -> dict[str, Any]:
    """Versions, processors and devices, for a result record.

    Returns:
        Plain values: `python`, `platform`, `processors`, `packages`, and if PyTorch is loaded
        `torch_threads` and `devices`.
    """
    torch, computing = sys.modules.get("torch"), {}
    if torch is not None:
        devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        computing = {"torch_threads": torch.get_num_threads(), "devices": devices or ["cpu"]}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        **computing,
        "packages": {name: v for name, v in package_versions().items() if v is not None},
    }
