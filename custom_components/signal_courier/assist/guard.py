"""A word of confirmation before Assist touches locks, covers and alarm panels.

Whoever answers a chat moves things in one of three ways, and each is held back where it would touch something sensitive (`reach` reads
what scripts, scenes and automations would do):

* by intents, which Home Assistant's own agent and language models run;
* by tools of a language model that run scripts or any action;
* by sentences that start automations (`sentences`).

A guarded turn is known by its context. What is carried out after the confirmation is what was held back, not the sentence understood once
more.

    with guarded(hass, context) as turn:
        ...  # converse
    if turn.held: ...  # ask; later: await turn.async_release()
"""

import copy
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import partial
from inspect import get_annotations
from typing import Any, Final, override

from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers import intent, llm
from homeassistant.helpers.script import Script
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.json import JsonObjectType

from ..const import DOMAIN
from .reach import Reach

_HELD: Final = "Nothing was done yet: the user is being asked to confirm this. Do not try again."
"""What a language model is told."""
_TURNS: HassKey[dict[str, GuardedTurn]] = HassKey(f"{DOMAIN}_guarded_turns")


@dataclass(frozen=True, slots=True)
class HeldAction:
    """What would have been done."""

    names: tuple[str, ...]
    """Of what it moves."""
    run: Callable[[], Awaitable[object]]


@dataclass(slots=True)
class GuardedTurn:
    """One question in a chat."""

    held: list[HeldAction] = field(default_factory=list)

    @property
    def names(self) -> str:
        """Everything that would be touched."""
        return ", ".join(dict.fromkeys(name for one in self.held for name in one.names))

    async def async_release(self) -> None:
        """Do what was held back. Raises `HomeAssistantError` where that fails."""
        held, self.held = self.held, []
        for one in held:
            await one.run()


@contextmanager
def guarded(hass: HomeAssistant, context: Context) -> Iterator[GuardedTurn]:
    """Hold back what is sensitive, of everything that happens in this context."""
    _guard_handlers(hass)
    _guard_apis(hass)
    turns = hass.data.setdefault(_TURNS, {})
    turn = turns[context.id] = GuardedTurn()
    try:
        yield turn
    finally:
        turns.pop(context.id)


@callback
def async_unguard(hass: HomeAssistant) -> None:
    """Leave everything as it was."""
    handlers = hass.data.get(intent.DATA_KEY, {})
    for name, handler in handlers.items():
        if isinstance(handler, _GuardedStates | _GuardedIntent):
            handlers[name] = handler.unguarded
    apis = hass.data.get(llm.APIS_CACHE, {})
    for name, api in apis.items():
        if isinstance(api, _GuardedAPI):
            apis[name] = api.unguarded


def _turn(hass: HomeAssistant, context: Context | None) -> GuardedTurn | None:
    return hass.data.get(_TURNS, {}).get(context.id) if context is not None else None


# --- intents


class _GuardedStates(intent.DynamicServiceIntentHandler):
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
        if (turn := _turn(intent_obj.hass, intent_obj.context)) is None:
            return await run()
        reach = Reach(intent_obj.hass)
        for state in match_result.states:
            reach.entity(state.entity_id)
        return _held(turn, intent_obj, HeldAction(reach.names, run)) if reach.names else await run()


class _GuardedIntent(intent.IntentHandler):
    """The same for the others: intents that somebody has written, with a script, and commands for later."""

    unguarded: intent.IntentHandler

    @override
    async def async_handle(self, intent_obj: intent.Intent) -> intent.IntentResponse:
        run = partial(super().async_handle, intent_obj)
        if (turn := _turn(intent_obj.hass, intent_obj.context)) is None:
            return await run()
        reach = Reach(intent_obj.hass)
        config = getattr(self, "config", None)
        script = config.get("action") if isinstance(config, Mapping) else None
        if isinstance(script, Script):
            reach.steps(script.sequence)
        if (later := intent_obj.slots.get("conversation_command")) is not None:
            reach.add(f"“{later.get('value')}”")  # it is understood when its time has come, and nobody is asked then
        return _held(turn, intent_obj, HeldAction(reach.names, run)) if reach.names else await run()


