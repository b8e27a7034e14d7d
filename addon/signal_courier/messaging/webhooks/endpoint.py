"""One endpoint: takes its events from the log, in order, and does not go on before one is delivered or given up.

What happens to an attempt that fails:

* the answer speaks about this very body (400, 413, 415, 422): three attempts, then it is passed over;
* the receiver wants nothing more (410): the endpoint is switched off;
* anything else (no connection, no answer in time, 5xx, 429, 401, 404, a redirect …): the whole schedule; then the endpoint is switched off.

While it is off, and while it waits, events wait in the log. Who switches it on again gets everything from the failed one on, as far as
retention has kept it. Nothing else waits: no other endpoint, no client.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from signal_courier.messaging.racing import first_of
from signal_courier.messaging.receiving.events import Entry, EventLog
from signal_courier.messaging.webhooks.bodies import Bodies
from signal_courier.messaging.webhooks.posting import Attempt, Poster
from signal_courier.messaging.webhooks.schedule import pause_after
from signal_courier.messaging.webhooks.waiting import Clock
from signal_courier.model.events import EventFilter, EventType
from signal_courier.model.webhooks import Cause, Delivery, Outcome, Pending, Replay, Selection, Webhook, WebhookState
from signal_courier.store.errors import StoreError
from signal_courier.store.webhooks import WebhookTable

_LOGGER = logging.getLogger(__name__)

REFUSALS: Final = 3
"""Attempts for a body that the receiver does not take."""
_SAVE_EVERY: Final = 256
"""Events that may be passed without being wanted before that is stored."""
_TROUBLE_PAUSE_MS: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every endpoint works with."""

    log: EventLog
    table: WebhookTable
    bodies: Bodies
    poster: Poster
    clock: Clock
    may_receive: Callable[[str], bool]
    """Whether the token of that id may still receive; asked before every delivery."""


