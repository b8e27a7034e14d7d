"""The account: what Signal asks of it, and what others see."""

import probatio
from homeassistant.core import ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv

from ..const import DOMAIN
from ..files.outgoing import MediaUploader
from .action import Aim, Call, action

_PROFILE = ("given_name", "family_name", "about", "about_emoji")


@action(
    "submit_challenge",
    {probatio.Required("captcha"): cv.string, probatio.Optional("token"): cv.string},
    aim=Aim.ACCOUNT,
)
async def submit_challenge(call: Call) -> ServiceResponse:
    """Hand a solved captcha in, so that Signal lifts its limit and what is parked goes out."""
    given: str | None = call.data.get("token")
    tokens = [given] if given else await _open_tokens(call)
    if not tokens:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_challenge")
    await call.client.accounts.solve_challenge(tokens[-1], call.data["captcha"].strip())
    return {"token": tokens[-1]}


async def _open_tokens(call: Call) -> list[str]:
    """The tokens of what waits for a captcha, the newest last."""
    account = (await call.client.status()).account(call.client.account or "")
    told = [token for problem in account.problems for token in problem.challenge_tokens] if account is not None else []
    if told:
        return told
    sent = await call.client.messages.history(direction="sent", limit=100)
    parked = [one.status for one in sent.messages if one.status is not None and one.status.state == "parked"]
    return [token for message in reversed(parked) for one in message.recipients for token in one.tokens]


@action(
    "set_profile",
    {
        **{probatio.Optional(name): cv.string for name in _PROFILE},
        probatio.Optional("avatar"): probatio.Any(str, dict),
        probatio.Optional("remove_avatar", default=False): cv.boolean,
    },
    aim=Aim.ACCOUNT,
)
async def set_profile(call: Call) -> ServiceResponse:
    """Change what others see of the account."""
    data = call.data
    avatar = (await MediaUploader(call.hass, call.entry).async_any(data["avatar"])).id if "avatar" in data else None
    await call.client.accounts.set_profile(
        avatar=avatar, remove_avatar=data["remove_avatar"] or None, **{name: data[name] for name in _PROFILE if name in data}
    )
    await call.entry.runtime_data.coordinator.async_request_refresh()
    return {"account": call.client.account}
