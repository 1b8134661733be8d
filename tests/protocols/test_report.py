"""The command of the report: figures, and doing without them."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from protocols.report import WITHOUT_FIGURES, WITHOUT_RECORDS, main, make_report, run_logs

RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """One committed record that a figure can be drawn of."""
    record = RESULTS / "action" / "jhmdb" / "acl-seed0.json"
    if not record.is_file():
        pytest.skip("no committed results beside the tests")
    folder = tmp_path / "results" / "action"
    folder.mkdir(parents=True)
    shutil.copy(record, folder)
    return folder.parent


@pytest.mark.slow
def test_figures_are_drawn_and_shown_in_every_format(results: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    said: list[str] = []
    lines = make_report(results, tmp_path / "out", passed_over=said.append)
    assert said == []
    drawn = sorted(path.stem for path in (tmp_path / "out" / "figures").glob("*.png"))
    assert drawn
    assert lines[0] == f"1 records, {lines[0].split()[2]} tables, {len(drawn)} figures"
    for key in drawn:
        for ending in ("svg", "png", "pdf"):
            assert (tmp_path / "out" / "figures" / f"{key}.{ending}").is_file()
    latex = (tmp_path / "out" / "main.tex").read_text("utf-8")
    assert sorted(re.findall(r"\\detokenize\{figures/(.+?)\}", latex)) == drawn
    markdown = (tmp_path / "out" / "report.md").read_text("utf-8")
    assert sorted(re.findall(r"\(<figures/(.+?)\.png>\)", markdown)) == drawn
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert page.count("data:image/") >= len(drawn)  # within the page: no file beside it


@pytest.mark.parametrize("arguments", [("--no-figures",), ("--formats", "csv")])
def test_figures_may_be_left_out(
    results: Path, tmp_path: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["--results", str(results), "--out", str(out), *arguments]) == 0
    assert "0 figures" in capsys.readouterr().out
    assert not (out / "figures").exists()


def test_without_matplotlib_one_line_says_so(
    results: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawing = ("protocols.figures", "matplotlib")
    for name in list(sys.modules):
        if name.startswith(drawing):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    out = tmp_path / "out"
    assert main(["--results", str(results), "--out", str(out), "--formats", "markdown,latex"]) == 0
    said = capsys.readouterr()
    assert said.err == f"{WITHOUT_FIGURES}\n"
    assert "1 records" in said.out
    assert "includegraphics" not in (out / "main.tex").read_text("utf-8")


def test_logs_are_named_by_their_runs(tmp_path: Path) -> None:
    for name in ("a/seed0", "b"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "log.jsonl").write_text("")
    assert list(run_logs(tmp_path)) == ["a/seed0", "b"]
    with pytest.raises(FileNotFoundError, match="no folder of runs"):
        run_logs(tmp_path / "gone")


def test_an_unknown_format_is_refused_before_anything_is_written(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["--results", str(results), "--out", str(out), "--formats", "html,pdf"]) == 2
    assert "not as pdf" in capsys.readouterr().err
    assert not out.exists()


def test_outside_a_checkout_the_tables_hold_published_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--out", "report", "--formats", "csv,html"]) == 0
    said = capsys.readouterr()
    assert said.err == f"{WITHOUT_RECORDS}\n"
    assert said.out.startswith("0 records, ")
    assert "94.7" in (tmp_path / "report" / "tables" / "table-6.csv").read_text("utf-8")


def test_tables_are_written_between_marks(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.md"
    mark = "<!-- table action-jhmdb: {} -->"
    text.write_text(f"Before\n{mark.format('top-1; runs; notes')}\nstale\n<!-- end -->\nafter\n")
    options = ["--results", str(results), "--into", str(text)]
    assert main(options) == 0
    assert capsys.readouterr().out == f"{text}\n"
    written = text.read_text()
    before, top, *_ = written.splitlines()
    assert (before, top) == ("Before", mark.format("top-1; runs; notes"))
    assert "| | top-1 | runs |\n|---|---|---|\n" in written
    assert re.search(r"^\| ACL, j\+b\+jm\+bm \| [\d.]+ \| 1 \|$", written, re.MULTILINE)
    assert "| PoTion (from memory) | 67.9 |" in written
    assert "Intervals take the 527 test samples" in written
    assert written.endswith("<!-- end -->\nafter\n")
    assert "stale" not in written
    for wrong, sentence in (
        (mark.format("top-9"), "no column 'top-9'; its columns are top-1"),
        ("<!-- table action-else: top-1 -->", "names the table action-else, which is not one of"),
    ):
        text.write_text(f"{wrong}\n<!-- end -->\n")
        assert main(options) == 2
        assert sentence in capsys.readouterr().err
        assert text.read_text() == f"{wrong}\n<!-- end -->\n"


def test_several_texts_are_written_all_or_none(results: Path, tmp_path: Path) -> None:
    texts = [tmp_path / name for name in ("one.md", "two.md")]
    right, wrong = (f"<!-- table {key}: top-1 -->\n<!-- end -->\n" for key in ("action-jhmdb", "x"))
    options = ["--results", str(results), "--into", str(texts[0]), "--into", str(texts[1])]
    for second, code in ((wrong, 2), (right, 0)):
        texts[0].write_text(right)
        texts[1].write_text(second)
        assert main(options) == code
        assert [text.read_text() != right for text in texts] == [code == 0, True]


def test_a_report_needs_a_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("There is nowhere to write to: give --out FOLDER")
