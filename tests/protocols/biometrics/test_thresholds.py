"""Thresholds chosen on some people and applied to others."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from protocols.biometrics.tally import ScoreTally, tally_scores
from protocols.biometrics.thresholds import transfer
from protocols.biometrics.verification import error_curve


def scores(seed: int, shift: float = 0.0, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(2.0 - shift, 1.0, count), generator.normal(-shift, 1.0, 5 * count)


@given(seed=st.integers(0, 2**32 - 1), target=st.sampled_from([0.2, 0.05, 0.01]))
def test_a_threshold_keeps_its_target_where_it_was_chosen_and_is_honest_elsewhere(
    seed: int, target: float
) -> None:
    here, there = scores(seed), scores(seed + 1, shift=0.5)
    (applied,), _ = transfer(
        tally_scores(*here), {"cl": tally_scores(*there)}, (target,), "development"
    )
    assert applied.achieved == np.mean(here[1] >= applied.value) <= target
    assert (applied.source, applied.target) == ("development", target)
    assert applied.point.fmr == np.mean(there[1] >= applied.value)
    assert applied.point.fnmr == np.mean(there[0] < applied.value)
    assert (applied.genuine, applied.impostor) == (400, 2000)


def test_a_coat_lowers_scores_so_that_a_threshold_of_nm_loses_people() -> None:
    nm, cl = tally_scores(*scores(0)), tally_scores(*scores(1, shift=1.0))
    applied, notes = transfer(nm, {"bg": nm, "cl": cl}, (0.1, 0.01), "nm")
    assert [(row.target, row.condition) for row in applied] == [
        (0.1, "bg"),
        (0.1, "cl"),
        (0.01, "bg"),
        (0.01, "cl"),
    ]
    assert not notes
    same, coat = applied[2].point, applied[3].point
    assert same == error_curve(nm).at_fmr(0.01)
    assert coat.fnmr > same.fnmr + 0.2
    assert coat.fmr < same.fmr
    # A threshold of its own would have kept the FMR at its target and lost fewer people.
    assert error_curve(cl).at_fmr(0.01).fnmr < coat.fnmr


def test_the_score_itself_is_accepted() -> None:
    other = {"cl": tally_scores([2.0, 1.5], [2.0, 1.9])}
    (applied,), _ = transfer(tally_scores([3.0], [1.0, 2.0]), other, (0.5,), "nm")
    assert applied.value == 2.0
    assert (applied.point.fmr, applied.point.fnmr) == (0.5, 0.5)


def test_what_cannot_be_chosen_is_noted_and_incomplete_conditions_are_passed_over() -> None:
    nm, empty = tally_scores([1.0], [0.0] * 50), tally_scores([], [0.0])
    applied, notes = transfer(nm, {"nm": nm, "cl": empty}, (0.1, 0.001), "nm")
    assert [row.condition for row in applied] == ["nm"]
    assert notes == [
        "No threshold can be chosen on nm: An FMR of 0.001 cannot be measured on 50 impostor "
        "comparisons: it takes at least 1000."
    ]
    _, (note,) = transfer(empty, {"nm": nm}, (0.1,), "dev")
    assert note.startswith("No threshold can be chosen on dev: There are 0 genuine")
    nothing = ScoreTally(np.empty(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    assert transfer(nm, {"cl": nothing}, (0.1,), "nm") == ([], [])
