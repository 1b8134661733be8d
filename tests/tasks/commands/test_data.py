from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from aclnet.data.store import open_store
from tasks.commands.data import data_app


def run(*arguments: object) -> Result:
    # A wide terminal, so that no sentence is broken.
    return CliRunner(env={"COLUMNS": "200"}).invoke(
        data_app, [str(argument) for argument in arguments]
    )


@pytest.fixture
def walks(tmp_path: Path) -> Path:
    """A small recording: two people, two walks each, one of them a copy."""
    rng = np.random.default_rng(0)
    joints = rng.normal(size=(48, 1, 18, 3)).astype(np.float32)
    joints[36:] = joints[24:36]
    path = tmp_path / "walks.npz"
    layout = ["foot", "ankle", "knee", "hip"]
    names = [f"{joint}_{side}" for side in ("left", "right") for joint in layout]
    names += ["spine_base", "spine_mid", "neck", "head"]
    names += ["shoulder_left", "shoulder_right", "wrist_left", "wrist_right"]
    names += ["elbow_left", "elbow_right"]
    np.savez(
        path,
        joints=joints,
        offsets=np.arange(0, 49, 12),
        joint_names=np.array(names),
        subject=np.array([1, 1, 2, 2]),
        condition=np.array(["nm", "bg", "nm", "bg"]),
        sequence_name=np.array([f"walk [{i}]" for i in range(4)]),
    )
    return path


