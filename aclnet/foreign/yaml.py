"""YAML: every text of it that the program reads goes through here."""

from __future__ import annotations

import re
from typing import Any

import yaml

MOST_CHARACTERS = 128 << 10
"""Of a YAML text; PyYAML takes a second for about 50,000."""
MOST_NODES = 100_000
"""Of a text with its aliases written out: an alias of a list of aliases doubles with every line."""
DEEPEST = 100
_LONGEST_REASON = 200
_MOST_BITS = 64


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice and reads `1e-4` as a number."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Checked before merge keys (`<<`) are expanded, which may repeat names on purpose.
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if (key.tag, key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key `{key.value[:60]}` occurs twice in one mapping",
                    problem_mark=key.start_mark,
                )
            seen.add((key.tag, key.value))
        return node

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None:
            _weigh(node, {})
        return node

    def construct_yaml_int(self, node: Any) -> int:
        number = super().construct_yaml_int(node)
        if number.bit_length() > _MOST_BITS:
            raise yaml.constructor.ConstructorError(
                problem=f"a whole number of more than {_MOST_BITS} bits",
                problem_mark=node.start_mark,
            )
        return number


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
# PyYAML reads YAML 1.1, where 1e-4 is a text because it has no decimal point.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_yaml(text: str | bytes, origin: str) -> Any:
    """The plain data in a YAML text.

    Args:
        text: one document.
        origin: its file, or what else a message is to name.

    Raises:
        ValueError: with origin, line and column: it is not YAML, gives a key twice, has a tag of
            Python's, or is too long or nested too deeply, also by its aliases.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"{origin}: is longer than the {MOST_CHARACTERS} characters of YAML that are read"
        )
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except Exception as error:  # a tag such as !!timestamp on a text raises almost anything
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None)
        if not problem and not isinstance(error, yaml.YAMLError):
            problem = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_REASON]
        raise ValueError(
            f"{origin}{place}: cannot be read as YAML: {problem or 'not YAML'}"
        ) from None


def _weigh(node: Any, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """The nodes below a node, each as often as it is referred to, and the levels."""
    key = id(node)
    if key not in known:
        known[key] = 1, DEEPEST  # while it is weighed: one that holds itself is too deep
        size = levels = 1
        if not isinstance(node, yaml.ScalarNode):
            pairs = isinstance(node, yaml.MappingNode)
            items = [part for pair in node.value for part in pair] if pairs else node.value
            for below, height in (_weigh(item, known) for item in items):
                size, levels = size + below, max(levels, height + 1)
        if size > MOST_NODES or levels > DEEPEST:
            raise yaml.composer.ComposerError(
                problem=f"more than {MOST_NODES} values or {DEEPEST} levels, with aliases expanded",
                problem_mark=node.start_mark,
            )
        known[key] = size, levels
    return known[key]
