"""Every route of the drop-in API is called once with the real signal-cli, and none ends in an error about parameters."""

import pytest
import pytest_asyncio

from signal_courier.http import compat
from tests.e2e.callbook import NEWER, Call, CallBook, World, made_world
from tests.e2e.courier import House
from tests.e2e.lab.laboratory import Lab
from tests.e2e.samples import PIXEL_BASE64, pack_of, write_sticker_pack

BOOK = CallBook(compat.TABLES)

NO_ENCLAVE = (400, 502, 503)
"""Numbers are found and PINs are kept by attested enclaves, which the lab cannot play: a network error is all right."""


# -- the service itself
BOOK.plain("GET /v1/about")
BOOK.plain("GET /v1/health")
BOOK.plain("GET /v1/configuration")
BOOK.plain("POST /v1/configuration", body={"logging": {"Level": "debug"}})
BOOK.plain("GET /v1/configuration/{number}/settings")
BOOK.plain("POST /v1/configuration/{number}/settings", body={"trust_mode": "on-first-use"})

# -- accounts
BOOK.plain("GET /v1/accounts")
BOOK.plain("GET /v1/qrcodelink", query={"device_name": "House"})
BOOK.plain("GET /v1/qrcodelink/raw", query={"device_name": "House"})
BOOK.plain("GET /v1/devices/{number}")
BOOK.plain("DELETE /v1/devices/{number}/{deviceId}", "/v1/devices/{number}/7")
BOOK.plain("PUT /v1/accounts/{number}/settings", body={"discoverable_by_number": False, "share_number": True})
BOOK.plain("POST /v1/accounts/{number}/username", body={"username": "courier"})
BOOK.plain("DELETE /v1/accounts/{number}/username")
BOOK.plain("POST /v1/accounts/{number}/pin", body={"pin": "123456"}, statuses=(201, *NO_ENCLAVE))
BOOK.plain("DELETE /v1/accounts/{number}/pin", statuses=(204, *NO_ENCLAVE))
BOOK.plain("PUT /v1/profiles/{number}", body={"name": "House", "about": "I am a house", "base64_avatar": PIXEL_BASE64})


@BOOK.call("POST /v1/register/{number}")
async def _register(world: World) -> Call:
    return Call("/v1/register/+4915100000509", {"captcha": "solved", "use_voice": False})


@BOOK.call("POST /v1/register/{number}/verify/{token}")
async def _verify(world: World) -> Call:
    number = await world.registering("+4915100000501")
    return Call(f"/v1/register/{number}/verify/123-456")


@BOOK.call("POST /v1/unregister/{number}")
async def _unregister(world: World) -> Call:
    number = await world.registering("+4915100000502", verified=True)
    return Call(f"/v1/unregister/{number}", {"delete_account": True, "delete_local_data": True})


@BOOK.call("DELETE /v1/devices/{number}/local-data")
async def _delete_local_data(world: World) -> Call:
    number = await world.registering("+4915100000503")
    return Call(f"/v1/devices/{number}/local-data", {"ignore_registered": True})


@BOOK.call("POST /v1/devices/{number}")
async def _add_device(world: World) -> Call:
    link = (await world.lab.ann.daemon.call("startLink"))["deviceLinkUri"]
    return Call(f"/v1/devices/{world.house.number}", {"uri": link})


@BOOK.call("POST /v1/accounts/{number}/rate-limit-challenge")
async def _challenge(world: World) -> Call:
    token = await world.lab.levers.demand_proof(world.house.number)
    return Call(f"/v1/accounts/{world.house.number}/rate-limit-challenge", {"challenge_token": token, "captcha": "solved"})


