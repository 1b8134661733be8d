from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import Store, open_store, write_store
from aclnet.data.validate import Finding, validate

LAYOUT = {
    "name": "three",
    "joints": ["hip", "left_foot", "right_foot"],
    "bones": [["left_foot", "hip"], ["right_foot", "hip"]],
    "centre": "hip",
}
INFO = StoreInfo(name="test", layout=LAYOUT, channels=("x", "y", "confidence"), unit="pixel")


def clip(seed: int, frames: int = 20) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(0.1, 1, (frames, 1, 3, 3)).astype(np.float32)


def sample(name: str, seed: int, **changes: Any) -> Sample:
    return Sample(name, **{"frames": clip(seed), "identity": str(seed % 2), **changes})


def faults(path: Path, *extra: Sample, **options: Any) -> list[Finding]:
    good = [sample(f"good{i}", i) for i in range(4)]
    return validate(write_store(path / "s", [*good, *extra], INFO), **options)


def test_good_data_have_no_finding(tmp_path: Path) -> None:
    assert faults(tmp_path) == []


def test_real_data(shared: Path, tmp_path: Path) -> None:
    from aclnet.data.convert import convert

    store = convert(shared / "data" / "raw_samples" / "kgbd" / "Person064", tmp_path / "s")
    findings = validate(store)
    assert [(f.sample, f.field, f.severity) for f in findings] == [
        ("Person064_5", "frames", "warning"),
        ("", "identity", "warning"),
    ]
    assert findings[0].problem == "duplicate of sample Person064_4, the same numbers"


def spoil(value: float, *place: int) -> npt.NDArray[np.float32]:
    frames = clip(9)
    frames[place] = value
    return frames


def zeros(share: float) -> npt.NDArray[np.float32]:
    frames = clip(9)
    frames[: int(share * len(frames)), ..., :2] = 0
    return frames


@pytest.mark.parametrize(
    ("frames", "field", "problem", "severity"),
    [
        (clip(9, 0), "frames", "empty", "error"),
        (clip(9, 9), "length", "short: 9 frames, fewer than 10", "warning"),
        (spoil(np.nan, 3, 0, 1, 1), "y", "frame 3, person 0, joint left_foot", "error"),
        (spoil(-np.inf, 5, 0, 2, 0), "x", "frame 5, person 0, joint right_foot", "error"),
        (zeros(1.0), "frames", "zero skeleton: every joint is zero in every frame", "error"),
        (zeros(0.5), "frames", "zero in 50% of the frames", "warning"),
        (spoil(1.25, 0, 0, 0, 2), "confidence", r"outside 0..1: from 0.1\d* to 1.25", "warning"),
    ],
)
def test_a_bad_sample_is_named(
    frames: npt.NDArray[np.float32], field: str, problem: str, severity: str, tmp_path: Path
) -> None:
    import re

    (finding,) = faults(tmp_path, sample("bad", 9, frames=frames))
    assert (finding.sample, finding.field, finding.severity) == ("bad", field, severity)
    assert re.search(problem, finding.problem)


def test_a_few_empty_frames_are_no_fault(tmp_path: Path) -> None:
    assert faults(tmp_path, sample("gap", 9, frames=zeros(0.1))) == []


def test_lost_joints_are_counted_where_their_person_is_seen(tmp_path: Path) -> None:
    frames = clip(9)
    frames[:6, :, 2] = 0
    frames[6:8] = 0  # nobody
    (found,) = faults(tmp_path, sample("lost", 9, frames=frames))
    assert (found.sample, found.severity) == ("", "warning")
    assert found.problem == (
        "2.0% of the joints are missing in frames that show their person, right_foot most often "
        "(6%): see data.fill_gaps and clip.missing"
    )
    frames = clip(9)
    frames[:2, :, 2] = 0
    assert faults(tmp_path / "few", sample("few", 9, frames=frames)) == []


def test_short_is_a_setting(tmp_path: Path) -> None:
    assert len(faults(tmp_path, min_frames=21)) == 4


def test_duplicates_are_found_by_content(tmp_path: Path) -> None:
    (same,) = faults(tmp_path, sample("copy", 1))
    assert (same.sample, same.severity) == ("copy", "warning")
    assert same.problem == "duplicate of sample good1, the same numbers"


def test_contradicting_duplicates_are_errors(tmp_path: Path) -> None:
    (other,) = faults(tmp_path, sample("copy", 1, identity="0"))
    assert other.severity == "error"
    assert other.problem.endswith("with identity '0' against '1'")


def test_a_duplicate_in_another_split_is_a_warning(tmp_path: Path) -> None:
    findings = faults(tmp_path, sample("copy", 1, split="test"))
    assert findings[0].problem.endswith("with split 'test' against ''")
    assert findings[0].severity == "warning"


def test_groups(tmp_path: Path) -> None:
    many = [sample(f"m{i}", 10 + i, identity="0", label="walk") for i in range(28)]
    found = {f.field: f for f in faults(tmp_path, *many, sample("alone", 99, identity="9"))}
    assert found["identity"].problem == "1 of 3 have only one sample: 9"
    assert found["label"].sample == "good0"
    assert found["label"].problem == "missing, as in 5 of 33 samples"
    findings = faults(tmp_path / "b", *many, sample("alone", 99, identity="9"))
    problems = [f.problem for f in findings]
    assert "unbalanced: '0' has 30 samples, '9' 1" in problems
    assert "constant: all 28 samples with a value have 'walk'" in problems
    assert all(f.severity == "warning" for f in findings)


def test_no_identity_at_all(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s", [Sample("a", clip(0))], INFO)
    (finding,) = validate(store)
    assert finding.problem == "no sample has an identity or a label"


def test_damage_is_found(tmp_path: Path) -> None:
    path = tmp_path / "s"
    faults(tmp_path)
    content = bytearray((path / "frames.npy").read_bytes())
    content[-3] ^= 1
    (path / "frames.npy").write_bytes(content)
    (finding,) = validate(open_store(path))
    assert (finding.field, finding.severity, finding.sample) == ("fingerprint", "error", "")


def test_an_edited_index_is_found(tmp_path: Path) -> None:
    path = tmp_path / "s"
    faults(tmp_path)
    text = (path / "index.csv").read_text()
    (path / "index.csv").write_text(text.replace("good1,20,20,1", "good1,20,20,0"))
    assert ("", "fingerprint") in {(f.sample, f.field) for f in validate(open_store(path))}


def test_frames_that_are_not_the_layouts(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s", [sample("a", 0)], INFO)
    wrong = Store(store.info, store.index, store.frames[:, :, :2, :2])
    problems = [f.problem for f in validate(wrong)]
    assert problems == [
        "2 joints per frame, layout three has 3",
        "2 channels, the description has x, y, confidence",
    ]
    (empty,) = validate(store.select([]))
    assert empty.problem == "there is no sample"


def test_progress_is_reported(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    faults(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
