"""The result of a run as one small JSON file, and reading a folder of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from protocols.files import write_text

Name = Annotated[str, Field(min_length=1)]


class DatasetReference(BaseModel):
    """What a run was measured on.

    Attributes:
        name: Name of the data set.
        fingerprint: Hash of its content, so that two runs can be known to have seen the same.
        synthetic: Whether it was generated; such results never enter a paper table unlabelled.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    fingerprint: str
    synthetic: bool


class ResultRecord(BaseModel):
    """One run, one record.

    Attributes:
        schema_version: Version of this format; the key in the file is ``schema``.
        task: ``action``, ``gait``, ``reid``, ``pretrain``, or ``cost``: what a network costs, by no
            data; its protocol is the recipe, its objective the backbone, its rule the device.
        dataset: What it was measured on.
        protocol: Name of the protocol, such as ``casia_b``.
        rule: Variant of the protocol, such as ``exact``.
        objective: ``bone-length``, ``ce``, ``ce+inter``, ``ce+intra``, ``acl``, or the name of a
            baseline.
        stream: Input stream, such as ``joint``; empty where embeddings came from outside.
        seed: Seed of the run; None where it is not known.
        metrics: Rates 0..1 and other finite numbers by name, such as ``rank1`` and ``rank1/nm``.
        intervals: Low and high end by metric name.
        counts: Whole numbers: train, probes, gallery, missing, unmated ...
        settings: The resolved settings of the run.
        environment: Versions and devices.
        seconds: Wall time of the run.
        command: The command line.
        notes: Sentences that must stand beside the figures.
        cells: A protocol's whole table, if it has one.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )

    schema_version: Literal[1] = Field(default=1, alias="schema")
    task: Literal["action", "gait", "reid", "pretrain", "cost"]
    dataset: DatasetReference
    protocol: Name
    rule: str
    objective: Name
    stream: str
    seed: int | None
    metrics: dict[str, FiniteFloat]
    intervals: dict[str, tuple[FiniteFloat, FiniteFloat]]
    counts: dict[str, int]
    settings: dict[str, Any]
    environment: dict[str, Any]
    seconds: FiniteFloat
    command: str
    notes: tuple[str, ...] = ()
    cells: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _check_intervals(self) -> ResultRecord:
        for name, (low, high) in self.intervals.items():
            if name not in self.metrics:
                raise ValueError(f"intervals name {name!r}, which is no metric of this record")
            if low > high:
                raise ValueError(f"interval {name!r} runs from {low} down to {high}")
        return self

    def to_json(self) -> str:
        """The record as JSON text: an entry a line, so that records can be compared by eye.

        Raises:
            ValueError: Settings, environment or cells hold what JSON cannot say.
        """
        fields = self.model_dump(by_alias=True, exclude_none=False)
        if self.cells is None:
            del fields["cells"]
        lines = [f"  {json.dumps(key)}: {_entries(value)}" for key, value in fields.items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> ResultRecord:
        """Read a record.

        Raises:
            ValueError: The text is no JSON or no record; the first problem is named with its field.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            detail = f"{place}: {first['msg']}" if place else first["msg"]
            raise ValueError(f"not a result record: {detail}.") from error

    def write(self, path: Path | str) -> None:
        """Write the record to a file, which appears complete or not at all."""
        write_text(path, self.to_json())


def read_records(folder: Path | str) -> tuple[list[ResultRecord], list[str]]:
    """As :func:`read_record_files`, the records without their files."""
    records, problems = read_record_files(folder)
    return list(records.values()), problems


def read_record_files(folder: Path | str) -> tuple[dict[str, ResultRecord], list[str]]:
    """Read every ``*.json`` below a folder, in the order of their paths.

    A damaged file does not hide the others.

    Args:
        folder: The folder; hidden files are passed over.

    Returns:
        The records by their files (relative to the folder, with forward slashes), and one line for
        each file that is none: damaged, of another version of the format, or foreign.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(
            f"There is no folder of results {root}: give the folder that holds the records."
        )
    records: dict[str, ResultRecord] = {}
    problems: list[str] = []
    for path in sorted(root.rglob("*.json")):
        if path.name.startswith("."):
            continue
        file = path.relative_to(root).as_posix()
        try:
            records[file] = ResultRecord.from_json(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            # A message of many lines would look like many files.
            problems.append(f"{file}: {' '.join(str(error).split())}")
    return records, problems


def _entries(value: object) -> str:
    """JSON of a field: a mapping one entry a line, anything else on one line."""
    if not isinstance(value, dict) or not value:
        return _json(value)
    lines = [f"    {json.dumps(str(key))}: {_json(item)}" for key, item in value.items()]
    return "{\n" + ",\n".join(lines) + "\n  }"


def _json(value: object) -> str:
    """Strict JSON on one line."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except TypeError as error:
        raise ValueError(f"A result record holds what JSON cannot say: {error}.") from error