class Endpoint:
    """Owns a webhook's state. `run` is its task; everything else may be called beside it."""

    def __init__(self, webhook: Webhook, replays: list[Replay], means: Means) -> None:
        self.webhook = webhook
        self._replays = deque(replays)
        self._means = means
        self._wanted = filter_of(webhook.selection)
        self._ahead: deque[Entry] = deque()
        """Wanted events behind the position, read from the log already."""
        self._read = webhook.position
        """The log was read up to here."""
        self._changed = asyncio.Event()

    @property
    def lag(self) -> int:
        """Events, wanted or not, between the newest and the last that was delivered."""
        waiting = self._ahead or self.webhook.off or self.webhook.pending
        return self._means.log.head - (self.webhook.position if waiting else max(self._read, self.webhook.position))

    @property
    def valid_secrets(self) -> int:
        """How many secrets sign now."""
        now = self._means.clock.now_ms()
        return sum(secret.until is None or secret.until > now for secret in self.webhook.secrets)

    @property
    def replays(self) -> int:
        """How many replays are not through yet."""
        return len(self._replays)

    async def run(self) -> None:
        """Deliver until the log is closed."""
        while not self._means.log.closed:
            self._changed.clear()
            try:
                await self._step()
            except StoreError as error:
                _LOGGER.warning("Webhook %s waits for the database: %s", self.webhook.id, error)
                await self._pause()
            except Exception:
                _LOGGER.exception("Webhook %s has failed and goes on", self.webhook.id)
                await self._pause()

    async def change(self, **changes: object) -> None:
        """Change what its owner may change. Raises a `StoreError`; then nothing has changed."""
        await self._means.table.change(self.webhook.id, changes, deadline=30.0)
        selected = "selection" in changes
        self.webhook = msgspec.structs.replace(self.webhook, **changes)
        if selected:
            self._wanted = filter_of(self.webhook.selection)
            self._ahead.clear()
            self._read = self.webhook.position
        self._changed.set()

    async def settle(self) -> None:
        """Store how far the log was passed, before the stop. Raises a `StoreError`."""
        if not self._ahead and self.webhook.pending is None and self._read > self.webhook.position and self.webhook.off is None:
            await self._means.table.change(self.webhook.id, {"position": self._read}, deadline=1.0)

    async def retry_now(self) -> None:
        """Do not wait for the next attempt, as the receiver is back."""
        if (pending := self.webhook.pending) is not None and pending.attempts:
            await self.change(pending=msgspec.structs.replace(pending, next_at=0))

    async def gets(self, event: int) -> bool:
        """Whether an event is stored, and is one that this endpoint gets. Raises a `StoreError`."""
        found = await self._means.log.read(event - 1, self._wanted) if event > 0 else None
        return found is not None and any(entry.id == event and self._means.bodies.count(self.webhook, entry) for entry in found.entries)

    def add_replay(self, replay: Replay) -> None:
        """Deliver stored events again, after the replays that were asked for before."""
        self._replays.append(replay)
        self._changed.set()

    async def test(self) -> Delivery:
        """Post a test once, whatever else is going on, on or off. Raises a `StoreError`."""
        means = self._means
        at = means.clock.now_ms()
        message = f"msg_{self.webhook.id.removeprefix('wh_')}_test{at}"
        attempt = await means.poster.post(self.webhook, message, means.bodies.test(self.webhook))
        delivery = Delivery(
            webhook=self.webhook.id, message=message, event=None, cause=Cause.TEST, attempt=1, at=at, duration_ms=attempt.duration_ms,
            status=attempt.status, error=attempt.error, outcome=Outcome.DELIVERED if attempt.taken else Outcome.FAILED,
        )  # fmt: skip
        await means.table.change(self.webhook.id, {}, delivery=delivery, deadline=30.0)
        if attempt.taken:
            await self.retry_now()
        return delivery

    # --- what there is to do ---------------------------------------------------------------------------------------------

    async def _step(self) -> None:
        """Deliver the next event, or wait until there may be one."""
        if self.webhook.off is not None:
            await self._changed.wait()
            return
        if not self._means.may_receive(self.webhook.owner):
            _LOGGER.warning("Webhook %s is switched off: the token that made it may not receive any more", self.webhook.id)
            await self._note({"off": WebhookState.REVOKED})
            return
        pending = self.webhook.pending
        if self._replays and (pending is None or pending.replay is not None):
            await self._replay(self._replays[0])
        elif self._ahead:
            await self._deliver(self._ahead[0], None)
        else:
            await self._look_for_more()

    async def _look_for_more(self) -> None:
        means = self._means
        wanted = self._wanted
        found = await means.log.read(self._read, wanted)
        if wanted is not self._wanted:  # changed meanwhile
            return
        if found is None:
            if self.webhook.pending is not None:  # of an event that retention has removed
                await self._note({"pending": None})
            await first_of(means.log.wait_beyond(self._read), self._changed.wait())
            return
        if found.missed:
            _LOGGER.error("Webhook %s has missed %d events that retention has removed", self.webhook.id, found.missed)
            position = found.entries[0].id - 1 if found.entries else found.last
            await self._note({"missed": self.webhook.missed + found.missed, "position": position})
        self._read = found.last
        self._ahead.extend(entry for entry in found.entries if means.bodies.count(self.webhook, entry))
        if not self._ahead:
            await self._pass(found.last)

    async def _pass(self, position: int) -> None:
        """Nothing up to there is wanted."""
        if position - self.webhook.position >= _SAVE_EVERY:
            await self._note({"position": position})

    async def _replay(self, replay: Replay) -> None:
        means = self._means
        found = await means.log.read(replay.after, self._wanted) if replay.after < replay.upto else None
        entries = [entry for entry in found.entries if entry.id <= replay.upto] if found is not None else []
        for entry in entries:
            if means.bodies.count(self.webhook, entry):
                await self._deliver(entry, replay)
                return  # look again: on the way anything may have changed
            replay = msgspec.structs.replace(replay, after=entry.id)
        through = min(found.last, replay.upto) if found is not None else replay.upto
        await self._replayed(msgspec.structs.replace(replay, after=through), {})

    async def _replayed(self, replay: Replay, changes: dict[str, object], delivery: Delivery | None = None) -> None:
        await self._note(changes, delivery, replay)
        if replay.after >= replay.upto:
            self._replays.popleft()
        else:
            self._replays[0] = replay

    # --- one event -------------------------------------------------------------------------------------------------------

    async def _deliver(self, entry: Entry, replay: Replay | None) -> None:
        """Make the next attempt that is due for this event, or wait for its time."""
        means = self._means
        pending = self.webhook.pending
        of = replay.id if replay is not None else None
        if pending is None or (pending.event, pending.replay) != (entry.id, of):
            pending = Pending(event=entry.id, replay=of)
        if pending.next_at > means.clock.now_ms():
            await first_of(means.clock.until(pending.next_at), self._changed.wait())
            return
        webhook = self.webhook
        parts = means.bodies.count(webhook, entry)
        message = message_id(webhook, entry.id, pending.part if parts > 1 else None)
        body = await means.bodies.make(webhook, entry, min(pending.part, parts - 1))
        at = means.clock.now_ms()
        attempt = await means.poster.post(webhook, message, body)
        verdict = self._judge(attempt, pending, means.clock.now_ms())
        delivery = Delivery(
            webhook=webhook.id, message=message, event=entry.id, cause=Cause.EVENT if replay is None else Cause.REPLAY,
            attempt=pending.attempts + 1, at=at, duration_ms=attempt.duration_ms, status=attempt.status, error=attempt.error,
            outcome=verdict.outcome, next_at=verdict.next_at,
        )  # fmt: skip
        await self._conclude(entry, replay, parts, pending, verdict, delivery)

    def _judge(self, attempt: Attempt, pending: Pending, now: int) -> "_Verdict":
        if attempt.taken:
            return _Verdict(Outcome.DELIVERED)
        if attempt.gone:
            return _Verdict(Outcome.FAILED, off=WebhookState.GONE)
        if attempt.refused and pending.refusals + 1 >= REFUSALS:
            return _Verdict(Outcome.REFUSED)
        pause = pause_after(pending.attempts + 1, attempt.retry_after)
        if pause is None:
            return _Verdict(Outcome.FAILED, off=WebhookState.FAILED)
        return _Verdict(Outcome.RETRYING, refused=attempt.refused, next_at=now + round(pause * 1000))

    async def _conclude(
        self, entry: Entry, replay: Replay | None, parts: int, pending: Pending, verdict: "_Verdict", delivery: Delivery
    ) -> None:
        webhook = self.webhook
        now = delivery.at + delivery.duration_ms
        changes: dict[str, object] = {}
        if verdict.outcome is Outcome.DELIVERED:
            changes |= {"delivered": webhook.delivered + 1, "success_at": now}
        else:
            changes |= {"failure_at": now, "failure": delivery.error}
        if verdict.outcome in (Outcome.REFUSED, Outcome.FAILED):
            changes["failed"] = webhook.failed + 1
        self._tell(verdict, delivery)
        if verdict.off is not None:
            await self._note(changes | {"off": verdict.off, "pending": None}, delivery)
            return
        if verdict.outcome is Outcome.RETRYING:
            again = msgspec.structs.replace(
                pending, attempts=pending.attempts + 1, refusals=pending.refusals + verdict.refused, next_at=verdict.next_at or 0
            )
            await self._note(changes | {"pending": again}, delivery)
            return
        if pending.part + 1 < parts:
            following = Pending(event=entry.id, replay=pending.replay, part=pending.part + 1)
            await self._note(changes | {"pending": following}, delivery)
            return
        changes["pending"] = None
        if replay is not None:
            await self._replayed(msgspec.structs.replace(replay, after=entry.id), changes, delivery)
            return
        await self._note(changes | {"position": entry.id}, delivery)
        self._read = max(self._read, entry.id)
        if self._ahead and self._ahead[0] is entry:
            self._ahead.popleft()

    def _tell(self, verdict: "_Verdict", delivery: Delivery) -> None:
        if verdict.off is WebhookState.GONE:
            _LOGGER.warning("Webhook %s is switched off: its receiver wants nothing more (410)", delivery.webhook)
        elif verdict.off is not None:
            _LOGGER.error("Webhook %s is switched off after %d failed attempts: %s", delivery.webhook, delivery.attempt, delivery.error)
        elif verdict.outcome is Outcome.REFUSED:
            _LOGGER.error("Webhook %s does not take event %s (%s): it is passed over", delivery.webhook, delivery.event, delivery.error)
        elif verdict.outcome is Outcome.RETRYING and delivery.attempt == 1:
            _LOGGER.warning("Webhook %s did not take event %s (%s), trying again", delivery.webhook, delivery.event, delivery.error)
        elif verdict.outcome is Outcome.DELIVERED and delivery.attempt > 1:
            _LOGGER.warning("Webhook %s took event %s at attempt %d", delivery.webhook, delivery.event, delivery.attempt)

    async def _note(self, changes: dict[str, object], delivery: Delivery | None = None, replay: Replay | None = None) -> None:
        """Store what has come about, however long that takes."""
        before = self.webhook
        await self._means.table.change(before.id, changes, delivery=delivery, replay=replay)
        self.webhook = msgspec.structs.replace(self.webhook, **changes)

    async def _pause(self) -> None:
        await self._means.clock.until(self._means.clock.now_ms() + _TROUBLE_PAUSE_MS)


@dataclass(frozen=True, slots=True)
class _Verdict:
    outcome: Outcome
    off: WebhookState | None = None
    refused: bool = False
    next_at: int | None = None


def message_id(webhook: Webhook, event: int, part: int | None) -> str:
    """The header `webhook-id`: unique for this installation, endpoint, event and post, and the same at every attempt."""
    return f"msg_{webhook.id.removeprefix('wh_')}_{event}" + (f"_{part}" if part is not None else "")


def filter_of(selection: Selection) -> EventFilter:
    """The log's own filter for a selection."""
    return EventFilter(
        accounts=frozenset(selection.accounts) if selection.accounts is not None else None,
        types=frozenset(map(EventType, selection.types)) if selection.types is not None else None,
        conversations=frozenset(selection.conversations) if selection.conversations is not None else None,
    )
