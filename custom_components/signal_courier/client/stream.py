"""Following events as they happen, as a named consumer: at least once, in order, across outages."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from .decoding import decode
from .errors import InvalidAnswer, Unreachable, problem_of
from .events import Event
from .models import Consumer
from .transport import SHORT_DEADLINE, Transport, read, segment

_HEARTBEAT: Final = 30.0
"""Seconds between two questions whether the other side is still there; it has half of that to answer."""
_PATH = "/api/v2/consumers"


class EventStream:
    """One connection. It ends with `Unreachable` when it is lost; what was not acknowledged comes again on the next."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.missed = 0
        """How many events the service had removed, by age or number, before they could be told."""
        self.unreadable = 0
        """How many events were left out as they are not what is known here: of a newer service, perhaps."""

    async def __aiter__(self) -> AsyncIterator[Event]:
        """The events. Raises `Unreachable` at the end; `InvalidAnswer` where something else than the service talks."""
        async for frame in self._socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                break
            event = self._event(frame.data)
            if event is not None:
                yield event
        raise Unreachable(f"the connection has ended ({self._socket.close_code or 'no answer'})")

    async def acknowledge(self, position: int) -> None:
        """Everything up to this id is done with, and does not come again. Raises `Unreachable`."""
        try:
            await self._socket.send_str(json.dumps({"ack": position}))
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error

    def _event(self, text: str) -> Event | None:
        try:
            told = json.loads(text)
        except ValueError as error:
            raise InvalidAnswer("an event is no JSON") from error
        if not isinstance(told, dict):
            raise InvalidAnswer("an event is no object")
        if "id" in told:
            try:
                return decode(Event, told)
            except ValueError:
                self.unreadable += 1
                return None
        if told.get("type") == "missed" and isinstance(missed := told.get("missed"), int):
            self.missed += missed
        return None


class Events:
    """`/api/v2/events` and `/api/v2/consumers`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def make_consumer(self, name: str, *, after: int | None = None) -> Consumer:
        """Make a consumer (one that is there stays as it is), so that everything from now on waits for it.

        `after`: behind this id; 0 = with the oldest event that is kept.
        """
        body = {} if after is None else {"after": after}
        return read(Consumer, await self._transport.call("PUT", f"{_PATH}/{segment(name)}", body, deadline=SHORT_DEADLINE))

    async def delete_consumer(self, name: str) -> None:
        """Forget a consumer. Raises `NotFound`."""
        await self._transport.call("DELETE", f"{_PATH}/{segment(name)}", deadline=SHORT_DEADLINE)

    @asynccontextmanager
    async def follow(self, consumer: str) -> AsyncIterator[EventStream]:
        """Connect as a named consumer; events of the client's account only, and of signal-cli.

        Raises:
            Unreachable: nobody answers.
            Problem: the service refuses, `Unauthorized` for example.
        """
        query = {"consumer": consumer, "account": self._transport.account}
        timeout = aiohttp.ClientWSTimeout(ws_close=2.0)
        try:
            async with asyncio.timeout(SHORT_DEADLINE):
                socket = await self._transport.session.ws_connect(
                    self._transport.url("/api/v2/events", query),
                    headers=self._transport.headers,
                    heartbeat=_HEARTBEAT,
                    timeout=timeout,
                    max_msg_size=0,
                )
        except aiohttp.WSServerHandshakeError as error:
            if error.status in (401, 403):
                raise problem_of(error.status, None) from error
            raise Unreachable(f"the service answers with {error.status}") from error
        except TimeoutError as error:
            raise Unreachable(f"no answer within {SHORT_DEADLINE:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        try:
            yield EventStream(socket)
        finally:
            await socket.close()
