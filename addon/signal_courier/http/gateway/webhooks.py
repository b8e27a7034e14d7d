"""`/api/v1/webhooks`: the native webhooks in the gateway's form, shared by the tokens that share their devices."""

import re
from collections.abc import Iterable
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from signal_courier.access.credentials import Ended
from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.gateway.common import GatewayDone, Time, rfc3339, trouble
from signal_courier.http.gateway.problems import Refusal
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.webhooks.endpoint import Endpoint
from signal_courier.messaging.webhooks.registry import Webhooks
from signal_courier.model.errors import InvalidValue
from signal_courier.model.events import EventType
from signal_courier.model.webhooks import BodyForm, Selection, WebhookState

routes = RouteTable("Gateway", face=Face.GATEWAY)

_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_TAKEN: Final = "Webhook URL already exists for this user"

Url = Annotated[str, Meta(description="Where to post, as for `/api/v2/webhooks`.", examples=["https://receiver.example/webhook"])]


class NewGatewayWebhook(msgspec.Struct):
    """A webhook to make."""

    url: Url = ""


class GatewayWebhookChange(msgspec.Struct, kw_only=True):
    """What to change; what is left out stays."""

    url: Url | None = None
    active: bool | None = None


class GatewayWebhook(msgspec.Struct, kw_only=True):
    """A webhook."""

    id: int
    url: str
    active: bool
    created_at: Time
    updated_at: Time
    secret: Annotated[str | UnsetType, Meta(description="Signs its posts (Standard Webhooks); shown when it is made.")] = UNSET


_EXAMPLE = {
    "id": 1, "url": "https://receiver.example/webhook", "active": True,
    "created_at": "2026-04-27T10:00:00Z", "updated_at": "2026-04-27T10:00:00Z",
}  # fmt: skip
_MISSING = trouble(404, "Webhook not found")


@routes.add(
    "POST", "/api/v1/webhooks", scope=Scope.RECEIVE, accounts=Reach.FREE, recipients=Reach.FREE,
    body=NewGatewayWebhook, body_example={"url": "https://receiver.example/webhook"},
    answers=[
        Answer(201, "The webhook. Its secret is told this once.", GatewayWebhook, example=_EXAMPLE | {"secret": "whsec_…"}),
        trouble(409, _TAKEN),
    ],
)  # fmt: skip
async def create_gateway_webhook(call: Call[NewGatewayWebhook, None]) -> web.StreamResponse:
    """Make a webhook.

    Every message that a device of the token receives is posted to it, signed, and tried again for three days.
    """
    url = call.body.url.strip()
    if not url:
        raise InvalidValue("url", "Missing required field: url")
    _check_url(call, url)
    accounts = call.caller.accounts
    made = await call.services.webhooks.create(
        url,
        owner=call.caller.token_id or "",
        local=call.may_name_this_machine,
        description="gateway",
        form=BodyForm.GATEWAY,
        selection=Selection(types=(EventType.MESSAGE.value,), accounts=tuple(sorted(accounts)) if accounts is not None else None),
    )
    answer = json_answer(_entry(call.services.webhooks.get(made.webhook.id), made.secret), 201)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@routes.add(
    "GET", "/api/v1/webhooks", scope=Scope.RECEIVE, accounts=Reach.FREE,
    answers=[Answer(200, "The webhooks, oldest first.", list[GatewayWebhook], example=[_EXAMPLE])],
)  # fmt: skip
async def list_gateway_webhooks(call: Call[None, None]) -> web.StreamResponse:
    """List the webhooks of the token, and of those that share its devices.

    Their secrets are not told again.
    """
    return json_answer([_entry(endpoint) for endpoint in _own(call)])


