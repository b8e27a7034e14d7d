"""One question to a conversation agent.

It is tried in the order of Home Assistant's voice assistants: sentences of automations, what Home Assistant understands by itself where
that is preferred, and then the agent of choice.
"""

from dataclasses import dataclass
from typing import Final

from homeassistant.components import conversation
from homeassistant.components.conversation.const import HOME_ASSISTANT_AGENT
from homeassistant.components.conversation.models import ConversationInput
from homeassistant.core import Context, HomeAssistant

from .guard import GuardedTurn
from .sentences import async_hold_sentence
from .session import async_chat

_LOCAL: Final = frozenset({HOME_ASSISTANT_AGENT, "homeassistant"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentChoice:
    """Who answers, and how."""

    agent: str | None
    """`None`: Home Assistant's own."""
    local_first: bool
    language: str
    prompt: str
    """What a language model is told beside its own instructions."""


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    """What was answered."""

    text: str
    memory: str | None
    """Names the chat, for the next question."""


async def async_ask_agent(
    hass: HomeAssistant, text: str, choice: AgentChoice, memory: str | None, context: Context, turn: GuardedTurn | None
) -> AgentAnswer:
    """Ask. Raises `ValueError` where the agent is not there, and whatever an agent raises.

    A sentence that starts an automation may be held back in the turn.
    """
    agent = choice.agent or HOME_ASSISTANT_AGENT
    with async_chat(hass, memory, context) as session:
        asked = ConversationInput(
            text=text,
            context=context,
            conversation_id=session.conversation_id,
            device_id=None,
            satellite_id=None,
            language=choice.language,
            agent_id=agent,
            extra_system_prompt=choice.prompt,
        )
        if turn is not None and await async_hold_sentence(hass, asked, turn):
            return AgentAnswer("", session.conversation_id)
        if agent in _LOCAL:
            return await _converse(hass, text, choice, session.conversation_id, context)
        with conversation.async_get_chat_log(hass, session, asked) as log:
            said = await conversation.async_handle_sentence_triggers(hass, asked, log)
            if said is None and choice.local_first:
                response = await conversation.async_handle_intents(hass, asked, log)
                said = None if response is None else str(response.speech.get("plain", {}).get("speech") or "")
            if said is None:
                return await _converse(hass, text, choice, session.conversation_id, context)
            log.async_add_assistant_content_without_tools(conversation.AssistantContent(agent_id=HOME_ASSISTANT_AGENT, content=said))
            return AgentAnswer(said.strip(), session.conversation_id)


async def _converse(hass: HomeAssistant, text: str, choice: AgentChoice, memory: str | None, context: Context) -> AgentAnswer:
    result = await conversation.async_converse(
        hass,
        text,
        memory,
        context,
        language=choice.language,
        agent_id=choice.agent or HOME_ASSISTANT_AGENT,
        extra_system_prompt=choice.prompt,
    )
    speech = result.response.speech.get("plain", {}).get("speech")
    return AgentAnswer(str(speech or "").strip(), result.conversation_id)
