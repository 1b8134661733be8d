"""The contents of the site: its pages in chapters, those that no chapter names at the end."""

from __future__ import annotations

from pathlib import Path

PAGES = Path(__file__).resolve().parents[1]
CHAPTERS = {
    "Begin": (
        "start",
        "first_results",
        "own_people",
        "two_people",
        "embeddings",
        "troubleshooting",
    ),
    "Tasks": ("gait", "casia_b", "motion", "actions", "ntu", "reid", "pretraining"),
    "Notebooks": ("notebooks/own_people", "notebooks/casia_b", "notebooks/embeddings"),
    "Work": (
        *("data", "formats", "training", "daily", "look", "compare", "python"),
        *("gallery", "serve", "live", "export"),
    ),
    "Extend": (
        *("extend/index", "extend/loss", "extend/backbone", "extend/reader", "extend/protocol"),
        *("extend/figure", "extend/task"),
    ),
    "What it shows": (
        "results",
        "robustness",
        "reliability",
        "speed",
        "protocols",
        "paper_and_code",
    ),
    "Reference": (
        *("reference/commands", "reference/settings", "reference/readers"),
        *("reference/recipes", "reference/api", "versions", "design"),
    ),
}


def contents() -> str:
    """A table of contents for each chapter, of the pages that are there."""
    files = [*PAGES.rglob("*.md"), *PAGES.rglob("*.ipynb")]
    pages = (page.relative_to(PAGES).with_suffix("").as_posix() for page in files)
    there = {page for page in pages if not page.startswith(("_", "."))}
    named = {"index"}.union(*CHAPTERS.values())
    chapters = {**CHAPTERS, "More": tuple(sorted(there - named))}
    return "".join(
        f"```{{toctree}}\n:caption: {name}\n:hidden:\n\n{chr(10).join(pages)}\n```\n\n"
        for name, chapter in chapters.items()
        if (pages := [page for page in chapter if page in there])
    )
