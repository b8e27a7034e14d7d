"""Linking this device to a phone: a code to scan now, the end of it in the background."""

import asyncio
import enum
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from signal_courier.engine.commands import Commands
from signal_courier.engine.errors import EngineError, LinkExpired
from signal_courier.model.errors import Overloaded

_LOGGER = logging.getLogger(__name__)

_MOST_WAITING = 16
"""Codes that may wait for a phone at once: somebody who reloads the page every few seconds for as long as a code lives."""
_KEPT = 32
"""Finished links that are remembered."""


class LinkState(enum.StrEnum):
    """What became of a code."""

    WAITING = "waiting"
    LINKED = "linked"
    EXPIRED = "expired"
    """Nobody has scanned it in time."""
    FAILED = "failed"


class Link(msgspec.Struct, kw_only=True):
    """One code, and what became of it."""

    uri: str
    """What the QR code holds: a secret until it is scanned."""
    device_name: str
    started: float
    """Seconds since the epoch."""
    state: LinkState = LinkState.WAITING
    account: str | None = None
    """The number that was linked."""
    reason: str | None = None
    """Why it failed, in signal-cli's words."""


class Linking:
    """Starts links and sees them through. signal-cli gives up on a code that nobody scans; its deadline is that of `finishLink`."""

    def __init__(self, commands: Commands, on_linked: Callable[[], None]) -> None:
        """`on_linked` is called whenever an account has been added."""
        self._commands = commands
        self._on_linked = on_linked
        self._waiting: dict[asyncio.Task[None], Link] = {}
        self._finished: deque[Link] = deque(maxlen=_KEPT)

    @property
    def links(self) -> Sequence[Link]:
        """The links of late, finished ones first."""
        return (*self._finished, *self._waiting.values())

    async def start(self) -> str:
        """Ask for a code to scan; gives its uri, for `finish`. Raises an `EngineError`, or `Overloaded` when too many wait already."""
        if len(self._waiting) >= _MOST_WAITING:
            raise Overloaded("Too many devices wait to be linked, try again in two minutes")
        return await self._commands.start_link()

    def finish(self, uri: str, device_name: str) -> Link:
        """Wait in the background for the phone to scan the code; gives what changes once it has, or has not."""
        link = Link(uri=uri, device_name=device_name, started=time.time())
        task = asyncio.get_running_loop().create_task(self._see_through(link), name="link")
        self._waiting[task] = link
        task.add_done_callback(self._put_away)
        return link

    async def settled(self, link: Link, *, timeout: float) -> bool:
        """Wait until it is known what became of a link, at most `timeout` seconds; gives whether it is."""
        task = next((task for task, waiting in self._waiting.items() if waiting is link), None)
        if task is not None:
            await asyncio.wait({task}, timeout=timeout)
        return link.state is not LinkState.WAITING

    async def first_settled(self, links: Sequence[Link], *, timeout: float) -> Link | None:
        """Wait until it is known what became of one of these, at most `timeout` seconds; `None`: of none yet."""
        tasks = [task for task, waiting in self._waiting.items() if any(waiting is link for link in links)]
        if len(tasks) == len(links):
            await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        settled = [link for link in links if link.state is not LinkState.WAITING]
        return next((link for link in settled if link.state is LinkState.LINKED), settled[0] if settled else None)

    def abandon(self, link: Link) -> None:
        """Wait for this code no longer."""
        task = next((task for task, waiting in self._waiting.items() if waiting is link), None)
        if task is not None:
            task.cancel()

    async def stop(self) -> None:
        """Wait for no phone any more."""
        for task in list(self._waiting):
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    async def _see_through(self, link: Link) -> None:
        try:
            link.account = await self._commands.finish_link(device_link_uri=link.uri, device_name=link.device_name)
        except LinkExpired as error:
            link.state, link.reason = LinkState.EXPIRED, error.message
            _LOGGER.info("nobody has scanned the code to link '%s'", link.device_name)
            return
        except EngineError as error:
            link.state, link.reason = LinkState.FAILED, error.message
            _LOGGER.warning("linking as '%s' failed: %s", link.device_name, error.message)
            return
        link.state = LinkState.LINKED
        _LOGGER.info("linked as '%s'", link.device_name)
        self._on_linked()

    def _put_away(self, task: asyncio.Task[None]) -> None:
        link = self._waiting.pop(task)
        if task.cancelled():
            link.state, link.reason = LinkState.FAILED, "it was no longer waited for"
        elif error := task.exception():
            link.state, link.reason = LinkState.FAILED, str(error)
            _LOGGER.error("linking as '%s' broke off", link.device_name, exc_info=error)
        self._finished.append(link)
