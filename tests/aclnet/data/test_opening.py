"""Every file, row and field of a store, damaged or edited by hand."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aclnet.data.numbering import lists_frames, text_to_numbers
from aclnet.data.sample import COLUMNS, FIELDS, Sample, StoreInfo
from aclnet.data.store import open_store, write_store

LAYOUT = {
    "name": "three",
    "joints": ["hip", "left_foot", "right_foot"],
    "bones": [["left_foot", "hip"], ["right_foot", "hip"]],
    "centre": "hip",
}
INFO = StoreInfo(
    name="test", layout=LAYOUT, channels=("x", "y"), unit="pixel", classes=("walk", "run"), fps=25
)
REMEDY = "make it again from the recordings with `aclnet-task data convert --overwrite`"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three samples of 3, 4 and 2 frames; the second has sizes, numbers and a rate of its own."""
    samples = [
        Sample(f"s{i}", np.ones((length, 1, 3, 2), np.float32), identity="a", label="walk")
        for i, length in enumerate((3, 4, 2))
    ]
    samples[1].image_size, samples[1].fps = (340, 256), 29.97
    samples[1].frame_numbers = np.array([300, 301, 305, 310])
    write_store(tmp_path / "s", samples, INFO)
    return tmp_path / "s"


def refusal(store: Path) -> str:
    with pytest.raises(ValueError, match=re.escape(str(store))) as caught:
        open_store(store)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def edit_cell(store: Path, row: int, column: str, text: str) -> None:
    table = list(csv.reader(io.StringIO((store / "index.csv").read_text())))
    table[row][table[0].index(column)] = text
    with (store / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)


def test_it_opens_as_written(store: Path) -> None:
    found = open_store(store)
    assert found.starts.tolist() == [0, 3, 7]
    assert found.frame_numbers(1).tolist() == [300, 301, 305, 310]


@pytest.mark.parametrize(
    ("column", "text", "fault"),
    [
        ("sample", "", "sample '' is empty"),
        ("sample", "s0", "sample 's0' is the key of an earlier row too"),
        ("sample", "s\x1b[2J", "is not plain text"),
        *((field, "a\u202eb", rf"{field} 'a\u202eb' is not plain text") for field in FIELDS),
        ("label", "jump", "label 'jump' is not one of the 2 classes in store.json"),
        ("label", "", "label '' is not one of the 2 classes"),
        ("start", "4", "start '4' is not the number of frames in the rows before"),
        ("start", "-1", "start '-1' is not a whole number from 0 on"),
        ("start", "", "start '' is not a whole number"),
        ("length", "-4", "length '-4' is not a whole number"),
        ("length", "4.0", "length '4.0' is not a whole number"),
        ("length", "nan", "length 'nan' is not a whole number"),
        ("length", "9" * 400, "is not a whole number"),
        ("image_size", "340", "image_size '340' is not like 340x256"),
        ("image_size", "0x5", "image_size '0x5' is not like 340x256"),
        ("image_size", f"{'9' * 400}x5", "is not like 340x256"),
        ("frames", "300:310", "frames '300:310' is not as many rising frame numbers"),
        ("frames", "300-302", "is not as many rising frame numbers"),
        ("frames", "310 305 301 300", "is not as many rising frame numbers"),
        ("frames", "0-999999999999999999", "is not as many rising frame numbers"),
        ("frames", "300-301 305  310", "is not as many rising frame numbers"),
        ("fps", "fast", "fps 'fast' is not like 29.97"),
        ("fps", "0", "fps '0' is not from 0.001 to 1e+06"),
        ("fps", "nan", "fps 'nan' is not like 29.97"),
        ("fps", "9" * 400, "is not like 29.97"),
    ],
)
def test_a_damaged_cell_is_named(store: Path, column: str, text: str, fault: str) -> None:
    edit_cell(store, 2, column, text)
    sentence = refusal(store)
    assert "index.csv: row 2" in sentence
    assert fault in sentence
    assert REMEDY in sentence


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda text: text.replace("sample,", "sampel,", 1), "it has columns sampel, start"),
        (lambda text: text.replace("camera,split", "split,camera"), "it has columns sample, st"),
        (lambda text: text.splitlines()[0], "there is no sample"),
        (lambda text: text + "s3,9,2\n", "row 4 has 3 cells, the header 13"),
        (lambda text: text.rsplit("\n", 2)[0], "frames.npy: it has shape (9, 1, 3, 2)"),
        (lambda text: text + text.splitlines()[1] + "\n", "the key of an earlier row too"),
        (lambda text: text.replace("3,4,a", "3,5,a"), "start '7' is not the number of frames"),
        (lambda text: text.replace("7,2,a", "7,9,a"), "index.csv and store.json say (16, M, 3, 2)"),
        (lambda text: text.replace("s0", '"s0', 1), "not a readable CSV"),
        (lambda text: "", "not a readable CSV"),
    ],
)
def test_a_damaged_index_is_named(store: Path, edit: Callable[[str], str], fault: str) -> None:
    file = store / "index.csv"
    file.write_text(edit(file.read_text()))
    sentence = refusal(store)
    assert fault in sentence
    assert REMEDY in sentence


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("name", 7, "field name"),
        ("name", None, "field name"),
        ("layout", {}, "field layout"),
        ("layout", {**LAYOUT, "centre": "nose"}, "field layout"),
        ("layout", {**LAYOUT, "joints": ["hip"]}, "field layout"),
        ("channels", [], "field channels"),
        ("channels", ["x", "x"], "field channels: channels must be names, each once"),
        ("channels", ["x", "y", "z"], "index.csv and store.json say (9, M, 3, 3)"),
        ("unit", "furlong", "field unit"),
        ("image_size", [0, 5], "field image_size.0"),
        ("image_size", [10**12, 5], "field image_size.0"),
        ("classes", ["walk", "run", "walk"], "field classes: classes must be names, each once"),
        ("classes", ["run"], "label 'walk' is not one of the 1 classes"),
        ("fps", 0, "field fps"),
        ("fps", 1e300, "field fps"),
        ("synthetic", "perhaps", "field synthetic"),
        ("source", [], "field source"),
        ("dropped", {"short": -1}, "field dropped.short"),
        ("settings", 7, "field settings"),
        ("fingerprint", 7, "field fingerprint"),
        ("owner", "me", "field owner"),
    ],
)
def test_a_damaged_description_is_named(store: Path, field: str, value: Any, fault: str) -> None:
    file = store / "store.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), field: value}))
    sentence = refusal(store)
    assert fault in sentence
    assert REMEDY in sentence


