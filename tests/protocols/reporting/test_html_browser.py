"""The page in a browser: Chromium without a window, driven through a pipe of its own protocol.

Skipped where there is no Chromium (``apt-get install chromium`` on Debian).
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from protocols.figures.drawing.planning import ReportFigure
from protocols.groups import RunEntry
from protocols.records import DatasetReference, ResultRecord
from protocols.reporting.model import (
    NOT_RUN,
    Cell,
    Column,
    ErrorPage,
    Report,
    ReportTable,
    Row,
    Source,
)
from protocols.reporting.writers.files import write_report

pytestmark = pytest.mark.slow

EVIL = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"


def record(seed: int) -> ResultRecord:
    return ResultRecord(
        task="gait",
        dataset=DatasetReference(name="kgbd", fingerprint="f" * 64, synthetic=False),
        protocol="kgbd_walks",
        rule="exact",
        objective="acl",
        stream="j+b+jm+l",
        seed=seed,
        metrics={"rank1": 0.94},
        intervals={},
        counts={"probes": 63},
        settings={"train": {"epochs": 23, "note": EVIL, "long": "x" * 400}},
        environment={"python": "3.11.7"},
        seconds=41.0,
        command="aclnet-task gait study --results " + "results/" * 40,
        created="2026-11-29T18:05:09Z",
    )


def table(key: str, task: str, dataset: str, groups: tuple[str, str]) -> ReportTable:
    """Eleven columns, so that it is wider than a phone; values in no order."""

    def row(label: str, source: Source, value: float | None, group: str) -> Row:
        files = ("a/acl-seed0.json", "a/acl-seed1.json") if source == "ours" else ()
        text = NOT_RUN if value is None else f"{value} ± 1.2"
        cells = (Cell(text, value, 1.2, files, source, "Other people."),) * 11
        return Row(label, cells, source, f"{EVIL} {'w' * 200}", group)

    rows = (
        row("first", "published", 9.5, groups[0]),
        row("second", "published", None, groups[0]),
        row("third", "ours", 70.0, groups[1]),
        row(EVIL, "synthetic", 10.5, groups[1]),
    )
    columns = (*(Column(f"rank-{place}") for place in range(10)), Column("size", "M", False))
    return ReportTable(key, f"{key} {'long-title-' * 12}", columns, rows, (EVIL,), task, (dataset,))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="515pt" height="180pt" '
        'viewBox="0 0 515 180"><script>parent.hacked = 3</script>'
        '<image href="http://example.invalid/x.png"/><path d="M0 0H500"/></svg>'
    )
    runs = tuple(RunEntry(f"a/acl-seed{seed}.json", record(seed)) for seed in (0, 1))
    tables = (
        table("table-1", "gait", "KGBD", ("Printed", "This program")),
        table("table-2", "action", EVIL, ("Printed", "This program")),
    )
    figures = (ReportFigure("cmc", "Ranks", EVIL, "gait", ("KGBD",), svg, None),)
    errors = (ErrorPage(record(0), "errors/acl.html"),)
    report = Report(tables, figures, runs, (EVIL,), errors)
    (file,) = write_report(report, tmp_path_factory.mktemp("page"), ["html"])
    return file


def wait_for(chromium: Any, script: str) -> None:
    """Wait until an expression is true: what is unpacked or drawn comes a little later."""
    end = time.monotonic() + 30
    while not chromium.run(script):
        assert time.monotonic() < end, script
        time.sleep(0.02)


LABELS = (
    "[...document.querySelectorAll('#table-1 tbody tr[data-source] th .name')]"
    ".map(node => node.textContent.slice(0, 6))"
)
SORTS = "[...document.querySelectorAll('#table-1 thead th')].map(th => th.ariaSort)"


def test_nothing_is_fetched_and_nothing_foreign_runs(chromium: Any, page: Path) -> None:
    events = chromium.show(page)
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    fetched = [url for url in asked if not url.startswith("data:")]
    assert fetched == [page.as_uri()]
    assert not [e for e in events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
    assert chromium.run("window.hacked") is None
    assert chromium.run("document.scripts.length") == 1
    chromium.run("document.querySelector('figure img').scrollIntoView()")
    wait_for(chromium, "document.querySelector('figure img').naturalWidth === 687")


def test_tables_are_sorted_by_click_and_by_key(chromium: Any, page: Path) -> None:
    chromium.show(page)
    given = ["first", "second", "third", EVIL[:6]]
    assert chromium.run(LABELS) == given
    button = "document.querySelectorAll('#table-1 thead button')[1]"
    chromium.run(f"{button}.click()")
    assert chromium.run(LABELS) == ["third", EVIL[:6], "first", "second"]
    assert chromium.run(SORTS)[:3] == [None, "descending", None]
    chromium.run(f"{button}.focus()")
    chromium.press("Enter", "\r")
    assert chromium.run(LABELS) == ["first", EVIL[:6], "third", "second"]
    assert chromium.run(SORTS)[1] == "ascending"
    chromium.press("Enter", "\r")
    assert chromium.run(LABELS) == given
    assert chromium.run(SORTS)[1] is None
    chromium.press("Tab")
    assert chromium.run("document.activeElement.textContent") == "rank-1 %"


def test_smaller_sizes_come_first(chromium: Any, page: Path) -> None:
    chromium.show(page)
    chromium.run("document.querySelector('#table-1 thead th:last-child button').click()")
    assert chromium.run(SORTS)[-1] == "ascending"
    assert chromium.run(LABELS)[0] == "first"


def test_filters(chromium: Any, page: Path) -> None:
    chromium.show(page)
    shown = (
        "[...document.querySelectorAll('[data-block]')].filter(b => b.checkVisibility())"
        ".map(b => b.querySelector('.body')?.id ?? b.dataset.block)"
    )

    def choose(field: str, value: str) -> None:
        chromium.run(
            f"{{ const f = document.getElementById('{field}'); f.value = {json.dumps(value)};"
            " f.dispatchEvent(new Event('input', {bubbles: true})); }"
        )

    everything = chromium.run(shown)
    assert sorted(everything) == ["figure", "runs", "table-1", "table-2"]
    choose("task", "action")
    assert chromium.run(shown) == ["table-2"]
    choose("task", "")
    choose("data", EVIL)
    assert chromium.run(shown) == ["table-2"]
    choose("data", "")
    choose("kind", "ours")
    lines = "[...document.querySelectorAll('#table-1 tbody tr')].filter(r => r.checkVisibility())"
    assert chromium.run(f"{lines}.length") == 2
    assert chromium.run(f"{lines}[0].textContent") == "This program"
    choose("kind", "")
    choose("words", "THIRD")
    assert chromium.run(f"{lines}.length") == 2
    assert "2 of 2 tables, 0 of 1 figures, 0 of 2 runs" in chromium.run("found.textContent")
    choose("words", "seed0")
    assert chromium.run("found.textContent") == "0 of 2 tables, 0 of 1 figures, 2 of 2 runs"
    choose("words", "THIRD")
    assert "words=THIRD" in chromium.run("location.hash")
    chromium.run("document.querySelector('#filters button').click()")
    assert chromium.run(shown) == everything
    assert chromium.run("found.textContent") == ""


def test_the_address_keeps_a_view(chromium: Any, page: Path) -> None:
    chromium.show(page, "#task=gait&sort=table-1.1.ascending&sort=gone.99.up")
    assert chromium.run("document.getElementById('task').value") == "gait"
    assert chromium.run(LABELS)[0] == "first"
    assert chromium.run(SORTS)[1] == "ascending"
    assert not chromium.run("document.getElementById('table-2').checkVisibility()")


def test_a_value_leads_to_the_settings_of_its_runs_and_back(chromium: Any, page: Path) -> None:
    chromium.show(page, "#task=action")
    link = "document.querySelector('#table-2 tr[data-source=ours] td a')"
    chromium.run(f"{link}.focus()")
    chromium.press("Enter", "\r")
    wait_for(chromium, "detail.open && detail.textContent.includes('train.epochs: 23')")
    assert EVIL in chromium.run("detail.textContent")
    chromium.run("detail.querySelector('td, th a').closest('table').querySelector('a').click()")
    wait_for(chromium, "detail.textContent.includes('Fingerprint')")
    assert chromium.run("location.hash") == "#run-a-acl-seed0"
    assert chromium.run("detail.querySelector('a[href=\"errors/acl.html\"]').checkVisibility()")
    assert chromium.run("document.documentElement.scrollWidth") <= 1280
    chromium.run("document.getElementById('close').click()")
    wait_for(chromium, "location.hash === '#task=action'")
    assert chromium.run(f"document.activeElement === {link}")


def test_a_run_can_be_sent_to_somebody(chromium: Any, page: Path) -> None:
    chromium.show(page, "#run-a-acl-seed1", width=390)
    wait_for(chromium, "detail.open")
    assert "seed 1" in chromium.run("document.getElementById('detail-title').textContent")
    assert chromium.run("detail.scrollWidth <= detail.clientWidth")
    # From there to a table, which is unfolded.
    chromium.run("detail.querySelector('a[href=\"#table-2\"]').click()")
    wait_for(chromium, "!detail.open")
    wait_for(chromium, "document.getElementById('table-2').checkVisibility()")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_is_never_wider_than_the_screen(chromium: Any, page: Path, width: int) -> None:
    chromium.show(page, width=width)
    chromium.run("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    assert chromium.run("document.documentElement.scrollWidth") <= width
    box = "document.querySelector('#table-1 .scroll')"
    assert chromium.run(f"{box}.scrollWidth > {box}.clientWidth")
    left = f"{box}.querySelector('tbody tr[data-source] th').getBoundingClientRect().left"
    before = chromium.run(left)
    chromium.run(f"{box}.scrollLeft = 200")
    assert chromium.run(f"{box}.scrollLeft") == 200
    assert chromium.run(left) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(
    chromium: Any, page: Path, scheme: str, contrast: str
) -> None:
    chromium.show(page, scheme=scheme)
    chromium.run("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    ground = chromium.run("getComputedStyle(document.body).backgroundColor")
    dark = sum(int(part) for part in ground[4:-1].split(",")) < 3 * 64
    assert dark == (scheme == "dark")
    look = "getComputedStyle(document.querySelector('.drawing img')).filter"
    assert ("invert" in chromium.run(look)) == (scheme == "dark")
    # WCAG 2.2, success criterion 1.4.3: 4.5 to 1.
    ratio, where = chromium.run(contrast)
    assert ratio >= 4.5, where


def test_the_switch_outdoes_the_system(chromium: Any, page: Path) -> None:
    chromium.show(page, scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    look = "getComputedStyle(document.querySelector('.drawing img')).filter"
    light = chromium.run(ground)
    choose = (
        "{{ const f = document.querySelector('#scheme select'); f.value = '{}';"
        " f.dispatchEvent(new Event('change')); }}"
    )
    chromium.run(choose.format("dark"))
    try:
        assert chromium.run(ground) != light
        assert "invert" in chromium.run(look)
        chromium.show(page, scheme="light")  # it is remembered
        assert chromium.run(ground) != light
    finally:
        chromium.run(choose.format(""))
    assert chromium.run(ground) == light


def test_all_is_there_without_javascript(chromium: Any, page: Path) -> None:
    chromium("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chromium.show(page)
        assert chromium.run("document.querySelectorAll('thead button').length") == 0
        assert not chromium.run("document.getElementById('filters').checkVisibility()")
        rows = "[...document.querySelectorAll('tr[data-source]')].map(r => r.checkVisibility())"
        assert chromium.run(rows) == [True] * 9
        # A link into what is folded unfolds it.
        chromium.show(page, "#figure-cmc")
        assert chromium.run("document.querySelector(':target').closest('details').open")
        chromium.show(page, "#run-a-acl-seed1")
        assert chromium.run("document.querySelector(':target').title") == "a/acl-seed1.json"
    finally:
        chromium("Emulation.setScriptExecutionDisabled", value=False)


def test_in_print_nothing_is_cut_off_and_controls_are_gone(chromium: Any, page: Path) -> None:
    chromium.show(page, scheme="dark")
    chromium("Emulation.setEmulatedMedia", media="print", features=[])
    try:
        assert chromium.run("getComputedStyle(document.body).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        assert not chromium.run("document.getElementById('filters').checkVisibility()")
        scrolls = "getComputedStyle(document.querySelector('#table-1 .scroll')).overflowX"
        assert chromium.run(scrolls) == "visible"
        # What is folded on a screen is there on paper.
        caption = "document.getElementById('figure-cmc').getBoundingClientRect().height"
        assert chromium.run(caption) > 0
    finally:
        chromium("Emulation.setEmulatedMedia", media="", features=[])
