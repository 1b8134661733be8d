"""The contents of the site: its pages in chapters, those that no chapter names at the end."""

from __future__ import annotations

from pathlib import Path

PAGES = Path(__file__).resolve().parents[1]
CHAPTERS = {
    "Begin": ("start", "own_people", "embeddings", "troubleshooting"),
    "Tasks": ("gait", "actions", "reid", "pretraining"),
    "Work": (
        *("data", "formats", "training", "daily", "look", "compare", "python"),
        *("gallery", "live", "export"),
    ),
    "What it shows": ("results", "reliability", "speed", "protocols", "paper_and_code"),
    "Reference": (
        *("reference/commands", "reference/settings", "reference/readers"),
        *("reference/recipes", "reference/api", "design"),
    ),
}


def contents() -> str:
    """A table of contents for each chapter, of the pages that are there."""
    files = (page.relative_to(PAGES) for page in PAGES.rglob("*.md"))
    there = {page.with_suffix("").as_posix() for page in files if page.parts[0][0] != "_"}
    named = {"index"}.union(*CHAPTERS.values())
    chapters = {**CHAPTERS, "More": tuple(sorted(there - named))}
    return "".join(
        f"```{{toctree}}\n:caption: {name}\n:hidden:\n\n{chr(10).join(pages)}\n```\n\n"
        for name, chapter in chapters.items()
        if (pages := [page for page in chapter if page in there])
    )
