from __future__ import annotations

import contextlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclnet.data.formats.pyskl.annotations import load_annotations, looks_annotated

pytestmark = pytest.mark.usefixtures("little_memory")

RNG = np.random.default_rng(0)


def annotation(number: int, frames: int = 5, **more: Any) -> dict[str, Any]:
    return {
        "frame_dir": f"sample-{number}",
        "label": number % 3,
        "img_shape": (1080, 1920),
        "keypoint": RNG.normal(size=(2, frames, 25, 3)).astype(np.float16),
        **more,
    }


def content(count: int = 4) -> dict[str, Any]:
    annotations = [annotation(i) for i in range(count)]
    names = [a["frame_dir"] for a in annotations]
    return {"split": {"train": names[::2], "val": names[1::2]}, "annotations": annotations}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "annotations.pkl"


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_and_form(protocol: int, file: Path) -> None:
    score = np.ones((2, 5, 25), np.float32)
    more = {"keypoint_score": score, "valid": {0.3: 5}, "label": np.int64(1)}
    made = content() | {
        "annotations": [annotation(i, **more) for i in range(3)]
        + [annotation(3, keypoint_score=score, keypoint=np.asfortranarray(np.ones((2, 5, 25, 3))))]
    }
    for whole, splits in (
        (made, made["split"]),
        (dict(reversed(made.items())), made["split"]),
        ({"annotations": made["annotations"]}, {}),
        (made["annotations"], {}),
    ):
        file.write_bytes(pickle.dumps(whole, protocol))
        annotations, found = load_annotations(file)
        assert found == splits
        for one, other in zip(annotations, made["annotations"], strict=True):
            assert list(one.fields) == list(other)
            for name, value in other.items():
                np.testing.assert_array_equal(one.fields[name], value)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"split": {}}, "no list 'annotations', the content is of type dict; a PYSKL"),
        ({"annotations": 3}, "no list 'annotations'"),
        (np.zeros(3), r"no list 'annotations', the content is an array \(3,\) of float64"),
        ({"poses": {"annotations": [{}]}}, "no list 'annotations'"),
        ([np.zeros(3)], r"annotation 0 is an array \(3,\) of float64, not a dict"),
        ([annotation(0), None], "annotation 1 is missing, not a dict"),
        (content() | {"split": ["a"]}, "split is of type list, not a dict of lists"),
        (content() | {"split": {"train": "a"}}, "split 'train' is not a list of sample"),
        (content() | {"split": {"train": [1]}}, "split 'train' is not a list of sample"),
        (content() | {"split": {("a",): []}}, "split of type tuple is not a list of sample"),
        (content() | {"split": {"train": []}}, "split 'train' is empty; list the names"),
        ([annotation(0, keypoint=np.zeros(2, dtype=object))], r"an array \(2,\) of object"),
    ],
)
def test_other_contents(made: Any, message: str, file: Path) -> None:
    file.write_bytes(pickle.dumps(made))
    with pytest.raises(ValueError, match=message) as caught:
        load_annotations(file)
    assert str(caught.value).startswith(f"{file}: ")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 400), st.booleans())
def test_any_bytes_give_annotations_or_a_value_error(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, start: int, within: bool
) -> None:
    file = tmp_path_factory.mktemp("pickle") / "noise.pkl"
    whole = pickle.dumps({"annotations": [annotation(0, frames=1)]}, 4)
    # Noise alone rarely gets past the first byte; noise inside a real pickle does.
    file.write_bytes(whole[:start] + noise + whole[start + len(noise) :] if within else noise)
    looks_annotated(file)
    with contextlib.suppress(ValueError):  # any other exception fails the test
        load_annotations(file)


@pytest.mark.parametrize("protocol", range(6))
def test_how_a_file_begins(protocol: int, file: Path) -> None:
    made = content()
    for one, expected in (
        (made, True),
        (dict(reversed(made.items())), True),
        (made["annotations"], True),
        (made["annotations"][:1], True),
        ({"poses": made}, False),
        (made["annotations"][0], False),
        ([[1, 2]], False),
        ([], False),
        (np.zeros(3), False),
    ):
        file.write_bytes(pickle.dumps(one, protocol))
        assert looks_annotated(file) == expected
