"""Trained networks inside the package, by name: `aclnet.load("walkers-gait")`.

They lie in `aclnet/weights`, a folder each, as `aclnet-task export --to safetensors` writes it, and
were trained on generated walkers: no data set's terms apply to them.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from aclnet.runs.exported import DESCRIPTION

_FOLDER = Path(str(files("aclnet"))) / "weights"


def shipped_models() -> tuple[str, ...]:
    """Their names.

    >>> shipped_models()
    ('walkers-gait', 'walkers-reid')
    """
    return tuple(sorted(path.parent.name for path in _FOLDER.glob(f"*/{DESCRIPTION}")))


def is_shipped(place: str | Path) -> bool:
    """Whether a place is the name of one, and no file or folder here has that name."""
    return str(place) in shipped_models() and not Path(place).exists()


def local_model(place: str | Path) -> Path:
    """The folder of a shipped one, or the place itself."""
    return _FOLDER / place if is_shipped(place) else Path(place)
