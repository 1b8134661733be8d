"""What every test may use: reference material, the command line, trained runs, a browser."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import settings

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import write_store
from aclnet.skeleton import load_layout

from .ready import Started

RECIPE = """
data:
  walkers:
    {identities: 8, views: [0, 54, 90], nm_takes: 6, bg_takes: 2, cl_takes: 2, frames: [20, 26]}
identities: {train: 5, validation: 2}
protocol: casia_b
clip: {frames: 16, streams: [j, b], augment: {mirror: 0.0, point_noise: 0.01}}
network: {encoder: {name: temporal_conv, width: 8, blocks: 1}}
objective: {variant: paper, start_epoch: 1, queue_size: 8, projection_dim: 16}
sampler: {identities_per_batch: 3, samples_per_identity: 4, steps_per_epoch: 3}
train: {epochs: 2, optimizer: adamw, learning_rate: 1.0e-2, accelerator: cpu, log_every_steps: 1}
embed: {windows: all, stride: 4}
"""

GESTURES_RECIPE = """
data: {source: file}
split: store
hold_out: {people: 0}
clip: {frames: 8, sampling: stretch, streams: [j], augment: {mirror: 0.0}}
network: {encoder: {name: temporal_conv, width: 8, blocks: 1}, neck: none}
objective: {inter_weight: 0, intra_weight: 0}
sampler: {kind: shuffle, batch_size: 8}
train: {epochs: 12, optimizer: adamw, learning_rate: 2.0e-2, accelerator: cpu}
test: {clips: 2}
"""

# Ignored where a shell runs the tests in the background, and by all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No deadline: the machine may be busy. In CI the same examples every time, so that a change is
# judged by what it changes; elsewhere new ones, so that faults are found. A test whose cases are
# many asks for more examples.
settings.register_profile("here", deadline=None, max_examples=40)
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("ci" if os.environ.get("CI") else "here")


# Imports make no garbage worth looking for, and what they load stays: it is never looked through.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "run what repeats a test at more sizes or on more of its kind, too"
    parser.addoption("--thorough", action="store_true", help=text)


@pytest.fixture(scope="session")
def thorough(pytestconfig: pytest.Config) -> bool:
    """Whether a test should try all that it can, and not a share of it."""
    return bool(pytestconfig.getoption("--thorough"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the thorough tests unless asked for them.

    Files with slow tests come first, so that no worker begins one while the other is done.
    """
    if not config.getoption("--thorough"):
        left_out = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden data and recordings; the test is skipped where it is absent."""
    given = os.environ.get("ACLNET_SHARED")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "golden").is_dir():
        pytest.skip(f"the reference material is not at {folder}; set ACLNET_SHARED to its folder")
    return folder


@pytest.fixture
def case(shared: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copy a case of `../shared/cases/wrong_values` by its name; an archive is unpacked."""
    folder = shared / "cases" / "wrong_values"
    if not folder.is_dir():
        pytest.skip(f"the cases are not at {folder}")

    def copied(name: str) -> Path:
        target = tmp_path / "cases" / name
        target.parent.mkdir(exist_ok=True)
        if (folder / f"{name}.tar.gz").is_file():
            with tarfile.open(folder / f"{name}.tar.gz") as archive:
                archive.extractall(target.parent, filter="data")
        else:
            shutil.copy(folder / name, target)
        return target

    return copied


