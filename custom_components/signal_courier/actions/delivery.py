"""Sending a message so that it arrives: on the service's disk first, then followed as far as is asked for."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from ..client import Unreachable
from ..client.models import OutboxMessage, Recipient, Sent
from ..const import DOMAIN
from .action import Call
from .once import async_attempt, async_ended

GOALS: Final = ("sent", "delivered", "read")
"""How far a message can be waited for, each farther than the one before."""
_PAUSES: Final = (0.5, 1.5)
"""Seconds before the service is asked again, where it could not be reached."""
_FIRST_GLANCE: Final = 1
_LONGEST_GLANCE: Final = 30
"""Seconds after which a message that waits is looked at, doubled each time: it may be parked, which ends the waiting."""
_OPEN: Final = frozenset({"queued", "sending"})
_GOOD: Final = frozenset(GOALS)


async def async_deliver(call: Call, options: Mapping[str, Any], *, goal: str, patience: float, expires_in: int | None) -> OutboxMessage:
    """Send a message to the call's conversations, and wait until it is there.

    Args:
        call: Whose context makes a repeated call the same message.
        options: For `Messages.send`, made by `prepare` of the caller.
        goal: One of `GOALS`.
        patience: Seconds to wait for the goal; a message that is not there then stays with the service, and goes on.
        expires_in: Seconds for which the service tries; `None` is its own default, 0 is once.

    Raises:
        HomeAssistantError: nobody was reached, and nobody will be unless somebody does something about it.
        CourierError: the service does not answer or does not take it.
    """
    attempt = async_attempt(call.hass, call.context, call.data)
    if attempt.options is None:
        attempt.options = dict(options)
    sent = await _submit(call, attempt.key, attempt.options, expires_in)
    if sent.id is None:  # it left nothing to follow
        async_ended(call.hass, attempt)
        return OutboxMessage(id="", state="sent", timestamp=sent.timestamp, recipients=sent.recipients)
    message = await _follow(call, sent.id, goal, patience)
    reached = any(one.state in _GOOD or one.state in _OPEN for one in message.recipients) or not message.recipients
    if reached or message.state != "parked":
        async_ended(call.hass, attempt)
    if not reached:
        raise _not_reached(message)
    return message


async def _submit(call: Call, key: str, options: Mapping[str, Any], expires_in: int | None) -> Sent:
    recipients = [one.id for one in call.conversations]
    for pause in (*_PAUSES, None):
        try:
            return await call.client.messages.send(recipients, idempotency_key=key, wait=0, expires_in=expires_in, **options)
        except Unreachable:
            if pause is None:
                raise
        await asyncio.sleep(pause)
    raise AssertionError  # the last attempt has returned or raised


async def _follow(call: Call, message_id: str, goal: str, patience: float) -> OutboxMessage:
    loop = asyncio.get_running_loop()
    end, glance = loop.time() + patience, _FIRST_GLANCE
    while True:
        left = end - loop.time()
        message = await call.client.messages.get(message_id, wait=max(0, min(glance, round(left))), until=goal)
        if left <= 0.5 or _is_there(message, goal):
            return message
        glance = min(glance * 2, _LONGEST_GLANCE)


def _is_there(message: OutboxMessage, goal: str) -> bool:
    """Nobody is left of whom more can be hoped for."""
    enough = GOALS[GOALS.index(goal) :]
    groups = {one.group for one in message.recipients}  # receipts come from the members, who follow their group
    return not any(
        one.state in _OPEN or (one.state in _GOOD and one.state not in enough and one.recipient not in groups) for one in message.recipients
    )


def _not_reached(message: OutboxMessage) -> HomeAssistantError:
    """Why nobody was reached, in the words of the first."""
    reasons = {one.reason or "" for one in message.recipients}
    names = ", ".join(_name(one) for one in message.recipients)
    if message.state == "parked":
        key = "parked_identity" if "untrusted_identity" in reasons else "parked_captcha" if "rate_limit" in reasons else "parked"
    else:
        key = "problem_not_on_signal" if reasons == {"UNREGISTERED_FAILURE"} else "not_sent"
    kind = ServiceValidationError if key == "problem_not_on_signal" else HomeAssistantError
    return kind(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={"recipients": names, "error": ", ".join(sorted(filter(None, reasons))) or message.state},
    )


def _name(one: Recipient) -> str:
    return one.number or one.uuid or one.recipient
