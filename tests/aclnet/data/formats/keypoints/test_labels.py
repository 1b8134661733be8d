from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aclnet.data.formats import read
from aclnet.data.formats.keypoints.labels import read_labels
from aclnet.data.sample import Sample


def write(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text)
    return path


def sample(key: str, **known: str) -> Sample:
    return Sample(key, np.zeros((1, 1, 1, 1)), **known)


def test_a_row_fills_its_recording_and_its_people(tmp_path: Path) -> None:
    table = read_labels(
        write(
            tmp_path,
            "sample,label,identity,view\nwalk,walking,,018\nwalk/person-2,,anna,\n",
        )
    )
    whole = table.fill(sample("walk", label="from the folder"))
    assert (whole.label, whole.identity, whole.view) == ("walking", "", "018")
    second = table.fill(sample("walk/person-2", identity="walk/person-2"))
    assert (second.label, second.identity, second.view) == ("walking", "anna", "018")
    # An empty cell says nothing, so what is known stays.
    assert table.fill(sample("walk", identity="x")).identity == "x"
    assert table.fill(sample("other", label="x")).label == "x"


def test_a_row_without_a_recording_is_refused(tmp_path: Path) -> None:
    table = read_labels(write(tmp_path, "sample,label\nwalk/person-1,a\nwalc,b\n"))
    with pytest.raises(ValueError, match=r"'walc' is not a recording \(did you mean walk\?\)"):
        table.check(["walk", "run"], apart=True)
    table.check(["walk", "walc"], apart=True)


def test_a_row_of_nobody_is_refused(case: Callable[[str], Path], tmp_path: Path) -> None:
    labels = write(tmp_path, "sample,identity\nb-2,p\nb-2/person-9,q\n")
    _, samples = read(case("lab"), labels=labels, people="apart")
    with pytest.raises(
        ValueError, match=r"labels\.csv: sample 'b-2/person-9' is not a person of the"
    ):
        list(samples)


def test_a_row_of_one_person_of_people_together_is_refused(
    case: Callable[[str], Path], tmp_path: Path
) -> None:
    labels = write(tmp_path, "sample,identity\nb-2/person-1,q\n")
    with pytest.raises(ValueError, match=r"'b-2/person-1' is one person, .* set .*people=apart"):
        read(case("lab"), labels=labels)


@pytest.mark.parametrize(
    ("name", "identities"),
    [("lb_trail.csv", ["d", "c", "Zoe", "b"]), ("lb_trail3.csv", ["001", "NA", "a 1", "b-2"])],
)
def test_an_empty_last_column_is_none(
    name: str, identities: list[str], case: Callable[[str], Path]
) -> None:
    _, samples = read(case("lab"), labels=case(name))
    found = [(one.sample, one.identity, one.label) for one in samples]
    labels = ["run", "run", "walk", "run"]
    assert found == list(zip(["001", "NA", "a 1", "b-2"], identities, labels, strict=True))


def test_a_decomposed_folder_fits_a_composed_key(case: Callable[[str], Path]) -> None:
    _, (found,) = read(case("nfd"), labels=case("lb_nfc.csv"))
    assert (found.sample, found.identity, len(found.frames)) == ("Zo\u00eb", "z", 12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample,label\na,b,c\n", "row 1 has 3 cells, the header 2"),
        ("sample,lable\na,b\n", r"they are sample, lable \(did you mean label\?\)"),
        ("label\na\n", "columns must be sample and any of identity"),
        ("sample\na\n", "columns must be sample and any of identity"),
        ("sample,label\na,b\na,c\n", "line 3: sample 'a' is listed twice"),
        ("sample,label\n,b\n", "line 2: sample '' is empty"),
        ("sample,identity\na,ann\nb, ann\n", "line 3: identity ' ann' also occurs without these"),
        ("", "not a readable CSV"),
    ],
)
def test_bad_tables_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=message) as caught:
        read_labels(path)
    assert str(path) in str(caught.value)


def test_a_missing_table_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file"):
        read_labels(tmp_path / "gone.csv")
