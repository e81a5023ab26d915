"""The web interface of stock Antminers, as far as a peer of ours asks it: digest log-in, then JSON."""

import asyncio
import sys
from contextlib import AsyncExitStack

LOG_IN = 'WWW-Authenticate: Digest realm="antMiner Configuration", nonce="01234567", algorithm=MD5, qop="auth"\r\n'
INFO = b'{"minertype": "Antminer S19 Pro", "hostname": "antminer", "macaddr": "02:FA:CE:00:00:01"}'


def response(status: str, body: bytes, header: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{header}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A request as often as one comes; who has not logged in is asked to."""
    try:
        while request := await reader.readuntil(b"\r\n\r\n"):
            known = b"\r\nauthorization: digest" in request.lower()
            writer.write(response("200 OK", INFO) if known else response("401 Unauthorized", b"", LOG_IN))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    async with AsyncExitStack() as stack:
        for ip in sys.argv[1:]:
            await stack.enter_async_context(await asyncio.start_server(answer, ip, 80))
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
