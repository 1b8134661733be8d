"""The result of a run as one small JSON file, and reading a folder of them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from protocols.files import write_text
from protocols.foreign import parse_json, read_text

_LONGEST = 64 << 20  # characters of a file
VERSION = 2
_LARGEST = 999_999_999  # a larger version is not written out

Name = Annotated[str, Field(min_length=1)]
Moment = Annotated[str, Field(pattern=r"^([0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z)?$")]
"""A time in UTC to the second (ISO 8601), or empty."""

RUN, BIOMETRICS, COST = "run", "biometrics", "cost"
"""Kinds of records; those of a task's studies are named in its own folder."""

MOTION = "motion"
"""Kind of the records of `gait motion`, whose variants are its arms."""

ROBUSTNESS = "robustness"
"""Kind of the records of `robustness`: a run tested on recordings that were made worse, by one kind
of change and one level of it a record (`settings.evaluation.degraded`), or as recorded."""

RELIABILITY = "reliability"
"""Folder and key of the counts of tests/fuzz, which are not records."""

BENCHMARKS = "benchmarks"
"""Folder of what tests/benchmarks measured, no records either."""

EXPORTS = "export"
"""Folder of what `aclnet-task export --json` wrote, no records either."""

_NO_RECORDS = (RELIABILITY, BENCHMARKS, EXPORTS)

FOREIGN = "Foreign embeddings: it is not known whether the data are synthetic."
"""Note on records of embeddings of another program."""

ONE_VIEW = "All samples have one view"
"""Beginning of the note on a test that compares a view with itself, as no other one is there."""

FOLDS_TOGETHER = "*"
"""The fold of a record that judges all folds together."""

_IN_WORDS = {
    RUN: "",
    "families": "families of the last epoch",
    "sweep": "sweep of {variant}",
    "difficulty": "difficulty against {variant}",
    "class-gain": "class gain against {variant}",
    "unknown": "classes left out in turn, {variant}",
    MOTION: "motion without shape, {variant}",
    ROBUSTNESS: "robustness, {variant}",
    "evolution": "t-SNE and silhouette of test embeddings, 1 clip",
    COST: "",
}
"""Kinds in words; any other one goes by its name."""

_FIRST_SCHEMA = re.compile(
    r"(?P<rule>.*?)(?:, fold (?P<fold>.+?)|, (?P<folds>\d+) folds together)?"
    r"(?:; (?P<kind>occlusion|families|sweep|difficulty|class gain)"
    r"(?: of the last epoch| of (?P<setting>.+)| against (?P<other>.+))?)?",
    re.DOTALL,
)
"""The rule of schema 1, which held kind, variant and fold; rules are parsed nowhere else."""