def test_convert_validate_show(walks: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    result = run("convert", walks, store, "--fps", 30, "--dtype", "float16", "--min-frames", 5)
    assert result.exit_code == 0, result.output
    assert "4 samples, 48 frames" in result.output
    assert "ucalgary18 (18 joints)" in result.output
    assert open_store(store).frames.dtype == np.float16
    assert open_store(store).info.settings["min_frames"] == 5

    result = run("validate", store)
    assert result.exit_code == 0
    assert "duplicate of" in result.output
    assert "walk [3]" in result.output
    assert "0 errors, 1 warnings" in result.output

    result = run("show", store)
    assert result.exit_code == 0
    assert "12 to 12, median 12" in result.output
    assert "1: 2, 2: 2" in result.output
    assert "bg: 2, nm: 2" in result.output
    assert re.search(r"left out +│ nothing", result.output)


def test_options_of_a_format(tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    rows = [f"{frame},{person},1,2,3,4" for frame in range(4) for person in (0, 1)]
    table.write_text("frame,person,hip_x,hip_y,neck_x,neck_y\n" + "\n".join(rows) + "\n")
    layout = tmp_path / "two.yaml"
    layout.write_text("name: two\njoints: [hip, neck]\ncentre: hip\nbones: {neck: hip}\n")
    common = ("convert", table, "--format", "keypoint_csv", "--layout", layout)
    assert run(*common[:2], tmp_path / "a", *common[2:], "-o", "people=apart").exit_code == 0
    assert len(open_store(tmp_path / "a")) == 2
    assert run(*common[:2], tmp_path / "b", *common[2:], "-o", "persons=3").exit_code == 0
    assert open_store(tmp_path / "b").frames.shape[1] == 3
    for option, message in (
        ("persons", "expected NAME=VALUE"),
        ("person=1", "did you mean"),
        ("layout=coco17", "layout is not an option of a format"),
    ):
        refused = run(*common[:2], tmp_path / "c", *common[2:], "-o", option)
        assert isinstance(refused.exception, ValueError)
        assert message in str(refused.exception)


def test_how_a_file_was_read_is_said(case: Callable[[str], Path], tmp_path: Path) -> None:
    done = run("convert", case("pr_step5.json"), tmp_path / "store")
    said = "1 recording: frame numbers increase by 5: read as 1 frame in 5 of the video"
    assert said in done.output
    assert said in run("show", tmp_path / "store").output
    run("convert", case("pr_late.json"), tmp_path / "plain")  # as older programs know it
    assert '"notes"' not in (tmp_path / "plain" / "store.json").read_text()


def test_only_some_samples_are_kept(walks: Path, tmp_path: Path) -> None:
    kept = ("--keep", "condition=bg", "--keep", "identity=1", "--keep", "identity=2")
    result = run("convert", walks, tmp_path / "some", *kept)
    assert result.exit_code == 0, result.output
    assert "2 samples of another condition" in result.output
    store = open_store(tmp_path / "some")
    assert store.index["sample"].tolist() == ["walk [1]", "walk [3]"]
    assert store.info.dropped == {"samples of another condition": 2}
    assert store.info.settings["kept"] == {"condition": ["bg"], "identity": ["1", "2"]}


def test_show_one_sample_and_draw(walks: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="drawing needs the report extra")
    run("convert", walks, tmp_path / "store")
    picture = tmp_path / "walk.gif"
    result = run("show", tmp_path / "store", "--sample", "walk [2]", "--out", picture)
    assert result.exit_code == 0, result.output
    assert "walk [2]" in result.output
    assert picture.read_bytes().startswith(b"GIF8")
    result = run("show", tmp_path / "store", "--out", tmp_path / "first.png", "--frames", 3)
    assert "walk [0]" in result.output
    assert (tmp_path / "first.png").read_bytes().startswith(b"\x89PNG")


def test_show_speaks_in_the_recordings_frames(walks: Path, tmp_path: Path) -> None:
    with np.load(walks) as data:
        content = dict(data)
    content["frame_numbers"] = np.tile(np.r_[300:308, 310, 320, 330, 340], 4)
    np.savez(walks, **content, fps=np.array([25, 25, 50, 25]))
    run("convert", walks, tmp_path / "store")
    shown = run("show", tmp_path / "store", "--sample", "walk [1]").output
    assert re.search(r"frames +│ 300-307 310-340/10 ", shown)
    assert "12.00 to 13.64, 25 frames per second" in shown
    assert re.search(r"frames per second │ 25 to 50", run("show", tmp_path / "store").output)


def test_export_and_back(walks: Path, tmp_path: Path) -> None:
    run("convert", walks, tmp_path / "store", "--fps", 30)
    out = tmp_path / "out.npz"
    done = run("export", tmp_path / "store", out)
    assert "out.npz: 4 samples, 48 frames" in done.output
    assert "already exists" in str(run("export", tmp_path / "store", out).exception)
    assert run("export", tmp_path / "store", out, "--overwrite").exit_code == 0
    run("convert", out, tmp_path / "again")
    stores = [open_store(tmp_path / name) for name in ("store", "again")]
    assert stores[0].info.fingerprint == stores[1].info.fingerprint
    refused = run("export", tmp_path / "store", tmp_path / "out.txt")
    assert "give a name that ends in .npz, or a format: npz, parquet" in str(refused.exception)


def test_errors_give_exit_code_one(walks: Path, tmp_path: Path) -> None:
    with np.load(walks) as data:
        content = dict(data)
    content["joints"][13, 0, 3, 1] = np.nan
    np.savez(walks, **content)
    run("convert", walks, tmp_path / "store")
    result = run("validate", tmp_path / "store", "--limit", 1, "--min-frames", 13)
    assert result.exit_code == 1
    assert "walk [1]" in result.output
    assert "and 5 more" in result.output
    assert "1 errors, 5 warnings" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("convert", "WALKS", "STORE", "--format", "csv"), "no format 'csv'"),
        (("convert", "WALKS", "STORE", "--layout", "coco17"), "joints has 18 joints"),
        (("convert", "WALKS", "STORE", "--map-to", "coco17"), "it has no nose"),
        (("convert", "WALKS", "STORE", "--image-size", "320"), "WIDTHxHEIGHT"),
        (("convert", "WALKS", "STORE", "--pattern", "*"), "npz has no option 'pattern'"),
        (("convert", "WALKS", "STORE", "--split", "fold"), "no split 'fold'"),
        (("convert", "WALKS", "STORE", "--keep", "condition"), "expected FIELD=VALUE"),
        (("convert", "WALKS", "STORE", "--keep", "labels=x"), "'labels' (did you mean label?)"),
        (("convert", "WALKS", "STORE", "--keep", "label=x"), "has label 'x'; there are (none)"),
        (("convert", "WALKS", "STORE", "--keep", "identity=01"), "identity '01' (did you mean 1?)"),
        (("convert", "GONE", "STORE"), "no such file or folder"),
        (("validate", "STORE"), "is not a store"),
        (("show", "STORE"), "is not a store"),
    ],
)
def test_mistakes_are_value_errors(
    arguments: tuple[str, ...], message: str, walks: Path, tmp_path: Path
) -> None:
    places = {"WALKS": walks, "STORE": tmp_path / "store", "GONE": tmp_path / "gone"}
    result = run(*(places.get(argument, argument) for argument in arguments))
    # The root command turns a ValueError into one line and exit code 2.
    assert isinstance(result.exception, ValueError)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not (tmp_path / "store").exists()


def test_unknown_samples_get_a_hint(walks: Path, tmp_path: Path) -> None:
    run("convert", walks, tmp_path / "store")
    result = run("show", tmp_path / "store", "--sample", "walk 3")
    assert "no sample 'walk 3'; similar: walk [3]" in str(result.exception)


def test_overwrite_is_asked_for(walks: Path, tmp_path: Path) -> None:
    run("convert", walks, tmp_path / "store")
    assert "already exists" in str(run("convert", walks, tmp_path / "store").exception)
    assert run("convert", walks, tmp_path / "store", "--overwrite").exit_code == 0


