"""Takes messages of a durable consumer: those that came while the last batch was written are the next batch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

ASKED_AT_ONCE = 1_000
ASK_AGAIN_AFTER_S = 2.0  # a request that NATS has lost holds nothing up for longer


class Pull:
    """Made by `pulling`."""

    def __init__(self, client: Client, stream: str, consumer: str) -> None:
        self._client = client
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self.inbox = client.new_inbox()
        self.waiting: list[Msg] = []
        self._news = asyncio.Event()
        self._request = 0
        self._owed = 0

    async def take(self) -> list[Msg]:
        """Returns the messages that have come, at least one; or none, after `hurry` or a silence."""
        if not self.waiting:
            self._news.clear()
            await self._ask()
            try:
                async with asyncio.timeout(ASK_AGAIN_AFTER_S + 1):
                    await self._news.wait()
            except TimeoutError:
                self._owed = 0  # the request was lost
        taken, self.waiting = self.waiting, []
        await self._ask()  # so that the next ones come while these are written
        return taken

    def hurry(self) -> None:
        """Lets `take` return at once."""
        self._news.set()

    async def receive(self, message: Msg) -> None:
        if message.headers and "Status" in message.headers:
            if message.subject.endswith(f".{self._request}"):
                self._owed = 0  # the request has ended: no messages for a while, or the server shuts down
                self._news.set()
        else:
            self._owed -= 1
            self.waiting.append(message)
            self._news.set()

    async def _ask(self) -> None:
        if self._owed > 0:
            return
        self._request += 1
        self._owed = ASKED_AT_ONCE
        request = {"batch": ASKED_AT_ONCE, "expires": int(ASK_AGAIN_AFTER_S * 1e9)}
        await self._client.publish(self._subject, msgspec.json.encode(request), reply=f"{self.inbox}.{self._request}")


@asynccontextmanager
async def pulling(client: Client, stream: str, consumer: str) -> AsyncIterator[Pull]:
    pull = Pull(client, stream, consumer)
    await client.subscribe(f"{pull.inbox}.*", cb=pull.receive)
    yield pull
