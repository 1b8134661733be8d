"""No command asks for an Internet socket or a look-up, not even in a child."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).with_name("offline_commands.py")


@pytest.fixture(scope="module")
def layer() -> str:
    """Which sockets are denied: the kernel's too, where it takes a filter."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("a filter of system calls is known for Linux on x86-64 and ARM only")
    if start("kernel").returncode != 0:
        pytest.skip("this kernel or container takes no seccomp filter")
    return "both"


def start(layer: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), layer, *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    nothing = subprocess.DEVNULL
    return subprocess.run(command, env=environment, stdin=nothing, capture_output=True, text=True)


def test_the_denial_works(layer: str) -> None:
    assert start("python", "try").returncode == 99
    assert start("kernel", "try").returncode == -signal.SIGSYS
    assert start("kernel", "try in a child").returncode == 1
    assert start(layer).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_command_opens_an_internet_socket(
    layer: str,
    recipe: Path,
    action_recipe: Path,
    reid_recipe: Path,
    arms: Path,
    cache: Path,
    shared: Path,
    walkers: Path,
    gesture: Callable[..., np.ndarray],
    clips_file: Callable[..., Path],
    tmp_path: Path,
    thorough: bool,
) -> None:
    def run(name: str) -> Path:
        return tmp_path / "runs" / name

    pages = ("page.html", *(["page.rrd"] if find_spec("rerun") is not None else []))
    video = clips_file("video.npz", gesture("raise", 1))
    pickle = shared / "cases" / "wrong_values" / "act_ok.pkl"
    options = ("--cache", cache)
    identify = ("gallery", "identify", tmp_path / "g", walkers)
    form = "onnx" if thorough else "safetensors"  # torch traces a network for long
    commands: list[tuple[object, ...]] = [
        ("doctor",),
        ("data", "convert", video, tmp_path / "store"),
        *([("data", "convert", pickle, tmp_path / "unpickled")] if pickle.is_file() else []),
        ("data", "show", tmp_path / "store", "--out", tmp_path / "clip.png"),
        *(("data", "show", tmp_path / "store", "--to", tmp_path / name) for name in pages),
        ("gait", "train", "-c", recipe, "-r", run("gait"), *options),
        ("reid", "train", "-c", reid_recipe, "-r", run("reid"), *options),
        ("action", "train", "-c", action_recipe, "--data", arms, "-r", run("action"), *options),
        *((task, "eval", "-r", run(task)) for task in ("gait", "reid", "action")),
        ("gait", "eval", "--embeddings", run("gait") / "embeddings.npz"),
        ("gait", "biometrics", "-r", run("gait"), *options),
        ("gait", "embed", "-r", run("gait"), "--out", tmp_path / "again.npz", *options),
        ("action", "predict", arms, "-r", run("action")),
        ("reid", "show", "-r", run("reid"), "--out", tmp_path / "shown", "--count", 1, *options),
        *(("gait", "show", run("gait"), "--to", tmp_path / name, *options) for name in pages),
        ("gait", "joints", run("gait"), "--to", tmp_path / "joints.png", "--count", 2, *options),
        ("gallery", "create", tmp_path / "g", "-r", run("gait")),
        ("gallery", "enrol", tmp_path / "g", walkers),
        (*identify, "--threshold", 0),
        ("live", "-", "-r", run("action")),
        (
            "live",
            f"unix:{tmp_path / 's'}",
            "-r",
            run("gait"),
            "--gallery",
            tmp_path / "g",
            "--threshold",
            0,
            "--idle",
            0,
        ),
        ("export", run("gait"), "--to", form, "-o", tmp_path / "model", *options),
        (*identify, "-r", tmp_path / "model", "--threshold", 0),
        ("compare", run("gait"), run("gait")),
        ("cost", "-c", recipe, "--task", "gait", "--seconds", 0),
        ("report", "--results", tmp_path / "runs", "--out", tmp_path / "report"),
    ]
    done = start(layer, *(part for command in commands for part in ("--", *command)))
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "report" / "index.html").is_file()