def _held(turn: GuardedTurn, intent_obj: intent.Intent, action: HeldAction) -> intent.IntentResponse:
    turn.held.append(action)
    response = intent_obj.create_response()
    response.response_type = intent.IntentResponseType.QUERY_ANSWER
    response.async_set_speech(_HELD)
    return response


def _guard_handlers(hass: HomeAssistant) -> None:
    """Guard the handlers that are there by now; a guarded one behaves as before where no turn is guarded."""
    handlers = hass.data.get(intent.DATA_KEY, {})
    for name, handler in handlers.items():
        if not isinstance(handler, _GuardedStates | _GuardedIntent):
            guard = _GuardedStates if isinstance(handler, intent.DynamicServiceIntentHandler) else _GuardedIntent
            guarded_one = handlers[name] = copy.copy(handler)
            guarded_one.__class__ = type(f"Guarded{type(handler).__name__}", (guard, type(handler)), {"unguarded": handler})


# --- tools of language models


@dataclass(slots=True, kw_only=True)
class _GuardedAPI(llm.API):
    """Stands for an API: in a guarded turn, its tools ask."""

    unguarded: llm.API

    @override
    async def async_get_api_instance(self, llm_context: llm.LLMContext) -> llm.APIInstance:
        instance = await self.unguarded.async_get_api_instance(llm_context)
        if _turn(self.hass, llm_context.context) is not None:
            instance.tools = [_GuardedTool(tool) for tool in instance.tools]
        return instance


class _GuardedTool(llm.Tool):
    """Stands for a tool: asks before a script or an action is run. Tools that are intents ask as such."""

    def __init__(self, unguarded: llm.Tool) -> None:
        self.unguarded = unguarded
        for name in get_annotations(llm.Tool):
            if hasattr(unguarded, name):
                setattr(self, name, getattr(unguarded, name))

    @override
    def __eq__(self, other: object) -> bool:
        """APIs that are merged leave one of two equal tools out."""
        return isinstance(other, _GuardedTool) and self.unguarded == other.unguarded

    @override
    def __hash__(self) -> int:
        return hash(self.unguarded)

    @override
    async def async_call(
        self, hass: HomeAssistant, tool_input: llm.ToolInput, llm_context: llm.LLMContext
    ) -> llm.ToolResult | JsonObjectType:
        run = partial(self.unguarded.async_call, hass, tool_input, llm_context)
        turn = _turn(hass, llm_context.context)
        names = _reached(hass, self.unguarded, tool_input.tool_args) if turn is not None else ()
        if turn is None or not names:
            return await run()
        turn.held.append(HeldAction(names, run))
        return llm.ToolResult(data={"result": _HELD})


def _reached(hass: HomeAssistant, tool: llm.Tool, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """What a tool would move: one named after a script or an action, or one that is told which action."""
    reach = Reach(hass)
    if isinstance(action := arguments.get("action"), str) and "." in action:
        data = arguments.get("data")
        reach.action(action, arguments.get("target"), data if isinstance(data, Mapping) else {})
    elif isinstance(tool, llm.ActionTool):
        domain, _, verb = tool.name.partition("__")
        reach.action(f"{domain}.{verb}", None, arguments)
    return reach.names


def _guard_apis(hass: HomeAssistant) -> None:
    """Guard the APIs that are there by now; a guarded one behaves as before where no turn is guarded."""
    apis = hass.data.get(llm.APIS_CACHE, {})
    for name, api in apis.items():
        if not isinstance(api, _GuardedAPI):
            settings = {field.name: getattr(api, field.name) for field in fields(llm.API)}
            apis[name] = _GuardedAPI(**settings, unguarded=api)
