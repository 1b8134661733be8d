from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in [*(ROOT / "aclnet").rglob("settings.py"), ROOT / "tasks" / "settings.py"]
]
PROGRAM = """
import importlib, sys
import aclnet
print(aclnet.__version__, [name for name in ("numpy", "pydantic") if name in sys.modules])
for name in sys.argv[1:]:
    importlib.import_module(name)
from aclnet.config import load_settings
from tasks.settings import TaskSettings
assert TaskSettings().network.encoder.name == "temporal_conv"
light = load_settings(TaskSettings, None, ["network.encoder={name: st_gcn, kernel: 5}"], light=True)
print([name for name in ("torch", "scipy", "sklearn", "lightning_fabric") if name in sys.modules])
print(dict(light.network.encoder))
print(light == load_settings(TaskSettings), light.model_dump()["network"]["encoder"]["blocks"])
"""


def test_settings_import_nothing_heavy_until_an_encoder_is_read() -> None:
    assert len(MODULES) > 5
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *MODULES], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.splitlines() == [
        f"{version('aclnet')} []",
        "[]",
        "{'name': 'st_gcn', 'kernel': 5}",
        "False 10",
    ], done.stderr
