"""A log on a server, as its mirror reads it: HTTP(S), GET alone, one connection a thread, everything bounded."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.parse
import zlib

from audit.verifier.connection import Connection, connection_to

SECONDS = 30.0  # for each step of an answer
ANSWER_SECONDS = (
    300.0  # for a whole one: who sends a byte now and then shall not keep a mirror from noticing a fork
)
_PACKING = 1 << 14  # bytes by which gzip may make longer what it cannot shorten


class Unreachable(Exception):
    """The server does not answer, or not as it must; the text says what it said."""


class Absent(Unreachable):
    """404: there is nothing of that name."""


class Forbidden(Unreachable):
    """401 or 403: not without a token, or not with this one."""


class Source:
    """The files below one URL. Safe to be asked by many threads. Redirects are not followed: the token stays here."""

    def __init__(
        self, url: str, token: str = "", seconds: float = SECONDS, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        """`url` such as `https://data.example/log`; `token` is an API token. Raises ValueError."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"not the address of a log: {url!r} (such as https://data.example/log)")
        if any(not "!" <= c <= "~" for c in token):
            raise ValueError("a token is one word of printable ASCII")
        self._scheme, self._host, self._port = parts.scheme, parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Accept-Encoding": "gzip, identity", "User-Agent": "audit.verifier"}
        self.with_token = bool(token)
        if token:
            self._headers["Authorization"] = f"Token {token}"
        self._seconds, self._answer_seconds = seconds, answer_seconds
        self._own = threading.local()
        self._opened: list[Connection] = []

    def get(self, path: str, longest: int) -> bytes:
        """The bytes of `path` (relative, with `/`), of which there may be so many. Raises Unreachable."""
        kept = getattr(self._own, "connection", None)
        if kept is not None:
            try:
                return self._ask(kept, path, longest)
            except ConnectionError:
                pass  # the server gave up a connection that had been idle; a new one will do
        fresh = connection_to(self._scheme, self._host, self._port, self._seconds)
        self._own.connection = fresh
        self._opened.append(fresh)
        try:
            return self._ask(fresh, path, longest)
        except ConnectionError as error:
            raise Unreachable(f"{path}: {error!r}") from None

    def close(self) -> None:
        """Requires: no thread is asking any more."""
        for connection in self._opened:
            connection.close()
        self._opened.clear()
        self._own = threading.local()

    def _ask(self, connection: Connection, path: str, longest: int) -> bytes:
        """Raises Unreachable, ConnectionError."""
        end = time.monotonic() + self._answer_seconds
        try:
            with connection.within(self._answer_seconds):
                connection.request("GET", f"{self._prefix}/{urllib.parse.quote(path)}", headers=self._headers)
                answer = connection.getresponse()
                body = answer.read(longest + _PACKING)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if isinstance(error, ConnectionError):
                raise
            raise Unreachable(f"{path}: {error!r}") from None
        if not answer.isclosed():  # more than was wanted, or less than was promised
            connection.close()
            if len(body) < longest + _PACKING and answer.length:
                raise Unreachable(f"{path}: cut short")
        if time.monotonic() >= end:  # what there is may not be all
            connection.close()
            raise Unreachable(f"{path}: more than {self._answer_seconds:g} s")
        _check_status(path, answer)
        if answer.headers.get("Content-Encoding", "identity") == "gzip":
            body = _unpacked(path, body, longest)
        if len(body) > longest:
            raise Unreachable(f"{path}: more than {longest} bytes")
        return body


def _check_status(path: str, answer: http.client.HTTPResponse) -> None:
    """Raises Unreachable for anything but 200."""
    said = f"{path}: {answer.status} {answer.reason}"
    if answer.status == http.client.NOT_FOUND:
        raise Absent(said)
    if answer.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        raise Forbidden(said)
    if answer.status != http.client.OK:
        place = answer.headers.get("Location", "")
        raise Unreachable(f"{said} {place}".rstrip())


def _unpacked(path: str, body: bytes, longest: int) -> bytes:
    """At most one byte more than `longest`, however much it would become."""
    unpacker = zlib.decompressobj(31)
    try:
        whole = unpacker.decompress(body, longest + 1)
    except zlib.error as error:
        raise Unreachable(f"{path}: not gzip: {error}") from None
    if len(whole) <= longest and not unpacker.eof:
        raise Unreachable(f"{path}: cut short")
    return whole
