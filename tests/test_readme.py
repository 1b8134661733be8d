"""The results that README and documentation print are those of the records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from protocols.report import build_report
from protocols.reporting.model import Report
from protocols.reporting.writers.between import write_between

REPOSITORY = Path(__file__).resolve().parents[1]
TABLE = re.compile(r"<!-- table .*?<!-- end -->", re.DOTALL)
PAGES = ("README.md", *sorted(f"docs/{page.name}" for page in (REPOSITORY / "docs").glob("*.md")))


@cache
def read(page: str) -> str:
    return (REPOSITORY / page).read_text("utf-8")


def tables(pages: Sequence[str] = PAGES) -> str:
    return " ".join(table for page in pages for table in TABLE.findall(read(page)))


@pytest.fixture(scope="module")
def report() -> Report:
    return build_report(REPOSITORY / "results")


WITH_TABLES = [page for page in PAGES if "<!-- table " in re.sub(r"`[^`]*`", "", read(page))]


def test_there_are_tables(report: Report) -> None:
    assert tables().count("<!-- end -->") >= 10
    assert report.skipped == ()


@pytest.mark.parametrize("page", WITH_TABLES)
def test_its_tables_are_written_from_the_records(page: str, report: Report) -> None:
    text = read(page)
    assert len(TABLE.findall(text)) == text.count("<!-- end -->")
    again = write_between(text, report.tables)
    assert again == text, f"python -m protocols.report --into {page}"


def results(page: str) -> str:
    """What a page says of results: the README's chapter, or all of the page on results."""
    text = read(page)
    if page == "README.md":
        _, _, text = text.partition("\n## Results\n")
        text, _, _ = text.partition("\n## ")
    return text


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_its_sentences_quote_only_values_of_tables(page: str) -> None:
    prose = re.sub(r"`[^`]*`", "", TABLE.sub("", results(page)))
    outside_a_table = re.search(r"^\|", prose, re.MULTILINE)
    assert outside_a_table is None
    quoted = re.findall(r"\d+\.\d+", prose)
    assert set(quoted) <= set(re.findall(r"\d+\.\d+", tables()))


def test_the_recipes_quote_values_of_the_tables() -> None:
    printed = set(re.findall(r"\d+\.\d+", tables()))
    for recipe in (REPOSITORY / "configs").rglob("*.yaml"):
        head = re.split(r"^\w", recipe.read_text("utf-8"), maxsplit=1, flags=re.MULTILINE)[0]
        _, _, measured = head.partition("# Measured")
        assert set(re.findall(r"\d\d\.\d", measured)) <= printed, recipe


@pytest.mark.parametrize("page", PAGES)
def test_no_spread_reads_as_nothing(page: str) -> None:
    assert not re.search(r"± 0\.0\b", read(page))
