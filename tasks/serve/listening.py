"""The listening socket, and the server's loop, which ends as the other commands do."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from aclnet.training.machine.interrupts import Interrupted, StopRequest

_CONNECTIONS = 64
_LAST_SECONDS = 5
"""How long an answer that is under way may take when the server is stopped."""


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket; nothing is looked up, and who connects waits for `serve`.

    Args:
        host: an address of this machine, as a number, or "localhost".
        port: 0: any free port.

    Raises:
        ValueError: it is not such an address, or the port is taken.
    """
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ValueError(
            f"--host {host}: give a numeric address, such as 127.0.0.1, or 0.0.0.0 for all"
        ) from None
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((str(address), port))
        made.listen(_CONNECTIONS)
    except OSError as error:
        made.close()
        raise ValueError(
            f"cannot listen on {address}, port {port}: {error.strerror}; give another --port or "
            "--host"
        ) from None
    return made


class _Server(uvicorn.Server):
    """Ends when the command line is asked to stop; signals stay the command line's."""

    def __init__(self, config: uvicorn.Config, stop: StopRequest) -> None:
        super().__init__(config)
        self.stop = stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: `StopRequest` hears them."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Whether to end; called ten times a second."""
        return self.stop.requested or await super().on_tick(counter)


def serve(app: Any, bound: socket.socket) -> None:
    """Answer until a signal comes.

    Raises:
        Interrupted: it came.
    """
    with StopRequest() as stop:
        answer(app, bound, stop)
    raise Interrupted("stopped: nothing is kept but who was enrolled", stop.number)


def answer(app: Any, bound: socket.socket, stop: StopRequest) -> None:
    """Answer until a stop is requested."""
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        workers=1,
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        forwarded_allow_ips="",
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
    asyncio.run(_Server(config, stop).serve(sockets=[bound]))
