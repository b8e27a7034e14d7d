"""Linking in somebody's name: one code at a time for each owner, and the owner gets what was linked."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from signal_courier.messaging.joining.link_sessions import LinkSession, LinkSessions
from signal_courier.messaging.joining.linking import LinkState
from signal_courier.store.errors import StoreError

_LOGGER = logging.getLogger(__name__)

DEVICE_NAME: Final = "Signal Courier"
_KEPT: Final = 64
"""Owners whose last link is remembered, those that are over too."""
_LOOK: Final = 60.0
_GRACE: Final = 10.0
"""Seconds that it may take to note whom a linked account belongs to."""


class LinkFailed(Exception):
    """Nothing was linked; the text says why. `expired`: because nobody has scanned a code in time."""

    def __init__(self, text: str, *, expired: bool = False) -> None:
        super().__init__(text)
        self.expired = expired


class DeviceLinks:
    """The links of all owners."""

    def __init__(self, sessions: LinkSessions, on_linked: Callable[[str, str], Awaitable[None]]) -> None:
        """`on_linked` is told the owner and the account, before those who follow are told that it is done."""
        self._sessions = sessions
        self._on_linked = on_linked
        self._links: OrderedDict[str, LinkSession] = OrderedDict()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, owner: str) -> LinkSession:
        """The link that waits for a phone already, or a new one. Raises an `EngineError`, or `Overloaded`."""
        pending = self._links.get(owner)
        if pending is not None and pending.state is LinkState.WAITING:
            return pending
        session = await self._sessions.start(DEVICE_NAME)
        self._links[owner] = session
        self._links.move_to_end(owner)
        task = asyncio.create_task(self._see_through(owner, session), name="device link")
        self._tasks[session.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(session.id, None))
        for old in [name for name, link in self._links.items() if link.state is not LinkState.WAITING][: max(0, len(self._links) - _KEPT)]:
            del self._links[old]
        return session

    async def follow(self, owner: str) -> AsyncGenerator[str]:
        """The codes to show, each until the next; it ends once one was scanned. Raises `LinkFailed`."""
        session = self._links.get(owner)
        if session is None:
            raise LinkFailed("no device is being added: ask for one first")
        shown = None
        while session.state is LinkState.WAITING:
            version = session.version
            if session.uri is not None and session.uri != shown:
                shown = session.uri
                yield shown
            await self._sessions.wait_beyond(session, version, timeout=_LOOK)
        if (task := self._tasks.get(session.id)) is not None:
            await asyncio.wait({task}, timeout=_GRACE)
        if session.state is not LinkState.LINKED:
            raise LinkFailed(session.reason or "the device was not linked", expired=session.state is LinkState.EXPIRED)

    async def stop(self) -> None:
        """Note no link any more. Call after the sessions have ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _see_through(self, owner: str, session: LinkSession) -> None:
        while session.state is LinkState.WAITING:
            await self._sessions.wait_beyond(session, session.version, timeout=_LOOK)
        if session.state is not LinkState.LINKED:
            return
        if session.account is None:
            _LOGGER.warning("an account was linked, but signal-cli does not say which: it has no owner")
            return
        try:
            await self._on_linked(owner, session.account)
        except StoreError:
            _LOGGER.exception("whom a linked account belongs to could not be noted")
