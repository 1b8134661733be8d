"""The rules of person re-identification against the stored outputs of the released code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from protocols.embeddings import Embeddings
from protocols.ranking.exclusion import same_labels
from protocols.ranking.identification import Identification, identify_by_distances
from protocols.reid.evaluate import evaluate_reid, judge
from protocols.reid.pairs import PairProtocol
from protocols.reid.rules import ReidRule, reid_rule
from protocols.reid.table import ReidTable

Golden = dict[str, npt.NDArray[Any]]
CASES = ("same_condition", "cross_condition", "ties", "tiny_gallery")


@pytest.fixture
def golden(shared: Path) -> Callable[[str], Golden]:
    def read(case: str) -> Golden:
        with np.load(shared / "golden" / "reid" / f"{case}.npz") as file:
            return {key: file[key] for key in file.files}

    return read


def as_embeddings(data: Golden, *, same: bool, cameras: bool = True) -> Embeddings:
    """Both sides as one table; the condition names the side, persons go by a text name."""
    sides = ["probe"] if same else ["probe", "gallery"]
    columns = {key: np.concatenate([data[f"{s}_{key}"] for s in sides]) for key in ("feat", "id")}
    camera = np.concatenate([data[f"{side}_cam"] for side in sides])
    return Embeddings(
        columns["feat"],
        np.array([f"p{number}" for number in columns["id"]]),
        np.concatenate([[side] * len(data[f"{side}_id"]) for side in sides]),
        np.arange(len(camera)),
        camera=camera if cameras else np.empty(0, dtype=np.str_),
    )


def evaluate(data: Golden, rule: ReidRule | str, *, same: bool = False, **how: Any) -> ReidTable:
    name = "probe-probe" if same else "probe-gallery"
    sets = {"probe": "probe", "gallery": "gallery"}
    protocol = PairProtocol(name="golden", sets=sets, listed=(name,))
    used = reid_rule(rule) if isinstance(rule, str) else rule
    # The golden features were never cut into batches.
    return evaluate_reid(
        as_embeddings(data, same=same), protocol, rule=replace(used, batch=None), depth=50, **how
    )


def ours(table: ReidTable) -> list[float]:
    (result,) = table.pairs
    return [result.metrics[name] for name in result.measures]


def hits(table: ReidTable) -> list[int]:
    """Rank-1, 5, 10 as counts."""
    (result,) = table.pairs
    return [int(n) for n in result.sums[:, :3].sum(axis=0)]


@pytest.mark.parametrize("case", ["cross_condition", "tiny_gallery"])
def test_transg_between_sets(golden: Callable[[str], Golden], case: str) -> None:
    data = golden(case)
    table = evaluate(data, "transg")
    probes = len(data["probe_id"])
    assert hits(table) == np.rint(data["transg_cross"][:3] * probes).tolist()
    np.testing.assert_allclose(ours(table), data["transg_cross"], atol=1e-6)
    np.testing.assert_allclose(ours(table), data["transg_depth"], atol=1e-6)


def test_transg_within_a_set(golden: Callable[[str], Golden]) -> None:
    data = golden("same_condition")
    table = evaluate(data, "transg", same=True)
    assert hits(table) == np.rint(data["transg_same"][:3] * 240).tolist()
    np.testing.assert_allclose(ours(table), data["transg_same"], atol=1e-6)
    assert "mINP" not in table.metrics
    # Were the same files taken for two sets, each probe would find itself.
    twin = evaluate(data, "transg")
    np.testing.assert_allclose(ours(twin), data["transg_cross"], atol=1e-6)


def test_the_self_match_inflates_the_published_map(golden: Callable[[str], Golden]) -> None:
    data = golden("same_condition")
    clean = evaluate(data, "clean", same=True, metric="euclidean")
    transg = evaluate(data, "transg", same=True)
    # spec/reid.md (c) quotes .443 as coded against .362 with self removed.
    assert round(transg.metrics["mAP"], 3) == 0.443
    assert round(clean.metrics["mAP"], 3) == 0.362
    assert hits(clean) == hits(transg)  # no duplicates here: position 1 is the probe itself


def test_spc_mgr_forgets_the_self_match_in_normal_walking(golden: Callable[[str], Golden]) -> None:
    data = golden("same_condition")
    plain = as_embeddings(data, same=True)
    for set_name, key in (("nm", "spcmgr_nmnm_noview"), ("cl", "spcmgr_clcl")):
        table = evaluate_reid(
            replace(plain, condition=np.full(240, set_name)), "casia_b", rule="spc-mgr"
        )
        np.testing.assert_allclose(ours(table), data[key], atol=1e-6)
    viewed = replace(plain, condition=np.full(240, "nm"), view=np.full(240, "090"))
    table = evaluate_reid(viewed, "casia_b", rule="spc-mgr")
    np.testing.assert_allclose(ours(table), data["spcmgr_clcl"], atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_sge_nearest_neighbour(golden: Callable[[str], Golden], case: str) -> None:
    data = golden(case)
    same = case == "same_condition"
    table = evaluate(data, "sge", same=same)
    expected = data["sge_rank1_same" if same else "sge_rank1_cross"]
    assert list(table.pairs[0].measures) == ["rank1"]
    assert table.metrics["rank1"] * len(data["probe_id"]) == pytest.approx(
        float(expected) * len(data["probe_id"]), abs=1e-9
    )


@pytest.mark.parametrize("case", CASES)
def test_transg_on_the_stored_order(golden: Callable[[str], Golden], case: str) -> None:
    """Rank-k depends on how the released sort broke ties; AP, which groups them, does not."""
    data = golden(case)
    same = case == "same_condition"
    rule, skip = reid_rule("transg"), int(same)
    positions = np.argsort(data["order_euclid"], axis=1)
    people = data["probe_id"], data["gallery_id"]
    ranked = identify_by_distances(whole(positions), *people, skip=skip)
    grouped = identify_by_distances(whole(data["dist_sqeuc"]), *people, ties=rule.ties, skip=skip)
    figures = figures_of(ranked, rule, skip)[:3] + figures_of(grouped, rule, skip)[3:]
    expected = data["transg_same" if same else "transg_cross"]
    np.testing.assert_allclose(figures[:3], expected[:3], atol=1e-12)
    assert figures[3] == pytest.approx(expected[3], abs=1e-6)


def whole(distances: npt.NDArray[Any]) -> list[tuple[slice, npt.NDArray[np.float64]]]:
    return [(slice(0, len(distances)), distances.astype(np.float64))]


def figures_of(found: Identification, rule: ReidRule, skip: int) -> list[float]:
    _, values, counted = judge(found, rule, skip=skip, lost=rule.lost_probes * skip)
    return list((values * counted).sum(axis=0) / counted.sum(axis=0))


def test_average_precision_groups_ties_as_stored(golden: Callable[[str], Golden]) -> None:
    data = golden("ties")
    table = evaluate(data, "transg")
    assert table.metrics["mAP"] == pytest.approx(float(data["transg_cross"][3]), abs=1e-6)


@pytest.mark.parametrize(("stored", "metric"), [("cos", "cosine"), ("sqeuc", "euclidean")])
@pytest.mark.parametrize("case", ["same_condition", "cross_condition"])
def test_market1501(golden: Callable[[str], Golden], case: str, stored: str, metric: Any) -> None:
    data = golden(case)
    same = case == "same_condition"
    table = evaluate(data, "market1501", same=same, metric=metric)
    (result,) = table.pairs
    cmc = data[f"market_{stored}_cmc"]
    valid = len(data[f"market_{stored}_AP"])
    assert result.counts["valid"] == valid
    np.testing.assert_array_equal(np.rint(result.cmc * valid), np.rint(cmc * valid))
    np.testing.assert_allclose(ours(table), data[f"market_{stored}_summary"], atol=1e-6)


@pytest.mark.parametrize("stored", ["cos", "sqeuc"])
@pytest.mark.parametrize("cameras", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_market1501_probe_by_probe_on_the_stored_order(
    golden: Callable[[str], Golden], case: str, cameras: bool, stored: str
) -> None:
    data = golden(case)
    key = f"market_{stored}" if cameras else f"market_nocam_{stored}"
    if f"{key}_raises" in data:
        pytest.skip("the released code raises here; what we give instead is tested below")
    people = data["probe_id"], data["gallery_id"]
    exclude = None
    if cameras:
        exclude = same_labels(people, (data["probe_cam"], data["gallery_cam"]))
    positions = np.argsort(data[f"order_{stored}"], axis=1)
    found = identify_by_distances(whole(positions), *people, exclude=exclude, depth=50)
    mated = found.mates > 0
    np.testing.assert_allclose(found.average_precision[mated], data[f"{key}_AP"], atol=1e-6)
    np.testing.assert_allclose(found.inverse_penalty[mated], data[f"{key}_INP"], atol=1e-6)
    cmc = data[f"{key}_cmc"]
    counts = np.rint(found.cmc(mated)[: len(cmc)] * mated.sum())
    np.testing.assert_array_equal(counts, np.rint(cmc * mated.sum()))
    _, values, counted = judge(found, reid_rule("market1501"))
    figures = (values * counted).sum(axis=0) / counted.sum(axis=0)
    np.testing.assert_allclose(figures, data[f"{key}_summary"], atol=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_gallery_smaller_than_the_depth_has_figures(
    golden: Callable[[str], Golden], metric: Any
) -> None:
    data = golden("tiny_gallery")
    assert data["market_cos_raises"] == 1
    table = evaluate(data, "market1501", metric=metric)
    (result,) = table.pairs
    same_person = data["probe_id"][:, None] == data["gallery_id"]
    same_camera = data["probe_cam"][:, None] == data["gallery_cam"]
    valid = (same_person & ~same_camera).any(axis=1)
    assert result.counts["valid"] == valid.sum()
    assert result.counts["unmated"] == (~valid).sum()
    assert len(result.cmc) == 50
    assert result.cmc[6] == result.cmc[-1] == 1.0
    assert np.all(np.diff(result.cmc) >= 0)
