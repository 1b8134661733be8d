from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.action.scores import load_class_scores
from protocols.action.split import load_split
from protocols.embeddings import load_embeddings
from protocols.files import column_names
from protocols.foreign import check_regular, read_text, read_yaml
from protocols.gait.gallery_probe import load_protocol, read_probe_names
from protocols.names import compose, natural_key
from protocols.pair_scores import load_tested
from protocols.records import ResultRecord
from protocols.reid.pairs import load_pairs
from protocols.splits import load_identity_split

LAUGHS = "\n".join(["a0: &a0 x", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40))])


def npy(shape: str, descr: str = "'<f4'", content: bytes = b"") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


HEADERS = [
    npy("(75000000000000,)"),
    npy("(2,)", content=bytes(4)),
    npy("(-2,)", content=bytes(8)),
    npy("(9000000000,)", "'<U0'"),
    npy("(9000000000, 0)"),
    npy("()", "'|O'", b"\x80\x04N."),
    npy("(1,)", "[('a', '<f4')]", bytes(4)),
    npy("(" * 3000),
    b"",
]


@pytest.mark.parametrize("content", HEADERS, ids=range(len(HEADERS)))
@pytest.mark.parametrize("load", [load_embeddings, load_class_scores, load_tested])
def test_headers_that_do_not_fit(content: bytes, load: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    names = ("embedding", "subject", "sample", "classes", "label", "probabilities", "probe")
    with zipfile.ZipFile(path, "w") as file:
        for name in (*names, "gallery", "score"):
            file.writestr(f"{name}.npy", content)
    labels = tmp_path / "labels.csv"
    labels.write_text("sample,subject\na,b\n")
    options = {"labels": labels} if load is load_tested else {}
    with pytest.raises(ValueError, match=r"a.npz: the array '"):
        load(path, **options)
    if load is load_embeddings:
        vectors = path.with_suffix(".npy")
        vectors.write_bytes(content)
        with pytest.raises(ValueError, match=r"a.npy: this is not a .npy of plain numbers"):
            load_embeddings(vectors, labels)


def test_archives_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, embedding=np.zeros((100, 400_000), np.float16), subject=["a"] * 100)
    with pytest.raises(ValueError, match=r"a.npz: its \d+ bytes unpack to \d+: save it without"):
        load_embeddings(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as file:
        for name in ("embedding", "subject"):
            file.writestr(f"{name}.npy", npy("(1,)", content=bytes(4)))
    with pytest.raises(ValueError, match=r"a.npz: the compression of the array 'embedding'"):
        load_embeddings(path)
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"a.npz: this is not an npz archive"):
        load_embeddings(path)
    assert column_names(path) == []


def test_tables_that_would_grow(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for text, message in (
        ("subject,e0\n" + "x" * 120_000 + ",1\n" + "y,1\n" * 100_000, "far longer than the others"),
        (
            "subject,e0\nx" + "\u0301\u0316" * 60_000 + ",1\n",
            "more than 30 combining marks in a row",
        ),
        ("subject,e0\nx,1\nx\0,2\n", "a name has a NUL character"),
        ("subject,e0\nx,1e400\n", "not finite"),
        ("subject," + "a," * 60_000, "appears twice"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=rf"a.csv: .*{message}"):
            load_embeddings(path)
    path.write_text(f"subject,split,{','.join(map(str, range(3000)))}\n" + "a,test\n" * 3000)
    with pytest.raises(ValueError, match=r"a.csv: 3000 rows of 3002 columns hold 6000 cells"):
        load_identity_split(path)


def test_a_parquet_of_one_value(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"subject": pa.nulls(4_000_000, pa.string())}), path)
    with pytest.raises(ValueError, match=r"a.parquet: not a readable Parquet file: its \d+ bytes"):
        load_embeddings(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"?" * (len(whole) - 8) + whole[-4:])
    with pytest.raises(ValueError, match=r"a.parquet: not a readable Parquet file"):
        load_embeddings(path)


def test_a_parquet_over_which_arrow_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    import protocols.parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"subject": ["a"], "e0": [0.5]}), path)
    assert load_embeddings(path).subject.tolist() == ["a"]
    dies = "import os; os.abort()"
    monkeypatch.setattr(protocols.parquet, "_START", dies)
    with pytest.raises(ValueError, match=r"a.parquet: not a readable Parquet file: it is damaged"):
        load_embeddings(path)


@pytest.mark.parametrize("text", [LAUGHS, "&a [*a]", "[" * 50_000, "!!timestamp x", "x" * 200_000])
def test_yaml_that_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    for load in (load_protocol, load_pairs):
        with pytest.raises(ValueError, match=r"a.yaml: it (cannot be read as YAML|is longer than)"):
            load(path)


def test_yaml_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    for text, content in (("a: &b [1]\nc: *b\n", {"a": [1], "c": [1]}), ("", None)):
        path.write_text(text)
        assert read_yaml(path) == content


def test_a_name_of_a_probe_that_numpy_would_cut(tmp_path: Path) -> None:
    path = tmp_path / "probes.txt"
    path.write_text("one\ntwo\0\n\0three\n")
    with pytest.raises(ValueError, match=r"The list of probes .*probes.txt: a name has a NUL"):
        read_probe_names(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, "{"])
def test_json_that_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    for read in (ResultRecord.read, read_probe_names):
        with pytest.raises(ValueError, match=r"a.json.*not JSON"):
            read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with a name")
def test_what_is_no_regular_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    os.mkfifo(path)
    for read in (check_regular, ResultRecord.read, read_text):
        with pytest.raises(ValueError, match=r"not a regular file"):
            read(path)
    for load in (load_embeddings, load_tested, load_split, load_protocol):
        with pytest.raises((ValueError, FileNotFoundError), match=r"There is no .*a.csv"):
            load(path)


def test_names_of_any_length() -> None:
    assert natural_key("1" * 5000) == (1, 0, "1" * 5000)
    assert compose("Zoe\u0308") == "Zo\u00eb"
    with pytest.raises(ValueError, match="marks in a row"):
        compose("a" + "\u0301" * 31)
