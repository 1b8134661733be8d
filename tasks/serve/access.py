"""Who may ask: hosts, origins, the token, the size of a request; and what browsers may do.

A page of another site may make a browser send requests here (forgery), or be given this machine's
address under its own name (rebinding). So `Host` must name this server, whatever changes something
must come from this page (`Origin`, and a token in its forms), and other pages may neither frame nor
read it. Where others than this machine can connect, a token is asked for and kept as a cookie.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = ("/enter", "/page.css", "/page.js", "/icon.svg")
"""What is shown before the token is given."""

_HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Access:
    """How this server is reached.

    Attributes:
        host: the address that it listens on.
        port: its port.
        token: to be given once by each browser; empty: none is asked for.
        form_token: in every form of this page.
    """

    host: str
    port: int
    token: str = ""
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @classmethod
    def of(cls, bound: socket.socket, ask_token: bool = False) -> Access:
        """For a socket; a token is made where others than this machine can connect."""
        host, port = bound.getsockname()[:2]
        asked = ask_token or not ipaddress.ip_address(host).is_loopback
        return cls(host, port, secrets.token_urlsafe(32) if asked else "")

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{_bracketed(self.host)}:{self.port}/"

    @property
    def cookie(self) -> str:
        """The cookie's name: browsers send those of one port to the others too."""
        return f"aclnet-{self.port}"

    def session(self) -> str:
        """The cookie's value for who has given the token."""
        return hmac.new(self.token.encode(), b"session", sha256).hexdigest()

    def is_token(self, given: object) -> bool:
        """Whether it is the token, compared in constant time."""
        return isinstance(given, str) and same(given, self.token)

    def is_form_token(self, given: object) -> bool:
        """Whether a form comes from this page."""
        return isinstance(given, str) and same(given, self.form_token)

    def is_known(self, headers: Mapping[str, str]) -> bool:
        """Whether a request may be answered: no token is asked for, or its cookie is right."""
        if not self.token:
            return True
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return found is not None and same(found.value, self.session())

    def is_own_host(self, given: str) -> bool:
        """Whether `Host` names this server.

        Without a token only this machine's own names count. With one, so does any address, and the
        machine's name in any domain: who is led here by another name lacks the cookie.
        """
        try:
            parts = urlsplit(f"//{given}")
            name, port = (parts.hostname or "").lower(), parts.port or 80
        except ValueError:
            return False
        if port != self.port or parts.username is not None:
            return False
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            own = socket.gethostname().lower().partition(".")[0]
            return name == "localhost" or (bool(self.token) and name.partition(".")[0] == own)
        return bool(self.token) or address.is_loopback


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in constant time."""
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode())


class Guard:
    """Lets through to an app what may be answered, and bounds its size.

    Args:
        app: the pages.
        access: how they are reached.
        most: bytes of a request.
    """

    def __init__(self, app: App, access: Access, most: int) -> None:
        self.app, self.access, self.most = app, access, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        if refused is not None:
            await refused(scope, receive, with_headers)
        else:
            await self.app(scope, self._bounded(receive), with_headers)

    def _refusal(self, method: str, path: str, headers: Headers) -> App | None:
        if not self.access.is_own_host(headers.get("host", "")):
            return _refused(421, f"this page is at {self.access.address}")
        changes = method not in ("GET", "HEAD")
        if changes and not _is_same_origin(headers):
            return _refused(403, "this request comes from another site")
        if path not in OPEN and not self.access.is_known(headers):
            return _refused(403, "the token is missing") if changes else _to_entrance()
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > self.most:
            return _refused(413, self._too_large())
        return None

    def _bounded(self, receive: Receive) -> Receive:
        """The request, refused where more comes than may."""
        left = self.most

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, self._too_large(), {"connection": "close"})
            return message

        return bounded

    def _too_large(self) -> str:
        return (
            f"an upload may have {self.most >> 20} MiB (aclnet-task serve --most-mib): send fewer "
            "or shorter recordings"
        )


def _is_same_origin(headers: Headers) -> bool:
    """Whether what changes something was sent by this page, as far as the browser says."""
    origin = headers.get("origin")
    if origin is not None:
        try:
            return urlsplit(origin).netloc.lower() == headers["host"].lower() != ""
        except ValueError:
            return False
    return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def _refused(status: int, why: str) -> App:
    # What was not read must not be taken for the next request.
    return PlainTextResponse(f"{why}\n", status, {"connection": "close"})


def _to_entrance() -> App:
    return RedirectResponse("/enter", 303)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
