"""The client's errors as Home Assistant's, in the user's language.

    async with translated(hass, entry):
        await entry.runtime_data.client.messages.send(…)
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .client import CourierError, InvalidAnswer, Problem, Unauthorized, Unreachable
from .const import DOMAIN

if TYPE_CHECKING:
    from .coordinator import SignalCourierConfigEntry

_WRONG_USE: Final = frozenset({"invalid-body", "invalid-value", "not-found", "not-on-signal", "too-large"})
"""Kinds of problems that are the caller's: `ServiceValidationError`, which is not logged as a failure."""
_KEYS: Final = frozenset(
    {
        "account-unknown", "captcha-rejected", "captcha-required", "engine-timeout", "engine-unavailable", "forbidden", "invalid-value",
        "not-found", "not-on-signal", "pin-required", "rate-limited", "refused", "signal-unreachable", "too-large", "unauthorized", "unlinked",
        "unsupported", "untrusted-identity",
    }
)  # fmt: skip
"""Kinds that have a text of their own: `exceptions.problem_<kind with _>`."""


def home_assistant_error(error: CourierError) -> HomeAssistantError:
    """The exception that a user shall see. Placeholders: `error` (the service's words), `recipients`, `retry_after`."""
    if isinstance(error, Unreachable | InvalidAnswer):
        return HomeAssistantError(
            translation_domain=DOMAIN, translation_key="cannot_connect", translation_placeholders={"error": str(error)}
        )
    if not isinstance(error, Problem):
        return HomeAssistantError(translation_domain=DOMAIN, translation_key="unknown", translation_placeholders={"error": str(error)})
    kind, details = error.kind, error.details
    exception = ServiceValidationError if kind in _WRONG_USE else HomeAssistantError
    return exception(
        translation_domain=DOMAIN,
        translation_key=f"problem_{kind.replace('-', '_')}" if kind in _KEYS else "unknown",
        translation_placeholders={
            "error": str(error),
            "recipients": ", ".join(details.recipients) or "?",
            "retry_after": "?" if details.retry_after is None else str(details.retry_after),
        },
    )


@asynccontextmanager
async def translated(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> AsyncIterator[None]:
    """Turn the client's errors in the block into Home Assistant's; a rejected token also starts the reauthentication."""
    try:
        yield
    except CourierError as error:
        if isinstance(error, Unauthorized):
            entry.async_start_reauth(hass)
        raise home_assistant_error(error) from error
