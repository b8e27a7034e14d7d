"""`RECEIVE_WEBHOOK_URL`: every received message is posted there, in order, from the inbox, with a cursor of its own.

What happens when the receiver does not take a message:

* no connection, no answer in time, 5xx, or any other status that speaks about the receiver (401, 404, 429, redirects …): the same message
  is tried again with growing pauses for a day, then passed over, so that a receiver that is back gets the others;
* 400, 413, 415, 422 speak about this message: three tries, then it is passed over.

Meanwhile the messages behind it wait in the inbox. Nothing else waits: no client, no API call.
"""

import asyncio
import logging
import random
import time

import aiohttp

from signal_courier.messaging.certificates import certificates_for
from signal_courier.messaging.receiving.feed import Feed
from signal_courier.store.consumers import EVERY_ACCOUNT, ConsumerTable, Cursor
from signal_courier.store.errors import StoreError
from signal_courier.store.inbox import InboxTable, StoredEnvelope

_LOGGER = logging.getLogger(__name__)

NAME = "receive-webhook"
ATTEMPT_DEADLINE = 15.0
"""Seconds that the receiver has to answer."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds between attempts."""
GIVE_UP_AFTER = 24 * 3600.0
"""Seconds after which a message that the receiver does not take is passed over."""
_ABOUT_THE_MESSAGE = frozenset({400, 413, 415, 422})
_TRIES_OF_A_REFUSED_ONE = 3


class ReceiveWebhook:
    """Posts to one URL. `run` is its task."""

    def __init__(self, url: str, table: InboxTable, feed: Feed, consumers: ConsumerTable, *, first_pause: float = FIRST_PAUSE) -> None:
        self._url = url
        self._table = table
        self._feed = feed
        self._consumers = consumers
        self._first_pause = first_pause

    async def run(self) -> None:
        """Post what was received since the webhook was first set, for ever."""
        position = await self._start()
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_DEADLINE)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            while not self._feed.closed:
                try:
                    rows = await self._table.read_after(None, position, rows=50, size=1 << 20)
                    for row in rows:
                        if row.account:  # frames of no known account are for nobody
                            await self._post(session, row)
                        position = row.id
                        await self._consumers.advance([Cursor(NAME, EVERY_ACCOUNT, position)])
                except StoreError as error:
                    _LOGGER.warning("The webhook waits for the database: %s", error)
                    await asyncio.sleep(self._first_pause)
                    continue
                if not rows:
                    await self._feed.wait_beyond(None, max(position, self._feed.head()))

    async def _start(self) -> int:
        """The stored cursor; a new webhook begins with what comes from now on."""
        positions = await self._consumers.positions(NAME)
        if EVERY_ACCOUNT not in positions:
            await self._consumers.advance([Cursor(NAME, EVERY_ACCOUNT, self._feed.head())])
            return self._feed.head()
        return positions[EVERY_ACCOUNT]

    async def _post(self, session: aiohttp.ClientSession, row: StoredEnvelope) -> None:
        """Post one message until it is taken or passed over."""
        body = b'{"jsonrpc":"2.0","method":"receive","params":' + row.frame + b"}\n"
        started = time.monotonic()
        pause = self._first_pause
        tries = refusals = 0
        while (refused := await self._attempt(session, body)) is not None:
            reason, about_the_message = refused
            tries += 1
            refusals += about_the_message
            if refusals >= _TRIES_OF_A_REFUSED_ONE or time.monotonic() - started >= GIVE_UP_AFTER:
                _LOGGER.error("The webhook did not take message %d (%s, %d tries): it is passed over", row.id, reason, tries)
                return
            if tries == 1:
                _LOGGER.warning("The webhook did not take message %d (%s), trying again", row.id, reason)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 (spreads load, hides nothing)
            pause = min(pause * 2, LONGEST_PAUSE)
        if tries:
            _LOGGER.warning("The webhook took message %d after %d failed tries", row.id, tries)

    async def _attempt(self, session: aiohttp.ClientSession, body: bytes) -> tuple[str, bool] | None:
        """`None` when it was taken; else the reason, and whether it lies in the message."""
        headers = {"Content-Type": "application/json"}
        try:
            trust = await certificates_for(self._url)
            async with session.post(self._url, data=body, headers=headers, allow_redirects=False, ssl=trust) as answer:
                if 200 <= answer.status < 300:
                    return None
                note = ", redirects are not followed" if 300 <= answer.status < 400 else ""
                return f"status {answer.status}{note}", answer.status in _ABOUT_THE_MESSAGE
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            return (str(error) or type(error).__name__), False
