"""Every route of the drop-in API is called once with the real signal-cli, and none ends in an error about parameters.

The routes come from the service's own tables: one without a call below fails its test, so that none can be forgotten.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from signal_courier.http import compat
from signal_courier.http.routing import Route
from tests.e2e.courier import House, Reply
from tests.e2e.lab.laboratory import Lab
from tests.e2e.samples import PIXEL_BASE64, pack_of, write_sticker_pack

ROUTES: Mapping[str, Route] = {f"{route.method} {route.path}": route for table in compat.TABLES for route in table}

PARAMETER_ERROR = re.compile(
    r"NullPointer|ClassCast|IllegalArgument|IllegalState|IndexOutOfBounds|NumberFormat|UnexpectedError|Unrecognized|not implemented",
    re.IGNORECASE,
)
"""What signal-cli's answers hold when it was asked in a wrong way."""

NEWER = (501,)
"""Signal-cli 0.13.19 is too old for it, and the service says so."""
NO_ENCLAVE = (400, 502, 503)
"""Numbers are found and PINs are kept by attested enclaves, which the lab cannot play: a network error is all right."""


@dataclass(slots=True)
class World:
    """What the calls act on."""

    house: House
    lab: Lab
    folder: Path
    group: str = ""
    left: str = ""
    """A group to be left."""
    group_link: str = ""
    incoming: int = 0
    """Timestamp of a message from Ann."""
    outgoing: int = 0
    """Timestamp of a message to Ann."""
    numbers: dict[str, str] = field(default_factory=dict)

    @property
    def ann(self) -> str:
        """Her ACI."""
        return self.lab.ann.aci

    async def created_group(self, name: str) -> str:
        """A new group of the house with Ann and Ben, Ann an admin too."""
        group = {"name": name, "members": [self.ann, self.lab.ben.aci], "group_link": "enabled"}
        created = str((await self.house.call("POST", "/v1/groups/{n}", group)).expect(201)["id"])
        (await self.house.call("POST", f"/v1/groups/{{n}}/{created}/admins", {"admins": [self.ann]})).expect(204)
        return created

    async def registering(self, number: str, *, verified: bool = False) -> str:
        """A number that has asked for its code, or has given it too."""
        (await self.house.call("POST", f"/v1/register/{number}")).expect(201)
        if verified:
            (await self.house.call("POST", f"/v1/register/{number}/verify/123456")).expect(201)
        return number


