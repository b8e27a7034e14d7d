"""Groups v2: a state the server can keep but not read, changed by signed actions, with a log of all changes.

The protobufs are Group, GroupChange, GroupChange.Actions, GroupChanges and GroupJoinInfo of Signal's Groups.proto; members appear as
ciphertexts of their ids.
"""

import base64
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from tests.e2e.lab import protobuf
from tests.e2e.lab.server.group_state import GroupState
from tests.e2e.lab.server.network import basic_credentials, encode_base64
from tests.e2e.lab.server.requests import Answer, Request, Routes
from tests.e2e.lab.server.zk import ZkServer

_DAY = 86_400
_JOIN_BY_LINK = {1, 3}
"""Access.AccessRequired ANY and ADMINISTRATOR: with the link one may join, or ask to."""


@dataclass(slots=True)
class _LogEntry:
    change: bytes | None
    state: bytes


@dataclass(slots=True)
class _Group:
    state: GroupState
    log: list[_LogEntry] = field(default_factory=list)


class GroupServer:
    """All groups, by their public parameters."""

    def __init__(self, zk: ZkServer) -> None:
        self._zk = zk
        self._groups: dict[str, _Group] = {}

    def install(self, routes: Routes) -> None:
        """Adds the chat server's route for credentials."""
        routes.add("GET", "/v1/certificate/auth/group", self._credentials)

    async def _credentials(self, request: Request) -> Answer:
        account = request.sender.account
        first, last = int(request.query["redemptionStartSeconds"]), int(request.query["redemptionEndSeconds"])
        credentials = [
            {"credential": encode_base64(self._zk.auth_credential(account.aci, account.pni, day)), "redemptionTime": day}
            for day in range(first, last + 1, _DAY)
        ]
        return Answer(200, {"credentials": credentials, "callLinkAuthCredentials": [], "pni": account.pni})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Requests to storage.signal.org below `/v2/groups`."""
        key, presentation = basic_credentials(request.headers.get("Authorization", ""))
        if not key:
            return web.Response(status=401)
        caller = self._zk.caller_of(bytes.fromhex(presentation))
        path = request.path.rstrip("/")
        if path == "/v2/groups/avatar/form":
            return _protobuf(protobuf.message(*enumerate((f"groups/{secrets.token_hex(8)}", "c", "private", "a", "d", "p", "s"), 1)))
        if (request.method, path) == ("PUT", "/v2/groups"):
            return self._create(key, caller, await request.read())
        group = self._groups.get(key)
        if group is None:
            return web.Response(status=404)
        handler = self._handler(request.method, path)
        return web.Response(status=404) if handler is None else await handler(request, group, caller)

    def _handler(self, verb: str, path: str) -> Callable[[web.Request, _Group, bytes], Awaitable[web.StreamResponse]] | None:
        if (verb, path) == ("PATCH", "/v2/groups"):
            return self._change
        if path == "/v2/groups/join" or path.startswith("/v2/groups/join/"):
            return self._preview
        if path == "/v2/groups":
            return self._show
        if path == "/v2/groups/joined_at_version":
            return self._joined_at
        return self._history if path.startswith("/v2/groups/logs/") else None

    def _create(self, key: str, caller: bytes, body: bytes) -> web.Response:
        if key in self._groups:
            return web.Response(status=409)
        state = GroupState.created(protobuf.Message(body), caller, self._zk)
        self._groups[key] = _Group(state, [_LogEntry(None, state.encoded())])
        return _protobuf(protobuf.message((1, state.encoded()), (2, self._endorsements(state))))

    async def _change(self, request: web.Request, group: _Group, caller: bytes) -> web.Response:
        state, body = group.state, await request.read()
        if not state.knows(caller) and not request.query.get("inviteLinkPassword"):
            return web.Response(status=403)
        actions = protobuf.Message(body)
        if actions.integer(2) != state.revision + 1:
            return web.Response(status=409)
        applied = state.apply(actions, caller, self._zk)
        change = protobuf.message((1, applied), (2, self._zk.sign(applied)))
        group.log.append(_LogEntry(change, state.encoded()))
        return _protobuf(protobuf.message((1, change), (2, self._endorsements(state))))

    async def _preview(self, request: web.Request, group: _Group, caller: bytes) -> web.Response:
        state = group.state
        given = request.path.rstrip("/").rsplit("/", 1)[-1]
        right = base64.urlsafe_b64encode(state.link_password).decode().rstrip("=")
        if caller not in state.requesting and (state.access.link not in _JOIN_BY_LINK or given != right):
            return web.Response(status=403)
        return _protobuf(state.preview(caller))

    async def _show(self, _request: web.Request, group: _Group, caller: bytes) -> web.Response:
        if not group.state.knows(caller):
            return web.Response(status=403)
        return _protobuf(protobuf.message((1, group.state.encoded()), (2, self._endorsements(group.state))))

    async def _joined_at(self, _request: web.Request, group: _Group, caller: bytes) -> web.Response:
        if not group.state.knows(caller):
            return web.Response(status=403)
        member = group.state.members.get(caller)
        return _protobuf(protobuf.message((5, (member.joined if member else 0) or None)))

    async def _history(self, request: web.Request, group: _Group, caller: bytes) -> web.Response:
        if not group.state.knows(caller):
            return web.Response(status=403)
        first = int(request.path.rsplit("/", 1)[-1])
        with_first_state = request.query.get("includeFirstState") == "true"
        out = b""
        for index, entry in enumerate(group.log[first:], first):
            state = entry.state if entry.change is None or (with_first_state and index == first) else None
            out += protobuf.field(1, protobuf.message((1, entry.change), (2, state)))
        return _protobuf(out + protobuf.field(2, self._endorsements(group.state)))

    def _endorsements(self, state: GroupState) -> bytes:
        if not state.members:
            return b""
        expiration = int(time.time()) // _DAY * _DAY + 2 * _DAY
        return self._zk.endorsements(expiration, state.members)


def _protobuf(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/x-protobuf")
