# SPDX-License-Identifier: Apache-2.0
"""What may sit at an address in place of a node, and a proxy that breaks connections where it is told."""

import re
import select
import socket
import threading

import zmq

REQUEST_ID = re.compile(rb"x_tq.{1,40}?request_id\xa8([0-9a-f]{8})", re.DOTALL)


def request(kind: str) -> bytes:
    """How a request of this type begins on the wire."""
    return b"request_type" + bytes([0xA0 + len(kind)]) + kind.encode()


class Refusal:
    """A port that is taken, so that nobody else gets it, and where nothing listens."""

    def __init__(self):
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def close(self) -> None:
        self._socket.close()


class Listener:
    """A TCP server on a free port; `serve` gets each connection in a thread of its own."""

    def __init__(self):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        try:
            self.serve(connection)
        except OSError:
            pass

    def serve(self, connection: socket.socket) -> None:
        """Says nothing, and keeps the connection."""

    def close(self) -> None:
        self._server.close()
        for connection in self._open:
            connection.close()


class HttpServer(Listener):
    def serve(self, connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.close()


class Proxy(Listener):
    """Passes bytes on to `target`, which may change, and notes what clients said, a text a connection.

    cut("PUT", "reply") breaks the connection of the next PUT when its reply comes; cut("PUT", "request") before the
    node has got the request, cut("PUT", "half") when it has got a part of it, cut("GET", "half reply") when the client
    has got a part of the reply. `first` is called before. lose("PUT", "request") and lose("PUT", "reply") swallow the next
    one, and keep the connection. After hold("PUT") the next PUT comes to the node when release() is called. While
    `repeats`, the node gets each request twice.
    """

    def __init__(self, target: int):
        self.target, self.heard, self.repeats, self._cut = target, [], False, None
        self._held, self._released, self.delivered_late = None, threading.Event(), threading.Event()
        self.ended = threading.Semaphore(0)  # one for each connection that the node sees no more
        self._lock = threading.Lock()
        super().__init__()

    def cut(self, kind: str, when: str, first=lambda: None) -> None:
        self._cut = (request(kind), when, first)

    def lose(self, kind: str, what: str) -> None:
        self._cut = (request(kind), "lost " + what, lambda: None)

    def hold(self, kind: str) -> None:
        self._held = request(kind)

    def release(self) -> None:
        """Returns when the node has answered what was held."""
        self._released.set()
        assert self.delivered_late.wait(60), "the node did not answer what was held"

    def break_all(self) -> None:
        """Breaks the connections there are; returns when no more bytes pass."""
        with self._lock:
            broken, self._open = self._open, []
            for connection in broken:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # its other end closed it before

    def request_ids(self, kind: str) -> list[bytes]:
        """The request id of each such request that a client sent, repeated ones included."""
        found = []
        for said in self.heard:
            for part in bytes(said).split(request(kind))[1:]:
                found += REQUEST_ID.findall(part.split(b"request_type")[0])[:1]
        return found

    def serve(self, connection: socket.socket) -> None:
        said = bytearray()
        self.heard.append(said)
        node = socket.create_connection(("127.0.0.1", self.target))
        awaited, first = None, None  # when this connection is to be cut, and what comes before
        try:
            while True:
                readable, _, _ = select.select([connection, node], [], [])
                for source in readable:
                    data = source.recv(1 << 20)
                    if not data:
                        return
                    if source is connection:
                        said += data
                        recent = said[-len(data) - 40:]
                        with self._lock:
                            if self._cut and self._cut[0] in recent:
                                (_, awaited, first), self._cut = self._cut, None
                        if self._held and self._held in recent:
                            self._held = None
                            return self._deliver_late(node, data)
                    if awaited in (("lost request",) if source is connection else ("lost reply",)):
                        continue
                    other = node if source is connection else connection
                    if awaited == ("half" if source is connection else "half reply"):
                        other.sendall(data[: len(data) // 2])
                    if awaited in (("request", "half") if source is connection else ("reply", "half reply")):
                        first()
                        return
                    other.sendall(data)
                    if self.repeats and source is connection and b"request_type" in data:
                        node.sendall(data)
        finally:
            node.close()
            connection.close()
            self.ended.release()

    def _deliver_late(self, node: socket.socket, data: bytes) -> None:
        assert self._released.wait(60), "nobody released what was held"
        node.sendall(data)
        if node.recv(1 << 20):
            self.delivered_late.set()


class ZmqPeer:
    """A ZeroMQ socket of some type. A ROUTER answers each request with `answer`'s frames, or not at all."""

    def __init__(self, kind: int, answer=None):
        self._context, self._stop = zmq.Context(), threading.Event()
        self._socket = self._context.socket(kind)
        self.port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self._thread = None
        if answer is not None:
            self._thread = threading.Thread(target=self._serve, args=(answer,), daemon=True)
            self._thread.start()

    def _serve(self, answer) -> None:
        while not self._stop.is_set():
            if self._socket.poll(50):
                identity, *frames = self._socket.recv_multipart()
                self._socket.send_multipart([identity, *answer(frames)])

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._context.destroy(linger=0)
