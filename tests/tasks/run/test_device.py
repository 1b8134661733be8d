from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aclnet.training.settings import TrainSettings
from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.ranking import gpu
from protocols.ranking.distances import Metric, as_pair
from protocols.ranking.exclusion import same_labels
from protocols.ranking.gpu import all_mates_on, first_mates_on
from protocols.ranking.identification import identify, identify_in_parts
from protocols.ranking.layout import lay_out
from protocols.ranking.precision import Ties
from protocols.reid.evaluate import evaluate_reid
from tasks.run import device
from tasks.run.device import TorchEngine, ranking_device

FIELDS = ("first_mate", "mates", "candidates", "average_precision", "inverse_penalty")
HERE = TorchEngine("cpu", working_bytes=4000)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 24), st.integers(1, 4)),
    scale=st.sampled_from([0, 1, 1e-20, 1e3, 1e30]),
    metric=st.sampled_from(["cosine", "euclidean"]),
    ties=st.sampled_from(["row", "grouped"]),
    hides=st.booleans(),
    precision=st.booleans(),
    skip=st.integers(0, 1),
)
def test_ranks_as_numpy_does(
    seed: int,
    sizes: tuple[int, int, int],
    scale: float,
    metric: Metric,
    ties: Ties,
    hides: bool,
    precision: bool,
    skip: int,
) -> None:
    """Small integers have many ties, which the lowest row of the gallery wins."""
    generator = np.random.default_rng(seed)
    probes, rows, dims = sizes
    points = generator.integers(-2, 3, (probes + rows, dims)).astype(np.float32)
    if scale:
        points = (points + generator.normal(0, 0.1, points.shape)) * scale
    if metric == "cosine":
        points[~points.any(axis=1), 0] = 1
    people = generator.integers(0, 4, probes), generator.integers(0, 4, rows)
    views = generator.integers(0, 2, probes), generator.integers(0, 2, rows)
    part = np.unique(generator.integers(0, 3, rows), return_inverse=True)[1]
    ranks: dict[str, Any] = {"depth": 4, "ties": ties, "skip": skip, "precision": precision}
    ranks |= {"metric": metric, "exclude": same_labels(people, views) if hides else None}
    sides = (points[:probes], points[probes:], *people, part)
    found = identify_in_parts(*sides, device="gpu", engine=HERE, **ranks)
    wanted = identify_in_parts(*sides, device="cpu", **ranks)
    for one, other in zip(found, wanted, strict=True):
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)


def walkers(probes: int = 200, rows: int = 600) -> tuple[Any, Any, Any, Any]:
    generator = np.random.default_rng(0)
    people = generator.integers(0, 30, probes), generator.integers(0, 30, rows)
    centres = generator.normal(0, 1, (30, 64))
    sides = (centres[own] + generator.normal(0, 1.2, (len(own), 64)) for own in people)
    return *(side.astype(np.float32) for side in sides), *people


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_nearly_all_is_proven(metric: Metric) -> None:
    probe, gallery, own, enrolled = walkers()
    layout = lay_out(own, enrolled)
    points = as_pair(probe, gallery, metric)
    stored = points[1].take(layout.order)
    (found,) = all_mates_on(HERE, points[0], stored, layout)
    assert found.proven.all()
    assert first_mates_on(HERE, points[0], stored, layout, 600).proven.mean() > 0.95


class Absent(TorchEngine):
    """No card, or one without the memory."""

    def usable(self, needed: int) -> bool:
        return False


class Present(TorchEngine):
    """Counts what is asked of it."""

    used = 0

    def product(self, left: Any, held: Any) -> Any:
        self.used += 1
        return super().product(left, held)