@dataclass(frozen=True, slots=True)
class Call:
    """What to ask, and which statuses are right (empty: those of success that the route declares)."""

    path: str
    body: object = None
    query: Mapping[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = ()


type Builder = Callable[[World], Awaitable[Call]]
CALLS: dict[str, Builder] = {}


def call(route: str) -> Callable[[Builder], Builder]:
    """Declares how a route is called."""

    def declare(builder: Builder) -> Builder:
        CALLS[route] = builder
        return builder

    return declare


def plain(
    route: str, path: str | None = None, body: object = None, statuses: tuple[int, ...] = (), query: Mapping[str, str] | None = None
) -> None:
    """Declares a call; `$ann`, `$ben`, `$group`, `$in` and `$out` are filled in, in path and body."""

    @call(route)
    async def build(world: World) -> Call:
        chosen = (path or route.partition(" ")[2]).replace("{number}", world.house.number)
        return Call(str(_filled(chosen, world)), _filled(body, world), query or {}, statuses)


def _filled(value: object, world: World) -> object:
    names: dict[str, object] = {
        "$ann": world.ann,
        "$ben": world.lab.ben.aci,
        "$group": world.group,
        "$number": world.house.number,
        "$in": world.incoming,
        "$out": world.outgoing,
    }
    match value:
        case str():
            if value in names:
                return names[value]
            for name, known in names.items():
                value = value.replace(name, str(known))
            return value
        case list():
            return [_filled(item, world) for item in value]
        case dict():
            return {key: _filled(item, world) for key, item in value.items()}
        case _:
            return value


# -- the service itself
plain("GET /v1/about")
plain("GET /v1/health")
plain("GET /v1/configuration")
plain("POST /v1/configuration", body={"logging": {"Level": "debug"}})
plain("GET /v1/configuration/{number}/settings")
plain("POST /v1/configuration/{number}/settings", body={"trust_mode": "on-first-use"})

# -- accounts
plain("GET /v1/accounts")
plain("GET /v1/qrcodelink", query={"device_name": "House"})
plain("GET /v1/qrcodelink/raw", query={"device_name": "House"})
plain("GET /v1/devices/{number}")
plain("DELETE /v1/devices/{number}/{deviceId}", "/v1/devices/{number}/7")
plain("PUT /v1/accounts/{number}/settings", body={"discoverable_by_number": False, "share_number": True})
plain("POST /v1/accounts/{number}/username", body={"username": "courier"})
plain("DELETE /v1/accounts/{number}/username")
plain("POST /v1/accounts/{number}/pin", body={"pin": "123456"}, statuses=(201, *NO_ENCLAVE))
plain("DELETE /v1/accounts/{number}/pin", statuses=(204, *NO_ENCLAVE))
plain("PUT /v1/profiles/{number}", body={"name": "House", "about": "I am a house", "base64_avatar": PIXEL_BASE64})


@call("POST /v1/register/{number}")
async def _register(world: World) -> Call:
    return Call("/v1/register/+4915100000509", {"captcha": "solved", "use_voice": False})


@call("POST /v1/register/{number}/verify/{token}")
async def _verify(world: World) -> Call:
    number = await world.registering("+4915100000501")
    return Call(f"/v1/register/{number}/verify/123-456")


@call("POST /v1/unregister/{number}")
async def _unregister(world: World) -> Call:
    number = await world.registering("+4915100000502", verified=True)
    return Call(f"/v1/unregister/{number}", {"delete_account": True, "delete_local_data": True})


@call("DELETE /v1/devices/{number}/local-data")
async def _delete_local_data(world: World) -> Call:
    number = await world.registering("+4915100000503")
    return Call(f"/v1/devices/{number}/local-data", {"ignore_registered": True})


@call("POST /v1/devices/{number}")
async def _add_device(world: World) -> Call:
    link = (await world.lab.ann.daemon.call("startLink"))["deviceLinkUri"]
    return Call(f"/v1/devices/{world.house.number}", {"uri": link})


@call("POST /v1/accounts/{number}/rate-limit-challenge")
async def _challenge(world: World) -> Call:
    token = await world.lab.levers.demand_proof(world.house.number)
    return Call(f"/v1/accounts/{world.house.number}/rate-limit-challenge", {"challenge_token": token, "captcha": "solved"})


# -- messages
plain("POST /v2/send", body={"number": "$number", "recipients": ["$ann", "$group"], "message": "v2"})
plain("POST /v1/send", body={"number": "$number", "recipients": ["$ann"], "message": "v1", "base64_attachment": PIXEL_BASE64})
plain("POST /v1/send/{recipient:path}", "/v1/send/$ann", {"number": "$number", "message": "morph"})
plain("PUT /v1/typing-indicator/{number}", body={"recipient": "$group"})
plain("DELETE /v1/typing-indicator/{number}", body={"recipient": "$ann"})
plain("POST /v1/reactions/{number}", body={"recipient": "$ann", "reaction": "👍", "target_author": "$ann", "timestamp": "$in"})
plain("DELETE /v1/reactions/{number}", body={"recipient": "$ann", "reaction": "👍", "target_author": "$ann", "timestamp": "$in"})
plain("POST /v1/receipts/{number}", body={"recipient": "$ann", "receipt_type": "viewed", "timestamp": "$in"})
plain("DELETE /v1/remote-delete/{number}", body={"recipient": "$ann", "timestamp": "$out"})
plain("GET /v1/receive/{number}", query={"timeout": "0"})
plain("GET /v1/attachments")
plain("GET /v1/attachments/{attachment}", "/v1/attachments/nothing", statuses=(404,))
plain("DELETE /v1/attachments/{attachment}", "/v1/attachments/nothing", statuses=(404,))
plain("POST /v1/attachments", body="some bytes")

# -- what this release cannot do
_POLL = {"recipient": "$ann", "question": "Pizza?", "answers": ["yes", "no"]}
_VOTE = {"recipient": "$ann", "poll_author": "$ann", "poll_timestamp": "1700000000000", "selected_answers": [1]}
plain("POST /v1/polls/{number}", body=_POLL, statuses=NEWER)
plain("POST /v1/polls/{number}/vote", body=_VOTE, statuses=NEWER)
plain("DELETE /v1/polls/{number}", body={"recipient": "$ann", "poll_timestamp": "1700000000000"}, statuses=NEWER)
plain("POST /v1/stories/{number}", body={"base64_attachment": PIXEL_BASE64}, statuses=NEWER)
plain("GET /v1/calls/{number}", statuses=NEWER)
plain("POST /v1/calls/{number}", body={"recipient": "$ann"}, statuses=NEWER)
plain("POST /v1/calls/{number}/{call_id}/accept", "/v1/calls/{number}/1/accept", statuses=NEWER)
plain("POST /v1/calls/{number}/{call_id}/reject", "/v1/calls/{number}/1/reject", statuses=NEWER)
plain("DELETE /v1/calls/{number}/{call_id}", "/v1/calls/{number}/1", statuses=NEWER)
_PIN = {"target_author": "$ann", "timestamp": "$in"}
plain("POST /v1/groups/{number}/{groupid:path}/pin-message", "/v1/groups/{number}/$group/pin-message", _PIN, NEWER)
plain("DELETE /v1/groups/{number}/{groupid:path}/pin-message", "/v1/groups/{number}/$group/pin-message", _PIN, NEWER)
plain("PUT /v1/groups/{number}/{groupid:path}/member-label", "/v1/groups/{number}/$group/member-label", {"label": "House"}, NEWER)

# -- groups
plain("GET /v1/groups/{number}", query={"expand": "true"})
plain("GET /v1/groups/{number}/{groupid:path}", "/v1/groups/{number}/$group")
_GROUP = {
    "name": "Evening",
    "members": ["$ann"],
    "description": "weekly",
    "permissions": {"add_members": "only-admins", "edit_group": "every-member", "send_messages": "every-member"},
    "group_link": "enabled-with-approval",
    "expiration_time": 86400,
}
plain("POST /v1/groups/{number}", body=_GROUP)
_CHANGES = {"name": "Morning", "description": "daily", "base64_avatar": PIXEL_BASE64, "expiration_time": 0, "group_link": "disabled"}
plain("PUT /v1/groups/{number}/{groupid:path}", "/v1/groups/{number}/$group", _CHANGES)
plain("PATCH /v1/groups/{number}/{groupid:path}", "/v1/groups/{number}/$group", {"group_link": "enabled", "add_admins": ["$ben"]})
plain("GET /v1/groups/{number}/{groupid:path}/avatar", "/v1/groups/{number}/$group/avatar", statuses=(200, 404))
plain("POST /v1/groups/{number}/{groupid:path}/reset-link", "/v1/groups/{number}/$group/reset-link")
plain("POST /v1/groups/{number}/{groupid:path}/block", "/v1/groups/{number}/$group/block")
plain("POST /v1/groups/{number}/{groupid:path}/unblock", "/v1/groups/{number}/$group/unblock")
plain("POST /v1/groups/{number}/{groupid:path}/join", "/v1/groups/{number}/$group/join")
plain("POST /v1/groups/{number}/{groupid:path}/members", "/v1/groups/{number}/$group/members", {"members": ["$ben"]})
plain("DELETE /v1/groups/{number}/{groupid:path}/members", "/v1/groups/{number}/$group/members", {"members": ["$ben"]})
plain("POST /v1/groups/{number}/{groupid:path}/admins", "/v1/groups/{number}/$group/admins", {"admins": ["$ann"]})
plain("DELETE /v1/groups/{number}/{groupid:path}/admins", "/v1/groups/{number}/$group/admins", {"admins": ["$ann"]})
plain("POST /v1/groups/{number}/{groupid:path}/banned", "/v1/groups/{number}/$group/banned", {"members": ["$ben"]})
plain("DELETE /v1/groups/{number}/{groupid:path}/banned", "/v1/groups/{number}/$group/banned", {"members": ["$ben"]})


@call("POST /v1/groups/{number}/join")
async def _join_by_link(world: World) -> Call:
    group = await world.lab.ann.call("updateGroup", name="Open", member=[world.lab.ben.aci], link="enabled")
    (link,) = [known["groupInviteLink"] for known in await world.lab.ann.call("listGroups") if known["id"] == group["groupId"]]
    return Call(f"/v1/groups/{world.house.number}/join", {"group_link": link})


@call("POST /v1/groups/{number}/{groupid:path}/quit")
async def _quit(world: World) -> Call:
    return Call(f"/v1/groups/{world.house.number}/{await world.created_group('to be left')}/quit")


@call("DELETE /v1/groups/{number}/{groupid:path}")
async def _delete_group(world: World) -> Call:
    return Call(f"/v1/groups/{world.house.number}/{await world.created_group('to be deleted')}")


# -- people
plain("GET /v1/contacts/{number}", query={"all_recipients": "true"})
plain("GET /v1/contacts/{number}/{uuid}", "/v1/contacts/{number}/$ann", query={"all_recipients": "true"})
plain("GET /v1/contacts/{number}/{uuid}/avatar", "/v1/contacts/{number}/$ann/avatar", statuses=(200, 400))
plain("PUT /v1/contacts/{number}", body={"recipient": "$ben", "name": "Benjamin", "expiration_in_seconds": 3600})
plain("POST /v1/contacts/{number}/sync")
plain("POST /v1/contacts/{number}/{uuid}/block", "/v1/contacts/{number}/$ben/block")
plain("POST /v1/contacts/{number}/{uuid}/unblock", "/v1/contacts/{number}/$ben/unblock")
plain("DELETE /v1/contacts/{number}/{uuid}", "/v1/contacts/{number}/$ben", query={"hide": "true"})
plain("GET /v1/identities/{number}")
plain("PUT /v1/identities/{number}/trust/{numberToTrust}", "/v1/identities/{number}/trust/$ann", {"trust_all_known_keys": True})
plain("GET /v1/search/{number}", query={"numbers": "+4915100000101"}, statuses=(200, *NO_ENCLAVE))
plain("GET /v1/search", query={"numbers": "+4915100000101"}, statuses=(200, *NO_ENCLAVE))

# -- stickers
plain("GET /v1/sticker-packs/{number}")


@call("POST /v1/sticker-packs/{number}")
async def _add_stickers(world: World) -> Call:
    pack, key = pack_of(await world.lab.ann.uploads_stickers(write_sticker_pack(world.folder)))
    return Call(f"/v1/sticker-packs/{world.house.number}", {"pack_id": pack, "pack_key": key})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(house: House, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A group, a message to the house, and one from it."""
    made = World(house, lab, tmp_path_factory.mktemp("world"))
    made.group = await made.created_group("Everything")
    made.incoming = await lab.ann.send(house.aci, "act on this")
    await house.receives_text("act on this")
    made.outgoing = await house.send(lab.ann.aci, message="to be deleted")
    yield made


@pytest.mark.parametrize("name", ROUTES)
async def test_route_is_understood_by_signal_cli(name: str, world: World) -> None:
    assert name in CALLS, "a new route needs a call here"
    route, asked = ROUTES[name], await CALLS[name](world)
    for _ in range(3):
        reply = await world.house.call(route.method, asked.path, asked.body, query=asked.query)
        if b"Closed unexpectedly" not in reply.body:  # signal-cli met a connection that the server had just let go
            break
    right = asked.statuses or {answer.status for answer in route.answers if answer.status < 300}
    assert reply.status in right, _what(reply)
    assert not PARAMETER_ERROR.search(reply.body.decode(errors="replace")) or reply.status == 501, _what(reply)


def test_no_call_is_left_over() -> None:
    assert set(CALLS) <= set(ROUTES)


def _what(reply: Reply) -> str:
    return f"{reply.call} -> {reply.status} {reply.body[:500]!r}"
