"""docs/formats.md lists what the readers and writers say of themselves."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path

import pytest

from aclnet.data.export import TARGETS
from aclnet.data.formats import READERS, reader_options
from aclnet.data.sample import FIELDS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "formats.md"
TABLE = re.compile(r"(<!-- readers:.*?\|---\|---\|---\|\n)(.*?)(<!-- end -->)", re.DOTALL)


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text("utf-8")


def row(name: str) -> str:
    doc = importlib.import_module(READERS[name]).__doc__ or ""
    options = ", ".join(f"`{option}`" for option in reader_options(name))
    return f"| `{name}` | {doc.splitlines()[0]} | {options} |\n"


def test_every_reader_has_a_row(page: str) -> None:
    rows = "".join(map(row, READERS))
    if os.environ.get("ACLNET_WRITE_DOCS"):
        PAGE.write_text(TABLE.sub(lambda found: found[1] + rows + found[3], page), "utf-8")
        return
    found = TABLE.search(page)
    assert found is not None
    assert found[2] == rows, "write it anew: ACLNET_WRITE_DOCS=1 pytest " + __file__


def test_every_option_that_several_have_is_explained(page: str) -> None:
    options = [option for name in READERS for option in reader_options(name)]
    shared = {option for option in options if options.count(option) > 1}
    assert [one for one in sorted(shared) if f"\n| `{one}` | " not in page] == []


def test_every_target_has_a_row(page: str) -> None:
    _, _, written = page.partition("## What is written")
    assert [name for name in TARGETS if f"\n| `{name}` | " not in written] == []


def test_the_columns_are_those_of_the_file(page: str) -> None:
    columns = ("sample", *FIELDS, "fps", "image_width", "image_height", "frame_numbers", "joints")
    _, _, listed = page.partition("| column | type |")
    assert re.findall(r"`(\w+)`", listed.partition("Layout, channels")[0]) == list(columns)
    arrow = pytest.importorskip("pyarrow")
    from aclnet.data.export.parquet import schema

    assert schema().names == list(columns)
    assert schema().field("joints").type == arrow.list_(
        arrow.list_(arrow.list_(arrow.list_(arrow.float32())))
    )
