from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

_SPEC = importlib.util.spec_from_file_location("changed", Path(__file__).with_name("changed.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
CHANGED: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(CHANGED)


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("aclnet/losses/inter.py", "tests/aclnet/losses/test_inter.py"),
        ("aclnet/losses/new.py", "tests/aclnet/losses"),
        ("tests/aclnet/losses/test_inter.py", "tests/aclnet/losses/test_inter.py"),
        ("tests/aclnet/losses/plain_losses.py", "tests/aclnet/losses"),
        ("tests/gone/test_gone.py", None),
        ("README.md", None),
    ],
)
def test_a_changed_file_leads_to_its_tests(file: str, tests: str | None) -> None:
    assert CHANGED.tests_of(Path(file)) == (None if tests is None else Path(tests))
