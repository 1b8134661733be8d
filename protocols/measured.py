"""Files of measurements that stand beside the records in a folder of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocols.records import BENCHMARKS, Name


class Measured(BaseModel):
    """What every such file says.

    Attributes:
        command: The command that repeats it.
        environment: As in a record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str
    environment: dict[str, Any]

    @property
    def commit(self) -> str:
        """The beginning of the program's commit."""
        return str(self.environment.get("commit", "an unknown commit"))[:12]


MeasuredT = TypeVar("MeasuredT", bound=Measured)


def read_measured(
    results: Path | str | None, folder: str, kind: type[MeasuredT]
) -> list[MeasuredT]:
    """Read all files of a folder below a folder of results; none without that folder.

    Args:
        results: The folder of results; None: there is none.
        folder: Name of the folder in it, which is the program's in ``tests`` that wrote the files.
        kind: What a file holds.

    Raises:
        ValueError: A file holds something else; it is named.
    """
    place = None if results is None else Path(results) / folder
    files = sorted(place.glob("*.json")) if place is not None and place.is_dir() else []
    return [_read(path, kind) for path in files]


def _read(path: Path, kind: type[MeasuredT]) -> MeasuredT:
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path}: no such measurements: {place}: {first['msg']}") from None


class Ratio(BaseModel):
    """Ours and what it is compared with, in one run.

    Attributes:
        work: What was done.
        plain: What ours is compared with: a plain way of the same work, one written after a
            release, ours without a setting, or anything else that it names.
        unit: Of both: seconds, or GiB of memory.
        seconds: Median of ours, in this unit.
        plain_seconds: Median of the other.
        ratio: That of the other divided by that of ours.
        lowest: Lowest ratio of a round.
        highest: Highest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    work: Name
    plain: Name
    unit: Literal["s", "GiB"] = "s"
    seconds: float = Field(gt=0, allow_inf_nan=False)
    plain_seconds: float = Field(gt=0, allow_inf_nan=False)
    ratio: float = Field(gt=0, allow_inf_nan=False)
    lowest: float = Field(gt=0, allow_inf_nan=False)
    highest: float = Field(gt=0, allow_inf_nan=False)


class Benchmark(Measured):
    """A file of ratios.

    Attributes:
        benchmark: The program in tests/benchmarks.
        rows: The ratios.
        notes: Sentences on what else was measured.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")  # some say more, such as a peak

    benchmark: Name
    rows: tuple[Ratio, ...]
    notes: tuple[str, ...] = ()


def read_benchmarks(results: Path | str | None) -> list[Benchmark]:
    """The files in ``benchmarks`` below a folder of results.

    Raises:
        ValueError: A file there is no such file; it is named.
    """
    return read_measured(results, BENCHMARKS, Benchmark)
