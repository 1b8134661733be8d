"""OUMVLP, GREW, Gait3D, SUSTech1K, CCPG and HID, each against the loops of its own code.

The oracles rank one probe at a time in plain Python, from embeddings of three parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest

from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.gait.gallery_probe import load_protocol
from protocols.ranking.identification import identify_by_distances
from protocols.ranking.reranking import rerank

PARTS = 3
Choice = Callable[[str, str], bool]
"""Whether a sample of a type and view is wanted."""


def made(
    types: Sequence[str], views: Sequence[str], people: int = 7, kept: float = 0.85, seed: int = 0
) -> Embeddings:
    """Embeddings (N, 5, 3) that are hard to tell apart; some recordings are missing."""
    generator = np.random.default_rng(seed)
    rows = [(f"{s:04}", kind, view) for s in range(people) for kind in types for view in views]
    rows = [row for row in rows if generator.random() < kept]
    subject, condition, view = (np.array(column) for column in zip(*rows, strict=True))
    person = np.unique(subject, return_inverse=True)[1]
    centres = generator.standard_normal((people, 5, PARTS))
    embedding = centres[person] + 1.3 * generator.standard_normal((len(rows), 5, PARTS))
    return Embeddings(embedding.astype(np.float32), subject, condition, view=view)


def distance(data: Embeddings, one: int, other: int, cosine: bool) -> float:
    """Mean over the parts."""
    found = []
    for part in range(PARTS):
        a, b = (data.embedding[row, :, part].astype(np.float64) for row in (one, other))
        if cosine:
            found.append(1 - a @ b / np.sqrt((a @ a) * (b @ b)))
        else:
            found.append(np.sqrt(((a - b) ** 2).sum()))
    return float(sum(found) / PARTS)


def matches(
    data: Embeddings, probe: int, gallery: Iterable[int], cosine: bool = False
) -> list[bool]:
    """Whether each gallery row, from the nearest, is of the probe's person."""
    ranked = sorted(gallery, key=lambda row: distance(data, probe, row, cosine))
    return [bool(data.subject[row] == data.subject[probe]) for row in ranked]


def rows_of(data: Embeddings, wanted: Choice) -> list[int]:
    kinds = zip(data.condition.tolist(), data.view.tolist(), strict=True)
    return [row for row, (kind, view) in enumerate(kinds) if wanted(kind, view)]


def view_matrix(
    data: Embeddings, probe: Choice, gallery: Choice, k: int = 1, cosine: bool = False
) -> np.ndarray:
    """Percent within rank k, [probe view, gallery view]."""
    views = sorted(set(data.view.tolist()))
    result = np.zeros((len(views), len(views)))
    for i, own in enumerate(views):
        for j, other in enumerate(views):
            probes = rows_of(data, lambda kind, view: probe(kind, view) and view == own)  # noqa: B023
            stored = rows_of(data, lambda kind, view: gallery(kind, view) and view == other)  # noqa: B023
            hits = [any(matches(data, row, stored, cosine)[:k]) for row in probes]
            result[i, j] = 100 * sum(hits) / len(hits)
    return result


def without_identical_views(matrix: np.ndarray) -> float:
    """Cells rounded to two decimals, the diagonal taken out, means of means: OpenGait."""
    rounded = np.round(matrix, 2)
    return float(np.mean((rounded - np.diag(np.diag(rounded))).sum(axis=1) / (len(matrix) - 1)))


def measures(found: list[list[bool]]) -> dict[str, float]:
    """Rank-k, mAP and mINP of the probes that have a mate, as Gait3D's code counts them."""
    mated = [ranked for ranked in found if any(ranked)]
    result = {f"rank{k}": np.mean([any(ranked[:k]) for ranked in mated]) for k in (1, 5, 10)}
    places = [[place for place, hit in enumerate(ranked, 1) if hit] for ranked in mated]
    result["mAP"] = np.mean([np.mean([n / p for n, p in enumerate(own, 1)]) for own in places])
    result["mINP"] = np.mean([len(own) / own[-1] for own in places])
    return {name: float(value) for name, value in result.items()}


