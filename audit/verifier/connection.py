"""HTTP connections that end when their time is over, whatever the other side does.

A timeout is one of each step: whoever sends a byte now and then, in a handshake, a head or a body, never runs into it.
"""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Connection(http.client.HTTPConnection):
    """Over plain TCP. Used by one thread at a time."""

    _twins: tuple[socket.socket, ...] = ()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """What is asked and read here is hung up on after so many seconds: whoever reads then reads the end.

        The twins are the same connection for the kernel, and stay when TLS or `http.client` takes the socket away.
        """
        self._twins = () if self.sock is None else (_twin(self.sock),)
        ending = threading.Timer(seconds, self._hang_up)
        ending.daemon = True
        ending.start()
        try:
            yield
        finally:
            ending.cancel()
            for twin in self._twins:
                twin.close()
            self._twins = ()

    def connect(self) -> None:
        self._create_connection = self._opened  # the seam http.client keeps for its own tests
        super().connect()

    def _opened(self, *args: Any, **more: Any) -> socket.socket:
        made = socket.create_connection(*args, **more)
        self._twins += (_twin(made),)
        return made

    def _hang_up(self) -> None:
        for twin in self._twins:
            with suppress(OSError):
                twin.shutdown(socket.SHUT_RDWR)


class SecureConnection(Connection, http.client.HTTPSConnection):
    """Over TLS."""


def connection_to(scheme: str, host: str, port: int | None, seconds: float) -> Connection:
    """`scheme`: http or https. `seconds`: for each step."""
    kind = SecureConnection if scheme == "https" else Connection
    return kind(host, port, timeout=seconds)


def _twin(sock: socket.socket) -> socket.socket:
    return socket.socket(fileno=os.dup(sock.fileno()))
