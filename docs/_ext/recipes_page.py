"""Every shipped recipe, with the comment at its head."""

from __future__ import annotations

import re
from itertools import groupby

from tables import code, prose

from tasks.recipes import find_recipe, recipe_names


def recipes_page() -> str:
    """A part for each task."""
    text = ""
    for task, names in groupby(recipe_names(), lambda name: name.partition("/")[0]):
        text += f"## {task}\n\n"
        for name in names:
            file = find_recipe(name).read_text("utf-8")
            head = re.split(r"^(?!#)", file, maxsplit=1, flags=re.MULTILINE)[0]
            about = " ".join(line.lstrip("# ") for line in head.splitlines())
            text += f"{code(name)}\n: {prose(about) or 'No comment.'}\n\n"
    return text
