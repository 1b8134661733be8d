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
    left = container_bytes(Path("/sys/fs/cgroup"))
    free = free if left is None else min(free, left)
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        free = min(free, max(limit - pages * os.sysconf("SC_PAGE_SIZE"), 0))
    return free


def container_bytes(group: Path) -> int | None:
    """Memory that a container leaves; None if it has no limit.

    Args:
        group: folder of the control group (version 2).
    """
    try:
        limit, used = (
            int((group / name).read_text("ascii")) for name in ("memory.max", "memory.current")
        )
        lines = (line.split() for line in (group / "memory.stat").read_text("ascii").splitlines())
        kept = {name: int(count) for name, count in lines}
    except (OSError, ValueError):  # no container, or one without a limit
        return None
    # Pages of files that were read, such as a store's, are given up when memory is asked for.
    given_up = kept.get("active_file", 0) + kept.get("inactive_file", 0)
    return max(limit - used + given_up, 0)


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
