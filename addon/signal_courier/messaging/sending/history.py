"""What was sent while its caller waited: written down afterwards, many at a time, so that the sending itself never waits for the disk."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from signal_courier.engine.answers import SendAnswer
from signal_courier.engine.errors import EngineError
from signal_courier.messaging.sending.content import encode, kind_of, named, target_in
from signal_courier.messaging.sending.delivery import SUCCESS, UNCERTAIN, Failure, Outcome, Target
from signal_courier.messaging.sending.message import Entry, Outgoing, apply_answer, apply_error, give_up, new_entries, parts_of, target_of
from signal_courier.messaging.sending.pace import Pace
from signal_courier.messaging.sending.queue import INTERRUPTED
from signal_courier.model.messages import Message, Receipt, Sendable, Typing
from signal_courier.model.outbox import DeliveryState
from signal_courier.model.recipients import Recipient
from signal_courier.store.errors import StoreError
from signal_courier.store.outbox import OutboxTable
from signal_courier.store.plain import Plain
from signal_courier.store.rows import MessageRow, RecipientRow

_LOGGER = logging.getLogger(__name__)

_INTERVAL: Final = 0.5
"""Seconds for which what was sent is collected."""
_PASSING: Final = (Typing, Receipt)
_ENOUGH: Final = 1024
_ENOUGH_BYTES: Final = 1 << 20
"""So many, or so much text, are written without waiting for more."""
_MOST: Final = 20_000
_MOST_BYTES: Final = 16 << 20
"""What may wait to be written; more is not noted."""


class History:
    """Collects and writes. `run` is its task."""

    def __init__(
        self,
        table: OutboxTable,
        pace: Pace,
        number: Callable[[], int],
        written: Callable[[Iterable[tuple[str, int]]], None],
    ) -> None:
        """`number` gives the next message's; `written` is told the names (account, timestamp) of what is stored."""
        self._table = table
        self._pace = pace
        self._number = number
        self._written = written
        self._waiting = _Waiting()
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._writing = asyncio.Lock()

    def add(self, account: str, recipients: Sequence[Recipient], what: Sendable, end: Outcome | EngineError) -> int | None:
        """Note what became of a send; gives the message's number. Signs of typing and receipts are no history, and have none."""
        self._pace.note(account, time.monotonic())
        if type(what) in _PASSING:
            return None
        waiting = self._waiting
        if waiting.count >= _MOST or waiting.size >= _MOST_BYTES:
            return None
        number = self._number()
        waiting.take(account, recipients, what, end, number, int(time.time() * 1000))
        if waiting.count == 1:
            self._some.set()
        elif waiting.count >= _ENOUGH or waiting.size >= _ENOUGH_BYTES:
            self._enough.set()
        return number

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._some.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), _INTERVAL)
            try:
                await self.flush()
            except StoreError as error:
                _LOGGER.warning("%d sent messages wait to be noted: %s", self._waiting.count, error)
                await asyncio.sleep(_INTERVAL)

    async def flush(self) -> None:
        """Write what there is. Raises `StoreError`; what could not be written waits on."""
        if not self._waiting.count and not self._writing.locked():
            return
        async with self._writing:
            written, self._waiting = self._waiting, _Waiting()
            self._some.clear()
            self._enough.clear()
            if not written.count:
                return
            try:
                await self._table.insert(written.messages, written.recipients, plain=written.plain)
            except StoreError:
                written.put_before(self._waiting)
                self._waiting = written
                self._some.set()
                raise
        self._written(written.names())


class _Waiting:
    """What is to be written."""

    __slots__ = ("count", "messages", "plain", "recipients", "size")

    def __init__(self) -> None:
        self.plain = Plain()
        self.messages: list[MessageRow] = []
        self.recipients: list[RecipientRow] = []
        self.count = 0
        self.size = 0
        """Bytes of the contents."""

    def take(self, account: str, to: Sequence[Recipient], what: Sendable, end: Outcome | EngineError, number: int, now: int) -> None:
        """Take a message in. Nothing of what it is made of is kept."""
        if type(end) is Outcome and len(to) == 1 and len(results := (sent := end.sent[0]).results) == 1:
            result = results[0]
            if result.type == SUCCESS and result.group_id is None:  # nearly always
                address = result.recipient_address
                addressee = (str(to[0]), address.uuid, address.number) if address is not None else (str(to[0]), None, None)
                if type(what) is Message and what.edit_timestamp is None and not what.attachments and what.preview is None:
                    self.size += self.plain.add(number, account, "message", encode(what), now, None, addressee, sent.timestamp)
                else:
                    content = encode(named(what))
                    self.size += self.plain.add(number, account, kind_of(what), content, now, target_in(what), addressee, sent.timestamp)
                self.count += 1
                return
        message = Outgoing(number, account, named(what), now, None, False, new_entries(to, DeliveryState.SENDING, now), 1)
        apply_end(message, end, now)
        row = message.row()
        self.messages.append(row)
        self.recipients += message.rows()
        self.size += len(row.content)
        self.count += 1

    def put_before(self, later: "_Waiting") -> None:
        """Take those in that came later."""
        self.plain.put_before(later.plain)
        self.messages += later.messages
        self.recipients += later.recipients
        self.size += later.size
        self.count += later.count

    def names(self) -> Iterator[tuple[str, int]]:
        """Account and timestamp of each that has one."""
        yield from self.plain.names()
        accounts = {message.number: message.account for message in self.messages}
        yield from ((accounts[row.message], row.timestamp) for row in self.recipients if row.timestamp is not None)


def apply_end(message: Outgoing, end: Outcome | EngineError, now: int) -> None:
    """Note what became of a send to all recipients that its caller waited for; nobody is open afterwards, but may be unknown."""
    if isinstance(end, EngineError):
        for entries in parts_of(message.entries):
            apply_error(message, entries, end, now)
            if end.uncertain:
                _doubt(entries, now)
    else:
        answers = {_key(sent.target): SendAnswer(timestamp=sent.timestamp, results=list(sent.results)) for sent in end.sent}
        for entries in parts_of(message.entries):
            answer = answers.get(_key(target_of(entries)))
            if answer is not None:
                apply_answer(message, entries, answer, now)
            else:
                _apply_failures(entries, end.failures, now)
    give_up(message.entries, now)


def _apply_failures(entries: Sequence[Entry], failures: Sequence[Failure], now: int) -> None:
    for entry in entries:
        reason = next((failure.reason for failure in failures if entry.name in _names(failure)), None)
        entry.move(DeliveryState.FAILED, now, reason)
        if reason == UNCERTAIN:
            _doubt([entry], now)


def _doubt(entries: Sequence[Entry], now: int) -> None:
    for entry in entries:
        if not entry.state.is_reached:
            entry.move(DeliveryState.UNKNOWN, now, INTERRUPTED)


def _names(failure: Failure) -> tuple[str | None, ...]:
    group = failure.group.external if failure.group is not None else None
    return failure.number, failure.uuid, f"u:{failure.username}", group


def _key(target: Target) -> str:
    return target.group.internal if target.group is not None else "persons" if target.persons else "usernames"
