"""A witness on the network: HTTP/1.1, one thread a connection, and no client, slow or many, that could stop it."""

from __future__ import annotations

import io
import logging
import socket
import sys
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from audit.witness.request import LONGEST
from audit.witness.witness import Answer, Witness

SECONDS = 20.0  # from one request to the end of reading the next
MOST_CONNECTIONS, MOST_OF_ONE_CLIENT = 64, 16
_logger = logging.getLogger("audit.witness")


class Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for them
    request_queue_size = 64

    def __init__(self, host: str, port: int, witness: Witness, seconds: float = SECONDS) -> None:
        """Listens at once; `serve_forever` answers. Port 0 is any free one. Raises OSError."""
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.witness, self.seconds = witness, seconds
        self._open: dict[socket.socket, str] = {}  # and the address at the other end
        self._guard = threading.Lock()
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return (
            f"http://[{host!s}]:{port}"
            if self.address_family == socket.AF_INET6
            else f"http://{host!s}:{port}"
        )

    def stop(self) -> None:
        """Take no more requests, answer those that have come in, return when that is done."""
        self.shutdown()
        with self._guard:
            for connection in self._open:
                _end_of_input(connection)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            host = str(client_address[0])
            of_one = sum(other == host for other in self._open.values())
            admitted = len(self._open) < MOST_CONNECTIONS and of_one < MOST_OF_ONE_CLIENT
            if admitted:
                self._open[request] = host
        if admitted:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # socketserver's signature
        _logger.error("连接出错 · a connection failed: %s", client_address, exc_info=sys.exception())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are sent one after the other
    server_version, sys_version = "audit.witness", ""
    server: Server

    def setup(self) -> None:
        super().setup()
        self._input = _Input(self.connection, self.server.seconds)
        self.rfile.close()
        self.rfile = io.BufferedReader(self._input)

    def handle_one_request(self) -> None:
        self._input.begin()
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_GET(self) -> None:
        if self.path == "/":
            self._send(Answer(HTTPStatus.OK, self.server.witness.page().encode()))
        elif self.path == "/add-checkpoint":
            self._send(_said(HTTPStatus.METHOD_NOT_ALLOWED), allow="POST")
        else:
            self._send(_said(HTTPStatus.NOT_FOUND))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED)
        elif len(length) > 9 or int(length) > LONGEST:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            body = self.rfile.read(int(length))
            if len(body) < int(length):
                self.close_connection = True  # the client went away
            elif self.path != "/add-checkpoint":
                self._send(_said(HTTPStatus.NOT_FOUND))
            else:
                self._send(self._answer(body))

    def _answer(self, body: bytes) -> Answer:
        try:
            return self.server.witness.add_checkpoint(body)
        except OSError:
            _logger.exception("未见证：无法写入目录 · not cosigned: the folder cannot be written")
            return _said(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _refuse(self, status: HTTPStatus) -> None:
        """Without having read the body: the connection is of no more use."""
        self.close_connection = True
        self._send(_said(status))

    def _send(self, answer: Answer, allow: str = "") -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if allow:
            self.send_header("Allow", allow)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's signature
        _logger.debug(format, *args)


class _Input(io.RawIOBase):
    """A connection's bytes until a deadline, so that one byte now and then does not keep a thread for ever."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        super().__init__()
        self._connection, self._seconds = connection, seconds
        self.begin()

    def begin(self) -> None:
        """Another request: the time starts again."""
        self._deadline = time.monotonic() + self._seconds
        self._connection.settimeout(self._seconds)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(self._seconds)


def _end_of_input(connection: socket.socket) -> None:
    with suppress(OSError):  # it may have ended by itself
        connection.shutdown(socket.SHUT_RD)


def _said(status: HTTPStatus) -> Answer:
    return Answer(status, f"{status.value} {status.phrase}\n".encode())
