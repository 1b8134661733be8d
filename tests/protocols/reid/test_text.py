"""The re-identification table as text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from protocols.embeddings import Embeddings
from protocols.reid.evaluate import evaluate_reid
from protocols.reid.text import render_reid


def data() -> Embeddings:
    generator = np.random.default_rng(0)
    subject = generator.integers(0, 5, 90)
    embedding = generator.standard_normal((5, 6))[subject] + generator.standard_normal((90, 6))
    condition = generator.choice(["nm", "bg", "cl"], 90)
    return Embeddings(embedding, subject, condition, generator.integers(1, 4, 90))


def test_a_row_a_pair_and_the_rest_below() -> None:
    table = evaluate_reid(data(), "casia_b")
    transg = evaluate_reid(data(), "casia_b", rule="transg")
    text = render_reid(table, "acl", baselines={"acl raw": transg})
    lines = text.splitlines()
    assert lines[0].startswith("casia_b, rule clean, cosine distance, sequences: in percent")
    header = next(line for line in lines if "rank1" in line)
    assert header.split() == ["pair", "rank1", "rank5", "rank10", "mAP", "mINP"]
    own = next(line for line in lines if line.startswith("acl  ") and " C-N " in line).split()
    assert own[1:3] == ["C-N", f"{100 * table.metrics['rank1/C-N']:.2f}"]
    assert own[-1] == f"{100 * table.metrics['mINP/C-N']:.2f}"
    assert sum(line.startswith("acl raw (rule transg)") for line in lines) == 6
    assert sum(line.startswith("chance") for line in lines) == 6
    counts = next(line for line in lines if line.startswith("C-N")).split()
    (counted,) = (result.counts for result in table.pairs if result.pair.name == "C-N")
    assert counts == ["C-N", *(str(counted[key]) for key in
                      ("probes", "valid", "unmated", "gallery", "dropped"))]  # fmt: skip
    assert lines[-1] == f"Note: {table.notes[-1]}"


def test_one_pair_has_no_mean_and_empty_columns_go() -> None:
    table = evaluate_reid(data(), "casia_b", ["C-N"], "sge")
    text = render_reid(table, "acl")
    assert "mean" not in text
    assert "mAP" not in text
    assert [line.split()[:2] for line in text.splitlines() if "acl" in line] == [["acl", "C-N"]]


def test_baselines_must_be_of_the_same_pairs_and_level() -> None:
    table = evaluate_reid(data(), "casia_b")
    part = evaluate_reid(data(), "casia_b", ["C-N"])
    with pytest.raises(ValueError, match="'x' has pairs C-N at sequence level, the table N-N"):
        render_reid(table, "acl", baselines={"x": part})
    with pytest.raises(ValueError, match="at walk level"):
        render_reid(table, "acl", baselines={"x": replace(table, level="walk")})
