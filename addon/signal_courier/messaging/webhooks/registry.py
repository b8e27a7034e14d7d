"""All webhooks: made, changed, shown, and each worked off by an endpoint of its own, in parallel."""

import asyncio
import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from signal_courier.messaging.webhooks import signing
from signal_courier.messaging.webhooks.endpoint import Endpoint, Means
from signal_courier.model.errors import InvalidValue, MissingThing, Overloaded
from signal_courier.model.events import EventType, conversation_key
from signal_courier.model.recipients import parse_number, parse_recipient
from signal_courier.model.webhooks import BodyForm, Delivery, Outcome, Pending, Replay, Secret, Selection, Webhook, WebhookState
from signal_courier.store.errors import StoreError
from signal_courier.store.events import EventTable

_LOGGER = logging.getLogger(__name__)

MOST: Final = 100
"""Webhooks in all."""
MOST_REPLAYS: Final = 20
"""Replays of one webhook that may wait."""
MOST_SELECTED: Final = 1000
OLD_SECRET_DAYS: Final = 7
"""Days that an old secret may stay valid beside a new one."""
_GRACE: Final = 1.0
"""Seconds that an attempt may take to its end at the stop."""


@dataclass(frozen=True, slots=True)
class Made:
    """A webhook, and the secret that is shown this once."""

    webhook: Webhook
    secret: str


