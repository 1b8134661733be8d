from __future__ import annotations

import time

import pytest

from aclnet.foreign.yaml import MOST_CHARACTERS, parse_yaml


def test_aliases_are_read() -> None:
    text = "base: &b {x: 1e-4}\none: *b\ntwo: {<<: *b, y: 2}\n"
    assert parse_yaml(text, "f") == {
        "base": {"x": 1e-4},
        "one": {"x": 1e-4},
        "two": {"x": 1e-4, "y": 2},
    }


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(["a0: &a0 x", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40))]),
        "\n".join(
            [
                "a0: &a0 {k: v}",
                *(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 40)),
            ]
        ),
        "&a [*a]",
        "&a {b: *a}",
        "[" * 500 + "]" * 500,
        "[" * 50_000,
        "[" + "a," * 60_000 + "]" + " " * 60_000,
        "!!timestamp x",
        "!!int ''",
        "!!bool x",
        "!!python/object/apply:os.system [ls]",
        "a: 0x" + "f" * 5000,
        "a: " + "1" * 5000,
        "a: 2001-13-45",
        "a: 1\na: 2",
        "? [a]\n: b",
        "\t",
        "x" * (MOST_CHARACTERS + 1),
    ],
    ids=range(18),
)
def test_what_is_refused(text: str) -> None:
    start = time.process_time()
    with pytest.raises(ValueError, match=r"\Af(, line \d+, column \d+)?: ") as caught:
        parse_yaml(text, "f")
    assert len(str(caught.value)) < 400
    assert time.process_time() - start < 8
