"""Promises of the tool by which assistants write to Signal: whom they reach, and whom not."""

import pytest
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import llm
from homeassistant.setup import async_setup_component

from tests.integration.courier import ECHO, uuid_of

TOOL = "signal_courier__send_message"


@pytest.fixture
async def assistant(hass: HomeAssistant, setup_integration):
    """Sets the integration up, exposes what is asked for, and gives the tools that a model gets."""
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "llm", {})
    await setup_integration()
    context = llm.LLMContext(platform="test", context=Context(), language="en", assistant="conversation", device_id=None)

    async def tools(*exposed: str) -> llm.APIInstance:
        for entity_id in exposed:
            async_expose_entity(hass, "conversation", entity_id, should_expose=True)
        return await llm.async_get_api(hass, llm.LLM_API_ASSIST, context)

    return tools


def call(**arguments: str) -> llm.ToolInput:
    return llm.ToolInput(tool_name=TOOL, tool_args=arguments)


async def test_an_assistant_can_write_to_nobody_by_itself(assistant):
    api = await assistant()
    assert TOOL not in {tool.name for tool in api.tools}


async def test_a_model_writes_to_the_conversation_that_is_exposed_to_it(assistant, client):
    api = await assistant("notify.echo_hill")
    answer = await api.async_call_tool(call(recipient="Echo Hill", message="Dinner is ready", title="Kitchen"))
    assert answer.data == {"sent": True, "recipient": "Echo Hill"}
    page = await client.messages.history(conversation=uuid_of(ECHO), direction="sent")
    assert [one.message.text for one in page.messages] == ["Kitchen\nDinner is ready"]


async def test_a_model_is_offered_no_other_conversation(assistant):
    api = await assistant("notify.echo_hill")
    (tool,) = [one for one in api.tools if one.name == TOOL]
    with pytest.raises(Exception, match=r"recipient|Demo|not a valid|one of"):
        tool.parameters({"recipient": "Demo", "message": "Hello"})


async def test_what_is_no_longer_exposed_is_not_written_to(hass: HomeAssistant, assistant, client):
    api = await assistant("notify.echo_hill")
    async_expose_entity(hass, "conversation", "notify.echo_hill", should_expose=False)
    answer = await api.async_call_tool(call(recipient="Echo Hill", message="Too late"))
    assert answer.error
    assert not (await client.messages.history(direction="sent")).messages


async def test_a_model_is_told_what_went_wrong(hass: HomeAssistant, assistant, courier, config_entry):
    api = await assistant("notify.echo_hill")
    await courier.stop()
    answer = await api.async_call_tool(call(recipient="Echo Hill", message="Nobody hears"))
    assert answer.error
    assert answer.data["error"]
