from __future__ import annotations

from pathlib import Path

import pytest

from aclnet.data.table import csv_rows, read_csv

DECOMPOSED, COMPOSED = "Zoe\u0308", "Zo\u00eb"


def write(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n\n3,\n",
        "a,b,\n1,2,\n3,,\n",  # as many programs end every line
        "a,b\n1,2,,,\n3, \n",
        "\ufeffa,b\r\n1,2\r\n3,\r\n",
        ' a ,b\n"1",2\n3,""\n',
    ],
)
def test_an_empty_last_column_is_none(text: str, tmp_path: Path) -> None:
    table = read_csv(write(tmp_path, text), skipinitialspace=True)
    assert table.to_dict("list") == {"a": ["1", "3"], "b": ["2", ""]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n\n1,2,3\n", "row 2 has 3 cells, the header 2"),
        ("a,b,\n1,2,3\n", "row 1 has 3 cells, the header 2"),
        ("a,b, a\n1,2,3\n", "column a appears twice"),
        ("a,b\n1\n", "row 1 has 1 cells, the header 2"),
        ('a,b\n1,"2\n', "not a readable CSV"),
        ("\n", "there is no header"),
    ],
)
def test_other_rows_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=message) as caught:
        read_csv(path)
    assert str(path) in str(caught.value)


def test_missing_cells_are_empty_where_rows_may_be_ragged(tmp_path: Path) -> None:
    assert read_csv(write(tmp_path, "a,b\n1\n"), ragged=True)["b"].tolist() == [""]


def test_text_is_composed(tmp_path: Path) -> None:
    assert list(csv_rows(write(tmp_path, f"a\n{DECOMPOSED}\n"))) == [["a"], [COMPOSED]]


def test_bytes_that_are_no_utf8_are_refused_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a\n\xff\n")
    with pytest.raises(ValueError, match="not a readable CSV"):
        read_csv(path)
    assert list(csv_rows(path, errors="replace")) == [["a"], ["\ufffd"]]