class DatasetReference(BaseModel):
    """The data of a run.

    Attributes:
        name: Name of the data set.
        fingerprint: Hash of its content, which shows whether two runs had the same data.
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
        task: Name of the task, such as ``action``; ``cost`` for the cost of a network, without
            data: its protocol is the recipe, its objective the backbone, its rule the device.
        kind: ``run`` for training and testing, or a study of runs: ``occlusion``, ``families``,
            ``sweep``, ``evolution``, ``difficulty``, ``class-gain``, ``unknown``, ``motion``,
            ``robustness``, ``biometrics``, ``cost``, or another name.
        variant: Which study of its kind: the setting that was swept, the objective that the
            classes were compared with, what was left of a walk, or how recordings were made worse,
            such as ``noise-0.05`` (``clean`` as recorded); of a run how labels were used:
            by a probe of fixed features (``linear``, ``knn``, ``retrieval``, with 10 % of the
            labels ``linear-10``), or by training the whole network after another training
            (``finetune``) or with few labels (``semi-10``); empty where there is only one.
        fold: Name of the fold; :data:`FOLDS_TOGETHER` where all of them were judged together, their
            number in ``counts`` under ``folds``; None without folds.
        dataset: The data it was measured on.
        protocol: Name of the protocol, such as ``casia_b``.
        rule: Variant of the protocol, such as ``exact``; text for people, never parsed.
        objective: ``bone-length``, ``ce``, ``ce+inter``, ``ce+intra``, ``acl``, or the name of a
            baseline.
        stream: Input stream, such as ``joint``; empty where embeddings came from outside.
        seed: Seed of the run; None where it is not known.
        metrics: Rates 0..1 and other finite numbers by name, such as ``rank1`` and ``rank1/nm``.
        intervals: Low and high end by metric name.
        counts: Whole numbers: train, probes, gallery, missing, unmated ...; ``trained_epochs`` only
            of a run whose training is not finished.
        settings: The resolved settings of the run.
        environment: Versions and devices.
        seconds: Wall time of the run.
        command: The command line.
        notes: Sentences to be read with the metrics.
        data_notes: Those of them on the data and their division, which hold for every evaluation of
            the run.
        cells: A protocol's whole table, if it has one.
        tested: Hash of the keys and labels of the tested samples, which shows whether two systems
            were tested on the same ones; empty where it is not known.
        created: When the record was made, such as ``2026-11-29T18:05:09Z``; empty in records made
            before they said so.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )

    schema_version: Literal[2] = Field(default=2, alias="schema")
    task: Name
    kind: Name = RUN
    variant: str = ""
    fold: Name | None = None
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
    data_notes: tuple[str, ...] = ()
    cells: dict[str, Any] | None = None
    tested: str = ""
    created: Moment = ""

    @model_validator(mode="after")
    def _check_intervals(self) -> ResultRecord:
        for name, (low, high) in self.intervals.items():
            if name not in self.metrics:
                raise ValueError(f"intervals name {name!r}, which is not a metric of this record")
            if low > high:
                raise ValueError(f"interval {name!r} runs from {low} down to {high}")
        return self

    @property
    def is_plain_run(self) -> bool:
        """Whether it is of a run from random weights with all labels, as the paper's are."""
        return self.kind == RUN and not self.variant

    @property
    def initial(self) -> str:
        """Objective of the other training with whose weights it began; empty for random ones."""
        initial = self.settings.get("initial")
        return str(initial.get("objective", "")) if isinstance(initial, dict) else ""

    def same_data(self, other: ResultRecord) -> bool:
        """Whether both are of the same data, or at least of the same tested samples."""
        alike = self.tested == other.tested != ""
        return alike or self.dataset.fingerprint == other.dataset.fingerprint

    @property
    def described_rule(self) -> str:
        """Rule, fold, kind, whether a view meets itself, and an unfinished training, in words."""
        fold = "" if self.fold is None else f", fold {self.fold}"
        if self.fold == FOLDS_TOGETHER:
            fold = f", {self.counts.get('folds', 'all')} folds together"
        study = self.kind
        if study in _IN_WORDS:
            study = _IN_WORDS[study].format(variant=self.variant)
        trained = self.counts.get("trained_epochs")
        unfinished = "" if trained is None else f"training not finished (epoch {trained})"
        alone = any(note.startswith(ONE_VIEW) for note in self.notes)
        view = "one view, compared with itself" if alone else ""
        return "; ".join(filter(None, [f"{self.rule}{fold}", study, view, unfinished]))

    def to_json(self) -> str:
        """The record as JSON text: an entry a line, so that records can be compared by eye.

        Raises:
            ValueError: Settings, environment or cells hold values that JSON does not have.
        """
        fields = self.model_dump(by_alias=True)
        for name in ("data_notes", "cells", "tested", "created"):
            if fields[name] in (None, "", ()):
                del fields[name]
        lines = [f"  {json.dumps(key)}: {_entries(value)}" for key, value in fields.items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> ResultRecord:
        """Read a record; one of schema 1 is converted.

        Raises:
            ValueError: The text is not JSON, no record or one of a newer version; the first problem
                is named with its field.
        """
        try:
            fields = parse_json(text)
        except ValueError as error:
            raise ValueError(f"not a result record: {error}.") from error
        version = fields.get("schema", 1) if isinstance(fields, dict) else None
        if isinstance(version, int) and version > VERSION:
            raise ValueError(
                f"a result record of version {min(version, _LARGEST)}, but this program reads "
                f"versions up to {VERSION}: update aclnet."
            )
        if version == 1:
            fields = _second_schema(fields)
        try:
            # As JSON again: its rules are stricter than those for Python's values.
            return cls.model_validate_json(json.dumps(fields))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            detail = f"{place}: {first['msg']}" if place else first["msg"]
            raise ValueError(f"not a result record: {detail}.") from error

    @classmethod
    def read(cls, path: Path | str) -> ResultRecord:
        """Read a record file.

        Raises:
            OSError: It cannot be read.
            ValueError: It is not a record, or is damaged.
        """
        try:
            return cls.from_json(read_text(Path(path), _LONGEST))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def write(self, path: Path | str) -> None:
        """Write the record to a file, which appears complete or not at all."""
        write_text(path, self.to_json())


def now() -> str:
    """The time, as records state it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _second_schema(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record of schema 1 in schema 2."""
    rule, task = fields.get("rule"), fields.get("task")
    if not isinstance(rule, str):  # refused with the field's name
        return {**fields, "schema": 2}
    if task == COST or rule == BIOMETRICS:
        kind = COST if task == COST else BIOMETRICS
        return {**fields, "schema": 2, "kind": kind, "rule": rule if kind == COST else ""}
    if rule == _IN_WORDS["evolution"]:
        return {**fields, "schema": 2, "kind": "evolution", "rule": ""}
    parts = _FIRST_SCHEMA.fullmatch(rule)
    if parts is None or task != "action":  # rules of other tasks are names
        return {**fields, "schema": 2}
    return {
        **fields,
        "schema": 2,
        "rule": parts["rule"],
        "kind": (parts["kind"] or RUN).replace(" ", "-"),
        "variant": parts["setting"] or parts["other"] or "",
        "fold": FOLDS_TOGETHER if parts["folds"] else parts["fold"],
    }


def read_record_files(folder: Path | str) -> tuple[dict[str, ResultRecord], list[str]]:
    """Read every ``*.json`` below a folder, in the order of their paths.

    A damaged file does not hide the others.

    Args:
        folder: The folder; hidden files and those in ``reliability``, ``benchmarks`` and
            ``export`` are skipped.

    Returns:
        The records by their files (relative to the folder, with forward slashes), and one line for
        each other file: damaged, of another version of the format, or foreign.

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
        file = path.relative_to(root).as_posix()
        if path.name.startswith(".") or file.partition("/")[0] in _NO_RECORDS:
            continue
        try:
            records[file] = ResultRecord.from_json(read_text(path, _LONGEST))
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
        raise ValueError(f"A result record holds a value unknown to JSON: {error}.") from error
