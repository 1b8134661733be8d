from __future__ import annotations

from pathlib import Path

import pytest

from aclnet.data.missing import ntu_missing, read_names
from aclnet.data.names import parse_ntu


def test_as_many_as_the_authors_count() -> None:
    parsed = [parse_ntu(name) for name in ntu_missing()]
    names = [name for name in parsed if name]
    assert len(names) == len(parsed) == 535
    assert sum(name.action <= 60 for name in names) == 302
    # NTU RGB+D 60 is setups 1 to 17, and nothing but actions 1 to 60 was recorded there.
    setups = [int(name.fields["condition"]) for name in names]
    assert sum(setup <= 17 for setup in setups) == 302
    assert max(setups) <= 32
    assert {name.fields["camera"] for name in names} <= {"1", "2", "3"}


def test_lists_are_read_as_published(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffa_1.skeleton\r\n".encode())
    assert read_names(path) == {"a_1"}
    path.write_text("2 of the samples lack skeletons.\n\n# mine\na_1.skeleton\nb-2  # too short\n")
    assert read_names(path) == {"a_1", "b-2"}
    path.write_text("# nothing\n")
    with pytest.raises(ValueError, match=r"list.txt: there is no line with a recording's name"):
        read_names(path)
    with pytest.raises(ValueError, match=r"none.txt: not a readable list of names"):
        read_names(tmp_path / "none.txt")
