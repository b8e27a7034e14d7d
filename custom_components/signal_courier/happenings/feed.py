"""Each event as a `Happening`, made once for all who want it: entities, triggers, the bus."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..coordinator import SignalCourierConfigEntry
from ..receiving.events import CourierEvent, async_subscribe_all
from .handle_accounts import async_remember_account
from .happening import HappeningType, Payload, happening_type, payload_of
from .polls import async_asked_poll, async_remember_poll


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Happening:
    """What happened, as automations see it. The payload is shared: copy it before a change."""

    entry_id: str
    kind: HappeningType
    payload: Payload
    late: bool
    allowed: bool
    event: CourierEvent
    context: Context = field(default_factory=Context)
    """Of everything that it causes."""


type HappeningCallback = Callable[[Happening], None]

_LATEST: HassKey[tuple[CourierEvent, Happening | None]] = HassKey(f"{DOMAIN}_latest_happening")


@callback
def async_subscribe_happenings(
    hass: HomeAssistant,
    run: HappeningCallback,
    kinds: Collection[HappeningType],
    *,
    entry: SignalCourierConfigEntry | None = None,
) -> CALLBACK_TYPE:
    """Have `run` called for what happens of these kinds: to the account of `entry`, or to all of them, also across reloads.

    Gives what ends it.
    """

    @callback
    def told(event: CourierEvent) -> None:
        happening = _happening_of(hass, event)
        if happening is not None and happening.kind in kinds:
            run(happening)

    if entry is not None:
        return entry.runtime_data.events.async_subscribe(told)
    return async_subscribe_all(hass, told)


def _happening_of(hass: HomeAssistant, told: CourierEvent) -> Happening | None:
    latest = hass.data.get(_LATEST)
    if latest is not None and latest[0] is told:
        return latest[1]
    event = told
    kind = happening_type(event)
    found = None
    if kind is not None:
        event = _with_options(hass, event)
        found = Happening(
            entry_id=event.entry_id,
            kind=kind,
            payload=payload_of(event, kind, entry_id=event.entry_id, late=event.late, allowed=event.allowed, repeated=event.repeated),
            late=event.late,
            allowed=event.allowed,
            event=event,
        )
        for name in ("handle", "target"):
            if isinstance(handle := found.payload.get(name), str):
                async_remember_account(hass, handle, event.entry_id)
    hass.data[_LATEST] = (told, found)
    return found


@callback
def _with_options(hass: HomeAssistant, event: CourierEvent) -> CourierEvent:
    """Remember what a poll asks, and add that to votes."""
    poll = event.poll
    if poll is None or poll.target is None:
        return event
    if poll.options:
        async_remember_poll(hass, event.entry_id, poll.target.timestamp, poll.question, poll.options)
        return event
    asked = async_asked_poll(hass, event.entry_id, poll.target.timestamp)
    return event if asked is None else replace(event, poll=replace(poll, question=asked.question, options=tuple(asked.options)))
