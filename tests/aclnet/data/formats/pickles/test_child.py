from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.convert import convert
from aclnet.data.formats import READERS, read
from aclnet.data.formats.pickles.child import read_in_child

ENDLESS = b"\x80\x02}K\x01" + b"2\x86" * 60 + b"Ns."
"""{a tuple of one tuple twice, which holds another twice, and so on: None}."""

READER = """
import os, sys, time
import numpy as np
from aclnet.data.formats.pickles import limits
from aclnet.data.sample import Sample, StoreInfo

limits.SILENCE = 0.3

def read(path, *, progress, act):
    info = StoreInfo(name="x", layout={"name": "made"}, channels=("x",), unit="pixel")
    return info, drawn(path, info, progress, act)

def drawn(path, info, progress, act):
    frames = np.ones((40, 1, 9000, 1))
    yield Sample("a", frames, label=os.environ["OMP_NUM_THREADS"], image_size=(4, 3))
    with limits.unpickling(path):
        eval(act)
    info.count_dropped("reason")
    yield Sample("b", frames, frame_numbers=np.arange(5, 85, 2))
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "made_reader.py").write_text(READER)
    monkeypatch.syspath_prepend(tmp_path)
    return "made_reader"


def annotations() -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    return [
        {"frame_dir": f"v{i}", "label": i, "img_shape": (9, 8 + i), "keypoint": rng.normal(size=s)}
        for i, s in enumerate([(1, 5, 17, 2), (3, 4, 17, 2), (0, 4, 17, 2), (2, 6, 17, 2)])
    ]


def outcome(reader: Callable[..., Any], file: Path) -> tuple[list[Any], list[Any]]:
    """The frames that a reader hands out, and all else that it says."""
    seen: list[Any] = []
    info, samples = reader(file, layout=None, progress=lambda *both: seen.append(both), persons=2)
    said = [info.model_copy(update={"dropped": dict(info.dropped)})]
    drawn = [vars(sample) | {"dropped": dict(info.dropped)} for sample in samples]
    frames = [fields.pop("frames") for fields in drawn]
    return frames, [*said, drawn, info.dropped, seen]


def test_the_same_as_in_this_process(tmp_path: Path) -> None:
    file = tmp_path / "a.pkl"
    file.write_bytes(pickle.dumps({"split": {"all": ["v0", "gone"]}, "annotations": annotations()}))
    ours, said = outcome(importlib.import_module(READERS["pyskl"]).read, file)
    theirs, also = outcome(partial(read_in_child, READERS["pyskl"]), file)
    assert also == said
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(other, one)
        # As it lies in memory too: sums depend on it.
        assert (other.dtype, other.strides) == (one.dtype, one.strides)
        assert other.flags.writeable


def test_a_reader_of_ones_own(module: str, tmp_path: Path) -> None:
    info, samples = read_in_child(module, tmp_path, progress=None, act="print('to nobody')")
    first = next(samples)
    time.sleep(0.5)  # the reader waits for us, which is not a silence of its own
    assert (first.label, first.image_size, first.frames.sum()) == ("1", (4, 3), 360_000)
    assert info.dropped == {}
    second = next(samples)
    assert (second.sample, second.numbers.tolist()) == ("b", list(range(5, 85, 2)))
    assert info.dropped == {"reason": 1}
    assert next(samples, None) is None


@pytest.mark.parametrize(
    ("act", "message"),
    [
        ("time.sleep(60)", "no sign of progress for 60 s"),
        ("any(iter(int, 1))", "takes more than 0.5 s of processor time plus 1 s for every 20"),
        ("np.ones(1 << 26)", "needs more memory than 400 MiB and 6 times the file"),
        ("os._exit(3)", "the process that reads it ended with exit code 3"),
        ("os.write(1, b'{') and os._exit(4)", "ended with exit code 4"),
        ("{}[object()]", r"cannot be read \(KeyError\)"),
        ("int('x\x1b')", r"invalid literal for int\(\) with base 10: 'x\\x1b'"),
    ],
    ids=["silence", "endless", "memory", "exit", "cut", "bug", "fault"],
)
def test_what_ends_it(act: str, message: str, module: str, tmp_path: Path) -> None:
    # Silence is what comes before or after a pickle.
    act = f"limits.set_alarm(0.3), {act}" if "sleep" in act else act
    _, samples = read_in_child(module, tmp_path, progress=None, act=act)
    with pytest.raises(ValueError, match=message) as caught:
        list(samples)
    assert str(tmp_path) in str(caught.value) or "literal" in message


def test_it_ends_when_its_samples_are_let_go(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def recorded(*args: Any, **options: Any) -> Any:
        started.append(start(*args, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", recorded)
    _, samples = read_in_child(module, tmp_path, progress=None, act="time.sleep(60)")
    next(samples)
    assert started[0].poll() is None
    del samples
    assert started[0].returncode not in (None, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the process in /proc")
def test_it_ends_with_its_owner(module: str, tmp_path: Path) -> None:
    act = f"open({str(tmp_path / 'id')!r}, 'w').write(str(os.getpid())), time.sleep(60)"
    owner = (
        "import pathlib, sys; from aclnet.data.formats.pickles.child import read_in_child; "
        f"sys.path.insert(0, {str(tmp_path)!r}); import {module}; "
        f"list(read_in_child({module!r}, pathlib.Path('.'), progress=None, act={act!r})[1])"
    )
    process = subprocess.Popen([sys.executable, "-c", owner])
    child = tmp_path / "id"
    while not child.is_file() or not child.read_text():
        time.sleep(0.01)
    process.kill()
    process.wait()
    state = Path("/proc", child.read_text(), "stat")
    for _ in range(50):
        # What is left of an ended process may wait for its last owner.
        if not state.exists() or ") Z " in state.read_text():
            return
        time.sleep(0.01)
    pytest.fail("the process goes on without its owner")


def test_no_pickle_comes_from_a_pipe(tmp_path: Path) -> None:
    place = tmp_path / "001/nm-01/000"
    place.mkdir(parents=True)
    os.mkfifo(place / "a.pkl")
    with pytest.raises(ValueError, match=r"a.pkl: is not a regular file"):
        read(tmp_path)


def test_a_file_of_a_tree_is_named(tmp_path: Path) -> None:
    for place, content in (("a", pickle.dumps(np.ones((5, 17, 3)))), ("b", ENDLESS)):
        (tmp_path / "001/nm-01" / place).mkdir(parents=True)
        (tmp_path / "001/nm-01" / place / "x.pkl").write_bytes(content)
    _, samples = read(tmp_path)
    with pytest.raises(ValueError, match=r"nm-01/b/x.pkl: takes more than 0.5 s of processor time"):
        list(samples)


HOSTILE = {
    "builtins_eval": "asks for __builtin__.eval",
    "esc_name": r"asks for \?\]0;pwned\?\?\[2Jmod.x",
    "key_ordered": "takes more than 0.5 s of processor time",
    "key_tuple": "takes more than 0.5 s of processor time",
    "laughs_dict": "refers to its parts so often, or so deeply",
    "laughs_tuple": "refers to its parts so often, or so deeply",
    "long_binput_big": "needs more memory than",
    "os_system": "asks for posix.system",
    "os_system_list": "asks for posix.system",
    "repr_dtype": "asks for an array of type tuple",
    "repr_dtype_34": "asks for an array of type tuple",
    "self_dict": "refers to its parts so often, or so deeply",
    "self_list": "refers to its parts so often, or so deeply",
    "shape_list": "an array whose shape is not a few whole numbers",
    "shape_s0": "asks for an array of type S0",
    "shape_str_2GiB": "an array whose shape is not a few whole numbers",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles(
    name: str, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shared / "cases" / "hostile"
    assert {file.stem for file in folder.glob("*.pkl")} == set(HOSTILE)
    monkeypatch.chdir(tmp_path)
    for format, message in ((None, HOSTILE[name]), ("pyskl", ".")):
        before = sum(os.times()[2:4])
        with pytest.raises(ValueError, match=message) as caught:
            convert(folder / f"{name}.pkl", tmp_path / "out", format=format)
        said = str(caught.value)
        assert said.startswith(f"{folder / name}.pkl: ")
        assert said.isprintable()
        assert os.listdir(tmp_path) == []
        assert sum(os.times()[2:4]) - before < 2.5  # seconds of processor time


BOUNDED = """
import numpy as np
from aclnet.data.formats.pickles import limits
from aclnet.data.sample import Sample, StoreInfo

limits.READING_SECONDS = 1

def read(path, *, layout, progress, act):
    info = StoreInfo(name="x", layout={"name": "made"}, channels=("x",), unit="pixel")
    return info, iter([Sample("a", np.ones((1, 1, 1, 1)) if act is None else eval(act))])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux enforces all limits")
@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("any(iter(bool, True))", "s of processor time"),
        ("np.ones(1 << 32)", "memory"),
    ],
)
def test_any_format_is_bounded_on_request(
    act: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bounded_reader.py").write_text(BOUNDED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(READERS, "bounded", "bounded_reader")
    path = tmp_path / "file"
    path.write_bytes(b"x")
    _, samples = read(path, "bounded", apart=True, act=None)
    assert [one.sample for one in samples] == ["a"]
    with pytest.raises(ValueError, match=words):
        list(read(path, "bounded", apart=True, act=act)[1])
