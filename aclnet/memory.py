"""Sizes that settings make together, compared with the memory at hand before it is asked for."""

from __future__ import annotations

import os
import re
from pathlib import Path

_SMALL = 64 << 20
"""Bytes that are asked for without looking."""

_WORDS = re.compile(r"can't allocate memory|not enough memory|out of memory", re.IGNORECASE)


def free_bytes() -> int | None:
    """Memory that a process here may still take; None where that is not known.

    Linux: what the system has available, within the limits of the container and of `ulimit -v`.
    """
    try:
        text = Path("/proc/meminfo").read_text("ascii")
        free = 1024 * int(text.partition("MemAvailable:")[2].split()[0])
        import resource
    except (OSError, ValueError, IndexError, ImportError):
        return None
    try:
        limit, used = (
            int(Path("/sys/fs/cgroup", name).read_text("ascii"))
            for name in ("memory.max", "memory.current")
        )
        free = min(free, max(limit - used, 0))
    except (OSError, ValueError):  # no container, or one without a limit
        pass
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        free = min(free, max(limit - pages * os.sysconf("SC_PAGE_SIZE"), 0))
    return free


def require_memory(needed: int, what: str, settings: str) -> None:
    """Refuse sizes for which there is not enough memory.

    Args:
        needed: bytes.
        what: that they are needed for, in the plural.
        settings: those that make it so large.

    Raises:
        ValueError: the memory does not suffice.
    """
    if needed <= _SMALL:
        return
    free = free_bytes()
    if free is not None and needed > free:
        raise ValueError(
            f"{what} need {needed / 1e9:,.1f} GB of memory, and {free / 1e9:.1f} GB are free: "
            f"lower {settings}"
        )


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that memory ran out: Python's, NumPy's or torch's own."""
    return isinstance(error, MemoryError) or bool(
        isinstance(error, RuntimeError) and _WORDS.search(str(error))
    )
