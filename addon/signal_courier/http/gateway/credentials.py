"""`/api/v1/credentials`: who may ask the gateway for tokens."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from signal_courier.access.credentials import SCOPES, Credential
from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import json_answer
from signal_courier.http.call import Call, decode_again
from signal_courier.http.faces import Face
from signal_courier.http.gateway.access import credential_for
from signal_courier.http.gateway.common import GatewayDone, Time, rfc3339, trouble
from signal_courier.http.gateway.webhooks import bequeath
from signal_courier.http.routing import Answer, RouteTable

routes = RouteTable("Gateway", face=Face.GATEWAY)


class CredentialEntry(msgspec.Struct, kw_only=True):
    """A credential, without its secret."""

    client_id: str
    role: Annotated[str, Meta(description="`super_admin` (whoever has an admin token) or `user`.")]
    scopes: Annotated[Sequence[str], Meta(description=f"Any of {', '.join(f'`{scope}`' for scope in SCOPES)}.")]
    description: str
    active: bool
    created_at: Time
    updated_at: Time


class NewCredential(msgspec.Struct, kw_only=True):
    """A credential to make."""

    client_id: Annotated[str, Meta(examples=["my-app"])] = ""
    description: str = ""


class CredentialChange(msgspec.Struct, kw_only=True):
    """What to change; what is left out stays."""

    description: str | None = None
    active: Annotated[bool | None, Meta(description="False: it is refused, and its tokens can do nothing.")] = None
    scopes: Annotated[list[str] | None, Meta(description="Its tokens follow.")] = None
    regenerate_secret: Annotated[bool, Meta(description="The old secret ends at once.")] = False


class CredentialTold(msgspec.Struct, kw_only=True):
    """A credential, and its secret where that is new: shown this once."""

    message: str
    credential: CredentialEntry
    client_secret: str | UnsetType = UNSET


_SECRET = "sgc_…"  # noqa: S105  # an example
_EXAMPLE = {
    "client_id": "my-app", "role": "user", "scopes": ["tokens:write:create", "devices:*", "webhooks:*"],
    "description": "Production API client", "active": True, "created_at": "2026-04-27T10:00:00Z", "updated_at": "2026-04-27T10:00:00Z",
}  # fmt: skip
_MISSING = trouble(404, "Credential not found")


@routes.add(
    "POST", "/api/v1/credentials", scope=Scope.GATEWAY, body=NewCredential,
    body_example={"client_id": "my-app", "description": "Production API client"},
    answers=[
        Answer(
            201, "The credential. Its secret is told this once.", CredentialTold,
            example={"message": "Credential created successfully", "credential": _EXAMPLE, "client_secret": _SECRET},
        ),
        trouble(409, "Credential with client_id 'my-app' already exists"),
    ],
)  # fmt: skip
async def create_credential(call: Call[NewCredential, None]) -> web.StreamResponse:
    """Make a credential.

    It may make tokens for devices of its own and, where its maker may, nothing else until its scopes are changed. Wants
    `credentials:write:*`.
    """
    by = credential_for(call, "credentials:write:*")
    made, secret = await call.services.credentials.create(by, call.body.client_id, call.body.description)
    return _told("Credential created successfully", made, secret, 201)


@routes.add(
    "GET", "/api/v1/credentials", scope=Scope.GATEWAY,
    answers=[Answer(200, "The credentials, oldest first.", list[CredentialEntry], example=[_EXAMPLE])],
)  # fmt: skip
async def list_credentials(call: Call[None, None]) -> web.StreamResponse:
    """List the credentials.

    Wants `credentials:read:*`.
    """
    credential_for(call, "credentials:read:*")
    return json_answer([_entry(credential) for credential in call.services.credentials.all()])


@routes.add(
    "PUT", "/api/v1/credentials/{client_id}", scope=Scope.GATEWAY, body=CredentialChange,
    body_example={"description": "Updated description", "active": True, "scopes": ["tokens:read:*", "tokens:write:create"]},
    answers=[
        Answer(200, "As it is now.", CredentialTold, example={"message": "Credential updated successfully", "credential": _EXAMPLE}),
        trouble(403, "Cannot deactivate super admin credentials"),
        _MISSING,
    ],
)  # fmt: skip
async def change_credential(call: Call[CredentialChange, None]) -> web.StreamResponse:
    """Change a credential, or give it another secret.

    Nobody can give scopes that they have not, or change a credential that has more. Wants `credentials:write:*`.
    """
    by, body = credential_for(call, "credentials:write:*"), call.body
    changed, secret = await call.services.credentials.change(
        by,
        decode_again(call.path["client_id"]),
        description=body.description,
        active=body.active,
        scopes=body.scopes,
        regenerate_secret=body.regenerate_secret,
    )
    return _told("Credential updated successfully", changed, secret, 200)


@routes.add(
    "DELETE", "/api/v1/credentials/{client_id}", scope=Scope.GATEWAY, recipients=Reach.FREE,
    answers=[
        Answer(200, "It has ended, with all its tokens.", GatewayDone, example={"message": "Credential deleted successfully"}),
        trouble(403, "Cannot delete super admin credentials"),
        _MISSING,
    ],
)  # fmt: skip
async def delete_credential(call: Call[None, None]) -> web.StreamResponse:
    """End a credential and every token that it has made.

    What was linked stays linked. Wants `credentials:write:*`.
    """
    by = credential_for(call, "credentials:write:*")
    ended = await call.services.credentials.delete(by, decode_again(call.path["client_id"]))
    await bequeath(call.services.webhooks, ended)
    return json_answer(GatewayDone("Credential deleted successfully"))


def _told(message: str, credential: Credential, secret: str | None, status: int) -> web.Response:
    told = CredentialTold(message=message, credential=_entry(credential), client_secret=UNSET if secret is None else secret)
    answer = json_answer(told, status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _entry(credential: Credential) -> CredentialEntry:
    return CredentialEntry(
        client_id=credential.client_id,
        role="super_admin" if credential.is_super_admin else "user",
        scopes=credential.scopes,
        description=credential.description,
        active=credential.active,
        created_at=rfc3339(credential.created_at),
        updated_at=rfc3339(credential.updated_at),
    )
