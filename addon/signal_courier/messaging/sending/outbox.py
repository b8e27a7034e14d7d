"""The one path of everything that is sent.

`send` is for a caller who waits: the calls to signal-cli are made at once, nothing is tried again, and what became of it is told as it is;
the disk hears of it afterwards. With an idempotency key the disk knows first, so that the same request never sends twice, through restarts.
`submit` is for everybody else: the message is on disk when it returns, and the queue does the rest.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from signal_courier.engine.base import Engine
from signal_courier.engine.errors import (
    Address,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    NetworkTrouble,
    RateLimited,
    Rejected,
    SendResult,
    UntrustedIdentity,
)
from signal_courier.messaging.clock import GuardedClock
from signal_courier.messaging.receiving.feed import Feed
from signal_courier.messaging.sending.content import KeptFiles, files_of, named
from signal_courier.messaging.sending.delivery import IDENTITY_FAILURE, SUCCESS, Delivery, Failure, Outcome, Sent, check_possible
from signal_courier.messaging.sending.evidence import EARLY_MS, Copy, Evidence
from signal_courier.messaging.sending.history import History, apply_end
from signal_courier.messaging.sending.message import (
    ENGINE,
    EVERYBODY,
    NETWORK,
    Entry,
    Outgoing,
    StoredError,
    await_approval,
    from_rows,
    new_entries,
    parts_of,
    status_of,
    target_of,
)
from signal_courier.messaging.sending.queue import Queue, QueueOptions
from signal_courier.messaging.sending.receipts import ReceiptReader
from signal_courier.model.errors import InvalidValue, MissingThing, Overloaded
from signal_courier.model.events import Event, EventType, Status
from signal_courier.model.messages import Sendable, Typing
from signal_courier.model.outbox import (
    DAY,
    GROUP_APPROVAL,
    RATE_LIMIT,
    UNTRUSTED,
    DeliveryState,
    MessageStatus,
    Parked,
    RecipientStatus,
    message_id,
    message_number,
)
from signal_courier.model.recipients import Aci, GroupId, Number, Recipient, Username, parse_recipient
from signal_courier.store.consumers import ConsumerTable
from signal_courier.store.database import Database
from signal_courier.store.errors import StoreError
from signal_courier.store.inbox import InboxTable, NewEnvelope
from signal_courier.store.outbox import Confirmation, MessageRow, NewKey, OutboxTable, RecipientRow

_LOGGER = logging.getLogger(__name__)

MOST_OPEN: Final = 10_000
"""Messages that may wait at the same time."""
TYPING_LASTS: Final = 15
"""Seconds after which a sign of typing is over by itself; later it would only puzzle."""
LONGEST: Final = 30 * DAY
"""Seconds for which a message can be tried at most."""
_PATIENCE: Final = 60.0
"""Seconds for which a repeated request waits for the first one's end."""
_SWEEP: Final = 3600.0
_TEMPORARY: Final = (NetworkTrouble, EngineUnavailable, RateLimited, UntrustedIdentity)
"""Nothing was sent, and the same may succeed later: such an end is not remembered under a key."""


class Accepted(Exception):
    """The message is on disk and will be sent; not an error, but the end of what the caller waits for."""

    def __init__(self, identifier: str, *, parked: bool = False) -> None:
        super().__init__(identifier)
        self.id = identifier
        self.parked = parked
        """Whether somebody has to act first."""


class OutcomeUnknown(EngineTimeout):
    """It is not known, and will not be, whether this message was sent."""


class KeyReused(Exception):
    """The idempotency key was given before, with another request."""