class Outcome(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


Call = Callable[..., Outcome]


@pytest.fixture(scope="session")
def call() -> Call:
    """Call `aclnet-task`, as its console script does, and check the exit code (None: any)."""

    def run(*arguments: object, code: int | None = 0) -> Outcome:
        from tasks.cli import main

        out, err, found = io.StringIO(), io.StringIO(), 0
        with (
            mock.patch.object(sys, "argv", ["aclnet-task", *map(str, arguments)]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as end:
                found = int(end.code or 0)
        assert code in (None, found), (found, err.getvalue())
        return Outcome(found, out.getvalue(), err.getvalue())

    return run


WITHOUT_TORCH = """
import sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "lightning_fabric"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refusal())
"""


@pytest.fixture(scope="session")
def without_torch() -> Callable[..., str]:
    """Run Python code where torch is not installed, and give what it prints."""

    def run(code: str, *arguments: object) -> str:
        command = [sys.executable, "-c", WITHOUT_TORCH + code, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


Ready = Callable[..., Started]


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    """Start `python ARGUMENTS...` as a process of its own, without waiting for imports."""
    door = tmp_path_factory.mktemp("ready") / "door"
    program = [sys.executable, "-P", str(Path(__file__).with_name("ready.py")), str(door)]
    # Passive: a second thread, where a test has one, does not spin while it waits.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    server = subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"

    def start(
        *arguments: object,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pipes: bool = False,
    ) -> Started:
        return Started(door, arguments, env, cwd, tmp_path_factory.mktemp("texts"), pipes)

    try:
        yield start
    finally:
        server.kill()
        server.communicate()


@pytest.fixture
def start_ranks(ready: Ready) -> Callable[..., list[Started]]:
    """Start `python ARGUMENTS...` as two ranks, as torchrun starts them."""

    def start(*arguments: object) -> list[Started]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        world = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
        world |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
        return [ready(*arguments, env={**world, "RANK": rank, "LOCAL_RANK": rank}) for rank in "01"]

    return start


@pytest.fixture
def ranks(start_ranks: Callable[..., list[Started]]) -> Callable[..., list[tuple[str, str]]]:
    """Run `python ARGUMENTS...` as two ranks; what each wrote."""

    def run(*arguments: object) -> list[tuple[str, str]]:
        started = start_ranks(*arguments)
        try:
            texts = [process.communicate() for process in started]
        finally:
            for process in started:
                process.kill()
        assert [process.returncode for process in started] == [0, 0], texts
        return texts

    return run


@pytest.fixture(scope="session")
def assert_same_run() -> Callable[..., None]:
    """Check that two folders hold one run to the last bit, but for the seconds that it took."""

    def check(one: Path, other: Path, log: bool = True) -> None:
        import torch

        from aclnet.training.checkpoint import load_checkpoint
        from aclnet.training.log import read_log

        files, found = ({item.name for item in run.iterdir()} for run in (one, other))
        assert files == found
        first, second = (load_checkpoint(run / "checkpoint.pt") for run in (one, other))
        for mine, theirs in (
            (first["task"], second["task"]),
            (first["optimizer"]["state"], second["optimizer"]["state"]),
        ):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=0)
        if log:
            lines, others = (
                [line | {"seconds": 0} for line in read_log(run / "log.jsonl")]
                for run in (one, other)
            )
            assert lines == others
        if "record.json" in files:
            for name in files & {"embeddings.npz", "scores.npz"}:
                with np.load(one / name) as mine, np.load(other / name) as theirs:
                    assert mine.files == theirs.files
                    for key in mine.files:
                        np.testing.assert_array_equal(mine[key], theirs[key])
            records = [json.loads((run / "record.json").read_text()) for run in (one, other)]
            assert records[0]["metrics"] == records[1]["metrics"]

    return check


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "common"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def recipe(common: Path) -> Path:
    """Eight walkers before three cameras: three train, two validate, three are tested."""
    path = common / "tiny.yaml"
    with FileLock(common / "recipe.lock"):
        path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the walkers are kept."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def first(call: Call, recipe: Path, common: Path) -> Path:
    """A trained run; to be copied before it is changed."""
    run, options = common / "first", ("--cache", common / "cache", "--overwrite")
    with FileLock(common / "first.lock"):
        if not (run / "record.json").exists():
            call("gait", "train", "-c", recipe, "--run", run, *options)
    return run


@pytest.fixture(scope="session")
def first_onnx(call: Call, first: Path, common: Path) -> tuple[Path, Outcome]:
    """`first` as an ONNX model, and what the command said; to be copied before it is changed."""
    for needed in ("onnxruntime", "onnxscript"):
        pytest.importorskip(needed)
    out, said = common / "onnx", common / "onnx.json"
    with FileLock(common / "onnx.lock"):
        if not said.exists():
            done = call("export", first, "-o", out, "--cache", common / "cache")
            said.write_text(json.dumps(done))
    return out, Outcome(*json.loads(said.read_text()))


@pytest.fixture(scope="session")
def traced(
    first_onnx: tuple[Path, Outcome],
) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    """Where `first` is exported again, and how torch traces it is not tested: that is not repeated,
    as it takes most of the time.
    """
    from aclnet.export.graph import OnnxGraph

    about = json.loads((first_onnx[0] / "model.json").read_text())["graph"]
    content = (first_onnx[0] / "model.onnx").read_bytes()
    graph = OnnxGraph(content, about["opset"], about["persons"], about["frames"])
    return lambda: mock.patch("aclnet.export.write.onnx_graph", return_value=graph)


@pytest.fixture(scope="session")
def walkers(common: Path, first: Path) -> Path:
    """The store of the walkers that `first` was trained on."""
    (store,) = (common / "cache").glob("walkers-*")
    return store


@pytest.fixture
def copy(first: Path, tmp_path: Path) -> Path:
    """The trained run, to be changed."""
    run = tmp_path / "copy"
    shutil.copytree(first, run)
    return run


def _gesture(kind: str, seed: int, length: int = 16) -> np.ndarray:
    """(T, 2, 17, 2): somebody whose wrists go up ("raise") or who stands ("stand"), and nobody."""
    layout = load_layout("coco17")
    generator = np.random.default_rng(seed)
    pose = np.random.default_rng(0).normal(size=(17, 2))
    frames = np.zeros((length, 2, 17, 2), dtype=np.float32)
    frames[:, 0] = pose + generator.normal(scale=0.01, size=(length, 17, 2))
    if kind == "raise":
        wrists = [layout.index("left_wrist"), layout.index("right_wrist")]
        frames[:, 0, wrists, 1] -= np.linspace(0, 6, length)[:, None]
    return frames


@pytest.fixture(scope="session")
def gesture() -> Callable[..., np.ndarray]:
    """Make a gesture of a kind and seed."""
    return _gesture


@pytest.fixture
def clips_file(tmp_path: Path) -> Callable[..., Path]:
    """Write recordings (T, M, V, C) of COCO's joints into an `.npz`."""

    def write(name: str, *recordings: np.ndarray, joints: str = "coco17") -> Path:
        offsets, names = np.cumsum([0, *map(len, recordings)]), np.array(load_layout(joints).joints)
        path = tmp_path / name
        np.savez(path, joints=np.concatenate(recordings), offsets=offsets, joint_names=names)
        return path

    return write


@pytest.fixture(scope="session")
def gesture_run(call: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of action recognition that tells the two gestures apart."""
    folder = tmp_path_factory.mktemp("gestures")
    layout = load_layout("coco17").to_dict()
    info = StoreInfo(name="tiny", layout=layout, channels=("x", "y"), unit="normalised")
    samples = [
        Sample(
            f"{kind}{i}", _gesture(kind, i), identity=str(i), label=kind,
            split="train" if i < 6 else "test",
        )
        for i in range(8)
        for kind in ("raise", "stand")
    ]  # fmt: skip
    write_store(folder / "store", samples, info)
    (folder / "tiny.yaml").write_text(GESTURES_RECIPE)
    call(
        "action", "train", "-c", folder / "tiny.yaml", "--data", folder / "store",
        "--run", folder / "run", "--cache", folder / "cache",
    )  # fmt: skip
    return folder / "run"


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 60.0


class Chromium:
    """Chromium without a window: a tab, by the DevTools protocol over file descriptors 3 and 4."""

    def __init__(self, program: str, profile: Path) -> None:
        for_it, self.to = os.pipe()
        self.back, from_it = os.pipe()
        command = [
            program,
            "--headless=new",
            "--no-sandbox",  # tests in containers run as root
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        plumbing = f'exec 3<&{for_it} 4>&{from_it}; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", plumbing, "bash", *command],
            pass_fds=(for_it, from_it),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(for_it)
        os.close(from_it)
        self.number = 0
        self.rest = b""
        self.session: str | None = None
        self.events: list[dict[str, Any]] = []

    def open_tab(self) -> None:
        tab = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **params: object) -> dict[str, Any]:
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.back], [], [], PATIENCE)
            part = os.read(self.back, 1 << 20) if ready else b""
            if not part:
                raise ConnectionError("Chromium does not answer")
            self.rest += part
        message, _, self.rest = self.rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def run(self, script: str) -> Any:
        """What a JavaScript expression gives."""
        found = self("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def show(
        self, page: Path | str, state: str = "", width: int = 1280, scheme: str = "light"
    ) -> list[dict[str, Any]]:
        """Open a file or an address; what happened meanwhile."""
        preference = {"name": "prefers-color-scheme", "value": scheme}
        calm = {"name": "prefers-reduced-motion", "value": "reduce"}
        self("Emulation.setEmulatedMedia", features=[preference, calm])
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        # Only another page is loaded anew; another place in the same is not.
        self("Page.navigate", url="about:blank")
        self.events.clear()
        address = page if isinstance(page, str) else page.as_uri()
        self("Page.navigate", url=f"{address}{state}")
        end = time.monotonic() + PATIENCE
        while self.run("document.readyState !== 'complete' || location.protocol === 'about:'"):
            assert time.monotonic() < end
            time.sleep(0.02)
        return list(self.events)

    def press(self, key: str, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            code = {"Enter": 13, "Tab": 9}[key]
            extra = {"text": text} if text and kind == "keyDown" else {}
            self(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **extra,
            )

    def close(self) -> None:
        try:
            self.session = None
            self("Browser.close")
            self.process.wait(PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.back)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None or sys.platform == "win32":
        pytest.skip(f"no Chromium among {', '.join(BROWSERS)}: apt-get install chromium")
    browser = Chromium(program, tmp_path_factory.mktemp("profile"))
    try:
        try:
            browser.open_tab()
        except OSError as error:
            pytest.skip(f"{program} is there and does not start: {error}")
        yield browser
    finally:
        browser.close()


@pytest.fixture(scope="session")
def contrast() -> str:
    """Script for the worst contrast of a page's text with its ground, and where it is."""
    return Path(__file__).with_name("contrast.js").read_text()
