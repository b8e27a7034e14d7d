"""Sentences that start automations: held back in a guarded turn where the automation would move something sensitive."""

from typing import TYPE_CHECKING

from homeassistant.components import conversation
from homeassistant.components.conversation.agent_manager import async_get_agent
from homeassistant.components.conversation.default_agent import DefaultAgent
from homeassistant.components.conversation.models import ConversationInput
from homeassistant.core import HomeAssistant

from .guard import GuardedTurn, HeldAction
from .reach import Reach
from .session import async_chat

if TYPE_CHECKING:
    from collections.abc import Iterator


async def async_hold_sentence(hass: HomeAssistant, asked: ConversationInput, turn: GuardedTurn) -> bool:
    """Whether this is such a sentence, which is held back now.

    Whose sentence it is, is seen from what the automations were made of; one that none of them has is held back too.
    """
    agent = async_get_agent(hass)
    if not isinstance(agent, DefaultAgent) or (found := await agent.async_recognize_sentence_trigger(asked)) is None:
        return False
    reach = Reach(hass)
    automations = list(_automations_with(hass, found.sentence_template)) if found.sentence_template else []
    for entity_id in automations:
        reach.automation(entity_id)
    if automations and not reach.names:
        return False
    states = [state for entity_id in automations if (state := hass.states.get(entity_id)) is not None]
    names = ", ".join(state.name for state in states) or f"“{asked.text}”"
    turn.held.append(HeldAction((f"{names} ({', '.join(reach.names)})" if reach.names else names,), lambda: _async_run(hass, asked)))
    return True


async def _async_run(hass: HomeAssistant, asked: ConversationInput) -> None:
    with async_chat(hass, None, asked.context) as session, conversation.async_get_chat_log(hass, session, asked) as log:
        await conversation.async_handle_sentence_triggers(hass, asked, log)


def _automations_with(hass: HomeAssistant, sentence: str) -> Iterator[str]:
    component = hass.data.get("automation")
    for one in component.entities if component is not None else ():
        if sentence.strip() in _texts(one.raw_config):
            yield one.entity_id


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, dict):
        for inside in value.values():
            yield from _texts(inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from _texts(inside)
