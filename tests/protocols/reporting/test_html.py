"""The page as text: complete, self-contained, valid, and deaf to hostile records."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from protocols.figures.drawing.planning import ReportFigure
from protocols.groups import RunEntry
from protocols.records import DatasetReference, ResultRecord
from protocols.reporting.model import NOT_RUN, Cell, Column, Report, ReportTable, Row, Source
from protocols.reporting.writers.files import write_report
from protocols.reporting.writers.html import render_html
from protocols.reporting.writers.marks import best_marks
from protocols.reporting.writers.names import short_names

VOID = {"meta", "img", "input", "br", "link"}
EVIL = "<script>alert(1)</script>\"' onload=alert(2) &amp; </pre></style>\u202e\x00\ud800"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="252pt" height="90pt"><path d="M0 0"/></svg>'


class Page(HTMLParser):
    """Elements with their attributes; refuses what is not nested rightly."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, name: str, **wanted: str) -> list[dict[str, str]]:
        return [
            found
            for tag, found in self.elements
            if tag == name and all(found.get(key) == value for key, value in wanted.items())
        ]


def record(
    name: str = "sbu", objective: str = "acl", seed: int = 0, **more: object
) -> ResultRecord:
    fields = {
        "task": "action",
        "dataset": DatasetReference(name=name, fingerprint="f" * 64, synthetic=False),
        "protocol": "sbu",
        "rule": "last",
        "objective": objective,
        "stream": "j",
        "seed": seed,
        "metrics": {"top1": 0.8125 + seed / 100},
        "intervals": {"top1": (0.71, 0.93)},
        "counts": {"train": 7321},
        "settings": {"train": {"epochs": 23, "seed": seed}},
        "environment": {"python": "3.11.7"},
        "seconds": 41.0,
        "command": "aclnet-task action study --seeds 0",
    }
    return ResultRecord(**{**fields, **more})  # type: ignore[arg-type]


def cell(value: float | None, source: Source = "published", *runs: str, note: str = "") -> Cell:
    text = NOT_RUN if value is None else f"{value:.1f}"
    return Cell(text, value, None, runs, source if value is not None else "none", note)


def row(label: str, source: Source, *values: float | None, runs: str = "", group: str = "") -> Row:
    files = tuple(runs.split())
    cells = tuple(cell(value, source, *files) for value in values)
    return Row(label, cells, source, f"reference of {label}", group)


def table(*rows: Row, columns: tuple[Column, ...] = (Column("top-1"),)) -> ReportTable:
    return ReportTable("table-1", "Table I", columns, rows, ("A note.",), "action", ("SBU",))


def small_report() -> Report:
    figure = ReportFigure("cmc", "Ranks", "What is seen.", "action", ("SBU",), SVG, None)
    rows = (
        row("Printed", "published", 90.0, group="Printed"),
        row("One run", "ours", 81.3, runs="a/acl-seed0.json", group="This program"),
        row("Mean", "ours", 81.8, runs="a/acl-seed0.json a/acl-seed1.json", group="This program"),
        row("Missing", "none", None, group="This program"),
    )
    runs = tuple(RunEntry(f"a/acl-seed{seed}.json", record(seed=seed)) for seed in (0, 1))
    return Report((table(*rows),), (figure,), runs, ("b/broken.json: not a result record.",))


def test_page_is_valid_and_all_links_arrive() -> None:
    page = Page(render_html(small_report()))
    names = [found["id"] for _, found in page.elements if "id" in found]
    assert len(names) == len(set(names))
    links = [found["href"] for found in page.all("a")]
    assert links
    for link in links:
        assert link.startswith("#")
        assert link[1:] in names
    for _, found in page.elements:
        for name in found.get("aria-labelledby", "").split():
            assert name in names


def test_nothing_is_fetched() -> None:
    text = render_html(small_report())
    page = Page(text)
    assert not page.all("link")
    assert all(found["src"].startswith("data:") for _, found in page.elements if "src" in found)
    assert "@import" not in text
    assert not re.search(r"url\(", text)
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy


def test_the_table_of_runs_has_the_days_that_records_state() -> None:
    days = ("2026-11-29T18:05:09Z", "2026-11-30T07:00:00Z")
    runs = [RunEntry(f"a/{seed}.json", record(seed=seed, created=day))
            for seed, day in enumerate(days)]  # fmt: skip
    runs.append(RunEntry("a/ce.json", record(objective="ce")))
    text = render_html(Report((), (), tuple(runs), ()))
    (newest,) = Page(text).all("time")
    assert newest["title"] == "2026-11-29 18:05:09 UTC to 2026-11-30 07:00:00 UTC"
    assert '<td class="text date" data-value="20261130070000">' in text
    assert Page(text).all("td", **{"class": "text date"})[1] == {"class": "text date"}
    assert not Page(render_html(small_report())).all("td", **{"class": "text date"})