@pytest.mark.parametrize("version", [0, "1", None, True, [1] * 99])
def test_what_is_no_version_is_refused(store: Path, version: Any) -> None:
    file = store / "store.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema_version": version}))
    sentence = refusal(store)
    assert "its schema_version is" in sentence
    assert REMEDY in sentence


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\0", '"\\ud800'])
def test_a_description_that_is_no_json(store: Path, text: str) -> None:
    (store / "store.json").write_text(text)
    assert "store.json: not JSON" in refusal(store)


def npy(array: np.ndarray[Any, Any], version: tuple[int, int] = (1, 0)) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version)
    return stream.getvalue()


RIGHT = np.ones((9, 1, 3, 2), np.float32)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "not a readable .npy"),
        (b"\x93NUMPY", "not a readable .npy"),
        (npy(RIGHT)[:-4], "but shape (9, 1, 3, 2) of float32 needs"),
        (npy(RIGHT) + b"\0", "but shape (9, 1, 3, 2) of float32 needs"),
        (npy(RIGHT, (2, 0)), "it is of another version of the .npy format"),
        (npy(RIGHT.astype(np.float64)), "it holds float64, not float32 or float16"),
        (npy(RIGHT.astype(">f4")), "it holds >f4, not float32 or float16"),
        (npy(RIGHT.astype(np.int32)), "it holds int32"),
        (npy(np.asfortranarray(np.ones((9, 2, 3, 2), np.float32))), "in Fortran order"),
        (npy(RIGHT[:8]), "it has shape (8, 1, 3, 2), index.csv and store.json say (9, M, 3, 2)"),
        (npy(RIGHT[:, 0]), "it has shape (9, 3, 2)"),
        (npy(RIGHT[:, :0]), "no person"),
        (npy(RIGHT).replace(b"(9, 1,", b"(9,-1,"), "no person"),
        (npy(RIGHT).replace(b"1, 3, 2), }           ", b"10000000000, 3, 2), } "), "needs"),
    ],
)
def test_damaged_frames_are_named(store: Path, content: bytes, fault: str) -> None:
    (store / "frames.npy").write_bytes(content)
    sentence = refusal(store)
    assert fault in sentence
    assert "frames.npy: " in sentence
    assert REMEDY in sentence


@pytest.mark.parametrize("name", ["index.csv", "frames.npy"])
def test_a_file_that_is_none(store: Path, name: str) -> None:
    (store / name).unlink()
    assert f"{name}: the file is missing" in refusal(store)
    os.mkfifo(store / name)  # opened, it would wait for ever
    assert f"{name}: the file is missing" in refusal(store)


def test_huge_files_are_not_read(store: Path) -> None:
    os.truncate(store / "index.csv", 1 << 30)
    assert "index.csv: 1,073,741,824 bytes, more than the" in refusal(store)


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    assert "is not a store (no store.json); make one with" in refusal(tmp_path)


def test_texts_are_judged_as_they_are_read() -> None:
    for text in ("3-5 8", "8 3-5", "3", "3-5/2", "5-3", "3-5/0", "3-", "", "3 3", "3-5 5-6"):
        for length in range(1, 6):
            try:
                read = len(text_to_numbers(text, length)) == length
            except ValueError:
                read = False
            assert lists_frames(text, length) == (read and text != ""), (text, length)


def test_many_samples_open_quickly(tmp_path: Path, store: Path) -> None:
    count = 50_000
    index = pd.DataFrame({name: [f"{name} {i}" for i in range(count)] for name in COLUMNS})
    index["start"], index["length"], index["label"] = np.arange(count), 1, "walk"
    index["image_size"], index["fps"] = "340x256", "29.97"
    index["frames"] = [f"{i}" for i in range(count)]
    index = index[[*COLUMNS, "image_size", "frames", "fps"]]
    index.to_csv(store / "index.csv", index=False)
    (store / "frames.npy").write_bytes(npy(np.zeros((count, 1, 3, 2), np.float32)))
    started = time.process_time()
    pd.read_csv(store / "index.csv", dtype=str)
    read = time.process_time() - started
    started = time.process_time()
    assert len(open_store(store)) == count
    # Checked by columns it is some times the reading; row by row, hundreds.
    assert time.process_time() - started < 30 * read