OUMVLP_VIEWS = [f"{view:03}" for view in (*range(0, 91, 15), *range(180, 271, 15))]


@pytest.mark.parametrize("labelled_as", ["type", "take"])
def test_oumvlp_by_opengait(labelled_as: str) -> None:
    data = made(["00", "01"], OUMVLP_VIEWS, people=4, kept=0.95)
    expected = view_matrix(data, lambda kind, _: kind == "00", lambda kind, _: kind == "01")
    if labelled_as == "take":  # as our reader of pose trees has it
        data = Embeddings(data.embedding, data.subject, take=data.condition, view=data.view)
    table = evaluate_gait(data, "oumvlp")
    assert table.grid.shape == (1, 14, 14)
    np.testing.assert_allclose(100 * table.rank1[0], np.round(expected, 2), atol=1e-10)
    assert 100 * table.metrics["rank1"] == pytest.approx(without_identical_views(expected))
    assert table.counts["missing"] == 4 * 14 * 2 - len(data)
    assert table.metrics.keys() == {"rank1", "rank1/NM", "chance", "chance/NM"}


def test_oumvlp_by_gaitgraph2_with_its_margins() -> None:
    data = made(["00", "01"], OUMVLP_VIEWS, people=4, kept=1.0)
    first, second = (lambda kind, _: kind == "00"), (lambda kind, _: kind == "01")
    expected = view_matrix(data, second, first, cosine=True) / 100
    table = evaluate_gait(data, "oumvlp_gaitgraph2")
    np.testing.assert_allclose(table.rank1[0], expected, atol=1e-12)
    np.testing.assert_allclose(table.probe_mean[0], expected.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(table.gallery_mean[0], expected.mean(axis=0), atol=1e-12)
    assert table.metrics["rank1"] == pytest.approx(expected.mean())


def test_grew() -> None:
    data = made(["01", "02", "03"], ["a", "b", "c", "d"], people=30, kept=0.5)
    lacking = (data.subject == "0003") & (data.condition == "01")
    data = data.select(~lacking)
    gallery = rows_of(data, lambda kind, _: kind == "01")
    found = [matches(data, row, gallery) for row in rows_of(data, lambda kind, _: kind == "02")]
    metrics = evaluate_gait(data, "grew").metrics
    for k in (1, 5, 10, 20):
        assert metrics[f"rank{k}"] == pytest.approx(np.mean([any(r[:k]) for r in found]))
    assert not all(any(ranked) for ranked in found)  # a probe without a mate counts as wrong
    assert "mAP" not in metrics


def test_ttg200() -> None:
    data = made(list("1234567"), ["a", "b"], people=25, kept=0.6)
    gallery = rows_of(data, lambda kind, _: kind == "1")
    probes = rows_of(data, lambda kind, _: kind in "23456")
    found = [matches(data, row, gallery) for row in probes]
    metrics = evaluate_gait(data, "ttg200").metrics
    for k in (1, 5, 10, 20):
        assert metrics[f"rank{k}"] == pytest.approx(np.mean([any(r[:k]) for r in found]))


def test_casia_e_has_no_view_270() -> None:
    scenes = ("scene1", "scene2", "scene3", "scene3_s")
    kinds = [f"{h}-{s}-{c}-{n}" for h in "HL" for s in scenes for c in ("nm", "cl") for n in "123"]
    data = made(kinds, ["000", "090", "180", "270"], people=4)
    plain = data.select(data.view != "270")

    def gallery(kind: str, _: str) -> bool:
        return kind[1:] in ("-scene1-nm-1", "-scene1-nm-2")

    table = evaluate_gait(data, "casia_e")
    assert table.views == ("0", "90", "180")
    assert not any("No condition or take" in note for note in table.notes)
    for name in ("nm", "cl"):

        def probe(kind: str, _: str, name: str = name) -> bool:
            return "scene1" not in kind and kind.endswith((f"-{name}-1", f"-{name}-2"))

        expected = without_identical_views(view_matrix(plain, probe, gallery))
        assert 100 * table.metrics[f"rank1/{name.upper()}"] == pytest.approx(expected)


@pytest.mark.parametrize("protocol", ["gait3d", "freegait"])
def test_gait3d_and_freegait_skip_probes_without_a_mate(protocol: str) -> None:
    data = made(["camid0_videoid1", "camid0_videoid2", "camid7_videoid0"], ["seq0", "seq1"])
    probes = [*data.sample[::5].tolist(), "0099-camid0_videoid1-seq0"]
    chosen = np.isin(data.sample, probes)
    data = data.select(chosen | (data.subject != "0002"))
    chosen = np.isin(data.sample, probes)
    gallery = np.flatnonzero(~chosen).tolist()
    found = [matches(data, row, gallery) for row in np.flatnonzero(chosen)]
    table = evaluate_gait(data, load_protocol(protocol).with_probes(probes))
    assert {name: table.metrics[name] for name in table.measures} == pytest.approx(measures(found))
    unmated = sum(not any(ranked) for ranked in found)
    assert (table.counts["unmated"], table.counts["missing"]) == (unmated, 1)
    assert unmated > 0


def test_sustech1k_counts_a_probe_for_every_covariate_that_it_names() -> None:
    types = ["00-nm", "01-nm", "02-bg", "03-cl-ub", "04-ub-nt", "02-cr", "03-uf", "04-oc"]
    data = made(types, ["000", "090-far", "180"], kept=0.9)
    substrings = {
        "Normal": ["01-nm"],
        "Bag": ["bg"],
        "Clothing": ["cl"],
        "Carrying": ["cr"],
        "Umbrella": ["ub"],
        "Uniform": ["uf"],
        "Occlusion": ["oc"],
        "Night": ["nt"],
        "Overall": ["01", "02", "03", "04"],
    }
    table = evaluate_gait(data, "sustech1k")
    assert table.conditions == tuple(substrings)
    for name, parts in substrings.items():
        for k in (1, 5):
            matrix = view_matrix(
                data,
                lambda kind, _: any(part in kind for part in parts),  # noqa: B023
                lambda kind, _: "00-nm" in kind,
                k,
            )
            expected = without_identical_views(matrix)
            assert 100 * table.metrics[f"rank{k}/{name}"] == pytest.approx(expected)
    assert table.metrics["rank1"] == table.metrics["rank1/Overall"]
    assert table.intervals(np.random.default_rng(0))["rank1"][0] <= table.metrics["rank1"]
    people = table.record_cells()["people"]
    assert list(people["trials"]) == list(people["rank1_hits"]) == ["Overall"]
    counts = table.counts
    assert counts["probes"] + counts["gallery"] == len(data)  # each once


CCPG = {
    "CL": (["U0_D0_BG", "U0_D0"], ["U1_D1", "U2_D2", "U3_D3"]),
    "UP": (["U3_D3"], ["U0_D3"]),
    "DN": (["U1_D0"], ["U1_D1"]),
    "BG": (["U0_D0_BG"], ["U0_D0"]),
}
CCPG_TYPES = ["U0_D0_BG", "U0_D0", "U0_D3", "U1_D0", "U1_D1", "U2_D2", "U3_D3"]


def cameras(data: Embeddings) -> Embeddings:
    """The same with the camera alone as view."""
    view = np.array([name.split("_")[0] for name in data.view.tolist()])
    return Embeddings(data.embedding, data.subject, data.condition, view=view)


def test_ccpg_as_in_re_identification() -> None:
    data = made(CCPG_TYPES, ["1_0", "1_1", "2_0", "3_0"], kept=0.6)
    table = evaluate_gait(data, "ccpg")
    plain = cameras(data)
    for name, (probe, gallery) in CCPG.items():
        stored = rows_of(data, lambda kind, _: kind in gallery)  # noqa: B023
        found = []
        for row in rows_of(data, lambda kind, _: kind in probe):  # noqa: B023
            own = (plain.subject == plain.subject[row]) & (plain.view == plain.view[row])
            found.append(matches(data, row, [g for g in stored if not own[g]]))
        rates = {measure: table.metrics[f"{measure}/{name}"] for measure in table.measures}
        assert rates == pytest.approx(measures(found))


@pytest.mark.parametrize("protocol", ["ccpg_views", "ccpg_all_views"])
def test_ccpg_by_view(protocol: str) -> None:
    data = made(CCPG_TYPES, ["1_0", "1_1", "2_0", "3_0"], kept=0.9)
    table = evaluate_gait(data, protocol)
    for name, (probe, gallery) in CCPG.items():
        matrix = view_matrix(
            cameras(data),
            lambda kind, _: kind in probe,  # noqa: B023
            lambda kind, _: kind in gallery,  # noqa: B023
        )
        expected = without_identical_views(matrix)
        if protocol == "ccpg_all_views":
            expected = float(np.mean(np.round(matrix, 2)))
        assert 100 * table.metrics[f"rank1/{name}"] == pytest.approx(expected)


def test_hid_ranks_by_opengaits_re_ranking() -> None:
    data = made(["0", "1"], ["a", "b", "c"], people=12)
    probe, gallery = (data.condition == name for name in ("1", "0"))
    sides = data.embedding[probe], data.embedding[gallery]
    blocks = rerank(*sides, k1=6, k2=6, weight=0.3, metric="euclidean", form="opengait")
    found = identify_by_distances(blocks, data.subject[probe], data.subject[gallery])
    table = evaluate_gait(data, "hid")
    assert table.metrics["rank1"] == pytest.approx(found.hits(1).mean())
    assert table.metrics["mAP"] == pytest.approx(np.nanmean(found.average_precision))
    plain = load_protocol("hid").model_copy(update={"rerank": None})
    assert evaluate_gait(data, plain, rerank=(6, 6, 0.3)).metrics == table.metrics
    assert evaluate_gait(data, plain).metrics["mAP"] != table.metrics["mAP"]
    with pytest.raises(ValueError, match="Re-ranking needs one gallery, and protocol oumvlp has"):
        evaluate_gait(made(["00", "01"], ["0", "90"]), "oumvlp", rerank=(6, 6, 0.3))


def test_views_that_are_compared_must_be_there() -> None:
    data = made(["00", "01"], [""])
    with pytest.raises(
        ValueError, match=r"oumvlp compares views, and sample .* has no view.*ignores views\.$"
    ):
        evaluate_gait(data, "oumvlp")


def test_one_part_is_as_good_as_none() -> None:
    data = made(["01", "02"], ["a", "b"])
    flat = Embeddings(data.embedding[:, :, 0], data.subject, data.condition, view=data.view)
    one = Embeddings(data.embedding[:, :, :1], data.subject, data.condition, view=data.view)
    assert one.embedding.shape == flat.embedding.shape
    note = "Embeddings of 3 parts: the distance is the mean over the parts."
    assert note in evaluate_gait(data, "grew").notes
    assert evaluate_gait(one, "grew").notes == ()


def test_a_part_of_zeros_has_no_direction() -> None:
    data = made(["01", "02"], ["a"])
    broken = data.embedding.copy()
    broken[4, :, 1] = 0
    labels = (data.subject, data.condition)
    with pytest.raises(ValueError, match=f"sample '{data.sample[4][:-2]}' has a part of zeros"):
        evaluate_gait(Embeddings(broken, *labels), "grew", "exact")
    assert "rank1" in evaluate_gait(Embeddings(broken, *labels), "grew").metrics