@pytest.mark.parametrize("precision", [True, False])
def test_a_gpu_ranks_by_itself_where_it_is_worth_it(
    precision: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Present("cpu")
    identify(*walkers(), precision=precision, engine=there)
    assert not there.used
    monkeypatch.setattr(gpu, "_WORTH_PAIRS", 200 * 600)
    identify(*walkers(), precision=precision, engine=there)
    assert there.used
    there.used = 0
    identify(*walkers(), precision=precision, engine=there, device="cpu")
    assert not there.used


@pytest.mark.parametrize("absent", [None, Absent()])
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"precision": True}, "There is no GPU here with the memory to rank by: use device cpu"),
        ({"precision": False}, "FAISS sees no GPU here"),
    ],
)
def test_a_gpu_that_is_not_there_is_refused(
    absent: TorchEngine | None, asked: dict[str, bool], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        identify(*walkers(), device="gpu", engine=absent, **asked)


def test_what_no_gpu_ranks_is_refused() -> None:
    people = np.array(["a", "a"])
    parts = np.ones((2, 3, 2))
    with pytest.raises(ValueError, match="parts' Euclidean distances is computed on the CPU"):
        identify(parts, parts, people, people, metric="euclidean", device="gpu", engine=HERE)
    labels = (people, np.array(["nm", "nm"]), np.array(["1", "5"]), np.array(["0", "0"]))
    data = Embeddings(np.eye(2, dtype=np.float32), *labels)
    with pytest.raises(ValueError, match="Re-ranking, query expansion and scores"):
        evaluate_gait(data, "casia_b_no_view", rerank=(1, 1, 0.3), device="gpu", engine=HERE)
    with pytest.raises(ValueError, match="Re-ranking, query expansion and scores"):
        evaluate_reid(data, "casia_b", measuring=lambda *_: [], device="gpu", engine=HERE)


def test_tf32_of_the_environment_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    device._keeps_digits.cache_clear()
    rounded = torch.Tensor.__matmul__
    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda a, b: rounded(a.bfloat16().float(), b))
    assert not HERE.usable(0)
    device._keeps_digits.cache_clear()


@pytest.mark.parametrize(
    ("accelerator", "asked", "wanted"),
    [
        ("auto", "auto", "auto"),
        ("cpu", "auto", "cpu"),
        ("cpu", "gpu", "gpu"),
        ("cuda", "cpu", "cpu"),
    ],
)
def test_a_training_on_the_cpu_is_judged_there(accelerator: Any, asked: Any, wanted: str) -> None:
    assert ranking_device(TrainSettings(accelerator=accelerator), asked) == wanted


@pytest.mark.parametrize("task", ["gait", "reid"])
def test_eval_takes_a_device(
    task: str, tmp_path: Path, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    takes = [("nm", take) for take in range(1, 7)] + [("bg", 1), ("cl", 1)]
    rows = [(f"{p:03d}", c, str(t)) for p in range(4) for c, t in takes]
    subject, condition, take = (np.array(column) for column in zip(*rows, strict=True))
    vectors = generator.normal(size=(len(rows), 8)).astype(np.float32)
    file = tmp_path / "vectors.npz"
    Embeddings(vectors, subject, condition, take, np.full(len(rows), "90")).save(file)
    command = (task, "eval", "--embeddings", file)
    plain = call(*command).out
    monkeypatch.setattr(
        device.TorchEngine, "__init__", lambda self: self.__dict__.update(vars(HERE))
    )
    assert call(*command, "--device", "gpu").out == plain
    monkeypatch.setattr(device.TorchEngine, "usable", Absent.usable)
    found = call(*command, "--device", "gpu", code=2)
    assert "There is no GPU here" in found.err


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("precision", [True, False])
def test_a_card_ranks_as_the_cpu_does(metric: Metric, precision: bool) -> None:
    sides = walkers(2000, 6000)
    ranks: dict[str, Any] = {"metric": metric, "precision": precision}
    torch.set_float32_matmul_precision("high")
    try:
        found = identify(*sides, device="gpu", engine=TorchEngine(), **ranks)
    finally:
        torch.set_float32_matmul_precision("highest")
    wanted = identify(*sides, device="cpu", **ranks)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), name)
