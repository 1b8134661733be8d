"""`aclnet-task doctor`: versions, devices, search, threads."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from json import dumps
from typing import NamedTuple

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from protocols.files import write_text
from tasks.commands.options import JsonFile, cells


class Check(NamedTuple):
    """One line of the report.

    Attributes:
        name: what was checked.
        good: whether it works.
        found: what was found, and how to fix it if it does not work.
    """

    name: str
    good: bool
    found: str


def doctor_command(
    json: JsonFile = None,
) -> None:
    """Check the installation: versions, devices, search, threads."""
    checks = list(examine())
    table = Table("", "what", "found", box=None)
    for check in checks:
        mark = Text("ok", "green") if check.good else Text("!!", "bold red")
        table.add_row(mark, *cells(check.name, check.found))
    Console().print(table)
    if json is not None:
        write_text(json, dumps([check._asdict() for check in checks], indent=2) + "\n")
    if not all(check.good for check in checks):
        raise typer.Exit(1)


def examine() -> Iterator[Check]:
    """Check the installation; nothing is changed and nothing is downloaded."""
    from platform import platform, python_version

    from tasks.run.environment import package_versions

    versions = package_versions()
    yield Check("python", sys.version_info >= (3, 11), f"{python_version()} on {platform()}")
    yield Check("aclnet", versions["aclnet"] is not None, versions["aclnet"] or "not installed")
    limit = os.environ.get("OMP_NUM_THREADS", "not set")
    threads = f"{os.cpu_count()} processors, OMP_NUM_THREADS {limit}"
    try:
        import torch
    except ImportError:
        yield _without_torch()
    else:
        yield Check("torch", True, torch.__version__)
        yield Check("device", True, _device())
        threads = f"{torch.get_num_threads()} in torch, {threads}"
    yield _search()
    yield Check("threads", True, threads)
    drawing = versions["matplotlib"]
    missing = "none: pip install 'aclnet[report]' to draw"
    yield Check("figures", True, f"matplotlib {drawing}" if drawing else missing)
    yield _recipes()


def _without_torch() -> Check:
    from importlib.util import find_spec

    found = "not installed: nothing can be trained"
    if find_spec("onnxruntime") is None:
        return Check("torch", False, f"{found}, and without onnxruntime no exported model runs")
    return Check("torch", True, f"{found}; models exported to ONNX run by onnxruntime")


def _device() -> str:
    import torch

    count = torch.cuda.device_count()
    if not count:
        return "CPU (no CUDA device found)"
    names = ", ".join(torch.cuda.get_device_name(i) for i in range(count))
    bf16 = "with" if torch.cuda.is_bf16_supported(including_emulation=False) else "without"
    return f"{names}; CUDA {torch.version.cuda}, {bf16} bf16"


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
    from protocols.ranking.engines import choose_backend, old_product

    if choose_backend() == "faiss-gpu":
        return Check("search", True, f"FAISS {faiss.__version__} on the GPU")
    text = f"FAISS {faiss.__version__} on the CPU, and NumPy where probes are few"
    if old_product():
        text = f"NumPy: the product of FAISS {faiss.__version__} is an old one ({old_product()})"
    return Check("search", True, text)


def _recipes() -> Check:
    from tasks.recipes import recipe_folder, recipe_names

    try:
        return Check("recipes", True, f"{len(recipe_names())} in {recipe_folder()}")
    except ValueError as error:
        return Check("recipes", False, str(error))