class Webhooks:
    """Every webhook of the service."""

    def __init__(self, means: Means, events: EventTable) -> None:
        self._means = means
        self._events = events
        self._endpoints: dict[str, Endpoint] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Load them and begin to deliver. The log was started before."""
        for webhook in await self._means.table.all():
            self._begin(webhook, await self._means.table.replays(webhook.id))

    async def stop(self) -> None:
        """Stop delivering; the log was closed before, the database is still open. What is not through is tried again after the start."""
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=_GRACE)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        try:
            await asyncio.gather(*(endpoint.settle() for endpoint in self._endpoints.values()))
        except StoreError as error:
            _LOGGER.warning("How far the webhooks are could not be stored: %s", error)
        await self._means.poster.close()

    # --- what owners do --------------------------------------------------------------------------------------------------

    def all(self, owner: str | None = None) -> list[Endpoint]:
        """The webhooks of one owner, or (`None`) of all, oldest first."""
        return [endpoint for endpoint in self._endpoints.values() if owner is None or endpoint.webhook.owner == owner]

    def get(self, id_: str, owner: str | None = None) -> Endpoint:
        """One webhook; raises `MissingThing`, also for those of others."""
        endpoint = self._endpoints.get(id_)
        if endpoint is None or (owner is not None and endpoint.webhook.owner != owner):
            raise MissingThing("webhook_id", "There is no such webhook")
        return endpoint

    async def create(
        self,
        url: str,
        *,
        owner: str,
        local: bool,
        description: str = "",
        form: BodyForm = BodyForm.EVENT,
        links: bool = False,
        selection: Selection | None = None,
        secret: str | None = None,
        active: bool = True,
    ) -> Made:
        """Make a webhook that gets what comes from now on. Raises `InvalidValue`, and a `StoreError`."""
        self._means.poster.check(url, local=local)
        key = signing.parse(secret) if secret is not None else signing.new_key()
        async with self._changing:
            if len(self._endpoints) >= MOST:
                raise Overloaded(f"there are {MOST} webhooks already")
            now = self._means.clock.now_ms()
            webhook = Webhook(
                number=0,
                id=f"wh_{secrets.token_hex(8)}",
                owner=owner,
                url=url,
                description=description,
                form=form,
                links=links,
                selection=selection or Selection(),
                local=local,
                off=None if active else WebhookState.PAUSED,
                secrets=(Secret(key),),
                position=self._means.log.head,
                created_at=now,
                updated_at=now,
            )
            webhook = msgspec.structs.replace(webhook, number=await self._means.table.insert(webhook))
            self._begin(webhook, [])
        return Made(webhook, signing.show(key))

    async def change(self, endpoint: Endpoint, changes: Mapping[str, object], *, local: bool, active: bool | None = None) -> None:
        """Set `url`, `description`, `form`, `links`, `selection`; switch it on or off.

        A new address, or switching on, begins the schedule anew with the event that failed. Raises as `create` does.
        """
        new = dict(changes)
        if isinstance(url := new.get("url"), str):
            self._means.poster.check(url, local=local)
            new["local"] = local
        off = endpoint.webhook.off
        if active is not None and active == (off is not None):
            new["off"] = None if active else WebhookState.PAUSED
        if "url" in new or new.get("off", WebhookState.PAUSED) is None:
            new["pending"] = _afresh(endpoint.webhook)
        if new:
            await endpoint.change(**new, updated_at=self._means.clock.now_ms())

    async def follow(self, owner: str, accounts: Sequence[str]) -> None:
        """Let the gateway's webhooks of an owner get the messages of exactly these accounts. Raises a `StoreError`."""
        for endpoint in self.all(owner):
            selection = endpoint.webhook.selection
            if endpoint.webhook.form is BodyForm.GATEWAY and selection.accounts is not None:
                await endpoint.change(selection=msgspec.structs.replace(selection, accounts=tuple(accounts)))

    async def delete(self, endpoint: Endpoint) -> None:
        """Forget it, with its log, and post nothing more. Raises a `StoreError`."""
        id_ = endpoint.webhook.id
        async with self._changing:
            task = self._tasks.pop(id_, None)
            if task is None:
                raise MissingThing("webhook_id", "There is no such webhook")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._endpoints.pop(id_, None)
            await self._means.table.delete(id_)

    async def rotate(self, endpoint: Endpoint, *, keep_seconds: int, secret: str | None = None) -> Made:
        """Give it a new secret; until the old one ends, everything is signed with both. Raises `InvalidValue`, and a `StoreError`."""
        key = signing.parse(secret) if secret is not None else signing.new_key()
        now = self._means.clock.now_ms()
        old = endpoint.webhook.secrets[0]
        kept = (Secret(old.key, now + keep_seconds * 1000),) if keep_seconds > 0 else ()
        await endpoint.change(secrets=(Secret(key), *kept), updated_at=now)
        return Made(endpoint.webhook, signing.show(key))

    async def replay(self, endpoint: Endpoint, *, event: int | None = None, since: int | None = None, until: int | None = None) -> Replay:
        """Deliver stored events again: one by its id, or those stored within a time (ms since epoch; `until` is not included).

        They come before what has not been delivered yet, and only those that the webhook gets at all.

        Raises:
            MissingThing: The event is not stored (any more), or not for this webhook.
            Overloaded: Too many replays wait already.
        """
        if endpoint.replays >= MOST_REPLAYS:
            raise Overloaded(f"{MOST_REPLAYS} replays wait already")
        if event is not None:
            if not await endpoint.gets(event):
                raise MissingThing("event", "This event is not stored, or not for this webhook")
            after, upto = event - 1, event
        else:
            if since is None:
                raise InvalidValue("since", "since: name an event, or the time from which on")
            if until is not None and until <= since:
                raise InvalidValue("until", "until: must be later than since")
            after = await self._events.first_since(since) - 1
            last = endpoint.webhook.position  # what comes behind it will be delivered anyway
            upto = min(last, await self._events.first_since(until) - 1) if until is not None else last
        upto = min(upto, self._means.log.head)
        if upto <= after:
            return Replay(0, after, after)
        replay = await self._means.table.add_replay(endpoint.webhook.id, after, upto)
        endpoint.add_replay(replay)
        return replay

    async def deliveries(self, endpoint: Endpoint, *, before: int | None, limit: int, outcome: Outcome | None) -> Sequence[Delivery]:
        """The log of attempts, newest first. Raises a `StoreError`."""
        return await self._means.table.deliveries(endpoint.webhook.id, before=before, limit=limit, outcome=outcome)

    def _begin(self, webhook: Webhook, replays: list[Replay]) -> None:
        endpoint = self._endpoints[webhook.id] = Endpoint(webhook, replays, self._means)
        self._tasks[webhook.id] = asyncio.create_task(endpoint.run(), name=f"webhook {webhook.id}")


def selection_of(accounts: Sequence[str] | None, types: Sequence[str] | None, conversations: Sequence[str] | None) -> Selection:
    """Check which events somebody wants, and bring it into its one form. Raises `InvalidValue`."""
    for name, values in (("accounts", accounts), ("types", types), ("conversations", conversations)):
        if values is not None and not 1 <= len(values) <= MOST_SELECTED:
            raise InvalidValue(name, f"{name}: name 1 to {MOST_SELECTED}, or leave it out for all")
    known = tuple(EventType)
    for kind in types or ():
        if kind not in known:
            raise InvalidValue("types", f"types: '{kind}' is none of {', '.join(known)}")
    return Selection(
        accounts=_unique(parse_number(text, field="accounts").e164 for text in accounts) if accounts is not None else None,
        types=_unique(types) if types is not None else None,
        conversations=_unique(conversation_key(parse_recipient(text, field="conversations")) for text in conversations)
        if conversations is not None
        else None,
    )


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _afresh(webhook: Webhook) -> Pending | None:
    """The event that is being delivered, without what its failed attempts have left; posts that were taken stay taken."""
    pending = webhook.pending
    return msgspec.structs.replace(pending, attempts=0, refusals=0, next_at=0) if pending is not None else None
