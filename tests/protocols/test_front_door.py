"""What `import protocols` gives, and what it does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

import protocols

HEAVY = {"torch", "aclnet", "tasks", "sklearn", "matplotlib", "scipy.stats", "scipy.sparse"}

SCRIPT = """
import sys, protocols
assert not {"numpy", "pandas", "pydantic"} & {*sys.modules}
import numpy as np, protocols.biometrics.evaluate, protocols.gait.text, protocols.records
people = np.repeat(np.arange(4), 10).astype(str)
condition = np.tile(["nm"] * 6 + ["bg"] * 2 + ["cl"] * 2, 4)
take = np.tile([1, 2, 3, 4, 5, 6, 1, 2, 1, 2], 4)
rows = np.random.default_rng(0).normal(size=(40, 3))
data = protocols.Embeddings(rows, people, condition, take, view=["090"] * 40)
for table in (protocols.evaluate_gait(data), protocols.evaluate_reid(data, "casia_b", ["C-N"])):
    table.intervals(np.random.default_rng(0), draws=20)
print(*sys.modules)
"""


def test_evaluating_embeddings_loads_no_model_and_no_statistics_library() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not HEAVY & {*done.stdout.split()}


@pytest.mark.parametrize("name", ["evaluate_gait", "evaluate_reid", "evaluate_action"])
def test_something_else_than_its_data_is_refused_by_its_class(name: str) -> None:
    with pytest.raises(TypeError, match=r"(PairScores|ClassScores) are evaluated .*, not <class "):
        getattr(protocols, name)([[1.0, 0.0]], protocol="casia_b")


def test_every_name_is_there() -> None:
    assert all(callable(getattr(protocols, name)) for name in protocols.__all__)
    assert {*protocols.__all__} <= {*dir(protocols)}
    with pytest.raises(AttributeError, match="no attribute 'evaluate'"):
        protocols.evaluate  # noqa: B018
