"""The instruction set of PyTorch's libraries: CPUs with other ones round sums differently.

A training is deterministic on one machine, but an AVX-512 CPU adds up in another order than an
AVX2 CPU, and over a training the last digits grow into points. Pinned, both take the older set.
What the libraries choose by something else, such as the size of a cache, is not pinned.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

InstructionSet = Literal["avx2"]

_VARIABLES: dict[str, dict[str, str]] = {
    # MKL promises the same results on CPUs of other makers for COMPATIBLE alone.
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_CBWR": "COMPATIBLE",
    }
}


def cpu_info(field: str) -> str:
    """A field of the first processor, such as `model name` or `flags`; empty where unknown."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in pairs if name.strip() == field), "")


def pin_instructions(name: InstructionSet | None) -> None:
    """Make torch, oneDNN and MKL of this process and its children use an instruction set.

    They read environment variables when they are loaded, so that this must come before the first
    import of torch. OpenBLAS, which NumPy may use, is left alone.

    Args:
        name: the instruction set; None leaves everything as it is.

    Raises:
        ValueError: the CPU lacks it, or torch is loaded already and was not pinned to it.
    """
    if name is None:
        return
    flags = cpu_info("flags").split()
    if flags and name not in flags:
        raise ValueError(
            f"train.instruction_set: {name} cannot be pinned, as this CPU lacks it; leave it out"
        )
    wanted = _VARIABLES[name]
    torch = sys.modules.get("torch")
    if torch is None:
        os.environ.update(wanted)
        return
    pinned = all(os.environ.get(key) == value for key, value in wanted.items())
    if not pinned or torch.backends.cpu.get_cpu_capability().lower() != name:
        given = " ".join(f"{key}={value}" for key, value in wanted.items())
        raise ValueError(
            f"train.instruction_set: {name} cannot be pinned, as torch is loaded already (by a "
            f"plug-in, or by the calling program): start Python with {given}, or leave it out"
        )
