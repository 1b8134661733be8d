from __future__ import annotations

import json
import subprocess
import sys

import pytest

from aclnet.training.machine.instructions import cpu_info, pin_instructions

needs_avx2 = pytest.mark.skipif(
    "avx2" not in cpu_info("flags").split(), reason="this CPU has no AVX2, or does not say so"
)
PROGRAM = """
import json, os, sys
from aclnet.training.machine.instructions import pin_instructions
before = dict(os.environ)
pin_instructions(None)
assert dict(os.environ) == before
pin_instructions("avx2")
set_now = {name: value for name, value in os.environ.items() if before.get(name) != value}
light = not {"torch", "numpy"} & sys.modules.keys()
import torch
pin_instructions("avx2")  # already so: nothing to refuse
print(json.dumps([light, set_now, torch.backends.cpu.get_cpu_capability()]))
"""


@needs_avx2
def test_torch_onednn_and_mkl_are_pinned_before_torch_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    light, pinned, capability = json.loads(done.stdout)
    assert light
    # Nothing of OpenBLAS.
    assert pinned == {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_CBWR": "COMPATIBLE",
    }
    assert capability == "AVX2"


@needs_avx2
def test_a_process_with_torch_is_refused_whatever_its_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    with pytest.raises(ValueError, match=r"torch is loaded already.*start Python with ATEN_CPU_CA"):
        pin_instructions("avx2")
    for name, value in (
        ("ATEN_CPU_CAPABILITY", "avx2"),
        ("ONEDNN_MAX_CPU_ISA", "AVX2"),
        ("MKL_CBWR", "COMPATIBLE"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    with pytest.raises(ValueError, match="torch is loaded already"):
        pin_instructions("avx2")


def test_a_cpu_without_the_instructions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aclnet.training.machine.instructions.cpu_info", lambda field: "sse2 avx")
    with pytest.raises(ValueError, match="this CPU lacks it"):
        pin_instructions("avx2")
