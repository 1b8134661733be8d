"""Runs of a study that have ended: do they have its settings and its data?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aclnet.data.settings import DataSettings
from aclnet.training.settings import RESUMABLE
from tasks.run.adapter import Report
from tasks.run.judged import read_record
from tasks.run.resume import differences
from tasks.samples.open import open_data
from tasks.settings import TaskSettings

_WAY_OUT = "name another folder with --runs, or delete that run"


def require_same(run: Path, settings: TaskSettings) -> None:
    """Refuse to take an ended run for one with other settings; where the data lie may change.

    Raises:
        ValueError: a setting differs that both know, or the run's record is damaged.
    """
    now = settings.model_dump(
        mode="json", exclude={"data": {"path", "source"}, "train": set(RESUMABLE)}
    )
    for place, old, new in differences(read_record(run).settings, now):
        raise ValueError(
            f"{run} has ended with {place} = {old!r}, and the study wants {new!r}: {_WAY_OUT}"
        )


def require_same_data(ended: Mapping[Path, TaskSettings], cache: Path, report: Report) -> None:
    """Refuse ended runs of other data than the study's, wherever the data lie.

    The data are opened once and their fingerprints compared. Where they are not there, as for a
    study of which only the runs were kept, the runs must agree among each other, and the name of
    the file with the study's.

    Args:
        ended: settings that the study has for each run that has ended.
        cache: folder for converted and generated data.
        report: takes a sentence before long work.

    Raises:
        ValueError: the data differ, cannot be read, or a run's record is damaged.
    """
    expected: dict[str, tuple[str, str]] = {}
    for run, settings in ended.items():
        record = read_record(run)
        source = settings.data.model_dump_json()
        if source not in expected:
            absent = _absent(settings.data)
            if absent:
                _check_name(run, record.settings.get("data", {}).get("path"), settings.data.path)
            expected[source] = (
                (record.dataset.fingerprint, f"those of {run}")
                if absent
                else (open_data(settings.data, cache, report).info.fingerprint, "the study's")
            )
        fingerprint, whose = expected[source]
        if record.dataset.fingerprint != fingerprint:
            raise ValueError(
                f"{run} has ended on other data (data set {record.dataset.name}, fingerprint "
                f"{record.dataset.fingerprint[:12]}) than {whose} (fingerprint "
                f"{fingerprint[:12]}): {_WAY_OUT}"
            )


def _absent(data: DataSettings) -> bool:
    """Whether there is nothing to open."""
    return data.source == "file" if data.path is None else not data.path.exists()


def _check_name(run: Path, before: str | None, now: Path | None) -> None:
    """The only thing known of data that are not there."""
    if before is not None and now is not None and Path(before).name != now.name:
        raise ValueError(
            f"{run} has ended on data {before}, and the study's data {now} are not there to be "
            f"compared: give them with --data, {_WAY_OUT}"
        )
