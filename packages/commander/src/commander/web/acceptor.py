"""Accepts connections in uvicorn's place, so that they are counted before TLS begins.

uvicorn and asyncio accept without a limit, and a connection that never begins its TLS handshake has no protocol that
could count it.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from commander.web.connections import Connections, Peer

HANDSHAKE_WITHIN_S = 10.0
REST_S = 0.1
log = logging.getLogger(__name__)


class CountedSocket(socket.socket):
    """The socket of one connection. It calls `on_close` once. asyncio closes a socket, uvloop detaches it first."""

    on_close: Callable[[], None] | None = None

    def close(self) -> None:
        super().close()
        self._end()

    def detach(self) -> int:
        descriptor = super().detach()
        self._end()
        return descriptor

    def _end(self) -> None:
        on_close, self.on_close = self.on_close, None
        if on_close is not None:
            on_close()


class Acceptor:
    def __init__(
        self,
        listener: socket.socket,
        connections: Connections,
        make_protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
    ) -> None:
        self._listener = listener
        self._connections = connections
        self._make_protocol = make_protocol
        self._tls = tls

    async def run(self) -> None:
        """Until it is cancelled."""
        self._listener.setblocking(False)
        loop, is_said = asyncio.get_running_loop(), False
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    plain, address = await loop.sock_accept(self._listener)
                except OSError as error:  # no descriptor is left, or the peer has gone already
                    if not is_said:
                        log.warning("a connection could not be accepted: %s", error)
                        is_said = True
                    await asyncio.sleep(REST_S)
                    continue
                peer: Peer = (address[0].partition("%")[0], address[1])
                if not self._connections.admit(peer):
                    plain.close()
                    continue
                group.create_task(self._serve(plain, peer))

    async def _serve(self, plain: socket.socket, peer: Peer) -> None:
        counted = CountedSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
        counted.on_close = lambda: self._connections.gone(peer)
        counted.setblocking(False)
        handshake_s = HANDSHAKE_WITHIN_S if self._tls else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._make_protocol, counted, ssl=self._tls, ssl_handshake_timeout=handshake_s
            )
        except (OSError, ssl.SSLError, TimeoutError):
            counted.close()  # no handshake, or none in time
        except Exception:  # one connection must not stop the others
            counted.close()
            log.exception("a connection could not be served")
