"""Messages that wait: in order within a conversation, tried again until they are sent or their time is over.

A *part* is what one call to signal-cli is made for: persons, usernames, or one group. It stands in the lane of each of its conversations,
and goes when it is the first in all of them, when it is due, and when the account's pace allows it. Whom a call does not reach stays at the
head of their lane, so that nothing overtakes. Who stands behind somebody who is parked leaves the part, so that the others need not wait.

The disk knows that a call is being made before it is made, and what became of it before anything else happens. A call whose answer is lost
keeps its lane until receipts have had time to tell (`outbox_evidence`); after that it is `unknown`, or sent again where that is wanted.
"""

import asyncio
import contextlib
import heapq
import itertools
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from signal_courier.engine.base import Engine, EngineState, OnDemand
from signal_courier.engine.errors import EngineError, name_of
from signal_courier.messaging.clock import GuardedClock
from signal_courier.messaging.sending.content import KeptFiles
from signal_courier.messaging.sending.delivery import Delivery
from signal_courier.messaging.sending.evidence import EARLY_MS, Evidence
from signal_courier.messaging.sending.message import (
    ENGINE,
    NETWORK,
    Entry,
    Outgoing,
    apply_answer,
    apply_error,
    give_up,
    parts_of,
    target_of,
)
from signal_courier.messaging.sending.pace import Pace, pause_after
from signal_courier.model.errors import InvalidValue
from signal_courier.model.outbox import GROUP_APPROVAL, RATE_LIMIT, UNTRUSTED, DeliveryState
from signal_courier.model.recipients import GroupId
from signal_courier.store.errors import StoreError
from signal_courier.store.outbox import OutboxTable

_LOGGER = logging.getLogger(__name__)

_CALL: Final = "outbox: a call"
_STORE_PAUSE: Final = 1.0
_ENGINE_LOOK: Final = (0.2, 2.0)
"""First and longest pause before looking again whether signal-cli is there."""
_END_LOOK: Final = 1.0
_ENGINE_PATIENCE: Final = 8
"""Looks, some 10 s, after which who is tried only once does not wait for signal-cli any longer."""
_LONGEST_DOUBT: Final = 900.0
"""Seconds after which nobody waits for receipts any longer, although signal-cli has not come back."""
_DOUBT_STEP: Final = 0.25
_KNOWN_PEOPLE: Final = 10_000
INTERRUPTED: Final = "interrupted"
"""Reason of those who are unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """How the queue behaves. Times in seconds."""

    per_minute: int = 60
    """Messages a minute and account, 0 = no limit."""
    at_once: int = 8
    """Calls at the same time."""
    settle: float = 20.0
    """For how long after a lost answer a receipt may tell what became of the message."""
    network_pause: tuple[float, float] = (2.0, 300.0)
    """First and longest pause after network trouble."""
    engine_pause: tuple[float, float] = (0.5, 10.0)
    """The same while signal-cli is not there."""
    limit_pause: tuple[float, float] = (900.0, 3600.0)
    """The same after a rate limit whose end Signal did not tell."""
    approval_pause: tuple[float, float] = (10.0, 300.0)
    """The same for looking whether a group has let the account in; whatever comes from the group says so at once."""
    trust_pause: float = 900.0
    """How often an untrusted identity is tried again, should somebody have trusted it elsewhere."""


@dataclass(slots=True, eq=False)
class _Part:
    message: Outgoing
    entries: list[Entry]
    lanes: list[tuple[str, str]]
    due: float
    """Of the loop's clock."""
    failures: int = 0
    busy: bool = False
    gone: bool = False
    alone: bool = False
    """What keeps these away does not concern everybody: a call for them and others has reached the others."""
    storing: asyncio.Event | None = None
    """While what became of a call is known and not stored yet, or stored and not told: set when that is over."""
    proved: asyncio.Event = field(default_factory=asyncio.Event)