@dataclass(slots=True)
class Terms:
    """How a caller wants one request to be sent."""

    key: NewKey | None = None
    """The same key never sends twice."""
    respond_async: bool = False
    """Do not wait: queue it."""
    wait: float = 0.0
    """With `respond_async`: wait all the same, for so many seconds."""
    expires_in: int = DAY
    """With `respond_async`: seconds for which it is tried, 0 = once."""
    awaited: Collection[Recipient] = ()
    """With `respond_async`: those of the recipients that are groups which an admin has to let the account into first."""
    message: str | None = field(default=None, init=False)
    """The id that the message got."""
    uncertain: bool = field(default=False, init=False)
    """What was told is not the last word: it is being looked into whether the message was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxOptions:
    """What the settings say about sending."""

    days: int = 30
    most: int = 100_000
    resend: bool = False
    """Whether what may have been sent is sent again."""
    queue: QueueOptions = field(default_factory=QueueOptions)


class Outbox:
    """Sends, keeps, and tells."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        delivery: Delivery,
        files: KeptFiles,
        feed: Feed,
        options: OutboxOptions | None = None,
        *,
        clock: GuardedClock | None = None,
        on_status: Callable[[MessageStatus], None] | None = None,
    ) -> None:
        self._options = options or OutboxOptions()
        self._clock = clock or GuardedClock()
        self._delivery = delivery
        self._files = files
        self._database = database
        self._table = OutboxTable(database)
        self._evidence = Evidence()
        self._queue = Queue(
            self._table, delivery, files, self._evidence, engine, self._clock, self._options.queue, self._changed, self._entries_sent
        )
        self._history = History(self._table, self._queue.pace, self._next_number, self._named)
        feed.observe(self._heard)
        self._reader = ReceiptReader(
            feed, InboxTable(database), ConsumerTable(database), lambda: list(engine.status.accounts), self._take_back
        )
        self.on_status = on_status
        """Told of every committed change of a message that is durable, and of every receipt."""
        self._last = 0
        self._done: dict[int, asyncio.Event] = {}
        self._moved: dict[int, asyncio.Event] = {}
        """Set, and forgotten, when a message has moved on for which somebody waits."""
        self._watchers: dict[int, int] = {}
        self._released = False
        self._tasks: set[asyncio.Task[None]] = set()

    # -- life

    async def start(self) -> None:
        """Take up what was left, and begin to work. Call after the feed has started."""
        self._last = await self._table.last_number()
        now = self._clock.now_ms()
        for account, row in await self._table.doubts(now - DAY * 1000):
            entry = _entry_of(row)
            if entry is not None and row.timestamp is None:
                self._evidence.doubt(account, row.message, entry, None, row.changed_at)
        oldest: int | None = None
        for message_row, rows in await self._table.open_messages():
            try:
                message = from_rows(message_row, rows)
            except (InvalidValue, msgspec.MsgspecError, KeyError) as error:
                _LOGGER.warning("%s in the outbox is not understood and stays: %s", message_id(message_row.number), error)
                continue
            begun = [entry.since for entry in message.entries if entry.state is DeliveryState.SENDING and entry.since is not None]
            oldest = min([*begun, *([oldest] if oldest is not None else [])], default=None)
            if begun:
                self._queue.look_into(message)
            self._queue.add(message)
        await self._reader.start(oldest - 1000 if oldest is not None else None)
        for run in (self._queue.run, self._history.run, self._reader.run, self._sweep):
            task = asyncio.create_task(run())
            self._tasks.add(task)
            task.add_done_callback(_report)

    def release(self) -> None:
        """Whoever waits for what becomes of a message is told now how far it is. Call before the HTTP server is stopped."""
        self._released = True
        for event in (*self._done.values(), *self._moved.values()):
            event.set()

    async def drain(self, timeout: float) -> None:
        """Begin nothing new, and wait for the calls in flight at most so long. Call before the engine is stopped."""
        await self._queue.stop(timeout)

    async def stop(self) -> None:
        """Store what is to be stored. Call before the database is closed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._history.flush()
        except StoreError as error:
            _LOGGER.warning("What was sent last is not noted: %s", error)

    # -- sending

    def send(
        self, account: str, recipients: Sequence[Recipient], what: Sendable, terms: Terms | None = None
    ) -> Coroutine[None, None, Outcome]:
        """Send to all recipients and wait for what became of it.

        Raises:
            EngineError: Nobody was reached, see `Delivery.send`. `OutcomeUnknown`: nobody can tell.
            InvalidValue: This kind of thing cannot be sent to this kind of recipient.
            Accepted: As the terms are, it is queued.
            KeyReused: The key of the terms belongs to another request.
        """
        if terms is None or (terms.key is None and not terms.respond_async):
            return self._send_at_once(account, recipients, what, terms, self._delivery.send(account, recipients, what))
        return self._send_on_terms(account, recipients, what, terms)

    async def _send_on_terms(self, account: str, recipients: Sequence[Recipient], what: Sendable, terms: Terms) -> Outcome:
        if terms.key is not None and (told := await self._told_before(terms.key, terms)) is not None:
            return told
        if not terms.respond_async:
            return await self._send_once(account, recipients, what, terms, lambda: self._delivery.send(account, recipients, what))
        status = await self.submit(account, recipients, what, expires_in=terms.expires_in, key=terms.key, awaited=terms.awaited)
        terms.message = status.id
        if terms.wait > 0:
            status = await self.wait_until(status.id, DeliveryState.SENT, terms.wait)
            if not status.state.is_open:
                return _outcome_of(status)
        raise Accepted(status.id, parked=status.state is DeliveryState.PARKED)

    async def relay(
        self,
        account: str,
        recipients: Sequence[Recipient],
        what: Sendable,
        call: Callable[[], Awaitable[msgspec.Raw]],
        terms: Terms | None = None,
    ) -> tuple[Outcome, msgspec.Raw | None]:
        """Send by a call to signal-cli that somebody else has put together: `what` is what it means, for the history.

        Gives what became of it, and signal-cli's answer as it was; `None` where the same key has sent it before. Raises as `send`.
        """
        answers: list[msgspec.Raw] = []

        async def answered() -> msgspec.Raw:
            answers.append(await call())
            return answers[-1]

        if terms is None or terms.key is None:
            deliver = self._delivery.relay(account, recipients, answered)
            outcome = await self._send_at_once(account, recipients, what, terms, deliver)
        elif (told := await self._told_before(terms.key, terms)) is not None:
            outcome = told
        else:
            outcome = await self._send_once(account, recipients, what, terms, lambda: self._delivery.relay(account, recipients, answered))
        return outcome, answers[-1] if answers else None

    async def _told_before(self, key: NewKey, terms: Terms) -> Outcome | None:
        """What became of the request that had the same key, `None` where there was none."""
        known = await self._table.key(key.caller, key.key, self._clock.now_ms() - DAY * 1000)
        if known is None:
            return None
        if known.fingerprint != key.fingerprint:
            raise KeyReused
        terms.message = message_id(known.message)
        return await self._again(known.message, terms)

    async def submit(
        self,
        account: str,
        recipients: Sequence[Recipient],
        what: Sendable,
        *,
        expires_in: int = DAY,
        key: NewKey | None = None,
        resend: bool | None = None,
        awaited: Collection[Recipient] = (),
    ) -> MessageStatus:
        """Take a message: it is on disk when this returns, and sent when its turn comes.

        `expires_in`: seconds for which it is tried, 0 = once. `resend`: whether to send it again where it is unknown whether it was sent;
        `None` = as the setting says. `awaited`: groups that have yet to let the account in.

        Raises `InvalidValue`, `Overloaded` (too many wait), or `StoreError`.
        """
        check_possible(recipients, what)
        if not 0 <= expires_in <= LONGEST:
            raise InvalidValue("expires_in", f"expires_in: must be between 0 and {LONGEST} seconds")
        if len(self._queue.messages) >= MOST_OPEN:
            raise Overloaded(f"{MOST_OPEN} messages wait to be sent already")
        if isinstance(what, Typing):
            expires_in = min(expires_in, TYPING_LASTS)
        now = self._clock.now_ms()
        entries = new_entries(recipients, DeliveryState.QUEUED, now)
        await_approval(entries, awaited, now)
        resend = self._options.resend if resend is None else resend
        message = Outgoing(self._next_number(), account, what, now, now + expires_in * 1000, resend, entries)
        self._queue.messages[message.number] = message  # its place is taken
        try:
            message.what = await self._files.keep(message.number, what)
            await self._table.insert([message.row()], message.rows(), key, now=now)
        except BaseException:
            del self._queue.messages[message.number]
            await self._files.drop(message.number)
            raise
        status = _status_now(message)
        self._tell(status)
        self._queue.add(message)
        return status

    async def finished(self, identifier: str, timeout: float) -> MessageStatus:
        """Wait until nothing of a message is open, at most so many seconds; gives what there is to tell then. Raises `MissingThing`."""
        number = _number(identifier)
        if number in self._queue.messages and not self._released:
            event = self._done.setdefault(number, asyncio.Event())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), timeout)
        return await self.get(identifier)

    async def wait_until(self, identifier: str, least: DeliveryState, timeout: float) -> MessageStatus:
        """Wait until everybody has come so far (sent, delivered, read), or nothing more comes of it by itself, at most so many seconds.

        Gives what there is to tell then: also what is parked, as somebody has to act. Raises `MissingThing`.
        """
        number = _number(identifier)
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            moved = self._moved.setdefault(number, asyncio.Event())
            self._watchers[number] = self._watchers.get(number, 0) + 1
            try:
                status = await self.get(identifier)
                if self._released or _has_come(status, least):
                    return status
                async with asyncio.timeout_at(deadline):
                    await moved.wait()
            except TimeoutError:
                return status
            finally:
                self._watchers[number] -= 1
                if not self._watchers[number]:
                    del self._watchers[number]
                    self._moved.pop(number, None)

    @property
    def awaited(self) -> int:
        """For how many messages somebody waits."""
        return len(self._watchers)

    # -- looking

    async def noted(self) -> None:
        """Wait until everything that was sent so far is in the store; where nothing can be written, that is not waited for."""
        if self._database.trouble is None:
            with contextlib.suppress(StoreError):
                await self._history.flush()

    async def get(self, identifier: str) -> MessageStatus:
        """What there is to tell about a message. Raises `MissingThing`."""
        number = _number(identifier)
        await self.noted()
        for message, rows in await self._table.get([number]):
            return status_of(message, rows)
        raise MissingThing("id", f"There is no message '{identifier}'")

    async def list(
        self,
        *,
        account: str | None = None,
        conversation: str | Sequence[str] | None = None,
        before: str | None = None,
        limit: int = 50,
        open_only: bool = False,
    ) -> list[MessageStatus]:
        """The newest messages first. `conversation`: names of the recipient; `before`: a message's id. Raises `MissingThing`."""
        names = [conversation] if isinstance(conversation, str) else conversation or ()
        await self.noted()
        found = await self._table.newest(
            account=account,
            conversations=list(names),
            before=_number(before) if before is not None else None,
            limit=max(1, min(limit, 1000)),
            open_only=open_only,
        )
        return [status_of(message, rows) for message, rows in found]

    def counts(self) -> dict[str, dict[str, int]]:
        """How many recipients are in which open state, by account."""
        counts: dict[str, dict[str, int]] = {}
        for message in self._queue.messages.values():
            states = counts.setdefault(message.account, {})
            for entry in message.entries:
                if entry.state.is_open:
                    states[entry.state.value] = states.get(entry.state.value, 0) + 1
        return counts

    def parked(self, account: str) -> Sequence[Parked]:
        """What an account's messages are parked for; each reason once."""
        waiting = [
            entry
            for message in self._queue.messages.values()
            if message.account == account
            for entry in message.entries
            if entry.state is DeliveryState.PARKED
        ]
        return [
            Parked(
                reason=reason,
                recipients=list(dict.fromkeys(entry.uuid or entry.name for entry in waiting if entry.reason == reason)),
                tokens=list(dict.fromkeys(token for entry in waiting if entry.reason == reason for token in entry.tokens)),
                until=min((entry.until for entry in waiting if entry.reason == reason and entry.until is not None), default=None),
            )
            for reason in (RATE_LIMIT, UNTRUSTED, GROUP_APPROVAL)
            if any(entry.reason == reason for entry in waiting)
        ]

    # -- acting

    async def cancel(self, identifier: str) -> MessageStatus:
        """Take back what of a message is not being sent yet. Raises `MissingThing`."""
        await self._queue.cancel(_number(identifier))
        return await self.get(identifier)

    async def retry(self, identifier: str) -> MessageStatus:
        """Try again: what waits, now; whom it did not reach, and those of whom it is unknown, anew.

        Raises `MissingThing`, or `InvalidValue` where there is nothing to try.
        """
        number = _number(identifier)
        if number in self._queue.messages:
            self._queue.hurry(number)
            return await self.get(identifier)
        await self.noted()
        for message_row, rows in await self._table.get([number]):
            await self._revive(from_rows(message_row, rows))
            return await self.get(identifier)
        raise MissingThing("id", f"There is no message '{identifier}'")

    def challenge_solved(self, account: str) -> None:
        """A rate limit challenge of the account was solved: what was parked for it goes on."""
        self._queue.release(account, RATE_LIMIT)

    def trusted(self, account: str) -> None:
        """An identity was trusted: what was parked for that is tried again."""
        self._queue.release(account, UNTRUSTED)

    # -- keys

    @property
    def keys(self) -> OutboxTable:
        """Where answers are remembered by their keys."""
        return self._table

    def key_horizon(self) -> int:
        """Keys made before that time (ms since the epoch) are forgotten."""
        return self._clock.now_ms() - DAY * 1000

    # -- inside

    def _next_number(self) -> int:
        self._last += 1
        return self._last

    async def _send_at_once(
        self, account: str, recipients: Sequence[Recipient], what: Sendable, terms: Terms | None, deliver: Awaitable[Outcome]
    ) -> Outcome:
        # The hot path: whatever can be done later is done when the history is written.
        place = object()
        self._evidence.in_flight[place] = (account, recipients)
        try:
            outcome = await deliver
        except EngineError as error:
            number = self._history.add(account, recipients, what, error)
            if terms is not None and number is not None:
                terms.message = message_id(number)
            raise
        finally:
            del self._evidence.in_flight[place]
        number = self._history.add(account, recipients, what, outcome)
        if terms is not None and number is not None:
            terms.message = message_id(number)
        return outcome

    async def _send_once(
        self,
        account: str,
        recipients: Sequence[Recipient],
        what: Sendable,
        terms: Terms,
        deliver: Callable[[], Awaitable[Outcome]],
    ) -> Outcome:
        """Send for a caller who waits and has a key: the disk knows first."""
        check_possible(recipients, what)
        now = self._clock.now_ms()
        resend = self._options.resend
        message = Outgoing(
            self._next_number(), account, what, now, None, resend, new_entries(recipients, DeliveryState.SENDING, now), 1
        )  # fmt: skip
        if resend:
            message.what = await self._files.keep(message.number, what)
        shown = message.what if resend else named(what)
        await self._table.insert([message.row(content=shown)], message.rows(), terms.key, now=now)
        terms.message = message_id(message.number)
        self._queue.messages[message.number] = message
        try:
            with self._evidence.call(account, recipients):
                outcome = await deliver()
        except EngineError as error:
            if error.uncertain:
                terms.uncertain = True
                self._queue.look_into(message, self._clock.now_ms() + EARLY_MS)
            else:
                await self._end(message, error)
            raise
        except Exception:
            await self._end(message, Rejected("internal error"), forget=True)
            raise
        await self._end(message, outcome)
        return outcome

    async def _end(self, message: Outgoing, end: Outcome | EngineError, *, forget: bool = False) -> None:
        apply_end(message, end, self._clock.now_ms())
        forget = forget or isinstance(end, _TEMPORARY)
        told = _End(error=StoredError.of(end)) if isinstance(end, EngineError) else _End(outcome=end)
        await self._table.update(
            message.number, message.rows(), attempts=1, is_open=False, outcome=_encode(told), forget_key=forget, deadline=None
        )
        self._queue.messages.pop(message.number, None)
        for entry in message.entries:
            if entry.state is DeliveryState.UNKNOWN:
                self._evidence.doubt(message.account, message.number, entry, message.what)
        self._entries_sent(message, message.entries)
        self._changed(message)

    async def _again(self, number: int, terms: Terms) -> Outcome:
        """The same request has come before: tell what became of it."""
        found = await self._table.get([number])
        if not found:
            raise OutcomeUnknown("The message that was sent under this key is not kept any more")
        message, rows = found[0]
        if message.expires_at is not None:
            raise Accepted(message_id(number))
        if message.is_open:
            status = await self.finished(message_id(number), _PATIENCE)
            if status.state.is_open:
                terms.uncertain = True
                raise EngineTimeout("The first request with this key has not come to its end yet")
            found = await self._table.get([number])
            message, rows = found[0]
        if message.outcome is not None:
            told = _decode_end(message.outcome)
            if told.error is not None:
                raise told.error.again()
            if told.outcome is not None:
                return told.outcome
        status = status_of(message, rows)
        terms.uncertain = status.state is DeliveryState.UNKNOWN  # a receipt may tell more one day
        return _outcome_of(status)

    async def _revive(self, message: Outgoing) -> None:
        now = self._clock.now_ms()
        again = [
            entry
            for entry in message.entries
            if entry.via is None and not entry.state.is_reached and not any(other.via == entry.name for other in message.entries)
        ]
        if not again:
            raise InvalidValue("id", "Everybody has been reached: there is nothing to try again")
        if not await asyncio.to_thread(_all_there, files_of(message.what)):
            raise InvalidValue("id", "The attachments are not kept any more")
        for entry in again:
            entry.move(DeliveryState.QUEUED, now)
        self._evidence.forget(message.number, again)
        lifetime = (message.expires_at - message.created_at) if message.expires_at is not None else 0
        message.expires_at = now + max(lifetime, DAY * 1000)
        await self._table.prolong(message.number, message.expires_at)
        await self._table.update(message.number, message.rows(again), attempts=message.attempts, is_open=True, deadline=30)
        self._queue.add(message)
        self._changed(message)

    def _changed(self, message: Outgoing) -> None:
        if not message.is_open and (done := self._done.pop(message.number, None)) is not None:
            done.set()
        self._tell(_status_now(message))

    def _tell(self, status: MessageStatus) -> None:
        if self._moved and (moved := self._moved.pop(message_number(status.id) or 0, None)) is not None:
            moved.set()
        if self.on_status is not None:
            self.on_status(status)

    def _entries_sent(self, message: Outgoing, entries: Sequence[Entry]) -> None:
        self._named((message.account, entry.timestamp) for entry in entries if entry.timestamp is not None)

    def _named(self, names: Iterable[tuple[str, int]]) -> None:
        """Messages have names now: receipts that came before are theirs."""
        early = self._evidence.taken(names)
        if early:
            task = asyncio.create_task(self._take_back(early, ()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take_back(self, confirmations: Sequence[Confirmation], copies: Sequence[Copy]) -> None:
        """Receipts have come, and copies of what other devices sent. Raises `StoreError`."""
        now = self._clock.now_ms()
        for copy in copies:
            self._evidence.copied(copy)
        changed: Sequence[int] = ()
        if confirmations:
            await self._history.flush()
            result = await self._table.confirm(confirmations, now)
            self._follow(confirmations, now)
            self._evidence.loosen(result.unmatched)
            changed = result.changed
        self._evidence.forget_older(now - DAY * 1000)
        settled = self._evidence.prove(now)
        for doubt in settled:
            if doubt.message in self._queue.messages:
                self._queue.proved(doubt.message)
            else:
                await self._table.settle([doubt.entry.row(doubt.message)])
                changed = (*changed, doubt.message)
        if changed:
            for message, rows in await self._table.get(list(dict.fromkeys(changed))):
                self._tell(status_of(message, rows))

    def _heard(self, _first: int, envelopes: Sequence[NewEnvelope]) -> None:
        """Whatever comes from a group that had to let an account in says that it did."""
        for account, group in list(self._queue.awaited):
            name = group.internal.encode()
            if any(envelope.account == account and name in envelope.frame for envelope in envelopes):
                self._queue.release(account, GROUP_APPROVAL)

    def _follow(self, confirmations: Sequence[Confirmation], now: int) -> None:
        """Let open messages, some of whose recipients have theirs already, know too."""
        by_name = {(one.account, one.timestamp, name): one.state for one in confirmations for name in (one.uuid, one.number) if name}
        for message in self._queue.messages.values():
            for entry in message.entries:
                if entry.timestamp is None or not entry.state.is_reached:
                    continue
                for name in (entry.uuid, entry.number, entry.name):
                    state = by_name.get((message.account, entry.timestamp, name or ""))
                    if state is not None and entry.state is not DeliveryState.READ:
                        entry.move(DeliveryState(state), now)
                        break

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            now = self._clock.now_ms()
            try:
                while await self._table.purge(now - self._options.days * DAY * 1000, self._options.most, now - DAY * 1000):
                    pass
            except StoreError as error:
                _LOGGER.warning("Old messages of the outbox could not be removed, trying again in an hour: %s", error)
            await self._files.sweep(frozenset(self._queue.messages))


class _End(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a caller with a key was told."""

    outcome: Outcome | None = None
    error: StoredError | None = None


_encode = msgspec.json.Encoder().encode
_decode_end = msgspec.json.Decoder(_End).decode


def _number(identifier: str) -> int:
    number = message_number(identifier)
    if number is None:
        raise MissingThing("id", f"There is no message '{identifier}'")
    return number


def _status_now(message: Outgoing) -> MessageStatus:
    return status_of(message.row(), message.rows())


def _entry_of(row: RecipientRow) -> Entry | None:
    row_message = MessageRow(row.message, "", "typing", b"{}", 0, None, False, 0, False, None)
    try:
        return from_rows(row_message, [row]).entries[0]
    except InvalidValue:
        return None


def _outcome_of(status: MessageStatus) -> Outcome:
    """What a caller who waited is told, made from what is known afterwards. Raises `EngineError`."""
    sent: list[Sent] = []
    failures: list[Failure] = []
    reached: dict[int, list[Entry]] = {}
    missed: dict[bool, set[str]] = {False: set(), True: set()}
    """Persons, and usernames, who were asked for together with others."""
    for one in status.recipients:
        recipient = parse_recipient(one.recipient) if one.recipient != EVERYBODY else None
        if one.group is None and one.state.is_reached:
            entry = Entry(0, recipient, one.recipient, one.state, one.changed_at)
            reached.setdefault(one.timestamp or 0, []).append(entry)
        elif not one.state.is_reached:
            failures.append(_failure(one))
            if one.group is None:
                missed[isinstance(recipient, Username)].add(one.recipient)
    for timestamp, entries in reached.items():
        for part in parts_of(entries):
            names = {entry.name for entry in part}
            if not isinstance(part[0].recipient, GroupId):
                names |= missed.pop(isinstance(part[0].recipient, Username), set())
            sent.append(Sent(target=target_of(part), timestamp=timestamp, results=_results_of(status, names)))
    if sent:
        tokens = tuple(token for one in status.recipients for token in one.tokens)
        return Outcome(sent=sent, failures=failures, tokens=tokens)
    if status.state is DeliveryState.UNKNOWN:
        raise OutcomeUnknown("It is not known whether the message was sent: signal-cli or this service ended in that moment")
    raise _refusal(status, failures)


def _results_of(status: MessageStatus, names: Collection[str]) -> list[SendResult]:
    """What signal-cli has answered for these recipients; of a group for its members, as far as it told."""
    results: list[SendResult] = []
    for one in status.recipients:
        recipient = parse_recipient(one.recipient) if one.recipient != EVERYBODY else None
        if (one.group or one.recipient) not in names or recipient is None or isinstance(recipient, GroupId):
            continue
        address = Address(
            number=one.number or (recipient.e164 if isinstance(recipient, Number) else None),
            uuid=one.uuid or (recipient.uuid if isinstance(recipient, Aci) else None),
            username=recipient.name if isinstance(recipient, Username) else None,
        )
        kind = SUCCESS if one.state.is_reached else one.reason or one.state.value.upper()
        results.append(SendResult(type=kind, recipient_address=address))
    return results


_REFUSALS: Final[Mapping[str, tuple[type[EngineError], str, str]]] = {
    RATE_LIMIT: (RateLimited, "Failed to send message due to rate limiting", "RATE_LIMIT_FAILURE"),
    UNTRUSTED: (UntrustedIdentity, "Failed to send message due to untrusted identities", IDENTITY_FAILURE),
    NETWORK: (NetworkTrouble, "Signal could not be reached", "NETWORK_FAILURE"),
    ENGINE: (EngineUnavailable, "signal-cli was not there", "NETWORK_FAILURE"),
    "UNREGISTERED_FAILURE": (Rejected, "Failed to send message", "UNREGISTERED_FAILURE"),
}
"""Why nobody was reached → what a caller who was there is told: the error, its text, the recipient's result. What can be mended first."""


_CODES: Final[Mapping[type[EngineError], int]] = {RateLimited: -5, UntrustedIdentity: -4, NetworkTrouble: -1, Rejected: -1}
"""As signal-cli numbers them."""


def _refusal(status: MessageStatus, failures: Sequence[Failure]) -> EngineError:
    """The error that the caller would have got, had the message not waited in the meantime."""
    reason = next((one for one in _REFUSALS if any(failure.reason == one for failure in failures)), None)
    if reason is None:
        return Rejected(next((failure.reason for failure in failures), "Failed to send message"))
    kind, text, _ = _REFUSALS[reason]
    results = [
        SendResult(
            type=_REFUSALS[failure.reason][2] if failure.reason in _REFUSALS else failure.reason,
            recipient_address=Address(number=failure.number, uuid=failure.uuid, username=failure.username),
        )
        for failure in failures
    ]
    error = kind(text, code=_CODES.get(kind), response=msgspec.Raw(_encode({"results": results})))
    if isinstance(error, RateLimited):
        error.tokens = tuple(dict.fromkeys(token for one in status.recipients for token in one.tokens))
    return error


def _failure(one: RecipientStatus) -> Failure:
    recipient = parse_recipient(one.recipient) if one.recipient != EVERYBODY else None
    reason = one.reason or one.state.value.upper()
    match recipient:
        case GroupId():
            return Failure(reason=reason, group=recipient)
        case Username():
            return Failure(reason=reason, username=recipient.name)
        case Number():
            return Failure(reason=reason, number=recipient.e164, uuid=one.uuid)
        case _:
            return Failure(reason=reason, number=one.number, uuid=one.uuid or one.recipient)


def status_event(status: MessageStatus) -> Event:
    """What is said about a message that has moved on."""
    told = Status(message=status.id, state=status.state, recipients=status.recipients, kind=status.kind, timestamp=status.timestamp)
    changed = max((one.changed_at for one in status.recipients), default=status.created_at)
    return Event(id=0, type=EventType.STATUS, account=status.account, time=changed, status=told)


_LADDER: Final = (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ)


def _has_come(status: MessageStatus, least: DeliveryState) -> bool:
    """Whether everybody whom it reaches by itself has it, so far at least: for those who are parked, somebody has to act."""
    members = {one.group for one in status.recipients if one.group is not None}
    people = [one.state for one in status.recipients if one.recipient not in members or one.state.is_open]
    return not any(
        _LADDER.index(state) < _LADDER.index(least) if state.is_reached else state.is_open and state is not DeliveryState.PARKED
        for state in people
    )


def _all_there(files: Sequence[str]) -> bool:
    return all(Path(file).is_file() for file in files)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOGGER.error("A part of the outbox has failed", exc_info=error)
