"""The report as Markdown, LaTeX and CSV, and the command that writes them."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.figures.drawing.planning import ReportFigure
from protocols.report import main
from protocols.reporting.model import Cell, Column, Report, ReportTable, Row
from protocols.reporting.writers.csv import render_csv
from protocols.reporting.writers.files import write_report
from protocols.reporting.writers.latex import escape, render_document, render_latex
from protocols.reporting.writers.markdown import render_markdown

RESULTS = Path(__file__).resolve().parents[3] / "results"
NASTY = r"50 % of a_b & {c} $d$ #e ~f ^g \h | <i> `j` [k] *l* 漢 ± é “m”"


def nasty_table() -> ReportTable:
    cells = (
        Cell("91.4 ± 0.5", 91.4, 0.5, ("a_1.json", "b%2.json"), "synthetic", f"note {NASTY}"),
        Cell("not run", None, None, (), "none"),
    )
    rows = (
        Row(NASTY, cells, "synthetic", "run --set a_b=1", f"group {NASTY}"),
        Row("Other", cells[::-1], "published", "CVPR 2020; a_list"),
    )
    columns = (Column("top-1"), Column("cost_x", "clips/s"))
    return ReportTable("table-x", f"Title {NASTY}", columns, rows, (NASTY,), "action", ("D",))


def test_markdown_keeps_its_columns() -> None:
    text = render_markdown(Report((nasty_table(),), (), ()), Path())
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 6
    for line in lines:
        assert len(re.findall(r"(?<!\\)\|", line)) == 5
    assert text.count("91.4 ± 0.5 <sup>1</sup>") == 2  # equal notes have one number
    assert "\\[synthetic\\]" in text
    assert "`a_1.json`, `b%2.json`" in text


def test_markdown_links_figures_and_names_what_was_passed_over(tmp_path: Path) -> None:
    figure = ReportFigure(
        "f", "A figure", "Seen.", "gait", (), "<svg/>", tmp_path / "pics" / "f.png"
    )
    text = render_markdown(Report((), (figure,), (), ("x_y.json: no record",)), tmp_path / "out")
    assert "![A figure](<../pics/f.png>)" in text
    assert "- x\\_y.json: no record" in text


def test_latex_names_figures_from_where_it_lies(tmp_path: Path) -> None:
    drawn = ReportFigure(
        "f-1", f"Title {NASTY}", NASTY, "gait", (), "<svg/>", tmp_path / "pics" / "a_b.png"
    )
    vector_only = ReportFigure("g", "No bitmap", "", "gait", (), "<svg/>", None)
    report = Report((), (drawn, vector_only), (), ())
    text = render_document(report, tmp_path / "out")
    # Without an ending, LaTeX takes the PDF beside the bitmap.
    assert r"\includegraphics{\detokenize{../pics/a_b}}" in text
    assert escape(NASTY) in text
    assert r"\label{fig:f-1}" in text
    assert text.count(r"\begin{figure}") == 1


@given(st.text())
def test_escaped_text_cannot_leave_its_cell(text: str) -> None:
    escaped = escape(text)
    assert "\n" not in escaped
    # What is left after the known commands holds none of TeX's special characters.
    bare = re.sub(
        r"\\[a-zA-Z]+(\{\d?\}|\{U\+[0-9A-F]+\})?|\\[{}$&#%_]|\$\\[a-z]+\$|\$-\$", "", escaped
    )
    assert not set(bare) & set('\\{}$&#%_^~|"')


def test_latex_has_booktabs_and_whole_rows() -> None:
    text = render_latex(nasty_table())
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\label{tab:table-x}"):
        assert part in text
    rows = [
        line for line in text.splitlines() if line.endswith(r" \\") and "multicolumn" not in line
    ]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [3, 3, 3]
    assert "% a_1.json" in text
    assert text.count(r"\begin{") == text.count(r"\end{")


def a_figure(folder: Path) -> ReportFigure:
    """A figure wider than a page of paper, as PNG and PDF."""
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    from matplotlib.figure import Figure

    from protocols.figures.drawing.style import save_figure

    figure = Figure(figsize=(12, 3))
    figure.add_subplot().plot([0, 1])
    svg, png, _ = save_figure(figure, folder / "a-figure", ("svg", "png", "pdf"))
    return ReportFigure("a-figure", f"Figure {NASTY}", NASTY, "gait", (), svg, png)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
def test_latex_compiles(tmp_path: Path) -> None:
    figures = (a_figure(tmp_path / "nasty" / "figures"),)
    write_report(Report((nasty_table(),), figures, (), ()), tmp_path / "nasty", ["latex"])
    (tmp_path / "none").mkdir()
    assert (
        main(
            [
                "--results",
                str(tmp_path / "none"),
                "--out",
                str(tmp_path / "all"),
                "--formats",
                "latex",
            ]
        )
        == 0
    )
    for name in ("nasty", "all"):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "main.tex"],
            cwd=tmp_path / name,
            capture_output=True,
            text=True,
            errors="replace",
        )
        assert done.returncode == 0, done.stdout[-2000:]
        assert "Overfull \\hbox" not in done.stdout


def test_the_document_reads_every_table() -> None:
    text = render_document(Report((nasty_table(),), (), (), ()), Path())
    assert r"\usepackage{booktabs}" in text
    assert r"\input{tables/table-x.tex}" in text


def test_csv_holds_figures_in_full_with_their_runs() -> None:
    rows = list(csv.DictReader(io.StringIO(render_csv(nasty_table()))))
    assert len(rows) == 4
    assert rows[0]["row"] == NASTY
    assert (float(rows[0]["value"]), float(rows[0]["spread"])) == (91.4, 0.5)
    assert rows[0]["runs"].split() == ["a_1.json", "b%2.json"]
    assert (rows[1]["text"], rows[1]["value"], rows[1]["source"]) == ("not run", "", "none")


def test_the_command_writes_what_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    (results / "bad.json").write_text("{")
    out = tmp_path / "out"
    formats = "markdown,latex,csv"
    assert main(["--results", str(results), "--out", str(out), "--formats", formats]) == 0
    said = capsys.readouterr()
    assert "skipped bad.json" in said.err
    assert "0 records" in said.out
    tables = {path.stem for path in (out / "tables").glob("*.csv")}
    assert {f"table-{number}" for number in range(1, 11)} <= tables
    assert tables == {path.stem for path in (out / "tables").glob("*.tex")}
    assert "not run" in (out / "report.md").read_text("utf-8")
    assert main(["--results", str(tmp_path / "no"), "--out", str(out)]) == 2
    assert "no folder of results" in capsys.readouterr().err
