from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.data.names import parse_ntu, parse_nwucla

number = st.integers(0, 999)


@given(number, number, number, number, number)
def test_ntu_names_are_read_back(s: int, c: int, p: int, r: int, a: int) -> None:
    name = f"S{s:03d}C{c:03d}P{p:03d}R{r:03d}A{a:03d}"
    fields = {"condition": f"{s}", "camera": f"{c}", "identity": f"{p}", "take": f"{r}"}
    assert parse_ntu(name) == (a, fields)
    assert parse_ntu(f"C:\\data\\{name}.skeleton") == (a, fields)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "S001C001P001R001",
        "S001C001P001R001A01",
        "xS001C001P001R001A001",
        "S001C001P001R001A001_rgb",
        "S001C001P001R001A0\u06611",  # an Arabic digit
        "a01_s01_e00_v01",
    ],
)
def test_other_names_are_none(name: str) -> None:
    assert parse_ntu(name) is None


def test_nwucla_names_are_read_back() -> None:
    fields = {"identity": "10", "take": "4", "camera": "2", "view": "2"}
    assert parse_nwucla("folder/a12_s10_e04_v02.json") == (12, fields)
    assert parse_nwucla("a12_s10_e04") is None
