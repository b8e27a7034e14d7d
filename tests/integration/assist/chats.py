"""Chats with Assist over Signal: a home with a lamp, a door and a garage, and a stand-in for a language model."""

import re
from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import Any

import pytest
from homeassistant.components import conversation
from homeassistant.components.conversation.models import AbstractConversationAgent, ConversationInput, ConversationResult
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import intent, llm
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.signal_courier.const import CONF_ASSIST, CONF_ASSIST_ENABLED, CONF_CONVERSATION_ID
from tests.integration.courier import SECOND, uuid_of
from tests.integration.waiting import wait_until

type Chat = Callable[..., Awaitable[None]]
type Sent = Callable[..., Awaitable[list[str]]]


@pytest.fixture
async def home(hass: HomeAssistant) -> None:
    """A light, and a door with a lock, both exposed to Assist."""
    for component in ("homeassistant", "conversation", "llm", "intent"):
        assert await async_setup_component(hass, component, {})
    nothing: list[Any] = []
    lights = [{"name": "Lamp", "unique_id": "lamp", "turn_on": nothing, "turn_off": nothing}]
    locks = [{"name": "Front door", "unique_id": "door", "lock": nothing, "unlock": nothing}]
    garage = [{"name": "Garage", "unique_id": "garage", "open_cover": nothing, "close_cover": nothing, "device_class": "garage"}]
    config = {"template": [{"light": lights, "lock": locks, "cover": garage}]}
    assert await async_setup_component(hass, "template", config)
    await hass.async_block_till_done()
    for entity_id in ("light.lamp", "lock.front_door", "cover.garage"):
        assert hass.states.get(entity_id) is not None
        async_expose_entity(hass, "conversation", entity_id, should_expose=True)
    await hass.services.async_call("lock", "lock", {"entity_id": "lock.front_door"}, blocking=True)


@pytest.fixture
async def chat(hass: HomeAssistant, home, config_entry, setup_integration) -> Chat:
    """Turns Assist on in the conversation with SECOND (who answers to nothing by itself), and sets the integration up."""

    async def begin(*, conversation_id: str = uuid_of(SECOND), options: dict[str, Any] | None = None, **settings: Any) -> None:
        data = {
            CONF_CONVERSATION_ID: conversation_id,
            "name": "Chat",
            "kind": "person",
            CONF_ASSIST: {CONF_ASSIST_ENABLED: True, **settings},
        }
        known = next((one for one in config_entry.subentries.values() if one.unique_id == conversation_id), None)
        if known is not None:
            hass.config_entries.async_update_subentry(config_entry, known, data=data)
        else:
            fresh = ConfigSubentry(data=MappingProxyType(data), subentry_type="conversation", title="Chat", unique_id=conversation_id)
            hass.config_entries.async_add_subentry(config_entry, fresh)
        if options:
            hass.config_entries.async_update_entry(config_entry, options=options)
        await setup_integration()

    return begin


@pytest.fixture
def sent(client) -> Sent:
    """Waits until so many messages were sent, and gives their texts, the oldest first."""

    async def texts(count: int, conversation_id: str = uuid_of(SECOND)) -> list[str]:
        found: list[str] = []

        async def there() -> bool:
            page = await client.messages.history(conversation=conversation_id, direction="sent")
            found[:] = [one.message.text or "" for one in reversed(page.messages) if one.message is not None]
            return len(found) >= count

        await wait_until(there)
        return found

    return texts


class Model(AbstractConversationAgent):
    """A stand-in for a language model: it uses the tools of the API as one does, and says what it is told to say."""

    supported_languages = "*"

    def __init__(self, *calls: tuple[str, dict[str, Any]], answer: str = "Done!", api: str = "assist") -> None:
        self.calls = calls
        self.api = api
        self.answer = answer
        self.asked: list[ConversationInput] = []
        self.results: list[Any] = []
        self.failing: Exception | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def async_process(self, user_input: ConversationInput) -> ConversationResult:
        self.asked.append(user_input)
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.failing is not None:
            raise self.failing
        api = await llm.async_get_api(self.hass, self.api, user_input.as_llm_context("test"))
        for name, arguments in self.calls:
            tool = next(one.name for one in api.tools if one.name.endswith(name))
            self.results.append((await api.async_call_tool(llm.ToolInput(tool_name=tool, tool_args=arguments))).data)
        response = intent.IntentResponse(language=user_input.language)
        response.async_set_speech(self.answer)
        return ConversationResult(response=response, conversation_id=user_input.conversation_id or "memory")

    def install(self, hass: HomeAssistant) -> str:
        """Make it known; gives the agent's id."""
        self.hass = hass
        entry = MockConfigEntry(domain="test_model", title="Model")
        entry.add_to_hass(hass)
        conversation.async_set_agent(hass, entry, self)
        return entry.entry_id


def code_in(text: str) -> str:
    found = re.search(r"YES (\d{4})", text)
    assert found is not None, text
    return found[1]
