"""`/api/v1/tokens`: the tokens `mt_…`, made with a credential."""

import datetime as dt
import re
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from signal_courier.access.credentials import GatewayToken
from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.gateway.access import credential_for
from signal_courier.http.gateway.common import GatewayDone, Time, rfc3339, trouble
from signal_courier.http.gateway.webhooks import bequeath
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue, MissingThing

routes = RouteTable("Gateway", face=Face.GATEWAY)

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,15}")


class TokenWish(msgspec.Struct, kw_only=True):
    """What the token is to be for."""

    use_host: Annotated[
        bool, Meta(description="For all accounts of this service (super admin only). Otherwise it has none but those linked with it.")
    ] = False
    expires_at: Annotated[
        str | None, Meta(description="RFC 3339, in the future; for ever if missing.", examples=["2099-12-31T23:59:59Z"])
    ] = None


class GatewayTokenMade(msgspec.Struct):
    """The token, told this once."""

    message: str
    token: str


class GatewayTokenEntry(msgspec.Struct, kw_only=True):
    """A token. The names of its members are the contract's."""

    id: int
    matrix_username: Annotated[str, Meta(description="Tokens with the same one share their devices and webhooks.")]
    matrix_device_id: str
    token_hash: Annotated[None, Meta(description="Not shown.")] = None
    is_admin: Annotated[bool, Meta(description="It was the first one, and is for all accounts of this service.")]
    expires_at: Time | None
    last_used_at: Time | None
    created_at: Time
    updated_at: Time


_EXAMPLE = {
    "id": 1, "matrix_username": "5f0c2bd0d4a14f9c", "matrix_device_id": "8a4bb0d6b7c1a2e3", "token_hash": None, "is_admin": True,
    "expires_at": None, "last_used_at": None, "created_at": "2026-04-27T10:00:00Z", "updated_at": "2026-04-27T10:00:00Z",
}  # fmt: skip


@routes.add(
    "POST", "/api/v1/tokens", scope=Scope.GATEWAY, body=TokenWish, body_optional=True,
    body_example={"use_host": False, "expires_at": "2099-12-31T23:59:59Z"},
    answers=[
        Answer(
            201, "The token, told this once.", GatewayTokenMade, example={"message": "Matrix token created successfully", "token": "mt_…"}
        ),
        trouble(403, "Only super_admin can use use_host=true"),
    ],
)  # fmt: skip
async def create_gateway_token(call: Call[TokenWish, None]) -> web.StreamResponse:
    """Make a token for devices, messages and webhooks.

    The first one of the super admin is for all accounts that this service holds. Wants `tokens:write:create`.
    """
    by = credential_for(call, "tokens:write:create")
    body = call.body
    secret = await call.services.credentials.create_token(by, use_host=body.use_host, expires_at=_time(body.expires_at))
    answer = json_answer(GatewayTokenMade("Matrix token created successfully", secret), 201)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@routes.add(
    "GET", "/api/v1/tokens", scope=Scope.GATEWAY,
    answers=[Answer(200, "The credential's own tokens, oldest first.", list[GatewayTokenEntry], example=[_EXAMPLE])],
)  # fmt: skip
async def list_gateway_tokens(call: Call[None, None]) -> web.StreamResponse:
    """List the tokens that this credential has made.

    Wants `tokens:read:*`.
    """
    by = credential_for(call, "tokens:read:*")
    return json_answer([_entry(made) for made in call.services.credentials.tokens(by)])


@routes.add(
    "DELETE", "/api/v1/tokens/{gateway_token}", scope=Scope.GATEWAY, recipients=Reach.FREE,
    answers=[
        Answer(200, "It has ended. What was linked stays linked.", GatewayDone, example={"message": "Token deleted successfully"}),
        trouble(404, "Token not found"),
    ],
)  # fmt: skip
async def delete_gateway_token(call: Call[None, None]) -> web.StreamResponse:
    """End a token that this credential has made.

    Wants `tokens:write:delete`.
    """
    by = credential_for(call, "tokens:write:delete")
    given = call.path["gateway_token"]
    if not _NUMBER.fullmatch(given):
        raise MissingThing("id", "Token not found")
    ended = await call.services.credentials.delete_token(by, int(given))
    await bequeath(call.services.webhooks, [ended])
    return json_answer(GatewayDone("Token deleted successfully"))


def _time(text: str | None) -> int | None:
    if not text:
        return None
    try:
        if _RFC3339.fullmatch(text):
            return int(dt.datetime.fromisoformat(text.upper()).timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    raise InvalidValue("expires_at", "Invalid expires_at format. Must be RFC3339 (e.g., 2026-12-31T23:59:59Z)")


def _entry(made: GatewayToken) -> GatewayTokenEntry:
    token = made.token
    return GatewayTokenEntry(
        id=made.number,
        matrix_username=made.identity,
        matrix_device_id=made.device,
        is_admin=made.is_admin,
        expires_at=rfc3339(token.expires_at) if token.expires_at is not None else None,
        last_used_at=rfc3339(token.last_used_at) if token.last_used_at is not None else None,
        created_at=rfc3339(token.created_at),
        updated_at=rfc3339(made.updated_at),
    )
