"""Proof that a message was sent although nobody heard the answer.

signal-cli names a message by the time at which it sends it, and tells that name in its answer. When the answer is lost (signal-cli or this
service was killed), a receipt may still come back: it carries a name that no message here has, from the very person to whom one was being
sent, within the time of that attempt. The copy that another device of the account is told of (own sync message) proves it by its text.

A network that fails may have failed after the message had gone: signal-cli then tells the name of an attempt, and calls it a failure. A
receipt with that name says otherwise, and the message need not be sent again.

The phone of the account sends messages too; their names are known from the copies that come here, and prove nothing.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from signal_courier.messaging.sending.message import Entry
from signal_courier.model.messages import Message, Sendable
from signal_courier.model.outbox import DeliveryState
from signal_courier.model.recipients import GroupId, Recipient
from signal_courier.store.outbox import Confirmation

EARLY_MS: Final = 2_000
LATE_MS: Final = 180_000
"""How long before and after the beginning of an attempt the message's name can lie, in ms."""
_LOOSE: Final = 4096
_COPIES: Final = 4096
_FAILED: Final = 4096


@dataclass(slots=True, eq=False)
class Doubt:
    """A recipient of whom nobody knows."""

    account: str
    message: int
    entry: Entry
    text: str | None
    """Of the message, where it has one."""
    latest: int
    """The message's name cannot be later (ms since the epoch)."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What another device of the account has sent, as it is told here."""

    account: str
    timestamp: int
    text: str | None
    uuid: str | None
    number: str | None
    group: str | None
    """signal-cli's own id."""


