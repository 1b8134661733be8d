"""Published results, kept as CSV in ``protocols/published``: one a row, each with its source."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from protocols.splits import read_rows


@dataclass(frozen=True)
class PublishedResult:
    """One result as it was printed.

    Attributes:
        table: Key of the table that it belongs to.
        method: The method, with the stream or variant where there are several.
        citation: Where the method appeared, such as ``CVPR 2023``; empty where not known.
        poses: Pose estimator; empty where not known or of no matter.
        dataset: Data set.
        setting: Split, condition or pair, such as ``X-Sub`` or ``C-N``.
        metric: Name of the metric, such as ``top-1``.
        printed: The value with the decimals it was printed with; rates in percent.
        source: The publication it was taken from.
        note: A sentence to be read with it; empty for none.
    """

    table: str
    method: str
    citation: str
    poses: str
    dataset: str
    setting: str
    metric: str
    printed: str
    source: str
    note: str

    @property
    def place(self) -> tuple[str, str, str]:
        """Data set, setting and metric, which make its column."""
        return self.dataset, self.setting, self.metric

    @property
    def value(self) -> float:
        """The value as a number."""
        return float(self.printed)


def load_published(key: str) -> tuple[PublishedResult, ...]:
    """Read the published results of a table.

    Args:
        key: Key of the table, such as ``table-6``.

    Returns:
        The results in the order of the file.
    """
    rows = read_rows(files("protocols") / "published" / f"{key}.csv")
    return tuple(PublishedResult(printed=row.pop("value"), **row) for row in rows)