# -- messages
BOOK.plain("POST /v2/send", body={"number": "$number", "recipients": ["$ann", "$group"], "message": "v2"})
BOOK.plain("POST /v1/send", body={"number": "$number", "recipients": ["$ann"], "message": "v1", "base64_attachment": PIXEL_BASE64})
BOOK.plain("POST /v1/send/{recipient:path}", "/v1/send/$ann", {"number": "$number", "message": "morph"})
BOOK.plain("PUT /v1/typing-indicator/{number}", body={"recipient": "$group"})
BOOK.plain("DELETE /v1/typing-indicator/{number}", body={"recipient": "$ann"})
BOOK.plain("POST /v1/reactions/{number}", body={"recipient": "$ann", "reaction": "👍", "target_author": "$ann", "timestamp": "$in"})
BOOK.plain("DELETE /v1/reactions/{number}", body={"recipient": "$ann", "reaction": "👍", "target_author": "$ann", "timestamp": "$in"})
BOOK.plain("POST /v1/receipts/{number}", body={"recipient": "$ann", "receipt_type": "viewed", "timestamp": "$in"})
BOOK.plain("DELETE /v1/remote-delete/{number}", body={"recipient": "$ann", "timestamp": "$out"})
BOOK.plain("GET /v1/receive/{number}", query={"timeout": "0"})
BOOK.plain("GET /v1/attachments")
BOOK.plain("GET /v1/attachments/{attachment}", "/v1/attachments/nothing", statuses=(404,))
BOOK.plain("DELETE /v1/attachments/{attachment}", "/v1/attachments/nothing", statuses=(404,))
BOOK.plain("POST /v1/attachments", body="some bytes")

# -- what this release cannot do
_POLL = {"recipient": "$ann", "question": "Pizza?", "answers": ["yes", "no"]}
_VOTE = {"recipient": "$ann", "poll_author": "$ann", "poll_timestamp": "1700000000000", "selected_answers": [1]}
BOOK.plain("POST /v1/polls/{number}", body=_POLL, statuses=NEWER)
BOOK.plain("POST /v1/polls/{number}/vote", body=_VOTE, statuses=NEWER)
BOOK.plain("DELETE /v1/polls/{number}", body={"recipient": "$ann", "poll_timestamp": "1700000000000"}, statuses=NEWER)
BOOK.plain("POST /v1/stories/{number}", body={"base64_attachment": PIXEL_BASE64}, statuses=NEWER)
BOOK.plain("GET /v1/calls/{number}", statuses=NEWER)
BOOK.plain("POST /v1/calls/{number}", body={"recipient": "$ann"}, statuses=NEWER)
BOOK.plain("POST /v1/calls/{number}/{call_id}/accept", "/v1/calls/{number}/1/accept", statuses=NEWER)
BOOK.plain("POST /v1/calls/{number}/{call_id}/reject", "/v1/calls/{number}/1/reject", statuses=NEWER)
BOOK.plain("DELETE /v1/calls/{number}/{call_id}", "/v1/calls/{number}/1", statuses=NEWER)
_PIN = {"target_author": "$ann", "timestamp": "$in"}
BOOK.plain("POST /v1/groups/{number}/{groupid:path}/pin-message", "/v1/groups/{number}/$group/pin-message", _PIN, NEWER)
BOOK.plain("DELETE /v1/groups/{number}/{groupid:path}/pin-message", "/v1/groups/{number}/$group/pin-message", _PIN, NEWER)
BOOK.plain("PUT /v1/groups/{number}/{groupid:path}/member-label", "/v1/groups/{number}/$group/member-label", {"label": "House"}, NEWER)

