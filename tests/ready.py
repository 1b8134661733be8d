"""Python that starts at once: a process with torch and the project loaded forks itself when asked.

    python -P tests/ready.py SOCKET

Imports take most of a short process's time. Here they are done once for all tests of a worker, and
a fork has nothing of an earlier one: no data, random state, process group or signal handler.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any


class Started:
    """A forked process, used as one of `subprocess.Popen`."""

    def __init__(
        self,
        server: Path,
        arguments: tuple[object, ...],
        env: Mapping[str, str] | None,
        cwd: Path | None,
        folder: Path,
        pipes: bool = False,
    ) -> None:
        """Start `python ARGUMENTS...`: a script, `-m` and a module, or `-c` and a program.

        With `pipes`, what it reads and writes goes through `stdin`, `stdout` and `stderr`.
        """
        self.args = tuple(map(str, arguments))
        self.returncode: int | None = None
        self._texts = folder / "stdout", folder / "stderr"
        streams = [folder / "stdin", *self._texts]
        for stream in streams if pipes else ():
            os.mkfifo(stream)
        self._link = socket.socket(socket.AF_UNIX)
        self._link.connect(str(server))
        asked = {
            "arguments": self.args,
            "environment": {**os.environ, **(env or {})},
            "folder": str(cwd or Path.cwd()),
            "streams": [str(streams[0]) if pipes else os.devnull, *map(str, self._texts)],
        }
        self._link.sendall(json.dumps(asked).encode() + b"\n")
        self._answers = self._link.makefile()
        self.pid = int(self._answers.readline())
        if pipes:  # in the order in which it opens them, as each waits for the other
            self.stdin = streams[0].open("w", buffering=1)
            self.stdout, self.stderr = (text.open() for text in self._texts)

    def poll(self) -> int | None:
        """The exit code, below 0 the signal that ended it; None while it runs."""
        if self.returncode is None and select.select([self._link], [], [], 0)[0]:
            self.returncode = int(self._answers.readline())
        return self.returncode

    def wait(self, timeout: float = 120) -> int:
        """Wait for its end."""
        if self.returncode is None and not select.select([self._link], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.poll() or 0

    def communicate(self, timeout: float = 120) -> tuple[str, str]:
        """Wait for its end; what it wrote on standard output and on standard error."""
        self.wait(timeout)
        if self._texts[0].is_fifo():
            self.stdin.close()
            return self.stdout.read(), self.stderr.read()
        out, err = (text.read_text() for text in self._texts)
        return out, err

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it, unless it has ended."""
        self.send_signal(signal.SIGKILL)


def serve(place: str) -> dict[str, Any]:
    """Fork for each connection; returns, in a fork, what it was asked to be.

    Between the two stands a process that waits for the fork and tells how it ended.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(place)
        door.listen()
        print("ready", flush=True)
        while True:
            ready = select.select([door, sys.stdin], [], [])[0]
            if sys.stdin in ready:  # closed: the tests have ended, however they did
                os._exit(0)
            link, _ = door.accept()
            if os.fork() == 0:
                break
            link.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked: dict[str, Any] = json.loads(link.makefile().readline())
    pid = os.fork()
    if pid == 0:
        link.close()
        return asked
    link.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    link.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def become(asked: dict[str, Any]) -> None:
    """Run the program, as Python itself would."""
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    source, *texts = asked["streams"]
    os.dup2(os.open(source, os.O_RDONLY), 0)
    for number, text in enumerate(texts, 1):
        os.dup2(os.open(text, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    first, *rest = asked["arguments"]
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path.insert(0, "" if first in ("-m", "-c") else str(Path(first).parent))
    if first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = [first, *rest]
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    gc.disable()  # imports make no garbage worth looking for
    import torch

    import aclnet.training.engine  # noqa: F401
    import tasks.run.study  # noqa: F401
    from tasks.spec import all_tasks

    for name in ("scipy.stats", "tasks.cli"):
        import_module(name)
    for task in all_tasks().values():
        _ = task.adapter, task.judge  # imports them

    torch.set_num_threads(1)
    gc.freeze()  # what is loaded by now is not looked through again, and copied, in every fork
    gc.enable()
    become(serve(sys.argv[1]))
