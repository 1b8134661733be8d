"""`aclnet-task doctor`: versions, devices, search, threads."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: what was looked at.
        good: whether everything that aclnet does can be done.
        found: what was found, and what to do where it is not good.
    """

    name: str
    good: bool
    found: str


def doctor_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what is installed and what is missing: versions, devices, search, threads."""
    checks = examine()
    if as_json:
        import json

        typer.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        table = Table("", "what", "found", box=None)
        for check in checks:
            mark = Text("ok", "green") if check.good else Text("!!", "bold red")
            table.add_row(mark, check.name, Text(check.found))
        Console().print(table)
    if not all(check.good for check in checks):
        raise typer.Exit(1)


def examine() -> list[Check]:
    """Look at the installation; nothing is changed, nothing is fetched."""
    from tasks.run.environment import package_versions

    versions = package_versions()
    checks = [_python(), _package("aclnet", versions), _package("torch", versions), _device()]
    checks += [_search(), _threads(), _figures(versions), _recipes()]
    return checks


def _python() -> Check:
    import platform
    import sys

    return Check(
        "python",
        sys.version_info >= (3, 11),
        f"{platform.python_version()} on {platform.platform()}",
    )


def _package(name: str, versions: dict[str, str | None]) -> Check:
    version = versions[name]
    return Check(name, version is not None, version or "not installed")


def _device() -> Check:
    import torch

    count = torch.cuda.device_count()
    if not count:
        return Check("device", True, "CPU (no CUDA device is seen)")
    names = ", ".join(torch.cuda.get_device_name(i) for i in range(count))
    bf16 = "with" if torch.cuda.is_bf16_supported() else "without"
    return Check("device", True, f"{names}; CUDA {torch.version.cuda}, {bf16} bf16")


def _search() -> Check:
    try:
        import faiss
    except ImportError:
        return Check(
            "search",
            False,
            "FAISS is not installed: retrieval is exact but slow; "
            "pip install 'aclnet[cpu]' or 'aclnet[gpu]'",
        )
    has_gpu = hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
    return Check("search", True, f"FAISS {faiss.__version__} on the {'GPU' if has_gpu else 'CPU'}")


def _threads() -> Check:
    import torch

    limit = os.environ.get("OMP_NUM_THREADS", "not set")
    return Check(
        "threads",
        True,
        f"{torch.get_num_threads()} in torch, {os.cpu_count()} processors, OMP_NUM_THREADS {limit}",
    )


def _figures(versions: dict[str, str | None]) -> Check:
    version = versions["matplotlib"]
    found = f"matplotlib {version}" if version else "none: pip install 'aclnet[report]' to draw"
    return Check("figures", True, found)


def _recipes() -> Check:
    from tasks.recipes import recipe_folder, recipe_names

    try:
        return Check("recipes", True, f"{len(recipe_names())} in {recipe_folder()}")
    except ValueError as error:
        return Check("recipes", False, str(error))
