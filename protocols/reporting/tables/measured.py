"""Files of measurements that stand beside the records in a folder of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from protocols.reporting.model import Cell


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


def number_cell(value: float | None, form: str) -> Cell:
    """A number of ours in this format, or an empty cell."""
    text = "" if value is None else f"{value:{form}}"
    return Cell(text, value, None, (), "none" if value is None else "ours")
