"""Commands in a process that may open no Internet socket: `-- ARGUMENTS... -- ARGUMENTS...`.

Two layers. Python's audit events name what asked for a socket or a look-up. Below them the kernel
kills this process, and every child, with SIGSYS where it asks for a socket of the Internet, from
whatever library; glibc's own look-ups of users and names go through Unix sockets or files.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
import sys
from typing import Any

SYSCALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""Number of the architecture in audit records, and of `socket` in its table, by machine."""

AF_INET, AF_INET6 = 2, 10
_EVENTS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.bind")


class _Rule(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jump_if", ctypes.c_uint8),
        ("jump_else", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("rules", ctypes.POINTER(_Rule)))


def deny_in_kernel() -> None:
    """Forbid Internet sockets to this process and its children, for good (seccomp)."""
    machine, call = SYSCALLS[platform.machine()]
    load, equal, leave = 0x20, 0x15, 0x06
    allow, kill = 0x7FFF0000, 0x80000000
    rules = [
        _Rule(load, 0, 0, 4),  # the architecture
        _Rule(equal, 0, 5, machine),
        _Rule(load, 0, 0, 0),  # the call
        _Rule(equal, 0, 3, call),
        _Rule(load, 0, 0, 16),  # its first argument, the family
        _Rule(equal, 2, 0, AF_INET),
        _Rule(equal, 1, 0, AF_INET6),
        _Rule(leave, 0, 0, allow),
        _Rule(leave, 0, 0, kill),
    ]
    program = _Program(len(rules), (_Rule * len(rules))(*rules))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, seccomp, a_filter = 38, 22, 2
    for arguments in (
        (no_new_privileges, 1, 0, 0, 0),
        (seccomp, a_filter, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "the kernel takes no filter")


def deny_in_python() -> None:
    """Refuse Internet sockets and look-ups, by the name of what asks."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        internet = event == "socket.__new__" and arguments[1] in (AF_INET, AF_INET6)
        address = arguments[-1] if event in ("socket.connect", "socket.bind") else ()
        if internet or (event in _EVENTS and not isinstance(address, str | bytes)):
            sys.stderr.write(f"tried: {event} {arguments}\n")
            sys.stderr.flush()
            os._exit(99)  # nothing may catch this

    sys.addaudithook(watch)


def deny_after_listening(module: str, name: str) -> None:
    """Let a server have its listening socket, and forbid all others to this process and children.

    What connects to it gets its socket from that one (`accept`), not by asking for another.
    """
    owner = importlib.import_module(module)
    listen = getattr(owner, name)

    def listen_alone(*arguments: Any) -> Any:
        made = listen(*arguments)
        deny_in_kernel()
        return made

    setattr(owner, name, listen_alone)


def run_all(arguments: list[str]) -> None:
    """Run the commands, each begun by `--`, and stop at the first that fails."""
    from tasks.cli import main

    rest = arguments[1:]
    while rest:
        end = rest.index("--") if "--" in rest else len(rest)
        command, rest = rest[:end], rest[end + 1 :]
        sys.argv = ["aclnet-task", *command]
        try:
            main()
        except SystemExit as ended:
            if ended.code:
                sys.stderr.write(f"failed: {command}\n")
                raise


if __name__ == "__main__":
    layer, *options = sys.argv[1:]
    if layer in ("both", "kernel"):
        deny_in_kernel()
    if layer in ("both", "python"):
        deny_in_python()
    if layer == "after listening":
        live = "live" in options
        deny_after_listening(
            *(
                ("tasks.live.sockets", "_tcp_socket")
                if live
                else ("tasks.serve.listening", "listen")
            )
        )
    if options == ["try"]:
        import socket

        socket.socket(socket.AF_INET6)
    elif options == ["try in a child"]:
        import subprocess

        ask = "import socket; socket.socket()"
        sys.exit(subprocess.run([sys.executable, "-c", ask]).returncode != 0)
    else:
        run_all(options)
