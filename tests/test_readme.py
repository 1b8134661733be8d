"""The README's results are those of the records."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protocols.report import build_report
from protocols.reporting.writers.between import write_between

REPOSITORY = Path(__file__).resolve().parents[1]
TABLE = re.compile(r"<!-- table .*?<!-- end -->", re.DOTALL)


@pytest.fixture(scope="module")
def readme() -> str:
    return (REPOSITORY / "README.md").read_text("utf-8")


def test_its_tables_are_written_from_the_records(readme: str) -> None:
    assert len(TABLE.findall(readme)) == readme.count("<!-- end -->") >= 10
    report = build_report(REPOSITORY / "results")
    assert report.skipped == ()
    again = write_between(readme, report.tables)
    assert again == readme, "python -m protocols.report --into README.md"


def test_its_sentences_quote_only_values_of_its_tables(readme: str) -> None:
    _, _, results = readme.partition("\n## Results\n")
    results, _, _ = results.partition("\n## ")
    tables = " ".join(TABLE.findall(results))
    prose = re.sub(r"`[^`]*`", "", TABLE.sub("", results))
    outside_a_table = re.search(r"^\|", prose, re.MULTILINE)
    assert outside_a_table is None
    quoted = re.findall(r"\d+\.\d+", prose)
    assert quoted
    assert set(quoted) <= set(re.findall(r"\d+\.\d+", tables))


def test_the_recipes_quote_values_of_its_tables(readme: str) -> None:
    tables = set(re.findall(r"\d+\.\d+", " ".join(TABLE.findall(readme))))
    for recipe in (REPOSITORY / "configs").rglob("*.yaml"):
        head = re.split(r"^\w", recipe.read_text("utf-8"), maxsplit=1, flags=re.MULTILINE)[0]
        _, _, measured = head.partition("# Measured")
        assert set(re.findall(r"\d\d\.\d", measured)) <= tables, recipe


def test_no_spread_reads_as_nothing(readme: str) -> None:
    assert not re.search(r"± 0\.0\b", readme)
