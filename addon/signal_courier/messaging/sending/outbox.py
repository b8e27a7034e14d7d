"""The one path of everything that is sent.

`send` is for a caller who waits: the calls to signal-cli are made at once, nothing is tried again, and what became of it is told as it is;
the disk hears of it afterwards. With an idempotency key the disk knows first, so that the same request never sends twice, through restarts.
`submit` is for everybody else: the message is on disk when it returns, and the queue does the rest.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from signal_courier.engine.base import Engine
from signal_courier.engine.errors import (
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    NetworkTrouble,
    RateLimited,
    Rejected,
    UntrustedIdentity,
)
from signal_courier.messaging.clock import GuardedClock
from signal_courier.messaging.receiving.feed import Feed
from signal_courier.messaging.sending.content import KeptFiles, files_of, named
from signal_courier.messaging.sending.delivery import Delivery, Outcome, check_possible
from signal_courier.messaging.sending.evidence import EARLY_MS, Copy, Evidence
from signal_courier.messaging.sending.history import History, apply_end
from signal_courier.messaging.sending.message import (
    Entry,
    Outgoing,
    StoredError,
    await_approval,
    from_rows,
    new_entries,
    status_of,
)
from signal_courier.messaging.sending.outcomes import OutcomeUnknown, outcome_of
from signal_courier.messaging.sending.queue import Queue, QueueOptions
from signal_courier.messaging.sending.receipts import ReceiptReader
from signal_courier.messaging.sending.waiting import Waiting, number_of
from signal_courier.model.errors import InvalidValue, MissingThing, Overloaded
from signal_courier.model.events import Event, EventType, Person, Status
from signal_courier.model.messages import Sendable, Typing
from signal_courier.model.outbox import (
    DAY,
    GROUP_APPROVAL,
    RATE_LIMIT,
    UNTRUSTED,
    DeliveryState,
    MessageStatus,
    Parked,
    message_id,
)
from signal_courier.model.recipients import Aci, Number, Recipient
from signal_courier.store.consumers import ConsumerTable
from signal_courier.store.database import Database
from signal_courier.store.errors import StoreError
from signal_courier.store.inbox import InboxTable, NewEnvelope
from signal_courier.store.outbox import Confirmation, NewKey, OutboxTable
from signal_courier.store.rows import MessageRow, RecipientRow

_LOGGER = logging.getLogger(__name__)

MOST_OPEN: Final = 10_000
"""Messages that may wait at the same time."""
TYPING_LASTS: Final = 15
"""Seconds after which a sign of typing is over by itself; later it would only puzzle."""
LONGEST: Final = 30 * DAY
"""Seconds for which a message can be tried at most."""
_PATIENCE: Final = 60.0
"""Seconds for which a repeated request waits for the first one's end."""
_SAVING_PATIENCE: Final = 5.0
"""Seconds for which somebody who asks waits for what is being written."""
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
        person: Callable[[str, str | None, str | None], Person | None] = lambda _account, _uuid, _number: None,
    ) -> None:
        """`person` tells who an account knows by a UUID or a number, as far as that can be told without waiting."""
        self._options = options or OutboxOptions()
        self._clock = clock or GuardedClock()
        self._delivery = delivery
        self._person = person
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
        self.waiting = Waiting(self.get, lambda number: number in self._queue.messages)
        """Those who wait for what becomes of messages."""
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
            status = await self.waiting.until(status.id, DeliveryState.SENT, terms.wait)
            if not status.state.is_open:
                return outcome_of(status)
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
        for entry in entries:
            self._identify(account, entry)
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

    # -- looking

    async def noted(self) -> None:
        """Wait until the store has all that `counts` and `parked` tell; where nothing can be written, that is not waited for."""
        if self._database.trouble is None:
            with contextlib.suppress(StoreError):
                await self._history.flush()
                if self._queue.is_saving:
                    await self._database.write(lambda _: None, deadline=_SAVING_PATIENCE)  # comes after all that

    async def get(self, identifier: str) -> MessageStatus:
        """What there is to tell about a message. Raises `MissingThing`."""
        number = number_of(identifier)
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
            before=number_of(before) if before is not None else None,
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
        await self._queue.cancel(number_of(identifier))
        return await self.get(identifier)

    async def retry(self, identifier: str) -> MessageStatus:
        """Try again: what waits, now; whom it did not reach, and those of whom it is unknown, anew.

        Raises `MissingThing`, or `InvalidValue` where there is nothing to try.
        """
        number = number_of(identifier)
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
        """An identity was trusted, or others are to be from now on: what was parked for that is tried again."""
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

    def _identify(self, account: str, entry: Entry) -> None:
        """Note by which other name a person may be written to, as what is for the same person stays in order."""
        if isinstance(entry.recipient, Number):
            known = self._person(account, None, entry.name)
            entry.uuid = known.uuid if known is not None else self._queue.other_name(entry.name)
        elif isinstance(entry.recipient, Aci) and (known := self._person(account, entry.name, None)) is not None:
            entry.uuid, entry.number = entry.name, known.number

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
            status = await self.waiting.for_end(message_id(number), _PATIENCE)
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
        return outcome_of(status)

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
        if message.number not in self._queue.messages:  # and all that became of it is stored
            self.waiting.ended(message.number)
        self._tell(_status_now(message))

    def _tell(self, status: MessageStatus) -> None:
        self.waiting.moved(status.id)
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


def _status_now(message: Outgoing) -> MessageStatus:
    return status_of(message.row(), message.rows())


def _entry_of(row: RecipientRow) -> Entry | None:
    row_message = MessageRow(row.message, "", "typing", b"{}", 0, None, False, 0, False, None)
    try:
        return from_rows(row_message, [row]).entries[0]
    except InvalidValue:
        return None


def status_event(status: MessageStatus) -> Event:
    """What is said about a message that has moved on."""
    told = Status(message=status.id, state=status.state, recipients=status.recipients, kind=status.kind, timestamp=status.timestamp)
    changed = max((one.changed_at for one in status.recipients), default=status.created_at)
    return Event(id=0, type=EventType.STATUS, account=status.account, time=changed, status=told)


def _all_there(files: Sequence[str]) -> bool:
    return all(Path(file).is_file() for file in files)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOGGER.error("A part of the outbox has failed", exc_info=error)
