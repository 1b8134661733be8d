"""Notebooks as pages, with the outputs that are stored in them."""

from __future__ import annotations

import json
from typing import Any

from docutils import nodes
from myst_parser.parsers.sphinx_ import MystParser

SUFFIX = ".ipynb"


class NotebookParser(MystParser):
    """Reads a notebook as the Markdown of its cells."""

    supported = ("ipynb",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        """Fill the document."""
        cells = json.loads(inputstring)["cells"]
        super().parse("\n\n".join(map(_markdown, cells)), document)


def _markdown(cell: dict[str, Any]) -> str:
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return text
    printed = "".join("".join(output.get("text", ())) for output in cell["outputs"])
    commands = [line.removeprefix("!") for line in text.splitlines() if line.startswith("!")]
    if len(commands) == len(text.splitlines()):
        block = f"```sh\n{chr(10).join(commands)}\n```"
    else:
        block = f"```{'text' if commands else 'python'}\n{text}\n```"
    return f"{block}\n\n```text\n{printed.rstrip()}\n```" if printed else block