# -- groups
BOOK.plain("GET /v1/groups/{number}", query={"expand": "true"})
BOOK.plain("GET /v1/groups/{number}/{groupid:path}", "/v1/groups/{number}/$group")
_GROUP = {
    "name": "Evening",
    "members": ["$ann"],
    "description": "weekly",
    "permissions": {"add_members": "only-admins", "edit_group": "every-member", "send_messages": "every-member"},
    "group_link": "enabled-with-approval",
    "expiration_time": 86400,
}
BOOK.plain("POST /v1/groups/{number}", body=_GROUP)
_CHANGES = {"name": "Morning", "description": "daily", "base64_avatar": PIXEL_BASE64, "expiration_time": 0, "group_link": "disabled"}
BOOK.plain("PUT /v1/groups/{number}/{groupid:path}", "/v1/groups/{number}/$group", _CHANGES)
BOOK.plain("PATCH /v1/groups/{number}/{groupid:path}", "/v1/groups/{number}/$group", {"group_link": "enabled", "add_admins": ["$ben"]})
BOOK.plain("GET /v1/groups/{number}/{groupid:path}/avatar", "/v1/groups/{number}/$group/avatar", statuses=(200, 404))
BOOK.plain("POST /v1/groups/{number}/{groupid:path}/reset-link", "/v1/groups/{number}/$group/reset-link")
BOOK.plain("POST /v1/groups/{number}/{groupid:path}/block", "/v1/groups/{number}/$group/block")
BOOK.plain("POST /v1/groups/{number}/{groupid:path}/unblock", "/v1/groups/{number}/$group/unblock")
BOOK.plain("POST /v1/groups/{number}/{groupid:path}/join", "/v1/groups/{number}/$group/join")
BOOK.plain("POST /v1/groups/{number}/{groupid:path}/members", "/v1/groups/{number}/$group/members", {"members": ["$ben"]})
BOOK.plain("DELETE /v1/groups/{number}/{groupid:path}/members", "/v1/groups/{number}/$group/members", {"members": ["$ben"]})
BOOK.plain("POST /v1/groups/{number}/{groupid:path}/admins", "/v1/groups/{number}/$group/admins", {"admins": ["$ann"]})
BOOK.plain("DELETE /v1/groups/{number}/{groupid:path}/admins", "/v1/groups/{number}/$group/admins", {"admins": ["$ann"]})
BOOK.plain("POST /v1/groups/{number}/{groupid:path}/banned", "/v1/groups/{number}/$group/banned", {"members": ["$ben"]})
BOOK.plain("DELETE /v1/groups/{number}/{groupid:path}/banned", "/v1/groups/{number}/$group/banned", {"members": ["$ben"]})


@BOOK.call("POST /v1/groups/{number}/join")
async def _join_by_link(world: World) -> Call:
    return Call(f"/v1/groups/{world.house.number}/join", {"group_link": await world.group_link_of_ann()})


@BOOK.call("POST /v1/groups/{number}/{groupid:path}/quit")
async def _quit(world: World) -> Call:
    return Call(f"/v1/groups/{world.house.number}/{await world.created_group('to be left')}/quit")


@BOOK.call("DELETE /v1/groups/{number}/{groupid:path}")
async def _delete_group(world: World) -> Call:
    return Call(f"/v1/groups/{world.house.number}/{await world.created_group('to be deleted')}")


# -- people
BOOK.plain("GET /v1/contacts/{number}", query={"all_recipients": "true"})
BOOK.plain("GET /v1/contacts/{number}/{uuid}", "/v1/contacts/{number}/$ann", query={"all_recipients": "true"})
BOOK.plain("GET /v1/contacts/{number}/{uuid}/avatar", "/v1/contacts/{number}/$ann/avatar", statuses=(200, 400))
BOOK.plain("PUT /v1/contacts/{number}", body={"recipient": "$ben", "name": "Benjamin", "expiration_in_seconds": 3600})
BOOK.plain("POST /v1/contacts/{number}/sync")
BOOK.plain("POST /v1/contacts/{number}/{uuid}/block", "/v1/contacts/{number}/$ben/block")
BOOK.plain("POST /v1/contacts/{number}/{uuid}/unblock", "/v1/contacts/{number}/$ben/unblock")
BOOK.plain("DELETE /v1/contacts/{number}/{uuid}", "/v1/contacts/{number}/$ben", query={"hide": "true"})
BOOK.plain("GET /v1/identities/{number}")
BOOK.plain("PUT /v1/identities/{number}/trust/{numberToTrust}", "/v1/identities/{number}/trust/$ann", {"trust_all_known_keys": True})
BOOK.plain("GET /v1/search/{number}", query={"numbers": "+4915100000101"}, statuses=(200, *NO_ENCLAVE))
BOOK.plain("GET /v1/search", query={"numbers": "+4915100000101"}, statuses=(200, *NO_ENCLAVE))

# -- stickers
BOOK.plain("GET /v1/sticker-packs/{number}")


@BOOK.call("POST /v1/sticker-packs/{number}")
async def _add_stickers(world: World) -> Call:
    pack, key = pack_of(await world.lab.ann.uploads_stickers(write_sticker_pack(world.folder)))
    return Call(f"/v1/sticker-packs/{world.house.number}", {"pack_id": pack, "pack_key": key})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(house: House, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> World:
    return await made_world(house, lab, tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("name", BOOK.routes)
async def test_route_is_understood_by_signal_cli(name: str, world: World) -> None:
    await BOOK.check(name, world)


def test_no_call_is_left_over() -> None:
    assert not BOOK.left_over()
