"""What was sent while its caller waited: written down afterwards, many at a time, so that the sending itself never waits for the disk."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from signal_courier.engine.answers import SendAnswer
from signal_courier.engine.errors import EngineError, SendResult
from signal_courier.messaging import outbox_content
from signal_courier.messaging.delivery import SUCCESS, UNCERTAIN, Failure, Outcome, Target
from signal_courier.messaging.outbox_message import Entry, Outgoing, apply_answer, apply_error, give_up, new_entries, parts_of, target_of
from signal_courier.messaging.outbox_queue import INTERRUPTED
from signal_courier.model.messages import Receipt, Sendable, Typing
from signal_courier.model.outbox import DeliveryState
from signal_courier.model.recipients import Recipient
from signal_courier.store.errors import StoreError
from signal_courier.store.outbox import MessageRow, OutboxTable, RecipientRow

_LOGGER = logging.getLogger(__name__)

_INTERVAL: Final = 0.5
"""Seconds for which what was sent is collected."""
_MOST: Final = 20_000
"""Messages that may wait to be written; more are not noted."""


class _Record(NamedTuple):
    account: str
    recipients: Sequence[Recipient]
    what: Sendable
    end: Outcome | EngineError
    began: int


class History:
    """Collects and writes. `run` is its task."""

    def __init__(self, table: OutboxTable, number: Callable[[], int], written: Callable[[Iterable[tuple[str, int]]], None]) -> None:
        """`number` gives the next message's; `written` is told the names (account, timestamp) of what is stored."""
        self._table = table
        self._number = number
        self._written = written
        self._records: list[_Record] = []
        self._some = asyncio.Event()
        self._writing = asyncio.Lock()

    def add(self, account: str, recipients: Sequence[Recipient], what: Sendable, end: Outcome | EngineError, began: int) -> None:
        """Note what became of a send that began then (ms since the epoch). Signs of typing and receipts are no history."""
        if isinstance(what, Typing | Receipt) or len(self._records) >= _MOST:
            return
        self._records.append(_Record(account, recipients, what, end, began))
        if len(self._records) == 1:
            self._some.set()

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._some.wait()
            await asyncio.sleep(_INTERVAL)
            try:
                await self.flush()
            except StoreError as error:
                _LOGGER.warning("%d sent messages wait to be noted: %s", len(self._records), error)

    async def flush(self) -> None:
        """Write what there is. Raises `StoreError`; what could not be written waits on."""
        if not self._records and not self._writing.locked():
            return
        async with self._writing:
            records, self._records = self._records, []
            self._some.clear()
            messages: list[MessageRow] = []
            recipients: list[RecipientRow] = []
            for record in records:
                _note(record, self._number(), messages, recipients)
            if not messages:
                return
            try:
                await self._table.insert(messages, recipients)
            except StoreError:
                self._records = records + self._records
                self._some.set()
                raise
        accounts = {message.number: message.account for message in messages}
        self._written((accounts[row.message], row.timestamp) for row in recipients if row.timestamp is not None)


def _note(record: _Record, number: int, messages: list[MessageRow], recipients: list[RecipientRow]) -> None:
    end = record.end
    if isinstance(end, Outcome) and len(record.recipients) == 1 and len(results := end.sent[0].results) == 1:
        result = results[0]
        if result.type == SUCCESS and result.group_id is None:  # nearly always
            content = outbox_content.encode(outbox_content.named(record.what))
            messages.append(
                MessageRow(number, record.account, outbox_content.kind_of(record.what), content, record.began, None, False, 1, False, None)
            )
            recipients.append(_simple(number, record, result, end.sent[0].timestamp))
            return
    message = Outgoing(
        number, record.account, outbox_content.named(record.what), record.began, None, False,
        new_entries(record.recipients, DeliveryState.SENDING, record.began), 1,
    )  # fmt: skip
    apply_end(message, end, record.began)
    messages.append(message.row())
    recipients += message.rows()


def _simple(number: int, record: _Record, result: SendResult, timestamp: int) -> RecipientRow:
    address, name = result.recipient_address, str(record.recipients[0])
    uuid, phone = (address.uuid, address.number) if address is not None else (None, None)
    return RecipientRow(
        number, 0, name, uuid or name, None, uuid, phone, "sent", None, timestamp, record.began, None, record.began, None
    )  # fmt: skip


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
