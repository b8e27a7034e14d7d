"""The tool by which an assistant that is a language model writes to Signal: to those conversations, and only those, that are exposed to it.

A conversation is exposed by its notify entity: Settings, Voice assistants, Expose. None is exposed by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, override

import probatio
from homeassistant.components.homeassistant.exposed_entities import async_should_expose
from homeassistant.components.llm import LLMTools
from homeassistant.components.notify.const import DOMAIN as NOTIFY_DOMAIN
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.llm import LLM_API_ASSIST, LLMContext, Tool, ToolAnnotations, ToolInput, ToolResult

from .const import DOMAIN

_LONGEST: Final = 2000
"""Characters of a message that an assistant may write."""


@dataclass(frozen=True, slots=True)
class _Exposed:
    """A conversation that an assistant may write to."""

    name: str
    entity_id: str


class SendMessageTool(Tool):
    """Writes to one of the exposed conversations."""

    name = f"{DOMAIN}__send_message"
    title = "Send a Signal message"
    description = (
        "Send a text message over the messenger Signal to a person or group. Use it when the user asks to message, text, write to or tell "
        "one of the recipients something. It cannot be taken back: send each message once, in the words the user wants."
    )
    annotations = ToolAnnotations(destructive=False)
    integration = DOMAIN

    def __init__(self, exposed: Mapping[str, _Exposed]) -> None:
        self.parameters = probatio.Schema(
            {
                probatio.Required("recipient", description="The person or group who gets the message"): probatio.In(list(exposed)),
                probatio.Required("message", description="The text, as the recipient shall read it"): probatio.All(
                    cv.string, probatio.Length(min=1, max=_LONGEST)
                ),
                probatio.Optional("title", description="A short headline above the text; usually left out"): cv.string,
            }
        )

    @override
    async def async_call(self, hass: HomeAssistant, tool_input: ToolInput, llm_context: LLMContext) -> ToolResult:
        """Send the message. What goes wrong is told to the model."""
        data = self.parameters(tool_input.tool_args)
        chosen = _exposed(hass, llm_context.assistant).get(data["recipient"])
        if chosen is None:
            return ToolResult(data={"error": "This conversation is no longer exposed to you"}, error=True)
        given = {"entity_id": [chosen.entity_id], "message": data["message"]}
        if title := data.get("title"):
            given["title"] = title
        try:
            await hass.services.async_call(DOMAIN, "send_message", given, blocking=True, context=llm_context.context)
        except HomeAssistantError as error:
            return ToolResult(data={"error": str(error)}, error=True)
        return ToolResult(data={"sent": True, "recipient": chosen.name})


@callback
def async_get_tools(hass: HomeAssistant, llm_context: LLMContext, api_id: str) -> LLMTools | None:
    """The tool, where at least one conversation is exposed to the assistant."""
    if api_id != LLM_API_ASSIST:
        return None
    exposed = _exposed(hass, llm_context.assistant)
    return LLMTools(tools=[SendMessageTool(exposed)]) if exposed else None


def _exposed(hass: HomeAssistant, assistant: str) -> dict[str, _Exposed]:
    """By the name that the model uses: the conversation's, with the entity id where two have the same."""
    registry = er.async_get(hass)
    found: dict[str, _Exposed] = {}
    for state in sorted(hass.states.async_all(NOTIFY_DOMAIN), key=lambda one: one.entity_id):
        entry = registry.async_get(state.entity_id)
        if entry is None or entry.platform != DOMAIN or not async_should_expose(hass, assistant, state.entity_id):
            continue
        name = state.name if state.name not in found else f"{state.name} ({state.entity_id})"
        found[name] = _Exposed(state.name, state.entity_id)
    return found
