"""Exported models on the Hugging Face Hub; it is asked only where a name of it is given.

A repository holds the files of an exported model, its card as README.md. Whoever may read or write
it is the Hub's affair: `huggingface_hub` finds the user's token itself (`hf auth login`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aclnet.runs.calibration import CALIBRATION
from aclnet.runs.exported import DESCRIPTION, FILES

_ADDRESS = re.compile(r"hf:/{1,2}(?P<name>[^@/]+/[^@/]+)(@(?P<revision>[^@]+))?")
_LONGEST_REASON = 300


def is_on_hub(place: str | Path) -> bool:
    """Whether a place is an address on the Hub: hf://USER/NAME, or hf://USER/NAME@REVISION.

    A path made of it, which has one slash less, is one too.
    """
    return _ADDRESS.fullmatch(str(place)) is not None


def pull(address: str | Path) -> Path:
    """Download an exported model into the Hub's cache.

    Args:
        address: see `is_on_hub`; without a revision its newest.

    Returns:
        The folder.

    Raises:
        ValueError: `huggingface_hub` is not installed, or there is no such repository.
    """
    found = _ADDRESS.fullmatch(str(address))
    if found is None:
        raise ValueError(f"{address}: an address on the Hub is hf://USER/NAME")
    with _asking(f"hf://{found['name']}") as hub:
        folder = hub.snapshot_download(
            found["name"],
            revision=found["revision"],
            allow_patterns=[DESCRIPTION, CALIBRATION, *FILES.values()],
        )
        return Path(folder)


def push(folder: Path, name: str, card: str) -> str:
    """Upload an exported model; a new repository is private.

    Args:
        folder: of the exported model.
        name: USER/NAME.
        card: name of the file that becomes README.md.

    Returns:
        The address of the commit.

    Raises:
        ValueError: `huggingface_hub` is not installed, the name is none, or the Hub refuses.
    """
    require_name(name)
    with _asking(f"hf://{name}") as hub:
        api = hub.HfApi()
        api.create_repo(name, private=True, exist_ok=True)
        files = sorted(path for path in folder.iterdir() if path.is_file())
        commit = api.create_commit(
            name,
            [
                hub.CommitOperationAdd("README.md" if file.name == card else file.name, file)
                for file in files
            ],
            commit_message="Exported by aclnet",
        )
        return str(commit.commit_url)


def require_name(name: str) -> None:
    """Refuse what is not a name of a repository.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ValueError(f"{name!r} is not a repository of the Hub: give USER/NAME")


@contextmanager
def _asking(what: str) -> Iterator[Any]:
    """The Hub's library, without telemetry; what it raises becomes a sentence."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise ValueError(
            f"{what} needs huggingface_hub: pip install huggingface_hub (or aclnet[hub])"
        ) from None
    try:
        yield huggingface_hub
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:_LONGEST_REASON]
        raise ValueError(f"{what}: the Hub cannot be used: {reason}") from None
