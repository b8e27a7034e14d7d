"""People: what is saved of them, blocking, safety numbers."""

import probatio
from homeassistant.core import ServiceResponse
from homeassistant.helpers import config_validation as cv

from .action import Aim, Call, action
from .answers import conversation_answer
from .fields import seconds

_NAMES = ("name", "given_name", "family_name", "nickname", "note")


@action(
    "update_contact",
    {**{probatio.Optional(name): cv.string for name in _NAMES}, probatio.Optional("expires_in"): seconds},
    aim=Aim.ONE,
)
async def update_contact(call: Call) -> ServiceResponse:
    """Change what is saved of a person, or how long messages last in a conversation."""
    data, where = call.data, call.conversation.id
    expires_in = int(data["expires_in"]) if "expires_in" in data else None
    await call.client.conversations.change(where, expires_in=expires_in, **{name: data[name] for name in _NAMES if name in data})
    return await _now(call, where)


@action("block", {}, aim=Aim.MANY)
async def block(call: Call) -> ServiceResponse:
    """Block people or groups: nothing of theirs arrives any more."""
    return await _set_blocked(call, blocked=True)


@action("unblock", {}, aim=Aim.MANY)
async def unblock(call: Call) -> ServiceResponse:
    """Let people or groups through again."""
    return await _set_blocked(call, blocked=False)


@action("trust_identity", {probatio.Optional("safety_number"): cv.string}, aim=Aim.ONE)
async def trust_identity(call: Call) -> ServiceResponse:
    """Trust a person's new safety number. With the number that both have compared it counts as verified. What waited goes out."""
    number: str | None = call.data.get("safety_number")
    await call.client.identities.trust(call.conversation.id, safety_number="".join(number.split()) if number else None)
    known = await call.client.identities.of(call.conversation.id)
    return {
        "conversation_id": call.conversation.id,
        "identities": [{"trust": one.trust, "safety_number": one.safety_number, "added": one.added} for one in known],
    }


async def _set_blocked(call: Call, *, blocked: bool) -> ServiceResponse:
    for one in call.conversations:
        await call.client.conversations.change(one.id, blocked=blocked)
    await call.entry.runtime_data.conversations.async_refresh()
    return {"conversations": [one.id for one in call.conversations], "blocked": blocked}


async def _now(call: Call, where: str) -> ServiceResponse:
    await call.entry.runtime_data.conversations.async_refresh()
    return conversation_answer(await call.client.conversations.get(where))
