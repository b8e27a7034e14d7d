"""A word of confirmation before Assist touches locks, covers and alarm panels.

Whoever answers a chat (Home Assistant's own agent, or a language model with tools) moves things by intents, and intents run their actions
through their handlers. A guarded turn is known by its context: the handler then holds back what would touch something sensitive, and the
chat asks first. What is carried out after the confirmation is what was held back, not the sentence understood once more.

    with guarded(hass, context) as turn:
        ...  # converse
    if turn.held: ...  # ask; later: await turn.async_release()

Not held back: scripts, scenes and automations that somebody has exposed or given a sentence of their own.
"""

import copy
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, override

from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import Context, HomeAssistant, State, callback
from homeassistant.helpers import intent
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN

SENSITIVE: Final = frozenset({"alarm_control_panel", "cover", "lock"})
_HELD: Final = "Nothing was done yet: the user is being asked to confirm this. Do not try again."
"""What a language model is told."""
_TURNS: HassKey[dict[str, GuardedTurn]] = HassKey(f"{DOMAIN}_guarded_turns")


@dataclass(frozen=True, slots=True)
class HeldAction:
    """What an intent would have done."""

    names: tuple[str, ...]
    """Of the entities."""
    run: Callable[[], Awaitable[intent.IntentResponse]]


@dataclass(slots=True)
class GuardedTurn:
    """One question in a chat."""

    held: list[HeldAction] = field(default_factory=list)

    @property
    def names(self) -> str:
        """Everything that would be touched."""
        return ", ".join(dict.fromkeys(name for one in self.held for name in one.names))

    async def async_release(self) -> None:
        """Do what was held back. Raises `HomeAssistantError` where an intent fails."""
        held, self.held = self.held, []
        for one in held:
            await one.run()


@contextmanager
def guarded(hass: HomeAssistant, context: Context) -> Iterator[GuardedTurn]:
    """Hold back what is sensitive, of everything that happens in this context."""
    _guard_handlers(hass)
    turns = hass.data.setdefault(_TURNS, {})
    turn = turns[context.id] = GuardedTurn()
    try:
        yield turn
    finally:
        turns.pop(context.id)


@callback
def async_unguard_handlers(hass: HomeAssistant) -> None:
    """Leave the handlers as they were."""
    handlers = hass.data.get(intent.DATA_KEY, {})
    for name, handler in handlers.items():
        if isinstance(handler, _Guarded):
            handlers[name] = handler.unguarded


class _Guarded(intent.DynamicServiceIntentHandler):
    """Put in front of a handler's class: asks before the matched entities are acted upon."""

    unguarded: intent.DynamicServiceIntentHandler

    @override
    async def async_handle_states(
        self,
        intent_obj: intent.Intent,
        match_result: intent.MatchTargetsResult,
        match_constraints: intent.MatchTargetsConstraints,
        match_preferences: intent.MatchTargetsPreferences | None = None,
    ) -> intent.IntentResponse:
        run = partial(super().async_handle_states, intent_obj, match_result, match_constraints, match_preferences)
        turn = intent_obj.hass.data.get(_TURNS, {}).get(intent_obj.context.id)
        touched = [one for one in match_result.states if _is_sensitive(one)] if turn is not None else []
        if turn is None or not touched:
            return await run()
        turn.held.append(HeldAction(tuple(one.name for one in touched), run))
        response = intent_obj.create_response()
        response.response_type = intent.IntentResponseType.QUERY_ANSWER
        response.async_set_speech(_HELD)
        return response


def _is_sensitive(state: State) -> bool:
    """Whether it is such a thing, or a group with one in it."""
    members = state.attributes.get(ATTR_ENTITY_ID)
    inside = members if isinstance(members, list | tuple) else ()
    return state.domain in SENSITIVE or any(str(one).partition(".")[0] in SENSITIVE for one in inside)


def _guard_handlers(hass: HomeAssistant) -> None:
    """Guard the handlers that are there by now; a guarded one behaves as before where no turn is guarded."""
    handlers = hass.data.get(intent.DATA_KEY, {})
    for name, handler in handlers.items():
        if isinstance(handler, intent.DynamicServiceIntentHandler) and not isinstance(handler, _Guarded):
            guarded_one = copy.copy(handler)
            guarded_one.__class__ = type(f"Guarded{type(handler).__name__}", (_Guarded, type(handler)), {"unguarded": handler})
            handlers[name] = guarded_one
