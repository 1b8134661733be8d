from __future__ import annotations

import copy
import inspect
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from aclnet.config import load_settings
from aclnet.losses.metric_learning import MetricLoss
from aclnet.losses.objective import Objective
from aclnet.losses.settings import MetricLossSettings, ObjectiveSettings

losses = pytest.importorskip("pytorch_metric_learning.losses", exc_type=ImportError)

K, D = 5, 6
OPTIONS: dict[str, dict[str, Any]] = {"RankedListLoss": {"margin": 0.4, "Tn": 1.0}}
NEED_MORE_THAN_LABELS = {"GenericPairLoss", "ManifoldLoss", "VICRegLoss"}
NAMES = sorted(
    name
    for name, kind in vars(losses).items()
    if inspect.isclass(kind)
    and issubclass(kind, losses.BaseMetricLossFunction)
    and kind is not losses.BaseMetricLossFunction
    and name not in NEED_MORE_THAN_LABELS
)
every_loss = pytest.mark.parametrize("name", NAMES)
few_losses = pytest.mark.parametrize(
    "name", ["SupConLoss", "ArcFaceLoss", "DynamicSoftMarginLoss", "ProxyAnchorLoss"]
)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_metric_learning")


def test_a_term_may_weigh_less_than_one_and_not_nothing() -> None:
    assert MetricLossSettings(name="SupConLoss", weight=0.1).weight == 0.1
    with pytest.raises(ValidationError, match="greater than 0"):
        MetricLossSettings(name="SupConLoss", weight=0)


def make_loss(name: str, seed: int = 0, **changes: Any) -> MetricLoss:
    settings = MetricLossSettings(name=name, **{"options": OPTIONS.get(name, {})} | changes)
    return MetricLoss(settings, K, D, torch.Generator().manual_seed(seed))


def make_batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(4).repeat_interleave(3)
    return torch.randn(12, D, generator=generator, requires_grad=True), labels


def test_there_are_losses_with_and_without_parameters() -> None:
    assert len(NAMES) > 25
    assert {"ArcFaceLoss", "SupConLoss", "TripletMarginLoss", "ProxyNCALoss"} <= set(NAMES)


@every_loss
def test_value_is_that_of_the_package_and_the_term_learns(name: str) -> None:
    """Step after step; a loss that keeps something keeps it as the package does."""
    loss = make_loss(name)
    theirs = copy.deepcopy(loss.loss)
    feature, labels = make_batch()
    expected = theirs(feature, labels).detach()
    torch.testing.assert_close(loss(feature, labels).detach(), expected.reshape(()))
    optimiser = torch.optim.SGD([feature, *loss.parameters()], lr=0.05)
    values = []
    for _ in range(20):
        value = loss(feature, labels)
        assert value.shape == ()
        optimiser.zero_grad()
        value.backward()
        assert all(parameter.grad is not None for parameter in loss.parameters())
        optimiser.step()
        values.append(value.item())
    assert min(values[1:]) < values[0]


@every_loss
def test_what_it_learns_and_counts_is_saved(name: str) -> None:
    whole, resumed = make_loss(name), make_loss(name, seed=1)
    optimiser = torch.optim.SGD(whole.parameters(), lr=0.1) if [*whole.parameters()] else None
    for seed in range(3):
        value = whole(*make_batch(seed))
        value.backward()
        if optimiser is not None:
            optimiser.step()
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    torch.testing.assert_close(resumed(*make_batch(5)), whole(*make_batch(5)), rtol=0, atol=0)


@few_losses
def test_evaluation_leaves_no_trace(name: str) -> None:
    loss = make_loss(name)
    loss(*make_batch(0))
    before = copy.deepcopy(loss.state_dict())
    assert loss.eval()(*make_batch(1)).isfinite()
    torch.testing.assert_close(loss.state_dict(), before, rtol=0, atol=0)


@few_losses
def test_float32_under_autocast(name: str) -> None:
    loss = make_loss(name)
    twin = copy.deepcopy(loss)
    feature, labels = make_batch()
    low = feature.detach().to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(low, labels)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, twin(low.float(), labels), rtol=0, atol=0)
    assert all(parameter.dtype == torch.float32 for parameter in loss.parameters())


@few_losses
def test_initial_weights_follow_the_generator_alone(name: str) -> None:
    torch.manual_seed(1)
    first = make_loss(name, seed=3)
    place = torch.random.get_rng_state()
    second = make_loss(name, seed=3)
    assert torch.equal(torch.random.get_rng_state(), place)
    torch.testing.assert_close(first.state_dict(), second.state_dict(), rtol=0, atol=0)
    other = make_loss(name, seed=4).state_dict()
    for key, _ in first.named_parameters():
        assert not torch.equal(first.state_dict()[key], other[key])


@pytest.mark.parametrize("name", ["ArcFaceLoss", "MarginLoss"])
def test_a_batch_without_pairs_still_reaches_every_parameter(name: str) -> None:
    """As DistributedDataParallel wants it."""
    options = {"learn_beta": True} if name == "MarginLoss" else {}
    loss = make_loss(name, options=options)
    loss(make_batch()[0], torch.zeros(12, dtype=torch.int64)).backward()
    assert [*loss.parameters()]
    assert all(parameter.grad is not None for parameter in loss.parameters())


