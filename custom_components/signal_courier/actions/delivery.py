"""Sending so that it arrives.

Messages are on the service's disk first, and followed as far as is asked for. Everything else (edits, reactions, polls) is sent at once, so
that what Signal says of it is told in its own words; where Signal cannot be reached, it goes through the service's disk too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from ..client import Unavailable, Unreachable
from ..client.messages import Terms
from ..client.models import OutboxMessage, Recipient, Sent
from ..const import DOMAIN, LOGGER
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
PATIENCE: Final = 30.0
"""Seconds that something is waited for to be sent, unless a time is given."""

type Sending = Callable[[Terms], Awaitable[Sent]]
"""A call of the client on terms."""


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
    message = await _follow(call, sent.id or "", goal, patience)
    reached = _is_reached(message)
    if reached or message.state != "parked":
        async_ended(call.hass, attempt)
    if not reached:
        raise _not_reached(call, message)
    return message


async def async_send_soon(call: Call, send: Sending) -> Sent | OutboxMessage:
    """Send now; where that is not possible now, let the service send it as soon as it is, and wait a while for that.

    Raises as `async_deliver`, and what the service says where it, or Signal, refuses.
    """
    attempt = async_attempt(call.hass, call.context, call.data)
    sent = await async_send_within(call, send, key=attempt.key, patience=PATIENCE)
    async_ended(call.hass, attempt)
    return sent


async def async_send_within(call: Call, send: Sending, *, key: str, patience: float, expires_in: int | None = None) -> Sent | OutboxMessage:
    """The same under a key, for as long as it makes sense: `expires_in` seconds (`None`: the service's default)."""
    try:
        sent = await _insist(lambda: send(Terms(key=key)))
    except Unavailable:
        sent = await _insist(lambda: send(Terms(key=key, queued=True, expires_in=expires_in)))
    if sent.id is None or sent.timestamp is not None:
        return sent
    message = await _follow(call, sent.id, "sent", patience)
    if not _is_reached(message):
        raise _not_reached(call, message)
    return message


async def _submit(call: Call, key: str, options: Mapping[str, Any], expires_in: int | None) -> Sent:
    recipients, messages = [one.id for one in call.conversations], call.client.messages
    return await _insist(lambda: messages.send(recipients, terms=Terms(key=key, queued=True, expires_in=expires_in), **options))


async def _insist(send: Callable[[], Awaitable[Sent]]) -> Sent:
    """Ask again where nobody answers: a key sees to it that nothing is sent twice."""
    for pause in _PAUSES:
        try:
            return await send()
        except Unreachable as error:
            LOGGER.debug("Sending is tried again in %s s: %s", pause, error)
        await asyncio.sleep(pause)
    return await send()


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


def _is_reached(message: OutboxMessage) -> bool:
    return any(one.state in _GOOD or one.state in _OPEN for one in message.recipients) or not message.recipients


def _not_reached(call: Call, message: OutboxMessage) -> HomeAssistantError:
    """Why nobody was reached, in the words of the first."""
    reasons = {one.reason or "" for one in message.recipients}
    names = ", ".join(_name(call, one) for one in message.recipients)
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


def _name(call: Call, one: Recipient) -> str:
    """Whom a person knows it by: `Anna (+49…)`, or what there is of it."""
    address = one.number or one.uuid or one.recipient
    known = call.entry.runtime_data.conversations.get(one.uuid or one.recipient)
    if known is None or known.name == address:
        return address
    return f"{known.name} ({known.number})" if known.number is not None else known.name
