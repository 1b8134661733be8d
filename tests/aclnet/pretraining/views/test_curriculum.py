from __future__ import annotations

from itertools import groupby

import pytest
from pydantic import ValidationError

from aclnet.pretraining.views.curriculum import stage1_plan, stage2_plan
from aclnet.pretraining.views.settings import (
    ActionletViewSettings,
    ChangeSettings,
    ExtremeViewSettings,
    MixSettings,
)

SETTINGS = ActionletViewSettings()


@pytest.mark.parametrize(
    ("epochs", "lengths"), [(350, [100, 100, 100, 50]), (60, [17, 17, 17, 9]), (7, [2, 2, 2, 1])]
)
def test_a_training_of_any_length_has_the_published_shares(epochs: int, lengths: list[int]) -> None:
    counts = []
    for epoch in range(1, epochs + 1):
        plan = stage2_plan(SETTINGS, epoch, epochs, seed=0)
        counts.append(
            tuple(len(plan[view].methods) for view in ("normal", "strong", "weak", "key"))
        )
    found = [(key, len(list(group))) for key, group in groupby(counts)]
    assert [key for key, _ in found] == [(7, 9, 2, 2), (5, 7, 2, 2), (3, 5, 2, 2), (0, 0, 0, 0)]
    assert [length for _, length in found] == lengths


def test_the_changes_are_drawn_once_an_epoch_among_those_of_the_view() -> None:
    plans = [stage2_plan(SETTINGS, epoch, 350, seed=3) for epoch in range(201, 301)]
    assert plans == [stage2_plan(SETTINGS, epoch, 350, seed=3) for epoch in range(201, 301)]
    assert plans != [stage2_plan(SETTINGS, epoch, 350, seed=4) for epoch in range(201, 301)]
    for view in ("normal", "strong"):
        used = {method for plan in plans for method in plan[view].methods}
        assert used == {*SETTINGS.basic, *getattr(SETTINGS, view)}
    assert all(plan["strong"].strong and not plan["normal"].strong for plan in plans)
    assert all(view.keep_centre for plan in plans for view in plan.values())


def test_stage_1_contrasts_an_extreme_view_with_two_ordinary_ones() -> None:
    plan = stage1_plan(ExtremeViewSettings())
    assert plan["query"] == plan["key"]
    assert plan["query"].methods == ("crop", "shear")
    assert len(plan["extreme"].methods) == 7
    assert not any(view.keep_centre for view in plan.values())


@pytest.mark.parametrize(
    ("settings", "values", "message"),
    [
        (
            ActionletViewSettings,
            {"phases": [{"until": 0.5, "normal": 1, "strong": 1}]},
            "the last at 1, not at",
        ),
        (
            ActionletViewSettings,
            {"phases": [{"until": 1, "normal": 6, "strong": 1}]},
            "6 changes of the normal view, which has 5: lower normal",
        ),
        (MixSettings, {"parts": [2, 6]}, "parts is 2 to 6: give two numbers from 1 to 5"),
        (MixSettings, {"late_units": [3, 1]}, "late_units is 3 to 1: .* the smaller first"),
        (ChangeSettings, {"time_factors": [1.5, 0.5]}, "smaller number first"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    settings: type[ActionletViewSettings], values: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        settings.model_validate(values)
