"""What stage 2 compares: how near embeddings and their keys are to the keys in a queue.

Lin et al. (ActCLR), CVPR 2023, section 3.4, as released.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def nearest_in_queue(
    key: Tensor, queue: Tensor, count: int, same_above: float
) -> tuple[Tensor, Tensor]:
    """The keys of the queue that are nearest to each key.

    Args:
        key: (N, P) of unit length.
        queue: (Q, P) of unit length.
        count: K, at most Q.
        same_above: cosine above which a key in the queue counts as the clip itself.

    Returns:
        Their cosines (N, K), nearest first, and their rows (N, K) int64. Those that are the clip
        itself come last, with the cosine -1.
    """
    cosines = key @ queue.t()
    return cosines.masked_fill(cosines.clamp(max=1) > same_above, -1).topk(count, dim=1)


def neighbour_divergence(
    query: Tensor,
    neighbours: tuple[Tensor, Tensor],
    queue: Tensor,
    *,
    teacher_temperature: float,
    student_temperature: float,
) -> Tensor:
    """How far a query's distribution over the neighbours is from its key's.

    The query's cosines are squared, as in the released code, so that opposite keys are as near as
    equal ones.

    Args:
        query: (N, P) of unit length.
        neighbours: of the keys, from `nearest_in_queue`.
        queue: (Q, P).
        teacher_temperature: of the keys.
        student_temperature: of the queries.

    Returns:
        () mean over N.
    """
    cosines, rows = neighbours
    own = (query @ queue.t()).gather(1, rows).square()
    return distribution_divergence(
        own / student_temperature, cosines.detach() / teacher_temperature
    )


def distribution_divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Kullback-Leibler divergence of softmax distributions, from the teacher's: () mean of rows."""
    logs = student.log_softmax(dim=1), teacher.log_softmax(dim=1)
    return functional.kl_div(*logs, reduction="batchmean", log_target=True)