def test_sizes_are_filled_in() -> None:
    assert make_loss("ArcFaceLoss").loss.W.shape == (D, K)
    assert make_loss("CosFaceLoss").loss.W.shape == (D, K)
    assert make_loss("P2SGradLoss").loss.weight.shape == (D, K)
    assert make_loss("SoftTripleLoss", options={"centers_per_class": 2}).loss.fc.shape == (D, K * 2)


def test_options_and_miner_have_their_effect() -> None:
    feature, labels = make_batch()
    plain = make_loss("TripletMarginLoss")(feature, labels)
    margin = make_loss("TripletMarginLoss", options={"margin": 0.9})
    hard = make_loss("TripletMarginLoss", miner="BatchHardMiner")
    half = make_loss(
        "TripletMarginLoss", miner="TripletMarginMiner", miner_options={"margin": 0.01}
    )
    values = [loss(feature, labels).item() for loss in (margin, hard, half)]
    assert len({round(value, 5) for value in [plain.item(), *values]}) == 4
    cosine = torch.nn.functional.normalize(feature.detach(), dim=1)
    distance = torch.cdist(cosine, cosine)
    same = labels[:, None] == labels
    furthest = distance.masked_fill(~same, 0).amax(dim=1)
    nearest = distance.masked_fill(same, 9).amin(dim=1)
    expected = torch.relu(furthest - nearest + 0.05)
    assert values[1] == pytest.approx(float(expected[expected > 0].mean()), rel=1e-5)


def test_it_stands_in_the_objective() -> None:
    settings = ObjectiveSettings.model_validate(
        {
            "inter_weight": 0,
            "intra_weight": 0,
            "ce_weight": 2.0,
            "metric": {"name": "ArcFaceLoss", "weight": 0.25, "options": {"scale": 8}},
        }
    )
    objective = Objective(settings, K, D, torch.Generator().manual_seed(0))
    feature, labels = make_batch()
    logits = torch.randn(12, K, requires_grad=True)
    parts = objective(logits, feature, labels)
    assert list(parts) == ["loss", "ce", "metric"]
    torch.testing.assert_close(parts["loss"].detach(), 2 * parts["ce"] + 0.25 * parts["metric"])
    assert not parts["metric"].requires_grad
    parts["loss"].backward()
    assert [*objective.state_dict()] == ["terms.metric.loss.W"]
    assert all(p.grad is not None and p.grad.any() for p in objective.parameters())
    assert feature.grad is not None
    assert feature.grad.any()


def test_other_terms_start_the_same_with_it() -> None:
    changes: dict[str, Any]
    states = []
    for changes in ({}, {"metric": {"name": "ProxyNCALoss"}}):
        settings = ObjectiveSettings.model_validate(changes)
        states.append(Objective(settings, K, D, torch.Generator().manual_seed(0)).state_dict())
    without, with_it = states
    assert without.keys() < with_it.keys()
    torch.testing.assert_close({key: with_it[key] for key in without}, dict(without))


def test_a_recipe_names_it(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("metric: {name: TripletMarginLoss, options: {margin: 0.2}}\n", "utf-8")
    overrides = ["metric.options.margin=0.3", "metric.miner=BatchHardMiner"]
    settings = load_settings(ObjectiveSettings, recipe, overrides)
    assert settings.metric == MetricLossSettings(
        name="TripletMarginLoss", options={"margin": 0.3}, miner="BatchHardMiner"
    )
    assert ObjectiveSettings().metric is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "SupConLos"}, r"name='SupConLos' is not in .* \(did you mean SupConLoss\?\)"),
        ({"name": "CrossBatchMemory"}, "name='CrossBatchMemory' is not in"),
        ({"name": "BaseMetricLossFunction"}, "is not in"),
        ({"name": "SupConLoss", "options": {"temperatur": 1}}, "did you mean temperature"),
        ({"name": "SupConLoss", "options": {"distance": "LpDistance"}}, "no option 'distance'"),
        (
            {"name": "SupConLoss", "options": {"temperature": "hot"}},
            "SupConLoss cannot be computed",
        ),
        ({"name": "ArcFaceLoss", "options": {"num_classes": 4}}, r"follows from the data \(5\)"),
        ({"name": "RankedListLoss"}, "RankedListLoss refuses {}.*'margin' and 'Tn'"),
        ({"name": "SupConLoss", "miner": "HardMiner"}, r"miner='HardMiner' is not in"),
        ({"name": "SupConLoss", "miner_options": {"margin": 1}}, "need a miner"),
        (
            {"name": "SupConLoss", "miner": "BatchHardMiner", "miner_options": {"margin": 1}},
            "miner_options: BatchHardMiner has no option 'margin'",
        ),
        ({"name": "P2SGradLoss", "miner": "BatchHardMiner"}, "P2SGradLoss with miner BatchHardMin"),
        *(({"name": name}, name) for name in sorted(NEED_MORE_THAN_LABELS)),
    ],
)
def test_what_cannot_work_is_refused_when_built(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        MetricLoss(MetricLossSettings(**settings), K, D)
    assert str(caught.value).startswith("objective.metric")


def test_without_the_package_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning.losses", None)
    with pytest.raises(ValueError, match=r"pip install 'aclnet\[metric-learning\]'"):
        make_loss("SupConLoss")


@pytest.mark.parametrize("wrong", [{"weight": 0}, {"options": {"margin": [["a"]]}}, {"loss": "x"}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MetricLossSettings(**{"name": "SupConLoss"} | wrong)
