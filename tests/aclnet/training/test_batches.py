from __future__ import annotations

import threading

import pytest
import torch

from aclnet.training.batches import Batch, Prefetcher, to_device


def batch_of(*names: str) -> Batch:
    return Batch(torch.zeros(len(names), 1, 1, 1, 1), torch.zeros(len(names)), list(names))


class Recorder:
    """A source that notes what was asked, by which thread."""

    steps_per_epoch = 2

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int, int]] = []
        self.threads: set[str] = set()

    def batch(self, epoch: int, step: int, rank: int, world: int) -> Batch:
        self.asked.append((epoch, step, rank, world))
        self.threads.add(threading.current_thread().name)
        if epoch == 9:
            raise ValueError("sample x has no frames")
        return batch_of(f"{epoch}.{step}.{rank}")


def test_batches_are_fetched_ahead_and_once() -> None:
    source = Recorder()
    order = [(1, 0), (1, 1), (2, 0)]
    with Prefetcher(source, rank=1, world=2, pin=False) as batches:
        for position, following in zip(order, [*order[1:], None], strict=True):
            batch = batches.get(position, following)
            assert batch.samples == [f"{position[0]}.{position[1]}.1"]
    assert source.asked == [(*position, 1, 2) for position in order]
    assert threading.current_thread().name not in source.threads
    assert len(source.threads) == 1


def test_a_position_that_was_not_announced_is_fetched() -> None:
    with Prefetcher(Recorder(), rank=0, world=1, pin=False) as batches:
        batches.get((1, 0), (1, 1))
        assert batches.get((5, 1), None).samples == ["5.1.0"]


def test_names_of_another_ranks_share() -> None:
    with Prefetcher(Recorder(), rank=0, world=2, pin=False) as batches:
        assert batches.names((3, 1), rank=1) == ["3.1.1"]


def test_an_error_of_the_source_arrives_when_its_batch_is_asked_for() -> None:
    with Prefetcher(Recorder(), rank=0, world=1, pin=False) as batches:
        assert batches.get((1, 0), (9, 0)).samples == ["1.0.0"]
        with pytest.raises(ValueError, match="sample x has no frames"):
            batches.get((9, 0), None)


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with Prefetcher(Recorder(), rank=0, world=1, pin=False) as batches:
        batches.get((1, 0), (1, 1))
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


@pytest.mark.parametrize(("clips", "labels", "names"), [(0, 0, 0), (2, 1, 2), (2, 2, 1)])
def test_batches_are_whole(clips: int, labels: int, names: int) -> None:
    with pytest.raises(ValueError, match=f"{clips} clips, {labels} labels and {names} names"):
        Batch(torch.zeros(clips, 1, 1, 1, 1), torch.zeros(labels), ["x"] * names)


def test_widths_go_with_the_clips() -> None:
    clips, labels = torch.zeros(2, 1, 1, 1, 1), torch.zeros(2)
    batch = Batch(clips, labels, ["a", "b"], torch.tensor([320.0, 640.0]))
    moved = to_device(batch, torch.device("meta"))
    assert moved.widths is not None
    kinds = {tensor.device.type for tensor in (moved.clips, moved.labels, moved.widths)}
    assert kinds == {"meta"}
    assert moved.samples == ["a", "b"]
    assert to_device(batch_of("a"), torch.device("meta")).widths is None
    with pytest.raises(ValueError, match="expected 2 widths, one per clip, got 3"):
        Batch(clips, labels, ["a", "b"], torch.ones(3))
