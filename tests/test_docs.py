"""The documentation: built strictly, whole, offline, with words and commands of this program."""

from __future__ import annotations

import html
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from protocols.gait.rules import RULES as GAIT_RULES
from protocols.reid.rules import RULES as REID_RULES
from protocols.splits import split_names

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
PAGES = sorted([REPOSITORY / "README.md", *DOCS.rglob("[!_]*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def slugs(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings."""
    text = BLOCK.sub("", page.read_text("utf-8"))
    heads = re.findall(r"^#+ +(.*?) *$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
    return set(plain)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", BLOCK.sub("", page.read_text("utf-8")))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if urlsplit(target).scheme:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            assert anchor in slugs(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    named = re.findall(
        r"(?<!in the package )`((?:aclnet|tasks|protocols|tests|configs)/[\w./]+)`",
        page.read_text("utf-8"),
    )
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_every_protocol_and_rule_is_described() -> None:
    text = "".join(
        (DOCS / name).read_text("utf-8") for name in ("gait.md", "protocols.md", "reid.md")
    )
    named = [*GAIT_RULES, *REID_RULES, *split_names("gait"), *split_names("reid")]
    assert [name for name in named if f"`{name}`" not in text and f" {name}`" not in text] == []


def test_the_quoted_sentences_are_those_of_the_program() -> None:
    folders = (REPOSITORY / name for name in ("aclnet", "tasks", "protocols"))
    source = "\n".join(file.read_text("utf-8") for one in folders for file in one.rglob("*.py"))
    source = re.sub(r'"\s*\n\s*f?"', "", source)
    page = (DOCS / "troubleshooting.md").read_text("utf-8")
    quoted = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert len(quoted) > 20
    assert [sentence for sentence in quoted if sentence not in source] == []


class Links(HTMLParser):
    """The links and anchors of a built page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("href", "src") and tag != "link" and value:
                self.links.append(html.unescape(value))
            if name == "id" and value:
                self.anchors.add(value)


@pytest.fixture(scope="module")
def site(ready: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning is an error."""
    pytest.importorskip("sphinx", reason="pip install 'aclnet[docs]'")
    out, kept = (tmp_path_factory.mktemp(name) for name in ("site", "doctrees"))
    options = ("-W", "--keep-going", "-q", "-b", "html", "-d", kept)
    process = ready("-m", "sphinx", *options, DOCS, out)
    _, err = process.communicate(600)
    assert process.returncode == 0, err
    return out


@pytest.mark.slow
def test_every_link_inside_the_site_leads_somewhere(site: Path) -> None:
    pages = {page: Links(page.read_text("utf-8")) for page in site.rglob("*.html")}
    assert len(pages) > 15
    broken = []
    for page, found in pages.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            known = pages[file].anchors if file in pages else {parts.fragment}
            if not file.exists() or (parts.fragment and unquote(parts.fragment) not in known):
                broken.append((page.name, link))
    assert broken == []


@pytest.mark.slow
def test_the_references_are_complete(site: Path) -> None:
    from aclnet.data.formats import READERS
    from tasks.recipes import recipe_names
    from tasks.spec import all_tasks

    wanted = {
        "readers": READERS,
        "recipes": recipe_names(),
        "settings": ("train.epochs", "network.encoder: ctr_gcn", "objective.start_epoch"),
        "commands": [f"aclnet-task {task} train" for task in all_tasks()],
        "api": ("aclnet.load", "protocols.compare", "tasks.Gallery"),
    }
    for page, words in wanted.items():
        text = html.unescape((site / "reference" / f"{page}.html").read_text("utf-8"))
        text = re.sub(r"<[^>]+>", "", text)
        assert [word for word in words if word not in text] == [], page
        assert "generated:" not in text
    settings = (site / "reference" / "settings.html").read_text("utf-8")
    assert "<dd><p>. <em>" not in settings, "a setting without a description"


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_a_reader_sees_every_page_and_nothing_is_fetched(
    chromium: Any, site: Path, contrast: str, width: int, scheme: str, thorough: bool
) -> None:
    pages = sorted(site.rglob("*.html"))
    # Each page in one of the two ways, or in both.
    for page in pages if thorough else pages[width == 390 :: 2]:
        events = chromium.show(page, width=width, scheme=scheme)
        asked = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        assert {urlsplit(url).scheme for url in asked} <= {"file", "data"}, page
        assert chromium.run("document.documentElement.scrollWidth") <= width, page
        ratio, where = chromium.run(contrast)
        assert ratio >= 4.5, (page.name, where)


@pytest.mark.slow
def test_the_search_works_without_a_server(chromium: Any, site: Path) -> None:
    chromium.show(site / "search.html", "?q=threshold")
    end = time.monotonic() + 30
    while chromium.run("document.querySelectorAll('#search-results li a').length") < 4:
        assert time.monotonic() < end
        time.sleep(0.05)
