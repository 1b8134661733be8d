"""What a run was made with: versions, processors, devices."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from types import ModuleType
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
    """Installed version of each package that matters; None where it is absent."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def describe_environment() -> dict[str, Any]:
    """Versions, processors and devices, as they go into a result record.

    Returns:
        Plain values: `python`, `platform`, `processors`, `packages`, and where PyTorch took part
        `torch_threads` and `devices`.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        **_torch(sys.modules.get("torch")),
        "packages": {name: v for name, v in package_versions().items() if v is not None},
    }


def _torch(torch: ModuleType | None) -> dict[str, Any]:
    """Threads and devices; nothing where nobody has loaded the library."""
    if torch is None:
        return {}
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"torch_threads": torch.get_num_threads(), "devices": devices or ["cpu"]}
