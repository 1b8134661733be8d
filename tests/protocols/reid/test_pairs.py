"""Pair protocols: letters and names, the shipped ones, files that say none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protocols.reid.pairs import load_pairs
from protocols.splits import split_names


def test_the_shipped_protocols_are_those_of_the_field() -> None:
    found = {name: [pair.name for pair in load_pairs(name).pairs] for name in split_names("reid")}
    assert found == {
        "biwi": ["W-S", "S-W"],
        "casia_b": ["N-N", "B-B", "C-C", "C-N", "B-N"],
        "ias": ["A-B", "B-A"],
        "kgbd": ["P-G"],
        "ks20": ["P-G"],
        "own": ["A-A"],
    }
    assert [load_pairs(name).field for name in ("casia_b", "kgbd")] == ["condition", "split"]


def test_a_star_is_any_set_or_none() -> None:
    assert load_pairs("own").members("A", np.array(["nm", "", "bag"])).all()


@pytest.mark.parametrize(("probe", "gallery"), [("C", "N"), ("c", "NM"), (" cl ", "n"), ("2", "0")])
def test_a_set_goes_by_letter_or_name_in_any_case(probe: str, gallery: str) -> None:
    pair = load_pairs("casia_b").pair(probe, gallery)
    assert (pair.name, pair.same_set) == ("C-N", False)


def test_a_pair_that_is_not_listed_may_be_asked_for() -> None:
    assert load_pairs("casia_b").pair("N", "C").name == "N-C"
    assert load_pairs("casia_b").parse("b-b").same_set


def test_an_unknown_set_names_the_known() -> None:
    with pytest.raises(
        ValueError, match=r"gallery 'Q' is not a set .* N \(nm\), B \(bg\), C \(cl\)"
    ):
        load_pairs("casia_b").pair("N", "Q")


def test_members_in_any_spelling() -> None:
    protocol = load_pairs("casia_b")
    names = np.array(["NM", "nm", "0", "00", "bg", ""])
    assert protocol.members("N", names).tolist() == [True, True, True, True, False, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sets: {A: a}\npairs: [A-B]", "gallery 'B' is not a set"),
        ("sets: {A: a, B: A}\npairs: [A-B]", "'a' belongs to two sets"),
        ("sets: {A: a}\naliases: {B: [b]}\npairs: [A-A]", "'B' is not a letter of a set"),
        ("sets: {A-B: a}\npairs: [A-A]", "'A-B' is not a letter of a set"),
        ("sets: {A: a}\npairs: []", "pairs: List should have at least|pairs: Tuple should have"),
        ("sets: {A: a}\npairs: [A-A]\nfield: view", "field: Input should be"),
        ("sets: {A: a}\npairs: [A-A]\nrule: clean", "rule: Extra inputs"),
        ("- A-A", "is a mapping with field, sets and pairs"),
        ("sets: {A: a", "Pair protocol file"),
    ],
)
def test_a_file_without_a_protocol_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        load_pairs(path)
    assert "own.yaml" in str(caught.value)


def test_an_own_file_is_called_after_itself(tmp_path: Path) -> None:
    path = tmp_path / "office.yaml"
    path.write_text("sets: {M: 1, E: 02}\npairs: [E-M]")
    protocol = load_pairs(path)
    assert (protocol.name, protocol.pairs[0].name) == ("office", "E-M")
    assert protocol.members("E", np.array(["2", "1"])).tolist() == [True, False]


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one of biwi, casia_b, ias, kgbd, ks20"):
        load_pairs("market")
    with pytest.raises(ValueError, match=r"There is no pair protocol file .*none\.yaml"):
        load_pairs(tmp_path / "none.yaml")
