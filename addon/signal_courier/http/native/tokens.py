"""`/api/v2/tokens`: who may do what."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.access.tokens import Token, new_token, now_ms
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.model.integers import Int64

routes = RouteTable("Access", face=Face.NATIVE)

_LONGEST = 10 * 366 * 86400


class TokenInfo(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A token, without its secret. Times in milliseconds since the epoch."""

    id: str
    name: str
    scopes: Sequence[Scope]
    accounts: Annotated[Sequence[str] | None, msgspec.Meta(description="The only accounts it may use; all if missing.")] = None
    recipients: Annotated[Sequence[str] | None, msgspec.Meta(description="The only ones it may write to; everybody if missing.")] = None
    dialect: Annotated[str | None, msgspec.Meta(description="Which release's answers it gets; the service's if missing.")] = None
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None
    use_count: int = 0
    active: bool


class TokenSecret(TokenInfo, kw_only=True):
    """The same with its secret, which is told this once."""

    token: str


class TokenList(msgspec.Struct):
    """The tokens, oldest first; those that ended are listed for 90 days."""

    tokens: list[TokenInfo]


class CreateToken(msgspec.Struct, kw_only=True):
    """What the token is to allow."""

    name: Annotated[str, msgspec.Meta(description="What it is for.", examples=["doorbell"])] = ""
    scopes: Annotated[
        list[str],
        msgspec.Meta(description="Any of `send`, `receive`, `contacts`, `groups`, `accounts`, `admin` (which includes all others)."),
    ] = []
    accounts: Annotated[list[str] | None, msgspec.Meta(description="The only accounts it may use.")] = None
    recipients: Annotated[
        list[str] | None,
        msgspec.Meta(description="The only ones it may write to, each exactly as it will be addressed: number, UUID or group."),
    ] = None
    dialect: Annotated[str | None, msgspec.Meta(description="Which release's answers it gets: `0.101`, `0.100` or `morph027`.")] = None
    expires_in: Annotated[Int64 | None, msgspec.Meta(description="Seconds for which it is valid; for ever if missing.")] = None
    expires_at: Annotated[Int64 | None, msgspec.Meta(description="Or until when: milliseconds since the epoch.")] = None