class Evidence:
    """Brings doubts and receipts together."""

    def __init__(self) -> None:
        self._doubts: dict[tuple[int, int], Doubt] = {}
        self._loose: deque[Confirmation] = deque(maxlen=_LOOSE)
        self._copies: OrderedDict[tuple[str, int], Copy] = OrderedDict()
        self._failed: OrderedDict[tuple[str, int], list[Doubt]] = OrderedDict()
        """By account and name: whom attempts were for that are said to have failed."""
        self.in_flight: dict[object, tuple[str, Sequence[Recipient]]] = {}
        """Account and recipients of the calls in flight, by anything; `call` for those who are not in a hurry."""

    @property
    def doubts(self) -> int:
        """How many there are."""
        return len(self._doubts)

    @contextmanager
    def call(self, account: str, recipients: Sequence[Recipient]) -> Iterator[None]:
        """While a call for these recipients is in flight, a new name may be its."""
        place = object()
        self.in_flight[place] = (account, recipients)
        try:
            yield
        finally:
            del self.in_flight[place]

    def doubt(self, account: str, message: int, entry: Entry, what: Sendable | None, latest: int | None = None) -> None:
        """Look out for this one from now on."""
        text = what.text if isinstance(what, Message) else None
        if latest is None:
            latest = (entry.since or 0) + LATE_MS
        self._doubts[message, entry.position] = Doubt(account, message, entry, text, latest)

    def failed(self, account: str, message: int, entry: Entry, timestamp: int) -> None:
        """The network is said to have failed an attempt with this name."""
        self._failed.setdefault((account, timestamp), []).append(Doubt(account, message, entry, None, timestamp))
        while len(self._failed) > _FAILED:
            self._failed.popitem(last=False)

    def close(self, message: int, entries: Iterable[Entry], now: int) -> None:
        """What is sent to these from now on is something else."""
        for entry in entries:
            if (doubt := self._doubts.get((message, entry.position))) is not None:
                doubt.latest = min(doubt.latest, now)

    def forget(self, message: int, entries: Iterable[Entry]) -> None:
        """They are tried again, or known."""
        for entry in entries:
            self._doubts.pop((message, entry.position), None)

    def forget_older(self, since: int) -> None:
        """Give up on attempts that began earlier (ms since the epoch)."""
        for key, doubt in list(self._doubts.items()):
            if (doubt.entry.since or 0) < since:
                del self._doubts[key]
        while self._failed and (first := next(iter(self._failed)))[1] < since:
            del self._failed[first]

    def loosen(self, confirmations: Iterable[Confirmation]) -> None:
        """Receipts whose name no message has (yet)."""
        self._loose.extend(one for one in confirmations if (one.account, one.timestamp) not in self._copies)

    def taken(self, names: Iterable[tuple[str, int]]) -> list[Confirmation]:
        """Receipts that came before these names (account, timestamp) were known here."""
        if not self._loose:
            return []
        wanted = frozenset(names)
        found = [one for one in self._loose if (one.account, one.timestamp) in wanted]
        for one in found:
            self._loose.remove(one)
        return found

    def prove(self, now: int) -> list[Doubt]:
        """Settle every doubt that a loose receipt settles, and no other could; gives those."""
        settled = [doubt for one in list(self._loose) for doubt in self._not_failed(one, now)]
        if not self._doubts:
            return settled
        settled += [doubt for copy in list(self._copies.values()) if (doubt := self._copied(copy, now)) is not None]
        for one in list(self._loose):
            meant = self._meant(one)
            if not meant or (one.account, one.timestamp) in self._failed:
                continue
            names = {other.timestamp: other for other in self._loose if _same_sender(one, other) and self._meant(other) == meant}
            if len(names) < len(meant):
                continue  # which of them was sent cannot be told
            for doubt, (timestamp, other) in zip(sorted(meant, key=_since), sorted(names.items()), strict=False):
                self._settle(doubt, timestamp, DeliveryState(other.state), now)
                settled.append(doubt)
            for other in [other for other in self._loose if _same_sender(one, other) and other.timestamp in names]:
                self._loose.remove(other)
        return settled

    def copied(self, copy: Copy) -> None:
        """Another device of the account has sent something: its name is not ours, unless it is what is in doubt."""
        self._copies[copy.account, copy.timestamp] = copy
        while len(self._copies) > _COPIES:
            self._copies.popitem(last=False)

    def _copied(self, copy: Copy, now: int) -> Doubt | None:
        for doubt in self._doubts.values():
            entry = doubt.entry
            if doubt.account != copy.account or not doubt.text or doubt.text != copy.text or not _within(doubt, copy.timestamp):
                continue
            if isinstance(entry.recipient, GroupId):
                same = entry.recipient.internal == copy.group
            else:
                same = copy.group is None and bool({entry.name, entry.uuid, entry.number} & ({copy.uuid, copy.number} - {None}))
            if same:
                self._settle(doubt, copy.timestamp, DeliveryState.SENT, now)
                del self._copies[copy.account, copy.timestamp]
                return doubt
        return None

    def _not_failed(self, one: Confirmation, now: int) -> list[Doubt]:
        """Those whom an attempt has reached all the same; while another one is being made they stay as they are."""
        known = [doubt for doubt in self._failed.get((one.account, one.timestamp), ()) if _is_about(one, doubt.entry)]
        if not known or any(doubt.entry.state is DeliveryState.SENDING for doubt in known):
            return []
        self._loose.remove(one)
        reached = [doubt for doubt in known if not doubt.entry.state.is_reached]
        for doubt in reached:
            doubt.entry.move(DeliveryState(one.state), now)
            doubt.entry.timestamp = one.timestamp
        return reached

    def _meant(self, one: Confirmation) -> list[Doubt]:
        """The doubts that this receipt can be about: those towards its sender, else towards groups."""
        persons: list[Doubt] = []
        groups: list[Doubt] = []
        busy = {str(recipient) for account, recipients in self.in_flight.values() if account == one.account for recipient in recipients}
        for doubt in self._doubts.values():
            entry = doubt.entry
            if doubt.account != one.account or not _within(doubt, one.timestamp):
                continue
            names = {entry.name, entry.uuid, entry.number} - {None}
            if not busy.isdisjoint(names):
                continue
            if isinstance(entry.recipient, GroupId):
                groups.append(doubt)
            elif names & {one.uuid, one.number}:
                persons.append(doubt)
        return persons or groups

    def _settle(self, doubt: Doubt, timestamp: int, state: DeliveryState, now: int) -> None:
        entry = doubt.entry
        entry.move(DeliveryState.SENT if isinstance(entry.recipient, GroupId) else state, now)
        entry.timestamp = timestamp
        self._doubts.pop((doubt.message, entry.position), None)
        for other in self._doubts.values():  # the same call, if it was one for several persons
            if other.message == doubt.message and other.entry.since == entry.since and not isinstance(other.entry.recipient, GroupId):
                other.entry.timestamp = timestamp


def _within(doubt: Doubt, timestamp: int) -> bool:
    since = doubt.entry.since
    return since is not None and since - EARLY_MS <= timestamp <= doubt.latest


def _is_about(one: Confirmation, entry: Entry) -> bool:
    return bool({entry.name, entry.uuid, entry.number} & ({one.uuid, one.number} - {None}))


def _since(doubt: Doubt) -> int:
    return doubt.entry.since or 0


def _same_sender(one: Confirmation, other: Confirmation) -> bool:
    return one.account == other.account and one.uuid == other.uuid and one.number == other.number
