"""The push stream: everything that happens to the account, once, in order, to whoever subscribed.

    unsubscribe = data.events.async_subscribe(on_event, types={"message"}, conversation_id=conversation_id)

    unsubscribe = async_subscribe_all(hass, on_event, types={"message"})   # all accounts, across reloads: triggers

    @callback
    def on_event(event: CourierEvent) -> None:
        if event.late or not event.allowed: return

Callbacks are `@callback` functions: they run one after the other in the order of subscription, and must not block. What takes longer they
start as a task. An exception of one is logged and does not concern the others. An event is acknowledged to the service after all callbacks
ran for it: after a restart, or an outage of either side, the stream goes on behind it, even where Home Assistant was killed (see
`position`). It begins when Home Assistant has started, so that automations are there for what arrived meanwhile.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, fields
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.start import async_at_started
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from ..client import CourierError, SignalCourierClient, Unauthorized, Unreachable
from ..client.events import Event
from ..client.stream import EventStream
from ..const import DOMAIN, LOGGER
from .position import PositionFile, async_forget_position, async_noted_position, async_open_position

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
"""Seconds between two attempts to connect: doubled each time, and shortened by up to a half by chance."""
_STABLE: Final = 10.0
"""Seconds after which a connection was a good one, as is one that brought something: the pause after it is the first again."""
_ACK_DELAY: Final = 0.05
"""Seconds for which acknowledgements are collected."""
_SETTLE: Final = 10.0
"""Seconds that what starts with Home Assistant has to get ready."""
_EVERYWHERE: HassKey[list[_Subscription]] = HassKey(f"{DOMAIN}_subscriptions")


@dataclass(frozen=True, kw_only=True)
class CourierEvent(Event):
    """An event of the service, and what this side thinks of it."""

    late: bool = False
    """It is older than the option allows (`late_after`): tell of it, but let it trigger nothing unless that is asked for."""
    allowed: bool = True
    """Whether its sender may trigger anything: on the allow-list, or the account itself, or the service."""
    repeated: bool = False
    """Home Assistant was killed while it was handed on: some may have heard of it already."""
    entry_id: str = ""
    """The config entry whose account it is about."""


type EventCallback = Callable[[CourierEvent], None]
type Judge = Callable[[Event], bool]
"""Tells whether the sender of an event may trigger anything."""


@dataclass(frozen=True, slots=True, eq=False)
class _Subscription:
    run: EventCallback
    types: frozenset[str] | None
    conversation_id: str | None

    def wants(self, event: Event) -> bool:
        if self.types is not None and event.type not in self.types:
            return False
        return self.conversation_id is None or (event.conversation is not None and event.conversation.id == self.conversation_id)


@callback
def async_subscribe_all(hass: HomeAssistant, run: EventCallback, *, types: Collection[str] | None = None) -> CALLBACK_TYPE:
    """Have `run` called for the events of all accounts, also of those that are set up or reloaded later; gives what ends it.

    For what outlives an entry: triggers, waiting actions. An event is handed to these after the entry's own subscribers.
    """
    return _subscribe(hass.data.setdefault(_EVERYWHERE, []), _Subscription(run, None if types is None else frozenset(types), None))


def _subscribe(subscriptions: list[_Subscription], subscription: _Subscription) -> CALLBACK_TYPE:
    subscriptions.append(subscription)

    @callback
    def unsubscribe() -> None:
        if subscription in subscriptions:
            subscriptions.remove(subscription)

    return unsubscribe


class EventHub:
    """Follows the events of one account, and hands them on.

    Args:
        entry_id: of the config entry.
        consumer: the name under which the service keeps the position.
        late_after: seconds after which an event is late.
        is_allowed: see `Judge`.
        on_connected, on_lost: told of each change; the connection is lost when it ends, or cannot be made.
        prepare: looks up what has to be known before an event is handed on; must not raise.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        client: SignalCourierClient,
        entry_id: str,
        consumer: str,
        *,
        late_after: float,
        is_allowed: Judge,
        on_connected: Callable[[], None],
        on_lost: Callable[[CourierError], None],
        prepare: Callable[[Event], Awaitable[None]] | None = None,
    ) -> None:
        self.connected = False
        """Whether the stream flows now."""
        self.position = 0
        """Id of the last event that was handed on; 0 before the first."""
        self._hass = hass
        self._client = client
        self._entry_id = entry_id
        self._consumer = consumer
        self._late_after = late_after
        self._is_allowed = is_allowed
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._prepare = prepare
        self._subscriptions: list[_Subscription] = []
        self._file: PositionFile | None = None
        self._interrupted = 0
        self._task: asyncio.Task[None] | None = None
        self._acknowledged = 0

    # -- for everybody

    @callback
    def async_subscribe(
        self, run: EventCallback, *, types: Collection[str] | None = None, conversation_id: str | None = None
    ) -> CALLBACK_TYPE:
        """Have `run` called for every event of these types and of this conversation (`None` = all); gives what ends it."""
        return _subscribe(self._subscriptions, _Subscription(run, None if types is None else frozenset(types), conversation_id))

    # -- for __init__

    async def async_prepare(self) -> None:
        """Make the consumer, so that from now on everything waits for us. Raises `CourierError`."""
        if not self.position:
            noted = await async_noted_position(self._hass, self._consumer)
            self.position, self._interrupted = noted.position, noted.interrupted
        consumer = await self._client.events.make_consumer(self._consumer, after=self.position or None)
        if not consumer.position <= self.position <= consumer.head:  # new here, or another database there
            self.position, self._interrupted = consumer.position, 0

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Begin as soon as Home Assistant has started; gives what takes that back."""

        async def begin(hass: HomeAssistant) -> None:
            self._task = hass.async_create_background_task(self._run(), f"{DOMAIN} events {self._consumer}")

        return async_at_started(self._hass, begin)

    async def async_stop(self) -> None:
        """End the stream; what was handed on is acknowledged first."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    @staticmethod
    async def async_forget(hass: HomeAssistant, consumer: str) -> None:
        """Delete what is kept here of a consumer's position."""
        await async_forget_position(hass, consumer)

    # -- the stream

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(_SETTLE):
                await self._hass.async_block_till_done()
        except TimeoutError:
            pass
        self._file = file = await async_open_position(self._hass, self._consumer)
        try:
            await self._stay_connected()
        finally:
            self._file = None
            if file is not None:
                file.close()

    async def _stay_connected(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            began, position = time.monotonic(), self.position
            try:
                await self.async_prepare()
                self._note(self._interrupted)
                async with self._client.events.follow(self._consumer) as stream:
                    self._tell_connected()
                    await self._follow(stream)
            except CourierError as error:
                self._tell_lost(error)
                if time.monotonic() - began > _STABLE or self.position != position:
                    pause = _FIRST_PAUSE
                if isinstance(error, Unauthorized):
                    pause = _LONGEST_PAUSE
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # so that many do not come back at once
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _follow(self, stream: EventStream) -> None:
        """Hand on what comes. Raises `CourierError` when it ends."""
        acknowledging = self._hass.async_create_background_task(self._acknowledge(stream), f"{DOMAIN} acknowledgements")
        self._acknowledged = self.position
        missed = unreadable = 0
        try:
            async for event in stream:
                if stream.missed > missed:
                    LOGGER.warning("%s events were removed at the service before Home Assistant could get them", stream.missed - missed)
                    missed = stream.missed
                if stream.unreadable > unreadable:
                    LOGGER.warning("%s events of the service were left out, as they cannot be read", stream.unreadable - unreadable)
                    unreadable = stream.unreadable
                if event.id > self.position:
                    if self._prepare is not None:
                        await self._prepare(event)
                    await self._tell(event)
        finally:
            acknowledging.cancel()
            await asyncio.wait([acknowledging])
            await self._acknowledge_now(stream)

    async def _tell(self, event: Event) -> None:
        """Hand an event on, and let those who heard of it begin with what they do before it counts as told."""
        self._note(event.id)
        self._hand_on(event)
        self.position = event.id
        try:
            await asyncio.sleep(0)
        finally:
            self._note(event.id)

    def _note(self, telling: int) -> None:
        if self._file is not None:
            self._file.note(self.position, telling)

    async def _acknowledge(self, stream: EventStream) -> None:
        while True:
            await asyncio.sleep(_ACK_DELAY)
            await self._acknowledge_now(stream)

    async def _acknowledge_now(self, stream: EventStream) -> None:
        position = self.position
        if position > self._acknowledged:
            try:
                await stream.acknowledge(position)
            except Unreachable:
                return
            self._acknowledged = position

    @callback
    def _hand_on(self, event: Event) -> None:
        try:
            told = self._judged(event)
        except Exception:  # noqa: BLE001  # one event that is not understood must not keep back all the others
            LOGGER.exception("The event %s (%s) could not be judged, and is left out", event.id, event.type)
            return
        for subscription in (*self._subscriptions, *self._hass.data.get(_EVERYWHERE, ())):
            if subscription.wants(told):
                try:
                    subscription.run(told)
                except Exception:  # noqa: BLE001  # whoever subscribed; the others must not suffer
                    LOGGER.exception("A subscriber failed with the event %s (%s)", told.id, told.type)

    def _judged(self, event: Event) -> CourierEvent:
        age = dt_util.utcnow().timestamp() - event.time / 1000
        members: dict[str, Any] = {name: getattr(event, name) for name in _MEMBERS}
        return CourierEvent(
            **members,
            late=age > self._late_after,
            allowed=self._is_allowed(event),
            repeated=event.id == self._interrupted,
            entry_id=self._entry_id,
        )

    def _tell_connected(self) -> None:
        self.connected = True
        self._on_connected()

    def _tell_lost(self, error: CourierError) -> None:
        self.connected = False
        self._on_lost(error)


_MEMBERS: Final = tuple(one.name for one in fields(Event))