class Queue:
    """Owns the open messages. `run` is its task; it starts one for each call."""

    def __init__(
        self,
        table: OutboxTable,
        delivery: Delivery,
        files: KeptFiles,
        evidence: Evidence,
        engine: Engine,
        clock: GuardedClock,
        options: QueueOptions,
        changed: Callable[[Outgoing], None],
        sent: Callable[[Outgoing, Sequence[Entry]], None],
    ) -> None:
        """`changed` is told of each committed change, `sent` of recipients whose message has a name now."""
        self._table = table
        self._delivery = delivery
        self._files = files
        self._evidence = evidence
        self._engine = engine
        self._clock = clock
        self._options = options
        self._changed = changed
        self._sent = sent
        self.pace = Pace(options.per_minute)
        self.messages: dict[int, Outgoing] = {}
        """The open ones, by number."""
        self._parts: dict[int, list[_Part]] = {}
        self._lanes: dict[tuple[str, str], deque[_Part]] = {}
        self.awaited: set[tuple[str, GroupId]] = set()
        """Accounts, and groups that have yet to let them in."""
        self._parked: set[tuple[str, str]] = set()
        """Lanes whose first one is parked, and with it all others."""
        self._due: list[tuple[float, int, _Part]] = []
        self._ends: list[tuple[float, int, _Part]] = []
        self._order = itertools.count()
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls = 0
        self._saves = 0
        self._people: dict[str, str] = {}
        """A person's UUID by their other names, and one of those by the UUID."""
        self._closing = False

    # -- from outside

    @property
    def is_saving(self) -> bool:
        """Whether the store has yet to hear of something."""
        return self._saves > 0

    def add(self, message: Outgoing) -> None:
        """Take a stored message whose recipients are queued or parked."""
        self.messages[message.number] = message
        self._learn(message.entries)
        for alike in _alike(entry for entry in message.entries if entry.state in (DeliveryState.QUEUED, DeliveryState.PARKED)):
            for entries in parts_of(alike):
                self._enter(self._part(message, entries))

    def look_into(self, message: Outgoing, latest: int | None = None) -> None:
        """Take a stored message with recipients of whom it is unknown whether their call was made.

        `latest`: ms since the epoch after which it cannot have been; `None` = unknown.
        """
        self.messages[message.number] = message
        for entries in parts_of(entry for entry in message.entries if entry.state is DeliveryState.SENDING):
            part = self._part(message, entries)
            part.busy = True
            self._enter(part)
            self._spawn(self._settle(part, latest))

    def release(self, account: str, reason: str) -> None:
        """What the account's messages were parked for is over."""
        for parts in self._parts.values():
            for part in parts:
                if part.message.account != account or all(entry.reason != reason for entry in part.entries):
                    continue
                if not part.busy:
                    self._hurry(part)
                elif part.storing is not None:
                    self._spawn(_after(part.storing, partial(self.release, account, reason)))

    def hurry(self, number: int) -> None:
        """Try a waiting message now: first of all, those before it in its conversations."""
        for part in self._parts.get(number, ()):
            for first in {id(self._lanes[lane][0]): self._lanes[lane][0] for lane in part.lanes}.values():
                if not first.busy:
                    self._hurry(first)
                elif first.storing is not None:
                    self._spawn(_after(first.storing, partial(self.hurry, number)))

    def other_name(self, name: str) -> str | None:
        """The UUID of a number or username, as an answer of signal-cli has told it lately."""
        return self._people.get(name)

    async def cancel(self, number: int) -> None:
        """Take back what is not being sent yet."""
        while storing := [part.storing for part in self._parts.get(number, ()) if part.storing is not None]:
            await storing[0].wait()  # whoever looks into the store knows already
        now = self._clock.now_ms()
        message = self.messages.get(number)
        cancelled: list[Entry] = []
        for part in list(self._parts.get(number, ())):
            if not part.busy:
                for entry in part.entries:
                    entry.move(DeliveryState.CANCELLED, now)
                cancelled += part.entries
                self._replace(part, [])
        if message is not None and cancelled:
            await self._save(message, cancelled)

    def proved(self, number: int) -> None:
        """A receipt has settled something of this message."""
        for part in self._parts.get(number, ()):
            part.proved.set()
            if not part.busy and (reached := _reached(part.entries)):  # it was to be tried again, and need not be
                part.busy = True
                self._spawn(self._conclude(part, reached))

    async def run(self) -> None:
        """Send what is due, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            now = loop.time()
            self._expire(now)
            while self._due and self._due[0][0] <= now and self._calls < self._options.at_once and not self._closing:
                _, _, part = heapq.heappop(self._due)
                if part.gone or part.busy or part.due > now:
                    continue
                if (wait := self.pace.take(part.message.account, now)) > 0:
                    part.due = now + wait
                    self._consider(part)
                    continue
                part.busy = True
                self._calls += 1
                self._spawn(self._attempt(part), _CALL)
            next_times = [heap[0][0] for heap in (self._due if self._calls < self._options.at_once else [], self._ends) if heap]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(next_times, default=None)):
                    await self._wake.wait()

    async def stop(self, timeout: float) -> None:
        """Begin nothing new, and wait for the calls in flight at most so long; what is left is looked into at the next start."""
        self._closing = True
        calls = [task for task in self._tasks if task.get_name() == _CALL]
        if calls:
            await asyncio.wait(calls, timeout=timeout)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- lanes

    def _part(self, message: Outgoing, entries: list[Entry]) -> _Part:
        due = asyncio.get_running_loop().time() + self._seconds_until(min(entry.until or 0 for entry in entries))
        return _Part(message, entries, self._lanes_of(message, entries), due)

    def _lanes_of(self, message: Outgoing, entries: Iterable[Entry]) -> list[tuple[str, str]]:
        lanes: dict[tuple[str, str], None] = {}
        for entry in entries:
            entry.lane = entry.lane or self._lane_of(message.account, entry)
            lanes[message.account, entry.lane] = None
        return list(lanes)

    def _lane_of(self, account: str, entry: Entry) -> str:
        """The lane of a person, by whichever name something waits for them already: behind the latest of that."""
        names = dict.fromkeys(name for name in (entry.name, entry.uuid, entry.number) if name is not None)
        for _ in ("from another name to the UUID", "from the UUID to a third name"):
            names |= dict.fromkeys(self._people[name] for name in list(names) if name in self._people)
        waiting = [name for name in names if (account, name) in self._lanes]
        return max(waiting, key=lambda name: self._lanes[account, name][-1].message.number, default=entry.name)

    def _enter(self, part: _Part) -> None:
        if len(apart := self._apart(part)) > 1:
            for entries in apart:
                self._enter(self._part(part.message, entries))
            return
        self._parts.setdefault(part.message.number, []).append(part)
        for lane in part.lanes:
            self._lanes.setdefault(lane, deque()).append(part)
        self._watch_end(part)
        if isinstance(group := part.entries[0].recipient, GroupId) and part.entries[0].reason == GROUP_APPROVAL:
            self.awaited.add((part.message.account, group))
        self._consider(part)
        for lane in part.lanes:
            if self._lanes[lane][0] is part:
                if any(entry.state is DeliveryState.PARKED and entry.lane == lane[1] for entry in part.entries):
                    self._parked.add(lane)
            elif lane in self._parked and not self._lanes[lane][0].busy:
                self._tell_waiting(lane, [part], parked=True)
                self._give_up_behind(lane)
            elif part.message.once and self._lanes[lane][0].failures and not self._lanes[lane][0].busy:
                self._lanes[lane][0].due = asyncio.get_running_loop().time()  # it is known soon whether this one can go
                self._consider(self._lanes[lane][0])

    def _apart(self, part: _Part) -> list[list[Entry]]:
        """The recipients of a part by whom they are held up: nobody should wait because of what only others have to wait for."""
        if part.busy or len(part.lanes) < 2:
            return [part.entries]
        apart: dict[_Part | None, list[Entry]] = {}
        for entry in part.entries:
            lane = part.message.account, entry.lane or entry.name
            head = self._lanes[lane][0] if lane in self._lanes else part
            is_held = head is not part and not head.busy and (lane in self._parked or head.alone)
            apart.setdefault(head if is_held else None, []).append(entry)
        return list(apart.values())

    def _split(self, part: _Part) -> None:
        """Put several parts in the place of one whose recipients are not held up by the same."""
        if part.gone or len(apart := self._apart(part)) < 2:
            return
        part.gone = True
        heirs = [self._part(part.message, entries) for entries in apart]
        parts = self._parts[part.message.number]
        at = parts.index(part)
        parts[at : at + 1] = heirs
        for heir in heirs:
            heir.failures, heir.alone = part.failures, part.alone
            for lane in heir.lanes:
                queue = self._lanes[lane]
                queue[queue.index(part)] = heir
            self._watch_end(heir)
        for heir in heirs:
            self._consider(heir)

    def _consider(self, part: _Part) -> None:
        """Plan a part if it is the first in all of its lanes."""
        if not part.busy and not part.gone and all(self._lanes[lane][0] is part for lane in part.lanes):
            heapq.heappush(self._due, (part.due, next(self._order), part))
            self._wake.set()

    def _hurry(self, part: _Part) -> None:
        part.due = asyncio.get_running_loop().time()
        part.failures = 0
        self._consider(part)

    def _replace(self, part: _Part, heirs: Sequence[_Part]) -> None:
        """Put what is left of a part in its place in the lanes, and let those go who stood behind what is not."""
        part.gone = True
        parts = self._parts[part.message.number]
        parts.remove(part)
        parts += heirs
        if not parts:
            del self._parts[part.message.number]
        headed: list[tuple[str, str]] = []
        for lane in part.lanes:
            queue = self._lanes[lane]
            place = queue.index(part)
            del queue[place]
            for heir in reversed(heirs):
                if lane in heir.lanes:
                    queue.insert(place, heir)
            if not queue:
                del self._lanes[lane]
                self._parked.discard(lane)
            elif not place:
                headed.append(lane)
        self._tell_behind(headed, heirs)
        for heir in heirs:
            self._watch_end(heir)
            self._consider(heir)
        if self.awaited:
            self.awaited &= {
                (one.message.account, entry.recipient)
                for parts in self._parts.values()
                for one in parts
                for entry in one.entries
                if entry.reason == GROUP_APPROVAL and isinstance(entry.recipient, GroupId)
            }

    def _tell_behind(self, lanes: Sequence[tuple[str, str]], heirs: Sequence[_Part]) -> None:
        """The first of these lanes has gone; `heirs` are those of its recipients who stay in its place."""
        held: list[tuple[str, str]] = []
        for lane in lanes:
            queue = self._lanes[lane]
            self._consider(queue[0])
            left = [entry for heir in heirs for entry in heir.entries if entry.lane == lane[1]]
            if left:
                held.append(lane)
            if any(entry.state is DeliveryState.PARKED for entry in left):
                self._tell_waiting(lane, list(queue)[1:], parked=True)
            elif lane in self._parked:
                self._tell_waiting(lane, list(queue)[1 if left else 0 :], parked=False)
        for part in {part: None for lane in held for part in list(self._lanes[lane])[1:]}:
            self._split(part)
        for lane in held:
            self._give_up_behind(lane)

    def _tell_waiting(self, lane: tuple[str, str], parts: Iterable[_Part], *, parked: bool) -> None:
        """Those who stand behind somebody who is parked are so for the same reason, until the lane moves again."""
        head = next(entry for entry in self._lanes[lane][0].entries if entry.lane == lane[1])
        (self._parked.add if parked else self._parked.discard)(lane)
        state, reason, tokens = (DeliveryState.PARKED, head.reason, head.tokens) if parked else (DeliveryState.QUEUED, None, ())
        now = self._clock.now_ms()
        for part in parts:
            changed = [entry for entry in part.entries if entry.lane == lane[1] and (entry.state, entry.tokens) != (state, tokens)]
            for entry in changed:
                entry.move(state, now, reason)
                entry.tokens = tokens
                entry.uuid, entry.number = entry.uuid or head.uuid, entry.number or head.number
            if changed and not part.busy:
                self._spawn(self._save(part.message, changed))

    def _give_up_behind(self, lane: tuple[str, str], reason: str | None = None) -> None:
        """The first of a lane has to wait: those behind who are tried only once fail for its reason, as they would by themselves."""
        queue = self._lanes[lane]
        head = next(entry for entry in queue[0].entries if entry.lane == lane[1])
        now = self._clock.now_ms()
        for part in [part for part in list(queue)[1:] if part.message.once and not part.busy]:
            failed = [entry for entry in part.entries if entry.lane == lane[1]]
            for entry in failed:
                entry.reason, entry.tokens = reason or head.reason, head.tokens
                entry.uuid, entry.number = entry.uuid or head.uuid, entry.number or head.number
            give_up(failed, now)
            left = [entry for entry in part.entries if entry.state.is_open]
            self._replace(part, [self._part(part.message, left)] if left else [])
            self._spawn(self._save(part.message, failed, heirs_left=bool(left)))

    def _watch_end(self, part: _Part) -> None:
        if not part.message.once and part.message.expires_at is not None:
            end = asyncio.get_running_loop().time() + self._seconds_until(part.message.expires_at)
            heapq.heappush(self._ends, (end, next(self._order), part))

    def _expire(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            _, _, part = heapq.heappop(self._ends)
            if part.gone:
                continue
            if part.busy:  # it sees for itself, unless its turn passes without a call
                heapq.heappush(self._ends, (now + _END_LOOK, next(self._order), part))
                continue
            if self._seconds_until(part.message.expires_at or 0) > 0:  # it was given more time
                self._watch_end(part)
                continue
            when = self._clock.now_ms()
            for entry in part.entries:
                entry.move(DeliveryState.EXPIRED, when, entry.reason)
            self._replace(part, [])
            self._spawn(self._save(part.message, part.entries))

    def _seconds_until(self, when: int) -> float:
        return max(0.0, (when - self._clock.now_ms()) / 1000)

    # -- a call

    async def _attempt(self, part: _Part) -> None:
        try:
            await self._try(part)
        finally:
            self._calls -= 1
            self._wake.set()

    async def _try(self, part: _Part) -> None:
        message, entries, now = part.message, part.entries, self._clock.now_ms()
        if reached := _reached(entries):
            await self._conclude(part, reached)
            return
        if self._engine.status.state in (EngineState.STARTING, EngineState.STOPPED) and not message.once:
            # Not begun is never in doubt, whoever dies while signal-cli is not there.
            part.failures += 1
            if part.failures >= _ENGINE_PATIENCE:
                for lane in part.lanes:
                    self._give_up_behind(lane, ENGINE)
            self._postpone(part, pause_after(part.failures, first=_ENGINE_LOOK[0], longest=_ENGINE_LOOK[1]))
            return
        if not message.once and not await self._may_enter(part):
            part.failures += 1
            self._postpone(part, pause_after(part.failures, first=self._options.approval_pause[0], longest=self._options.approval_pause[1]))
            return
        before = [(entry.state, entry.reason, entry.tokens, entry.until) for entry in entries]
        for entry in entries:
            entry.move(DeliveryState.SENDING, now)
            entry.since, entry.timestamp = now, None
        self._evidence.forget(message.number, entries)
        message.attempts += 1
        try:
            await self._table.update(message.number, message.rows(entries), attempts=message.attempts, is_open=True, deadline=30)
        except StoreError as error:
            _LOGGER.warning("A message waits, as the outbox cannot be written: %s", error)
            for entry, kept in zip(entries, before, strict=True):
                entry.state, entry.reason, entry.tokens, entry.until = kept
            self._postpone(part, _STORE_PAUSE)
            return
        self._changed(message)
        name: int | None = None
        try:
            what = await self._files.handed_over(message.what)
            with self._evidence.call(message.account, [entry.recipient for entry in entries if entry.recipient is not None]):
                answer = await self._delivery.deliver(message.account, target_of(entries), what)
        except EngineError as error:
            if error.uncertain:
                self._spawn(self._settle(part, latest=self._clock.now_ms() + EARLY_MS))
                return
            changed, name = apply_error(message, entries, error, self._clock.now_ms()), name_of(error)
        except (InvalidValue, OSError) as error:
            changed = self._failed(entries, str(error))
        except Exception:
            _LOGGER.exception("Sending a message has failed")
            changed = self._failed(entries, "internal error")
        else:
            changed, name = apply_answer(message, entries, answer, self._clock.now_ms()), answer.timestamp
        if name is not None:
            for entry in entries:
                if entry.reason == NETWORK:
                    self._evidence.failed(message.account, message.number, entry, name)
            self._prove()
        await self._conclude(part, changed)

    async def _may_enter(self, part: _Part) -> bool:
        """Whether the account is in the group, for a message that waits for that."""
        account, entry = part.message.account, part.entries[0]
        if entry.reason != GROUP_APPROVAL or not isinstance(entry.recipient, GroupId):
            return True
        try:
            if not await self._delivery.is_member(account, entry.recipient):
                return False
        except EngineError:
            return False
        self.awaited.discard((account, entry.recipient))
        return True

    def _postpone(self, part: _Part, seconds: float) -> None:
        part.busy, part.due = False, asyncio.get_running_loop().time() + seconds
        self._consider(part)

    def _failed(self, entries: list[Entry], reason: str) -> list[Entry]:
        now = self._clock.now_ms()
        for entry in entries:
            entry.move(DeliveryState.FAILED, now, reason)
        return entries

    async def _conclude(self, part: _Part, changed: Sequence[Entry]) -> None:
        """Decide what comes next for those who were not reached, store it, and make room in the lanes."""
        message, now = part.message, self._clock.now_ms()
        left = [entry for entry in part.entries if entry.state.is_open]
        if message.once:
            give_up(left, now)
        elif message.expires_at is not None and message.expires_at <= now:
            for entry in left:
                entry.move(DeliveryState.EXPIRED, now, entry.reason)
        heirs: list[_Part] = []
        is_reached = any(entry.state.is_reached for entry in part.entries)
        for again in _alike(entry for entry in left if entry.state.is_open):
            self._plan(again, part.failures + 1, now)
            for entries in parts_of(again):
                heir = self._part(message, entries)
                heir.failures = part.failures + 1
                heir.alone = part.alone or is_reached
                heirs.append(heir)
        self._learn(changed)
        part.storing = asyncio.Event()
        try:
            await self._save(message, changed, heirs_left=bool(heirs))
            self._sent(message, [entry for entry in changed if entry.timestamp is not None])
            self._replace(part, heirs)
        finally:
            part.storing.set()
            part.storing = None

    def _plan(self, entries: Sequence[Entry], failures: int, now: int) -> None:
        options, reason = self._options, entries[0].reason
        if reason == UNTRUSTED:
            pause = options.trust_pause
        else:
            first, longest = (
                options.limit_pause if reason == RATE_LIMIT else options.engine_pause if reason == ENGINE else options.network_pause
            )
            pause = pause_after(failures, first=first, longest=longest)
        for entry in entries:
            if entry.until is None:
                entry.until = now + int(pause * 1000)

    async def _save(self, message: Outgoing, entries: Sequence[Entry], *, heirs_left: bool = False) -> None:
        is_open = heirs_left or message.is_open
        self._saves += 1
        try:
            await self._table.update(message.number, message.rows(entries), attempts=message.attempts, is_open=is_open)
        finally:
            self._saves -= 1
        if not is_open:
            self.messages.pop(message.number, None)
            if all(entry.state.is_reached or entry.state is DeliveryState.CANCELLED for entry in message.entries):
                await self._files.drop(message.number)
        self._changed(message)

    def _learn(self, entries: Iterable[Entry]) -> None:
        """All names of a person lead to the same lane from now on."""
        for entry in entries:
            if entry.uuid is None or isinstance(entry.recipient, GroupId) or len(self._people) >= _KNOWN_PEOPLE:
                continue
            for name in (entry.name, entry.number):
                if name is not None and name != entry.uuid:
                    self._people[name], self._people[entry.uuid] = entry.uuid, name

    # -- a lost answer

    async def _settle(self, part: _Part, latest: int | None = None) -> None:
        """Wait for proof, as long as signal-cli is there to bring it; then say `unknown`, or send again where that is wanted."""
        message, entries = part.message, part.entries
        for entry in entries:
            if entry.uuid is None:
                entry.uuid, number = await self._table.uuid_of(entry.name)
                entry.number = entry.number or number
            self._evidence.doubt(message.account, message.number, entry, message.what, latest)
        self._prove()
        if isinstance(self._engine, OnDemand):
            with contextlib.suppress(EngineError):
                await self._engine.receive_for(self._options.settle)
        left, patience = self._options.settle, _LONGEST_DOUBT
        while left > 0 and patience > 0 and any(entry.state is DeliveryState.SENDING for entry in entries):
            part.proved.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(part.proved.wait(), _DOUBT_STEP)
            patience -= _DOUBT_STEP
            if self._engine.status.state is EngineState.READY:
                left -= _DOUBT_STEP
        self._prove()
        now = self._clock.now_ms()
        self._evidence.close(message.number, entries, now)
        unproved = [entry for entry in entries if entry.state is DeliveryState.SENDING]
        again = message.resend and len(unproved) == len(entries)
        for entry in unproved:
            entry.move(DeliveryState.QUEUED if again else DeliveryState.UNKNOWN, now, INTERRUPTED)
            if again:
                entry.until = now
        if again:
            if message.once:  # the one attempt that counts is still to come
                message.expires_at = now + int(self._options.network_pause[1] * 1000)
            self._evidence.forget(message.number, entries)
        await self._conclude(part, entries)

    def _prove(self) -> None:
        for doubt in self._evidence.prove(self._clock.now_ms()):
            self.proved(doubt.message)

    def _spawn(self, work: Coroutine[object, object, None], name: str | None = None) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOGGER.error("A part of the outbox has failed", exc_info=error)


async def _after(event: asyncio.Event, do: Callable[[], None]) -> None:
    await event.wait()
    do()


def _reached(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.state.is_reached]


def _alike(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Those who wait for the same."""
    groups: dict[tuple[str | None, int | None], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.reason, entry.until), []).append(entry)
    return list(groups.values())
