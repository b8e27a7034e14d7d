"""The client's errors as Home Assistant's, in the user's language.

async with translated(hass, entry):
await entry.runtime_data.client.messages.send(…)
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .client import AccountUnknown, CourierError, InvalidAnswer, Problem, Unauthorized, Unreachable
from .const import DOMAIN

if TYPE_CHECKING:
    from .coordinator import SignalCourierConfigEntry

_WRONG_USE: Final = frozenset({"invalid-body", "invalid-value", "not-found", "not-on-signal", "too-large"})
"""Kinds of problems that are the caller's: `ServiceValidationError`, which is not logged as a failure."""
_KEYS: Final = {
    "account-offline": "problem_account_offline",
    "account-unknown": "problem_account_unknown",
    "captcha-rejected": "problem_captcha_rejected",
    "captcha-required": "problem_captcha_required",
    "engine-timeout": "problem_engine_timeout",
    "engine-unavailable": "problem_engine_unavailable",
    "forbidden": "problem_forbidden",
    "busy": "problem_busy",
    "invalid-body": "problem_invalid_value",
    "invalid-value": "problem_invalid_value",
    "no-space": "problem_no_space",
    "not-ready": "problem_busy",
    "throttled": "problem_busy",
    "not-found": "problem_not_found",
    "not-on-signal": "problem_not_on_signal",
    "pin-required": "problem_pin_required",
    "rate-limited": "problem_rate_limited",
    "refused": "problem_refused",
    "signal-unreachable": "problem_signal_unreachable",
    "too-large": "problem_too_large",
    "unauthorized": "problem_unauthorized",
    "unlinked": "problem_unlinked",
    "unsupported": "problem_unsupported",
    "untrusted-identity": "problem_untrusted_identity",
}
"""Kinds that have a text of their own, and its key."""


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
        translation_key=_KEYS.get(kind, "unknown"),
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
        if isinstance(error, AccountUnknown) and (account := entry.runtime_data.coordinator.account) and account.state == "unlinked":
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="problem_unlinked") from error
        raise home_assistant_error(error) from error
