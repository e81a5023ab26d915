"""Guesses the password of a commander from many addresses of the loopback network, many times a second.

It shows what an attack costs: see `bench/log_in.py`. Each address has one connection, which sends its next guess on
time whether or not the last one is answered.
"""

import argparse
import asyncio
import collections
import ssl
import time
from urllib.parse import urlsplit

BODY = b"password=wrong+guess"
CONNECTING_AT_ONCE = 20


def main() -> None:
    options = _options()
    counts = asyncio.run(flood(options))
    print(" ".join(f"{status}:{count}" for status, count in sorted(counts.items())), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commander", required=True, help="its URL, on the loopback network")
    parser.add_argument("--ca", help="its CA's certificate")
    parser.add_argument("--rate", type=float, default=1_000, help="guesses a second, of all addresses together")
    parser.add_argument("--addresses", type=int, default=1_000)
    parser.add_argument("--duration", type=float, default=20, help="seconds")
    return parser.parse_args()


async def flood(options: argparse.Namespace) -> collections.Counter[str]:
    """Returns how often each status came."""
    url = urlsplit(options.commander)
    tls = ssl.create_default_context(cafile=options.ca) if url.scheme == "https" else None
    head = (
        f"POST /login HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n"
    ).encode()
    counts, gate = collections.Counter[str](), asyncio.Semaphore(CONNECTING_AT_ONCE)
    async with asyncio.TaskGroup() as group:
        made = [
            group.create_task(_connected(gate, url.hostname or "", url.port or 443, tls, _address(number)))
            for number in range(options.addresses)
        ]
    connections = [connection for task in made if (connection := task.result())]
    print(f"{len(connections)} connections", flush=True)
    async with asyncio.TaskGroup() as group:
        for number, (reader, writer) in enumerate(connections):
            group.create_task(_guess(number, reader, writer, head + BODY, options, counts))
    return counts


def _address(number: int) -> str:
    return f"127.{1 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}"


async def _connected(
    gate: asyncio.Semaphore, host: str, port: int, tls: ssl.SSLContext | None, source: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    async with gate:
        try:
            return await asyncio.open_connection(host, port, ssl=tls, local_addr=(source, 0))
        except OSError:
            return None


async def _guess(
    number: int,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: bytes,
    options: argparse.Namespace,
    counts: collections.Counter[str],
) -> None:
    every_s = options.addresses / options.rate
    next_s = time.monotonic() + every_s * number / options.addresses
    until_s = next_s + options.duration
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(_count(reader, counts))
        while next_s < until_s and not reading.done():
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))
            writer.write(request)
            counts["sent"] += 1
            next_s += every_s
        writer.close()


async def _count(reader: asyncio.StreamReader, counts: collections.Counter[str]) -> None:
    """Counts answers. A page ends without a line end, so a status may stand anywhere in a line."""
    try:
        async for line in reader:
            before, found, status = line.rpartition(b"HTTP/1.1 ")
            if found:
                counts[status[:3].decode()] += 1 + before.count(b"HTTP/1.1 ")
    except (OSError, ValueError):
        counts["broken"] += 1


if __name__ == "__main__":
    main()