def test_the_commands_import_nothing_heavy() -> None:
    code = (
        "import sys, tasks.commands.data;"
        "print([m for m in ('torch', 'pandas', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_people_are_listed_by_number(tmp_path: Path) -> None:
    path = tmp_path / "walks.npz"
    np.savez(
        path,
        joints=np.random.default_rng(0).normal(size=(9, 1, 17, 3)).astype(np.float32),
        offsets=np.arange(0, 10, 3),
        subject=np.array([10, 2, 1]),
    )
    done = run("convert", path, tmp_path / "store", "--layout", "coco17")
    assert done.exit_code == 0, done.output
    assert "1: 1, 2: 1, 10: 1" in run("show", tmp_path / "store").output


def test_walkers_are_labelled_by_their_names_and_converted(tmp_path: Path) -> None:
    files, table, store = (tmp_path / name for name in ("files", "labels.csv", "store"))
    made = run("walkers", files, "--people", 2, "--takes", 2, "--views", "90,180")
    assert "files: 8 recordings" in made.output, made.output
    done = run("labels", files, "-o", table, "--pattern", "{identity}/{condition}-{take}-{view}")
    assert "labels.csv: 8 rows, 8 recordings\nevery ? is filled in" in done.output, done.output
    assert f"data convert {files} STORE -o people=apart -o labels={table}" in done.output
    run("convert", files, store, "-o", "people=apart", "-o", f"labels={table}")
    known = open_store(store).index[["identity", "condition", "take", "view"]]
    assert known.to_numpy().tolist()[:2] == [["001", "nm", "01", "090"], ["001", "nm", "01", "180"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "labels.csv"), "labels.csv already exists and may be filled in; set --overwrite"),
        (("-o", "files/labels.csv"), "write it outside files, where it is not a recording"),
        (("-o", "people=apart"), "a table of labels ends in .csv"),
        (("-o", "new.csv", "--pattern", "{take}-{"), "an unmatched brace"),
        (("-o", "new.csv", "--option", "people=apart"), "this command sets it itself"),
    ],
)
def test_labels_that_cannot_be_written(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("walkers", "files", "--people", 1, "--takes", 1)
    (tmp_path / "labels.csv").write_text("mine")
    refused = run("labels", "files", *arguments)
    assert isinstance(refused.exception, ValueError)
    assert message in str(refused.exception)
    assert (tmp_path / "labels.csv").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"files", "labels.csv"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--views", "400"), "views must be degrees from 0 to 359"),
        (("--views", "north"), "--views 'north': expected comma-separated integers"),
    ],
)
def test_walkers_that_cannot_be_made(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    refused = run("walkers", tmp_path / "files", *arguments)
    assert isinstance(refused.exception, ValueError)
    assert message in str(refused.exception)
    assert not (tmp_path / "files").exists()


def test_show_writes_a_page_of_a_store_or_a_file(walks: Path, tmp_path: Path) -> None:
    run("convert", walks, tmp_path / "store", "--fps", 30)
    pages = []
    for number, source in enumerate((tmp_path / "store", walks)):
        page = tmp_path / f"{number}.html"
        result = run("show", source, "--to", page)
        assert result.exit_code == 0, result.output
        pages.append(page.read_text())
    for text in pages:
        assert text.count("<canvas") == 4
        assert all(f"walk [{i}]" in text for i in range(4))
        assert "condition: bg" in text
    result = run("show", walks, "--sample", "walk [2]", "--to", tmp_path / "one.html")
    assert (tmp_path / "one.html").read_text().count("<canvas") == 1


def test_gaps_are_filled_where_asked(walks: Path, tmp_path: Path) -> None:
    with np.load(walks) as file:
        arrays = dict(file)
    arrays["joints"][1::12, 0, :4] = 0
    np.savez(walks, **arrays)
    done = run("convert", walks, tmp_path / "s", "--fps", 30, "--fill-gaps", 0.1)
    words = " ".join(done.output.split())
    assert "4 recordings: 16 of 16 missing joints filled, in gaps of up to 0.1 s" in words
    refused = run("convert", walks, tmp_path / "t", "--fill-gaps", 0)
    assert "fill_gaps must be above 0" in str(refused.exception)


def test_recordings_are_resampled_where_asked(walks: Path, tmp_path: Path) -> None:
    done = run("convert", walks, tmp_path / "s", "--fps", 120, "--resample-fps", 30)
    assert "4 samples, 12 frames" in done.output
    assert "4 recordings: resampled from 120 to 30 frames per second" in done.output
    refused = run("convert", walks, tmp_path / "t", "--upsample")
    assert "--upsample needs the frame rate" in str(refused.exception)


def test_export_says_how_to_read_it_back(walks: Path, tmp_path: Path) -> None:
    run("convert", walks, tmp_path / "store", "--fps", 30)
    done = run("export", tmp_path / "store", tmp_path / "trc", "--to", "trc")
    words = done.output.replace("\n", " ").partition("aclnet-task data ")[2].split()
    words[words.index("STORE")] = str(tmp_path / "again")
    assert run(*words).exit_code == 0
    one, other = (open_store(tmp_path / name) for name in ("store", "again"))
    np.testing.assert_array_equal(one.frames, other.frames)
    assert one.index["condition"].tolist() == other.index["condition"].tolist()


def test_a_folder_of_recordings_is_shown(keypoint_folder: Path) -> None:
    assert "samples" in run("show", keypoint_folder).output


@pytest.fixture
def keypoint_folder(tmp_path: Path) -> Path:
    """Key points of walkers in files of MMPose."""
    run("walkers", tmp_path / "keypoints", "--people", 1)
    return tmp_path / "keypoints"
