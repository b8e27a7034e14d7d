"""Linking as a person sees it: one picture to scan, which renews itself until somebody has scanned it or the time is over.

Signal's server forgets a code after about 100 seconds. So a new one takes its place in time, and each is waited for until signal-cli gives
it up: somebody may be scanning the old one just then, and what was scanned takes seconds to be finished.
"""

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from signal_courier.engine.errors import EngineError
from signal_courier.messaging.joining.linking import Link, Linking, LinkState
from signal_courier.model.errors import MissingThing, Overloaded

_LOGGER = logging.getLogger(__name__)

RENEW_AFTER = 60.0
"""Seconds after which a new code takes the place of the one that is shown."""
LIFETIME = 600.0
"""Seconds after which nobody is expected to scan any more."""
_MOST_WAITING = 7
"""Sessions that may wait at once; each waits for two codes at most."""
_KEPT = 32
"""Sessions that are remembered, those that are over too."""


class LinkSession(msgspec.Struct, kw_only=True):
    """One attempt to link, over all its codes."""

    id: str
    """A secret name of 128 bits."""
    device_name: str
    started: float
    """Seconds since the epoch, as `expires`."""
    expires: float
    """When it is given up."""
    uri: str | None
    """What the picture holds now; `None` once it is over."""
    version: int = 1
    """Grows with every change of the code or the state."""
    state: LinkState = LinkState.WAITING
    account: str | None = None
    """The number that was linked."""
    reason: str | None = None
    """Why it failed, in words."""


class LinkSessions:
    """Starts sessions and sees them through."""

    def __init__(self, linking: Linking, *, renew_after: float = RENEW_AFTER, lifetime: float = LIFETIME) -> None:
        self._linking = linking
        self.renew_after = renew_after
        self.lifetime = lifetime
        self._sessions: OrderedDict[str, LinkSession] = OrderedDict()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed: dict[str, asyncio.Event] = {}

    def all(self) -> Sequence[LinkSession]:
        """Those that are remembered, oldest first."""
        return tuple(self._sessions.values())

    def get(self, name: str) -> LinkSession:
        """A session by its id. Raises `MissingThing`."""
        if (session := self._sessions.get(name)) is None:
            raise MissingThing("id", "There is no such link.")
        return session

    async def start(self, device_name: str) -> LinkSession:
        """Ask for a first code. Raises an `EngineError`, or `Overloaded` when too many wait already."""
        if len(self._tasks) >= _MOST_WAITING:
            raise Overloaded("Too many links wait for a phone, end one or try again later")
        uri = await self._linking.start()
        now = time.time()
        session = LinkSession(id=secrets.token_urlsafe(16), device_name=device_name, started=now, expires=now + self.lifetime, uri=uri)
        self._sessions[session.id] = session
        self._changed[session.id] = asyncio.Event()
        task = asyncio.get_running_loop().create_task(self._see_through(session, uri), name="link session")
        self._tasks[session.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(session.id, None))
        while len(self._sessions) > _KEPT:
            oldest = next(name for name in self._sessions if name not in self._tasks)
            del self._sessions[oldest], self._changed[oldest]
        return session

    async def wait_beyond(self, session: LinkSession, version: int, *, timeout: float) -> None:
        """Wait until the session has changed since that version, at most `timeout` seconds."""
        if session.version > version or session.id not in self._tasks:
            return
        try:
            async with asyncio.timeout(timeout):
                await self._changed[session.id].wait()
        except TimeoutError:
            return

    async def end(self, session: LinkSession) -> None:
        """Wait for no phone any more, and forget the session."""
        if (task := self._tasks.get(session.id)) is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._sessions.pop(session.id, None)
        self._changed.pop(session.id, asyncio.Event()).set()

    async def stop(self) -> None:
        """End all sessions; who waits for one is answered."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _see_through(self, session: LinkSession, uri: str) -> None:
        clock = asyncio.get_running_loop().time
        pending = [self._linking.finish(uri, session.device_name)]
        renew_at = clock() + self.renew_after
        try:
            async with asyncio.timeout(self.lifetime):
                while True:
                    settled = await self._linking.first_settled(pending, timeout=max(0.0, renew_at - clock()))
                    if settled is not None:
                        pending.remove(settled)
                        if settled.state is not LinkState.EXPIRED:
                            self._close(session, settled.state, account=settled.account, reason=settled.reason)
                            return
                    if settled is None or not pending:
                        pending.append(await self._renew(session))  # the older ones expire by themselves, or are being finished just now
                        renew_at = clock() + self.renew_after
        except TimeoutError:
            self._close(session, LinkState.EXPIRED, reason="nobody has scanned the code")
        except EngineError as error:
            self._close(session, LinkState.FAILED, reason=error.message)
        except Overloaded as error:
            self._close(session, LinkState.FAILED, reason=error.message)
        except asyncio.CancelledError:
            self._close(session, LinkState.FAILED, reason="it was ended")
            raise
        finally:
            for link in pending:
                self._linking.abandon(link)

    async def _renew(self, session: LinkSession) -> Link:
        session.uri = await self._linking.start()
        _LOGGER.debug("a code to link '%s' was renewed", session.device_name)
        self._tell(session)
        return self._linking.finish(session.uri, session.device_name)

    def _close(self, session: LinkSession, state: LinkState, *, account: str | None = None, reason: str | None = None) -> None:
        session.state, session.account, session.reason, session.uri = state, account, reason, None
        self._tell(session)

    def _tell(self, session: LinkSession) -> None:
        session.version += 1
        changed = self._changed.get(session.id)
        if changed is not None:
            changed.set()
            self._changed[session.id] = asyncio.Event()
