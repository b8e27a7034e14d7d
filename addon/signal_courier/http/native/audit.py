"""`/api/v2/audit`: who did what."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.answers import json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import from_query

routes = RouteTable("Access", face=Face.NATIVE)

_MOST = 1000


class AuditLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One request, or several that were refused alike."""

    id: int
    at: Annotated[int, msgspec.Meta(description="Milliseconds since the epoch.")]
    caller: Annotated[str, msgspec.Meta(description="The token's name, or the kind; empty where nobody was let in.")]
    kind: Annotated[str, msgspec.Meta(description="`token`, `loopback`, `ingress`, `open` or `refused`.")]
    token_id: str | None = None
    address: str
    method: str
    route: Annotated[
        str, msgspec.Meta(description="As documented, without what the caller filled in; of `/api/v1/rpc` with the method, a line each.")
    ]
    account: str | None = None
    status: int
    times: Annotated[int, msgspec.Meta(description="How many requests this line stands for.")] = 1


class AuditPage(msgspec.Struct, omit_defaults=True):
    """Lines, newest first."""

    lines: list[AuditLine]
    next: Annotated[int | None, msgspec.Meta(description="`before` for the next page; missing on the last.")] = None


class AuditQuery(msgspec.Struct, kw_only=True):
    """Which lines."""

    before: Annotated[int, msgspec.Meta(description="Only lines older than this id; 0 = from the newest.")] = 0
    limit: Annotated[int, msgspec.Meta(description="At most so many, 1000 at most.")] = 100
    token_id: Annotated[str, msgspec.Meta(description="Only of this token.")] = ""
    account: Annotated[str, msgspec.Meta(description="Only of this account.")] = ""
    status: Annotated[int, msgspec.Meta(description="Only with this result; 0 = any.")] = 0


@routes.add(
    "GET", "/api/v2/audit", scope=Scope.ADMIN, query=AuditQuery,
    answers=[
        Answer(
            200, "A page of the log.", AuditPage,
            example={
                "lines": [
                    {
                        "id": 7, "at": 1795221024321, "caller": "doorbell", "kind": "token", "token_id": "tok_5f0c2bd0d4a1",
                        "address": "192.168.1.20", "method": "POST", "route": "/v2/send", "account": "+4915100000001", "status": 201,
                    }
                ]
            },
        )
    ],
)  # fmt: skip
async def list_audit(call: Call[None, AuditQuery]) -> web.StreamResponse:
    """Read the audit log.

    It tells who asked what of which account and with what result, never texts or recipients. Reading by programs on this machine and health
    checks are left out; requests that were refused are joined by address.
    """
    query = call.query
    if not 1 <= query.limit <= _MOST:
        raise InvalidValue("limit", f"limit: must be between 1 and {_MOST}")
    for name in ("before", "status"):
        if not 0 <= getattr(query, name) < 2**62:
            raise InvalidValue(name, f"{name}: is too large or negative")
    await call.services.audit.flush()
    found = await call.services.audit.table.page(
        query.before or None,
        query.limit,
        token_id=query.token_id or None,
        account=from_query(query.account) or None,
        status=query.status or None,
    )
    lines = [AuditLine(id=id_, **row._asdict()) for id_, row in found]
    return json_answer(AuditPage(lines, lines[-1].id if len(lines) == query.limit else None))
