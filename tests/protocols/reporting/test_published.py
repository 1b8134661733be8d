"""The published results against the paper and the notes that they were taken from."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from protocols.report import build_report
from protocols.reporting.tables.catalogue import PAPER_TABLES
from protocols.reporting.tables.published import load_published
from protocols.reporting.writers.html import render_html

RESULTS = Path(__file__).resolve().parents[3] / "results"
LAYOUTS = {layout.key: layout for layout in PAPER_TABLES}
OWN = ("action-msraction3d", "action-utkinect", "action-nwucla", "action-sbu", "action-jhmdb")
OWN = (*OWN, "gait-kgbd", "reid-kgbd")
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")


def printed(key: str) -> dict[str, list[str]]:
    """The figures by method, in the order of the layout's columns; ``-`` where there is none."""
    figures: dict[str, dict[tuple[str, str, str], str]] = {}
    for figure in load_published(key):
        figures.setdefault(figure.method, {})[figure.place] = figure.printed
    places = [column.place for column in LAYOUTS[key].columns]
    return {method: [own.get(p, "-") for p in places] for method, own in figures.items()}


def paper_rows(text: str, number: int) -> list[list[str]]:
    """Cells of the rows of a table in the paper's text."""
    start = re.search(rf"^TABLE {ROMAN[number - 1]}$", text, re.MULTILINE)
    assert start is not None
    lines = text[start.end() :].splitlines()
    first = next(place for place, line in enumerate(lines) if "\t" in line)
    rows = []
    for line in lines[first:]:
        if not line.strip():
            break
        rows.append([cell.strip() for cell in line.split("\t")])
    return [row for row in rows if re.search(r"\d\.\d", "".join(row))]


def test_each_file_has_a_table_and_each_figure_a_column() -> None:
    folder = files("protocols") / "published"
    names = {f"{key}.csv" for key in (*LAYOUTS, *OWN)} | {"conditions.yaml"}
    assert {entry.name for entry in folder.iterdir()} == names
    for key, layout in LAYOUTS.items():
        places = {column.place for column in layout.columns}
        figures = load_published(key)
        assert {figure.place for figure in figures} <= places
        assert {figure.table for figure in figures} == {key}
        # A column that nothing fills would be a misspelt one.
        assert places == {figure.place for figure in figures}
        assert len({(figure.method, *figure.place) for figure in figures}) == len(figures)
        for figure in figures:
            assert all([figure.method, *figure.place, figure.printed, figure.source])
            low = -100 if figure.method == "Gain" else 0
            assert low < figure.value <= 100


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 9])
def test_the_tables_of_the_paper_are_whole(shared: Path, number: int) -> None:
    rows = paper_rows((shared / "paper" / "aclnet_paper.md").read_text("utf-8"), number)
    own = printed(f"table-{number}")
    count = len(LAYOUTS[f"table-{number}"].columns)
    assert len(rows) >= 6
    for row in rows:
        method = re.sub(r"\s*\[\d+\]", "", row[0]).replace("Ours", "ACLNet")
        assert own[method] == row[-count:]
        if number <= 5 and method != "ACLNet":
            (citation,) = {
                f.citation for f in load_published(f"table-{number}") if f.method == method
            }
            assert citation == row[1]


def test_the_ablations_of_the_paper_are_whole(shared: Path) -> None:
    text = (shared / "paper" / "aclnet_paper.md").read_text("utf-8")
    eight = [[row[-2].removesuffix("M"), row[-1].partition(" ")[0]] for row in paper_rows(text, 8)]
    assert eight == list(printed("table-8").values())
    ten = paper_rows(text, 10)
    assert [list(column) for column in zip(*(row[1:] for row in ten), strict=True)] == list(
        printed("table-10").values()
    )


def test_what_the_paper_leaves_out_is_as_noted(shared: Path) -> None:
    text = (shared / "spec" / "reid.md").read_text("utf-8").partition("## (d)")[2]
    checked = 0
    for line in text.splitlines():
        cells = [cell.strip().replace("*", "") for cell in line.strip("|").split("|")]
        method = cells[0].partition(" (")[0]
        for keys in (("table-7", "reid-casia-b-map"), ("reid-depth-sets", "reid-depth-sets-map")):
            if len(cells) - 1 != len(LAYOUTS[keys[0]].columns) or "/" in method:
                continue
            for part, key in enumerate(keys):
                own = printed(key).get(method, ["-"] * (len(cells) - 1))
                for cell, figure in zip(cells[1:], own, strict=True):
                    if found := re.fullmatch(r"([\d.]+)(?: \(([\d.]+)\))?", cell):
                        assert figure == (found[part + 1] or "-"), (key, method)
                        checked += 1
    assert checked > 200


def test_later_gait_methods_stand_beside_table_six() -> None:
    own = printed("table-6")
    assert own["GaitMixer"] == ["94.9", "85.6", "84.5", "88.3"]
    assert own["GaitTR"] == ["96.0", "91.3", "90.0", "92.4"]
    poses = {figure.method: figure.poses for figure in load_published("table-6")}
    assert poses["GaitTR"] == "SimCC"
    assert poses["GaitGraph"] == "HRNet"


@pytest.mark.parametrize("key", [*LAYOUTS, *OWN])
def test_what_was_not_verified_says_so(key: str) -> None:
    for figure in load_published(key):
        from_memory = figure.source == "quoted from memory"
        assert figure.note.startswith("Quoted from memory, not verified.") == from_memory
        assert figure.label.endswith("from memory)") == from_memory


@pytest.mark.parametrize("key", OWN)
def test_published_results_stand_beside_our_runs(key: str) -> None:
    found = load_published(key)
    assert {(figure.table, *figure.place[:1]) for figure in found} == {(key, found[0].dataset)}
    (table,) = (table for table in build_report(RESULTS).tables if table.key == key)
    rows = [row for row in table.rows if row.source == "published"]
    shown = [cell.text for row in rows for cell in row.cells if cell.value is not None]
    assert sorted(shown) == sorted(figure.printed for figure in found)  # none without a column
    assert (table.datasets, {row.group for row in rows}) == (
        (found[0].dataset,),
        {f"Published: {figure.setting}" for figure in found},
    )
    # Only a protocol of ours compares with our rows; the overview says what another one is.
    compared = {figure.setting for figure in found} & {row.compared for row in table.rows}
    ours = {row.compared for row in table.rows if row.source == "ours"}
    assert bool(compared & ours) == (key not in ("action-utkinect", "action-jhmdb", "gait-kgbd"))


def test_the_overview_names_the_best_published_result_and_another_protocol() -> None:
    page = render_html(build_report(RESULTS))
    start = page.index('id="glance"')
    lines = page[start : page.index("</table>", start)].split("<tr>")
    best = {line.partition("</a>")[0].rpartition(">")[2]: line for line in lines}
    for name in (
        "MSR-Action3D",
        "UTKinect-Action3D",
        "NW-UCLA",
        "SBU Kinect Interaction",
        "J-HMDB",
    ):
        assert "none" not in best[f"{name}: actions"]
    assert "SkateFormer (second hand)" in best["NW-UCLA: actions"]
    assert "half of the people, ten random draws" in best["UTKinect-Action3D: actions"]