def test_equal_reports_give_equal_pages() -> None:
    assert render_html(small_report()) == render_html(small_report())


def test_empty_report_is_a_page() -> None:
    page = Page(render_html(Report((), (), ())))
    assert page.all("main")


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    entry = RunEntry(
        f"x/{EVIL}.json",
        record(
            name=EVIL.replace("\ud800", ""),
            settings={EVIL.replace("\ud800", ""): "x</script>"},
            notes=("<img src=x onerror=alert(3)>",),
            command="<b>",
        ),
    )
    evil = Cell(EVIL, 1.0, None, (entry.file,), "ours", EVIL)
    rows = (Row(EVIL, (evil,), "ours", EVIL, EVIL),)
    hostile = ReportTable(EVIL, EVIL, (Column(EVIL, EVIL),), rows, (EVIL,), EVIL, (EVIL,))
    figure = ReportFigure(
        EVIL, EVIL, EVIL, EVIL, (EVIL,), SVG.replace("<path", "<script/><x"), None
    )
    write_report(Report((hostile,), (figure,), (entry,), (EVIL,)), tmp_path, ["html"])
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    harmless = Page(render_html(small_report()))
    assert len(page.all("script")) == 1
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in harmless.elements} | {"p"}
    assert not [found for _, found in page.elements if any(name.startswith("on") for name in found)]
    assert "\u202e" not in text


def details(text: str) -> Any:
    """What the script shows of runs."""
    found = re.search(r'<template id="details">(.*?)</template>', text)
    assert found
    return json.loads(gzip.decompress(b64decode(found[1])))


def test_each_value_of_ours_leads_to_settings() -> None:
    text = render_html(small_report())
    page = Page(text)
    one, mean = (
        found["href"][1:] for found in page.all("a") if "Settings" in found.get("title", "")
    )
    packed = details(text)
    run = packed["runs"][one]
    assert run["settings"] == {"train.epochs": "23", "train.seed": "0"}
    assert run["environment"] == {"python": '"3.11.7"'}
    assert run["counts"] == {"train": "7321"}
    assert run["metrics"] == {"top1": "0.8125 (95 % interval 0.71 to 0.93)"}
    assert run["command"] == "aclnet-task action study --seeds 0"
    assert run["tables"] == [["Table I", "table-1"]]
    assert packed["sets"][mean] == ["run-a-acl-seed0", "run-a-acl-seed1"]
    # Without a script both lead to the row of their setting.
    row = re.search(r'<tr data-source="ours" data-task.*?</tr>', text, re.DOTALL)
    assert row
    assert all(f'id="{name}"' in row[0] for name in (one, mean))


