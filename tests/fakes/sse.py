"""A client of server-sent events that keeps to the rules of the standard.

async with EventSource.connect(session, url) as source:
    event = await source.next()          # event.id, event.name, event.data
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import msgspec


@dataclass
class SentEvent:
    """One event."""

    id: str | None
    name: str
    data: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.data)


class EventSource:
    """An open stream."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    @classmethod
    @asynccontextmanager
    async def connect(cls, session: aiohttp.ClientSession, url: str, **headers: str) -> AsyncIterator[Self]:
        timeout = aiohttp.ClientTimeout(total=None)
        async with session.get(url, headers=headers, timeout=timeout) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "text/event-stream"
            yield cls(answer)

    async def next(self, timeout: float = 30) -> SentEvent:
        """The next event; raises `EOFError` at the end of the stream."""
        fields: dict[str, list[str]] = {}
        async with asyncio.timeout(timeout):
            while line := await self._answer.content.readline():
                text = line.decode().rstrip("\n")
                if text.startswith(":"):
                    continue
                if text:
                    name, _, value = text.partition(":")
                    fields.setdefault(name, []).append(value.removeprefix(" "))
                elif "data" in fields:
                    data = "\n".join(fields["data"]).encode()
                    return SentEvent(fields.get("id", [None])[-1], fields.get("event", ["message"])[-1], data)
                else:
                    fields = {}
        raise EOFError

    async def take(self, count: int, timeout: float = 30) -> list[SentEvent]:
        """So many events."""
        async with asyncio.timeout(timeout):
            return [await self.next() for _ in range(count)]

    async def signs_of_life(self, count: int, timeout: float = 30) -> None:
        """Wait for so many lines that say nothing, while there is no event."""
        async with asyncio.timeout(timeout):
            while count:
                line = await self._answer.content.readline()
                assert line.startswith(b":") or line == b"\n"
                count -= line.startswith(b":")
