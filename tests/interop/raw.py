# SPDX-License-Identifier: Apache-2.0
"""A peer that speaks the protocol with Python's own encoder but without the client: one DEALER socket."""

from uuid import uuid4

import zmq
from transfer_queue.utils.zmq_utils import ZMQMessage, ZMQRequestType


class RawPeer:
    def __init__(self, address: str):
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, f"TQ_STORAGE_raw_{uuid4().hex}".encode())
        self._socket.setsockopt(zmq.IPV6, 1)
        self._socket.connect(address)

    def send(self, kind: str, body: dict) -> None:
        request = ZMQMessage.create(request_type=ZMQRequestType(kind), sender_id="raw", receiver_id="", body=body)
        self._socket.send_multipart(request.serialize())

    def receive(self, seconds: float) -> tuple[str, dict] | None:
        """(type, body) of the next reply, or None where none is there in time."""
        if not self._socket.poll(int(seconds * 1000)):
            return None
        reply = ZMQMessage.deserialize(self._socket.recv_multipart(copy=False))
        return reply.request_type.value, reply.body

    def close(self) -> None:
        self._socket.close(linger=0)
        self._context.term()