def test_the_table_of_runs_has_a_row_a_setting() -> None:
    text = render_html(small_report())
    (row,) = re.findall(r'<tr data-source="ours" data-task.*?</tr>', text, re.DOTALL)
    assert 'data-runs="2"' in row
    cells = [re.sub(r"<.*?>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.S)]
    assert cells[:2] == ["SBU Kinect Interaction", "Action recognition"]
    assert cells[2:5] == ["top-1, %", "81.8 ± 0.7", "71.0 to 93.0"]
    assert cells[5:7] == ["j", "0 1 all 2"]


def test_runs_of_like_names_stay_apart() -> None:
    files = ("a/ce+inter.json", "a/ce-inter.json", "a/CE inter.json")
    runs = tuple(RunEntry(file, record()) for file in files)
    text = render_html(Report((), (), runs))
    assert [one["file"] for one in details(text)["runs"].values()] == [*files]
    names = {found.get("id") for found in Page(text).all("a")}
    assert details(text)["runs"].keys() <= names


def test_tables_without_runs_are_folded_behind_the_others() -> None:
    published = replace(table(row("Printed", "published", 90.0)), key="printed", title="Printed")
    small = small_report()
    text = render_html(replace(small, tables=(published, *small.tables)))
    assert text.index('id="table-1"') < text.index('<details class="others">')
    assert text.index('<details class="others">') < text.index('id="printed"')
    assert Page(text).all("details", open="")  # the first of ours


def test_names_leave_out_what_all_runs_share() -> None:
    rows = (
        row("Random pick", "ours", 1.0),
        row("Cross-entropy, j+b, whole walks", "ours", 80.0),
        row("ACL, j+b", "ours", 81.0),
    )
    assert short_names(table(*rows)) == (
        ["Random pick", "Cross-entropy, whole walks", "ACL"],
        "j+b",
    )
    alike = (*rows, row("ACL", "ours", 82.0))
    assert short_names(table(*alike)).rows[2:] == ["ACL, j+b", "ACL"]


def test_a_cell_of_an_unknown_run_is_no_link() -> None:
    report = small_report()
    text = render_html(replace(report, runs=()))
    assert "Settings of the" not in text
    assert "81.3" in text


def test_sources_are_told_apart_by_words() -> None:
    kinds: tuple[Source, ...] = ("published", "ours", "imported", "synthetic")
    rows = [row(f"row {kind}", kind, 50.0) for kind in kinds]
    text = render_html(Report((table(*rows),), (), ()))
    for kind in kinds:
        start = text.index(f'<tr data-source="{kind}">')
        line = text[start : text.index("</tr>", start)]
        assert f"row {kind}" in line
        assert f">{kind}</span>" in line


def test_best_of_all_and_best_of_ours() -> None:
    marks = best_marks(
        table(
            row("a", "published", 90.0),
            row("b", "ours", 80.0),
            row("c", "ours", 85.0),
            row("d", "synthetic", 99.0),
            row("e", "imported", 91.0),
            row("f", "none", None),
        )
    )
    assert marks == {(4, 0): "best", (2, 0): "our-best"}


def test_lower_may_be_better_and_neither_is_marked() -> None:
    columns = (Column("Parameters", "M", False), Column("Seeds", "", None))
    marks = best_marks(
        table(row("a", "ours", 1.0, 3.0), row("b", "ours", 2.0, 2.0), columns=columns)
    )
    assert marks == {(0, 0): "best"}


def test_figures_that_read_the_same_share_the_mark() -> None:
    rows = (row("a", "ours", 80.01), row("b", "ours", 80.04), row("c", "ours", 70.0))
    assert best_marks(table(*rows)) == {(0, 0): "best", (1, 0): "best"}
    assert best_marks(table(*rows[:2])) == {}


def test_protocols_of_our_own_are_not_compared() -> None:
    rows = (
        row("a", "ours", 80.0, group="first"),
        row("b", "ours", 70.0, group="first"),
        row("c", "ours", 60.0, group="second"),
        row("d", "ours", 65.0, group="second"),
    )
    assert best_marks(table(*rows)) == {(0, 0): "best", (3, 0): "best"}
    assert "data-apart" in render_html(Report((table(*rows),), (), ()))
    published = (*rows, row("e", "published", 50.0, group="third"))
    assert best_marks(table(*published)) == {(0, 0): "best"}


def test_notes_and_sources_are_listed_once() -> None:
    told = tuple(
        Row(str(value), (cell(value, note="Other people."),), "published", "A. Author, 2024")
        for value in (1.0, 2.0)
    )
    text = render_html(Report((table(*told),), (), ()))
    assert text.count("</b> Other people.</li>") == 1
    assert text.count('<li id="table-1-source-1">A. Author, 2024</li>') == 1
    assert text.count('href="#table-1-note-1"') == 2
    assert text.count('href="#table-1-source-1"') == 2


def test_figures_are_contained(tmp_path: Path) -> None:
    file = tmp_path / "cmc.svg"
    file.write_text(SVG, encoding="utf-8")
    report = small_report()
    fine = SVG.replace("M0 0", "M0.12345 10.98765")
    for svg in (SVG, file, fine):
        page = Page(render_html(replace(report, figures=(replace(report.figures[0], svg=svg),))))
        (image,) = page.all("img")
        kind, _, data = image["src"].partition(",")
        assert kind == "data:image/svg+xml"
        kept = fine.replace("10.98765", "10.98") if svg == fine else SVG
        assert unquote(data) == kept
        assert (image["width"], image["height"]) == ("336", "120")


def test_missing_drawing_is_named(tmp_path: Path) -> None:
    figure = replace(small_report().figures[0], svg=tmp_path / "gone.svg")
    with pytest.raises(ValueError, match=r"figure cmc cannot be read from .*gone\.svg"):
        render_html(Report((), (figure,), ()))


def test_passed_over_files_are_named() -> None:
    text = render_html(small_report())
    assert "<li>b/broken.json: not a result record.</li>" in text
    assert 'href="#skipped"' in text


def test_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "index.html"
    write_report(small_report(), target.parent, ["html"])
    before = target.read_text(encoding="utf-8")
    assert before == render_html(small_report())
    broken = replace(small_report().figures[0], svg=tmp_path / "gone.svg")
    with pytest.raises(ValueError, match="cannot be read"):
        write_report(Report((), (broken,), ()), target.parent, ["html"])
    assert target.read_text(encoding="utf-8") == before
    assert [path.name for path in target.parent.iterdir()] == ["index.html"]
