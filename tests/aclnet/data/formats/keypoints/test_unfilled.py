from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aclnet.data.formats import read
from aclnet.data.formats.keypoints.unfilled import NamePattern, unfilled_labels
from aclnet.data.walkers.files import write_walker_files
from aclnet.data.walkers.settings import WalkerSettings

PATTERN = "{identity}/{condition}-{take}*"


@pytest.fixture
def walks(tmp_path: Path) -> Path:
    """Two people with two walks each, one file a walk."""
    settings = WalkerSettings(
        identities=2, nm_takes=2, bg_takes=0, cl_takes=0, views=(90,), frames=(24, 30)
    )
    assert write_walker_files(tmp_path / "walks", settings) == 4
    return tmp_path / "walks"


def seen_by_two(file: Path, frames: int) -> None:
    """Let a second person stand beside the first one for some frames."""
    content = json.loads(file.read_text())
    for frame in content["instance_info"][:frames]:
        other = json.loads(json.dumps(frame["instances"][0]))
        other["keypoints"] = [[x + 900, y] for x, y in other["keypoints"]]
        frame["instances"].append(other)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("pattern", "key", "fields"),
    [
        (PATTERN, "anna/nm-01-090", {"identity": "anna", "condition": "nm", "take": "01"}),
        (PATTERN, "anna/nm-01", {"identity": "anna", "condition": "nm", "take": "01"}),
        (PATTERN, "lab/anna/nm-01", {}),
        ("**/{identity}/{take}", "lab/2026/anna/7", {"identity": "anna", "take": "7"}),
        ("{label}_*", "sit_down_3", {"label": "sit"}),
        ("*_{camera}", "sit_down_3", {"camera": "3"}),
        ("{identity}.{take}", "a+b.1", {"identity": "a+b", "take": "1"}),
        ("{identity}", "Zoe\u0308", {"identity": "Zo\u00eb"}),
    ],
)
def test_a_pattern_takes_names_apart(pattern: str, key: str, fields: dict[str, str]) -> None:
    assert NamePattern(pattern).fields_of(key) == fields


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{identiy}/*", r"field 'identiy' \(did you mean identity\?\)"),
        ("{take}-{take}", "'take' appears twice"),
        ("anna/*", "no field in braces"),
        ("{identity}/{take", "an unmatched brace"),
        ("{identity}{take}", "it is not clear where 'take' begins"),
        ("{identity}/*{take}", "it is not clear where 'take' begins"),
    ],
)
def test_a_bad_pattern_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NamePattern(pattern)


def test_a_pattern_fills_the_table(walks: Path, tmp_path: Path) -> None:
    (walks / "002" / "nm-02-090.json").rename(walks / "002" / "walk.json")
    found = unfilled_labels(walks, pattern=PATTERN)
    assert found.unfit == ("002/walk",)
    assert found.unfilled == {"identity": 1}
    table = tmp_path / "labels.csv"
    table.write_text(found.text())
    with pytest.raises(
        ValueError, match=r"1 of its cells is still \?, the first is identity of sample '00"
    ):
        read(walks, labels=table, people="apart")
    table.write_text(found.text().replace("?", "ben"))
    _, samples = read(walks, labels=table, people="apart")
    known = [(one.identity, one.condition, one.take) for one in samples]
    assert known[1:] == [("001", "nm", "02"), ("002", "nm", "01"), ("ben", "", "002/walk")]


def test_a_pattern_does_not_say_who_of_several_people_it_is(walks: Path) -> None:
    seen_by_two(walks / "001" / "nm-01-090.json", frames=24)
    found = unfilled_labels(walks, pattern=PATTERN)
    assert found.crowded == ("001/nm-01-090",)
    rows = [(key, row["identity"], row["take"]) for key, row in found.rows.items()]
    first, second = "001/nm-01-090/person-1", "001/nm-01-090/person-2"
    assert rows[:3] == [(first, "?", "01"), (second, "?", "01"), ("001/nm-02-090", "001", "02")]


def test_whoever_is_seen_for_a_moment_is_left_out(walks: Path, tmp_path: Path) -> None:
    seen_by_two(walks / "001" / "nm-01-090.json", frames=5)
    found = unfilled_labels(walks, pattern=PATTERN)
    assert (found.short, found.crowded, found.unfilled) == (1, (), {})
    table = tmp_path / "labels.csv"
    table.write_text(found.text())
    info, samples = read(walks, labels=table, people="apart")
    assert [one.identity for one in samples] == ["001", "001", "002", "002"]
    assert info.dropped == {"samples that the labels leave out": 1}


def test_people_together_need_a_label(walks: Path) -> None:
    found = unfilled_labels(walks, people="together")
    assert found.unfilled == {"label": 4}
    assert [*found.rows] == ["001/nm-01-090", "001/nm-02-090", "002/nm-01-090", "002/nm-02-090"]


def test_hints_say_where_somebody_is(walks: Path) -> None:
    seen_by_two(walks / "001" / "nm-01-090.json", frames=24)
    rows = unfilled_labels(walks).rows
    one, other = (rows[f"001/nm-01-090/person-{n}"] for n in (1, 2))
    assert (one["frames"].split("-")[0], other["frames"]) == ("1", "1-24")
    assert float(other["place"].split()[0]) > float(one["place"].split()[0]) + 500


@pytest.mark.parametrize("name", ["lab", "nfd"])
def test_the_rows_are_the_samples(name: str, case: Callable[[str], Path], tmp_path: Path) -> None:
    folder, table = case(name), tmp_path / "labels.csv"
    text = unfilled_labels(folder).text()
    table.write_text(text.replace("?", "somebody"))
    _, samples = read(folder, labels=table, people="apart")
    assert {one.identity for one in samples} <= {"somebody", "-"}


def test_a_format_that_says_who_it_is_has_no_table(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    file.write_bytes(b"")
    with pytest.raises(ValueError, match="format npz contain their own labels"):
        unfilled_labels(file, format="npz")