@routes.add(
    "PUT", "/api/v1/webhooks/{gateway_webhook}", scope=Scope.RECEIVE, accounts=Reach.FREE, recipients=Reach.FREE,
    body=GatewayWebhookChange, body_example={"url": "https://receiver.example/other", "active": False},
    answers=[Answer(200, "As it is now.", GatewayWebhook, example=_EXAMPLE | {"active": False}), _MISSING, trouble(409, _TAKEN)],
)  # fmt: skip
async def change_gateway_webhook(call: Call[GatewayWebhookChange, None]) -> web.StreamResponse:
    """Change a webhook, or switch it on or off.

    What is left out stays as it is. Switched on again, it goes on with the event that failed.
    """
    endpoint, body = _meant(call), call.body
    changes: dict[str, object] = {"owner": call.caller.token_id} if call.caller.token_id is not None else {}
    if body.url is not None and body.url.strip() != endpoint.webhook.url:
        if not body.url.strip():
            raise InvalidValue("url", "URL cannot be empty")
        _check_url(call, body.url.strip())
        changes["url"] = body.url.strip()
    await call.services.webhooks.change(endpoint, changes, local=call.may_name_this_machine, active=body.active)
    return json_answer(_entry(endpoint))


@routes.add(
    "DELETE", "/api/v1/webhooks/{gateway_webhook}", scope=Scope.RECEIVE, accounts=Reach.FREE, recipients=Reach.FREE,
    answers=[Answer(200, "Deleted.", GatewayDone, example={"message": "Webhook deleted successfully"}), _MISSING],
)  # fmt: skip
async def delete_gateway_webhook(call: Call[None, None]) -> web.StreamResponse:
    """Delete a webhook.

    Nothing more is posted.
    """
    await call.services.webhooks.delete(_meant(call))
    return json_answer(GatewayDone("Webhook deleted successfully"))


async def bequeath(webhooks: Webhooks, ended: Iterable[Ended]) -> None:
    """Give the webhooks of tokens that have ended to those that share their devices; where there are none, they end too."""
    for token, heir in ended:
        for endpoint in webhooks.all(token):
            if heir is not None:
                off = endpoint.webhook.off
                await endpoint.change(owner=heir, off=None if off is WebhookState.REVOKED else off)
            elif endpoint.webhook.form is BodyForm.GATEWAY:
                await webhooks.delete(endpoint)


def _own[B, Q](call: Call[B, Q]) -> list[Endpoint]:
    webhooks, token = call.services.webhooks, call.caller.token_id
    if call.caller.may(Scope.ADMIN):
        found = webhooks.all()
    else:
        owners = call.services.credentials.sharing(token) if token is not None else [""]
        found = [endpoint for endpoint in webhooks.all() if endpoint.webhook.owner in owners and _is_shown(call, endpoint)]
    return [endpoint for endpoint in found if endpoint.webhook.form is BodyForm.GATEWAY]


def _is_shown[B, Q](call: Call[B, Q], endpoint: Endpoint) -> bool:
    """Whether it gets events of no other accounts than those that the caller may use."""
    accounts = endpoint.webhook.selection.accounts
    return call.caller.accounts is None or (accounts is not None and all(map(call.caller.may_use, accounts)))


def _meant[B, Q](call: Call[B, Q]) -> Endpoint:
    given = call.path["gateway_webhook"]
    if not _NUMBER.fullmatch(given):
        raise InvalidValue("id", "Invalid webhook ID")
    found = next((endpoint for endpoint in _own(call) if endpoint.webhook.number == int(given)), None)
    if found is None:
        raise Refusal("Webhook not found", 404)
    return found


def _check_url[B, Q](call: Call[B, Q], url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidValue("url", "Invalid URL format") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidValue("url", "Invalid URL format")
    if any(endpoint.webhook.url == url for endpoint in _own(call)):
        raise Refusal(_TAKEN, 409)


def _entry(endpoint: Endpoint, secret: str | None = None) -> GatewayWebhook:
    webhook = endpoint.webhook
    return GatewayWebhook(
        id=webhook.number,
        url=webhook.url,
        active=webhook.off is None,
        created_at=rfc3339(webhook.created_at),
        updated_at=rfc3339(webhook.updated_at),
        secret=UNSET if secret is None else secret,
    )