class CallerInfo(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Who is asking."""

    name: str
    kind: Annotated[str, msgspec.Meta(description="`token`, `loopback`, `ingress` or `open`.")]
    scopes: Sequence[Scope]
    accounts: Sequence[str] | None = None
    recipients: Sequence[str] | None = None
    dialect: str | None = None
    token_id: str | None = None
    expires_at: Annotated[int | None, msgspec.Meta(description="When the token ends: milliseconds since the epoch; never if missing.")] = (
        None
    )


_SECRET = "sgc_…"  # noqa: S105  # an example
_INFO = {
    "id": "tok_5f0c2bd0d4a1", "name": "doorbell", "scopes": ["send"], "recipients": ["+4915100000002"],
    "created_at": 1795221024321, "use_count": 0, "active": True,
}  # fmt: skip


@routes.add("GET", "/api/v2/tokens", scope=Scope.ADMIN, answers=[Answer(200, "The tokens.", TokenList, example={"tokens": [_INFO]})])
async def list_tokens(call: Call[None, None]) -> web.StreamResponse:
    """List the tokens.

    Those too that have ended; never their secrets.
    """
    return json_answer(TokenList([_info(token) for token in call.services.tokens.all()]))


@routes.add(
    "POST", "/api/v2/tokens", scope=Scope.ADMIN, body=CreateToken,
    body_example={"name": "doorbell", "scopes": ["send"], "recipients": ["+4915100000002"]},
    answers=[Answer(201, "The token. Its secret is told this once: only a hash is kept.", TokenSecret, example=_INFO | {"token": _SECRET})],
)  # fmt: skip
async def create_token(call: Call[CreateToken, None]) -> web.StreamResponse:
    """Make a token.

    The secret is told this once; only a hash of it is kept. Ask for as little as the program needs.
    """
    body = call.body
    if body.expires_in is not None and not 1 <= body.expires_in <= _LONGEST:
        raise InvalidValue("expires_in", "expires_in: must be seconds, at least 1 and at most ten years")
    if body.expires_in is not None and body.expires_at is not None:
        raise InvalidValue("expires_at", "expires_at: not together with expires_in")
    end = now_ms() + body.expires_in * 1000 if body.expires_in is not None else body.expires_at
    if end is not None and end > now_ms() + _LONGEST * 1000:
        raise InvalidValue("expires_at", "expires_at: must be within ten years, in milliseconds since the epoch")
    new = new_token(body.name, body.scopes, accounts=body.accounts, recipients=body.recipients, dialect=body.dialect, expires_at=end)
    token, secret = await call.services.tokens.create(new)
    answer = _told_once(token, secret, 201)
    answer.headers["Location"] = f"/api/v2/tokens/{token.id}"
    return answer


@routes.add(
    "GET", "/api/v2/tokens/self", scope=None,
    answers=[
        Answer(
            200, "The caller.", CallerInfo,
            example={"name": "doorbell", "kind": "token", "scopes": ["send"], "recipients": ["+4915100000002"], "token_id": _INFO["id"]},
        )
    ],
)  # fmt: skip
async def get_caller(call: Call[None, None]) -> web.StreamResponse:
    """Tell who is asking, and what they may do.

    Good for trying a token: name, scopes, accounts and recipients to which it is limited, when it ends.
    """
    caller = call.caller
    token = call.services.tokens.get(caller.token_id) if caller.token_id is not None else None
    return json_answer(
        CallerInfo(
            name=caller.name,
            kind=caller.kind,
            scopes=sorted(caller.scopes),
            accounts=sorted(caller.accounts) if caller.accounts is not None else None,
            recipients=sorted(caller.recipients) if caller.recipients is not None else None,
            dialect=caller.dialect,
            token_id=caller.token_id,
            expires_at=token.expires_at if token is not None else None,
        )
    )


@routes.add("GET", "/api/v2/tokens/{token_id}", scope=Scope.ADMIN, answers=[Answer(200, "The token.", TokenInfo, example=_INFO)])
async def get_token(call: Call[None, None]) -> web.StreamResponse:
    """Get one token.

    When it was used last and how often, what it allows. Never its secret.
    """
    return json_answer(_info(_meant(call)))


@routes.add("DELETE", "/api/v2/tokens/{token_id}", scope=Scope.ADMIN, recipients=Reach.FREE, answers=[Answer(204, "It has ended.")])
async def revoke_token(call: Call[None, None]) -> web.StreamResponse:
    """Revoke a token.

    It ends at once: what is open with it is closed.
    """
    if not await call.services.tokens.revoke(_meant(call).id):
        raise _missing()
    return empty()


@routes.add(
    "POST", "/api/v2/tokens/{token_id}/rotate", scope=Scope.ADMIN,
    answers=[Answer(200, "The token with its new secret, told this once.", TokenSecret, example=_INFO | {"token": _SECRET})],
)  # fmt: skip
async def rotate_token(call: Call[None, None]) -> web.StreamResponse:
    """Give a token another secret.

    The old one ends at once.
    """
    token = _meant(call)
    secret = await call.services.tokens.rotate(token.id)
    if secret is None:
        raise _missing()
    return _told_once(token, secret)


def _meant(call: Call[None, None]) -> Token:
    token = call.services.tokens.get(call.path["token_id"])
    if token is None:
        raise _missing()
    return token


def _missing() -> MissingThing:
    return MissingThing("token_id", "token_id: there is no such token, or it has ended")


def _info(token: Token) -> TokenInfo:
    return TokenInfo(**_members(token))  # type: ignore[arg-type]  # the same names


def _told_once(token: Token, secret: str, status: int = 200) -> web.Response:
    answer = json_answer(TokenSecret(**_members(token), token=secret), status)  # type: ignore[arg-type]  # the same names
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _members(token: Token) -> dict[str, object]:
    return {**msgspec.structs.asdict(token), "active": not token.ended(now_ms())}
