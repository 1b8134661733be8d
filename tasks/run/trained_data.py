"""Whether data are still those that a run was trained on."""

from __future__ import annotations

from pathlib import Path

from aclnet.data.changes import content_fingerprint
from aclnet.data.store import Store, open_store
from aclnet.runs.info import RUN_INFO, RunInfo, parse_run_info


def require_unchanged(store: Store, run: Path | None = None) -> None:
    """Refuse to train on a store whose files were changed after its conversion.

    Args:
        store: the data.
        run: a run that is resumed with them, which remembers their files' sizes and times.

    Raises:
        ValueError: they were changed, or the run's `run.json` is damaged.
    """
    resumed = run is not None and (run / RUN_INFO).is_file()
    known = parse_run_info(run / RUN_INFO) if run is not None and resumed else None
    if _as_described(store, known):
        return
    remedy = "convert the data again"
    if resumed:
        remedy += f" as they were when {run} was started, or start anew with --overwrite"
    raise ValueError(
        f"{store.path} was changed after its conversion (its content no longer has the fingerprint "
        f"in store.json): {remedy}"
    )


def require_unchanged_meanwhile(store: Store) -> None:
    """Refuse a training during which its store was changed.

    A store that was deleted or converted anew meanwhile does not matter: an open one keeps its
    frames.

    Raises:
        ValueError: its files were changed.
    """
    if store.path is None or not (store.path / "store.json").is_file():
        return
    if open_store(store.path).info.fingerprint == store.info.fingerprint:
        require_unchanged(store)


def changed_since(store: Store, info: RunInfo, run: Path) -> str:
    """A sentence if data are not those that a run was trained on, else nothing."""
    if store.info.fingerprint == info.fingerprint and _as_described(store, info):
        return ""
    return (
        f"The data of {run} ({store.path or store.info.name}) have changed since its training: its "
        "test samples may be others, and among them may be some that it was trained on."
    )


def _as_described(store: Store, run: RunInfo | None) -> bool:
    """Whether a store's content has the fingerprint of its description."""
    alike = run is not None and run.fingerprint == store.info.fingerprint
    now = content_fingerprint(store, run.files if run is not None and alike else None)
    return now == store.info.fingerprint
