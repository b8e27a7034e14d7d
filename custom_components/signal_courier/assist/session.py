"""A chat that Home Assistant remembers, on every release that the integration is for."""

from contextlib import AbstractContextManager
from inspect import signature
from typing import Any, Final

from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers.chat_session import ChatSession, async_get_chat_session

_WANTS_CONTEXT: Final = "context" in signature(async_get_chat_session).parameters
"""From Home Assistant 2026.11 on."""


def async_chat(hass: HomeAssistant, memory: str | None, context: Context) -> AbstractContextManager[ChatSession]:
    """The chat of that id, or a new one."""
    wanted: dict[str, Any] = {"context": context} if _WANTS_CONTEXT else {}
    return async_get_chat_session(hass, memory, **wanted)
