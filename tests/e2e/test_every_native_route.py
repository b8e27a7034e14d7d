"""Every route of `/api/v2` is called once with the real signal-cli, and none ends in an error about parameters."""

from typing import Any

import pytest
import pytest_asyncio

from signal_courier.http import native
from tests.e2e.callbook import NEWER, Call, CallBook, World, made_world
from tests.e2e.courier import House
from tests.e2e.lab.laboratory import Lab
from tests.e2e.samples import PIXEL_BASE64, write_sticker_pack

BOOK = CallBook(native.TABLES)

NO_ENCLAVE = (422, 502, 503)
"""Numbers are found and PINs are kept by attested enclaves, which the lab cannot play: a network error is all right."""
NOBODY = "http://127.0.0.1:9/nobody-listens"
OWN = {"account": "+4915100000001"}

# -- the service itself
BOOK.plain("GET /api/v2/status")
BOOK.plain("GET /api/v2/health")
BOOK.plain("GET /api/v2/problems")
BOOK.plain("GET /metrics")
BOOK.plain("GET /api/v2/audit")
BOOK.plain("GET /api/v2/backup")

# -- links and registrations
BOOK.plain("POST /api/v2/links", body={"device_name": "House"})
BOOK.plain("GET /api/v2/links")


async def _started_link(world: World) -> str:
    return str((await world.house.call("POST", "/api/v2/links")).expect(201)["id"])


@BOOK.call("GET /api/v2/links/{link}")
async def _link(world: World) -> Call:
    return Call(f"/api/v2/links/{await _started_link(world)}")


@BOOK.call("DELETE /api/v2/links/{link}")
async def _end_link(world: World) -> Call:
    return Call(f"/api/v2/links/{await _started_link(world)}")


@BOOK.call("GET /api/v2/links/{link}/qr.svg")
async def _link_svg(world: World) -> Call:
    return Call(f"/api/v2/links/{await _started_link(world)}/qr.svg")


@BOOK.call("GET /api/v2/links/{link}/qr.png")
async def _link_png(world: World) -> Call:
    return Call(f"/api/v2/links/{await _started_link(world)}/qr.png")


async def _registering(world: World, number: str) -> str:
    (await world.house.call("POST", "/api/v2/registrations", {"number": number, "captcha": "solved"})).expect(200)
    return number


BOOK.plain("POST /api/v2/registrations", body={"number": "+4915100000601", "captcha": "signalcaptcha://solved"})
BOOK.plain("GET /api/v2/registrations")


@BOOK.call("GET /api/v2/registrations/{number}")
async def _registration(world: World) -> Call:
    return Call(f"/api/v2/registrations/{await _registering(world, '+4915100000602')}")


@BOOK.call("DELETE /api/v2/registrations/{number}")
async def _forget_registration(world: World) -> Call:
    return Call(f"/api/v2/registrations/{await _registering(world, '+4915100000603')}")


@BOOK.call("POST /api/v2/registrations/{number}/verify")
async def _verify(world: World) -> Call:
    return Call(f"/api/v2/registrations/{await _registering(world, '+4915100000604')}/verify", {"code": "123-456"})


# -- accounts
BOOK.plain("GET /api/v2/accounts")
BOOK.plain("GET /api/v2/accounts/{number}")
BOOK.plain("PATCH /api/v2/accounts/{number}/profile", body={"given_name": "House", "about": "I am a house", "avatar": PIXEL_BASE64})
BOOK.plain("PATCH /api/v2/accounts/{number}/settings", body={"share_number": True, "discoverable_by_number": False})
BOOK.plain("GET /api/v2/accounts/{number}/settings")
BOOK.plain("PUT /api/v2/accounts/{number}/username", body={"username": "courier"})
BOOK.plain("DELETE /api/v2/accounts/{number}/username")
BOOK.plain("PUT /api/v2/accounts/{number}/pin", body={"pin": "123456"}, statuses=(204, *NO_ENCLAVE))
BOOK.plain("DELETE /api/v2/accounts/{number}/pin", statuses=(204, *NO_ENCLAVE))
BOOK.plain("GET /api/v2/accounts/{number}/devices")
BOOK.plain("PATCH /api/v2/accounts/{number}/devices/{device}", "/api/v2/accounts/{number}/devices/1", {"name": "House"}, NEWER)
BOOK.plain("DELETE /api/v2/accounts/{number}/devices/{device}", "/api/v2/accounts/{number}/devices/7")
BOOK.plain("POST /api/v2/accounts/{number}/sync")


@BOOK.call("DELETE /api/v2/accounts/{number}")
async def _delete_account(world: World) -> Call:
    return Call(f"/api/v2/accounts/{await world.registering('+4915100000605')}", query={"ignore_registered": "true"})


@BOOK.call("POST /api/v2/accounts/{number}/unlink")
async def _unlink(world: World) -> Call:
    number = await world.registering("+4915100000606", verified=True)
    return Call(f"/api/v2/accounts/{number}/unlink", statuses=(409,))  # it has no phone to be unlinked from


@BOOK.call("POST /api/v2/accounts/{number}/unregister")
async def _unregister(world: World) -> Call:
    number = await world.registering("+4915100000607", verified=True)
    return Call(f"/api/v2/accounts/{number}/unregister", {"delete_account": True, "delete_local_data": True})


@BOOK.call("POST /api/v2/accounts/{number}/devices")
async def _add_device(world: World) -> Call:
    link = (await world.lab.ann.daemon.call("startLink"))["deviceLinkUri"]
    return Call(f"/api/v2/accounts/{world.house.number}/devices", {"uri": link})


@BOOK.call("POST /api/v2/accounts/{number}/challenge")
async def _challenge(world: World) -> Call:
    token = await world.lab.levers.demand_proof(world.house.number)
    return Call(f"/api/v2/accounts/{world.house.number}/challenge", {"token": token, "captcha": "solved"})


# -- people
BOOK.plain("GET /api/v2/conversations", query=OWN)
BOOK.plain("GET /api/v2/conversations/{conversation}", "/api/v2/conversations/$ann", query=OWN)
BOOK.plain("GET /api/v2/conversations/{conversation}/avatar", "/api/v2/conversations/$ann/avatar", query=OWN, statuses=(200, 404))
BOOK.plain("PATCH /api/v2/conversations/{conversation}", "/api/v2/conversations/$ben", {"name": "Benjamin", "expires_in": 3600}, query=OWN)
BOOK.plain("DELETE /api/v2/conversations/{conversation}", "/api/v2/conversations/$ben", query={**OWN, "hide": "true"})
BOOK.plain("POST /api/v2/conversations/{conversation}/request", "/api/v2/conversations/$ann/request", {"answer": "accept"}, query=OWN)
BOOK.plain("POST /api/v2/lookups", body={"recipients": ["+4915100000101"], **OWN}, statuses=(200, *NO_ENCLAVE))
BOOK.plain("GET /api/v2/identities", query=OWN)
BOOK.plain("PUT /api/v2/identities/{recipient}/trust", "/api/v2/identities/$ann/trust", {"all_keys": True}, query=OWN)

# -- messages
BOOK.plain(
    "POST /api/v2/messages",
    body={"recipients": ["$ann", "$group"], "text": "*native*", "text_mode": "styled", "attachments": [PIXEL_BASE64], **OWN},
)
BOOK.plain("GET /api/v2/messages", query={**OWN, "conversation": "", "limit": "3"})
BOOK.plain("GET /api/v2/outbox", query={**OWN, "limit": "3"})
BOOK.plain("POST /api/v2/conversations/{conversation}/read", "/api/v2/conversations/$ann/read", {"receipts": True}, query=OWN)


async def _queued(world: World) -> str:
    message = {"recipients": [world.ann], "text": "queued", "wait": 0, **OWN}
    return str((await world.house.call("POST", "/api/v2/messages", message)).expect(202)["id"])


@BOOK.call("GET /api/v2/messages/{message}")
async def _message(world: World) -> Call:
    return Call(f"/api/v2/messages/{await _queued(world)}")


@BOOK.call("DELETE /api/v2/messages/{message}")
async def _cancel(world: World) -> Call:
    return Call(f"/api/v2/messages/{await _queued(world)}")


@BOOK.call("POST /api/v2/messages/{message}/retry")
async def _retry(world: World) -> Call:
    name = await _queued(world)
    (await world.house.call("DELETE", f"/api/v2/messages/{name}")).expect(200)
    return Call(f"/api/v2/messages/{name}/retry", statuses=(200, 400))  # perhaps it was too fast to be cancelled


BOOK.plain("POST /api/v2/deletions", body={"conversation": "$ann", "timestamp": "$out", **OWN})
BOOK.plain("POST /api/v2/reactions", body={"conversation": "$ann", "emoji": "👍", "author": "$ann", "timestamp": "$in", **OWN})
BOOK.plain("POST /api/v2/receipts", body={"author": "$ann", "timestamps": ["$in"], "kind": "read", **OWN})
BOOK.plain("POST /api/v2/typing", body={"conversation": "$group", **OWN})
_POLL = {"conversation": "$ann", "timestamp": 1_700_000_000_000, **OWN}
BOOK.plain("POST /api/v2/polls", body={"conversation": "$ann", "question": "Tea?", "options": ["Yes", "No"], **OWN}, statuses=NEWER)
BOOK.plain("POST /api/v2/polls/votes", body={**_POLL, "author": "$ann", "options": [0]}, statuses=NEWER)
BOOK.plain("POST /api/v2/polls/end", body=_POLL, statuses=NEWER)

# -- attachments
BOOK.plain("GET /api/v2/attachments")
BOOK.plain("POST /api/v2/attachments", body="some bytes")


async def _uploaded(world: World) -> str:
    return str((await world.house.call("POST", "/api/v2/attachments", "some bytes")).expect(201)["id"])


@BOOK.call("GET /api/v2/attachments/{file}")
async def _attachment(world: World) -> Call:
    return Call(f"/api/v2/attachments/{await _uploaded(world)}")


@BOOK.call("DELETE /api/v2/attachments/{file}")
async def _delete_attachment(world: World) -> Call:
    return Call(f"/api/v2/attachments/{await _uploaded(world)}")


# -- groups
_GROUP = {
    "name": "Evening", "members": ["$ann"], "description": "weekly", "add_members": "only-admins", "edit_details": "every-member",
    "send_messages": "every-member", "link": "enabled-with-approval", "expires_in": 86400, **OWN,
}  # fmt: skip
_CHANGES = {"name": "Morning", "description": "", "avatar": PIXEL_BASE64, "expires_in": 0, "reset_link": True, "promote": ["$ann"]}
BOOK.plain("GET /api/v2/groups", query=OWN)
BOOK.plain("GET /api/v2/groups/{group}", "/api/v2/groups/$group", query=OWN)
BOOK.plain("POST /api/v2/groups", body=_GROUP)
BOOK.plain("PATCH /api/v2/groups/{group}", "/api/v2/groups/$group", _CHANGES, query=OWN)


@BOOK.call("DELETE /api/v2/groups/{group}")
async def _leave(world: World) -> Call:
    return Call(f"/api/v2/groups/{await world.created_group('to be left')}", query={**OWN, "forget": "true"})


@BOOK.call("POST /api/v2/groups/join")
async def _join(world: World) -> Call:
    return Call("/api/v2/groups/join", {"link": await world.group_link_of_ann(), **OWN})


# -- stickers
BOOK.plain("GET /api/v2/stickers", query=OWN)


async def _pack_link(world: World) -> str:
    return await world.lab.ann.uploads_stickers(write_sticker_pack(world.folder))


@BOOK.call("POST /api/v2/stickers")
async def _install_pack(world: World) -> Call:
    return Call("/api/v2/stickers", {"link": await _pack_link(world), **OWN})


@BOOK.call("GET /api/v2/stickers/{pack}/{sticker}")
async def _sticker(world: World) -> Call:
    link = await _pack_link(world)
    (await world.house.call("POST", "/api/v2/stickers", {"link": link, **OWN})).expect(204)
    pack = link.partition("pack_id=")[2].partition("&")[0]
    return Call(f"/api/v2/stickers/{pack}/0", query=OWN)


# -- events
BOOK.plain("GET /api/v2/events", query={"after": "0", "limit": "1", "wait": "0"})
BOOK.plain("GET /api/v2/consumers")
BOOK.plain("PUT /api/v2/consumers/{consumer}", "/api/v2/consumers/every-route", {"after": 0})
_CONSUMER_MADE_BEFORE = "/api/v2/consumers/every-route-before"


async def _made_consumer(world: World) -> str:
    (await world.house.call("PUT", _CONSUMER_MADE_BEFORE, {"after": 0})).expect(200)
    return _CONSUMER_MADE_BEFORE


@BOOK.call("GET /api/v2/consumers/{consumer}")
async def _consumer(world: World) -> Call:
    return Call(await _made_consumer(world))


@BOOK.call("POST /api/v2/consumers/{consumer}/ack")
async def _acknowledge(world: World) -> Call:
    return Call(f"{await _made_consumer(world)}/ack", {"id": 1})


@BOOK.call("DELETE /api/v2/consumers/{consumer}")
async def _delete_consumer(world: World) -> Call:
    return Call(await _made_consumer(world))


# -- webhooks
BOOK.plain("GET /api/v2/webhooks")
BOOK.plain("POST /api/v2/webhooks", body={"url": NOBODY, "active": False})


async def _made_webhook(world: World) -> str:
    made: dict[str, Any] = (await world.house.call("POST", "/api/v2/webhooks", {"url": NOBODY, "active": False})).expect(201)
    return f"/api/v2/webhooks/{made['webhook']['id']}"


def _webhook_call(route: str, rest: str = "", body: object = None) -> None:
    @BOOK.call(route)
    async def build(world: World) -> Call:
        return Call(await _made_webhook(world) + rest, body)


_webhook_call("GET /api/v2/webhooks/{webhook_id}")
_webhook_call("PATCH /api/v2/webhooks/{webhook_id}", body={"description": "nobody"})
_webhook_call("DELETE /api/v2/webhooks/{webhook_id}")
_webhook_call("POST /api/v2/webhooks/{webhook_id}/rotate", "/rotate", {"keep": 60})
_webhook_call("GET /api/v2/webhooks/{webhook_id}/deliveries", "/deliveries")
_webhook_call("POST /api/v2/webhooks/{webhook_id}/replay", "/replay", {"since": 0, "until": 1})
_webhook_call("POST /api/v2/webhooks/{webhook_id}/test", "/test")

# -- tokens
BOOK.plain("GET /api/v2/tokens")
BOOK.plain("POST /api/v2/tokens", body={"name": "door", "scopes": ["send"], "recipients": ["$ann"]})
BOOK.plain("GET /api/v2/tokens/self")


async def _made_token(world: World) -> str:
    made = (await world.house.call("POST", "/api/v2/tokens", {"name": "window", "scopes": ["send"]})).expect(201)
    return f"/api/v2/tokens/{made['id']}"


@BOOK.call("GET /api/v2/tokens/{token_id}")
async def _token(world: World) -> Call:
    return Call(await _made_token(world))


@BOOK.call("DELETE /api/v2/tokens/{token_id}")
async def _revoke(world: World) -> Call:
    return Call(await _made_token(world))


@BOOK.call("POST /api/v2/tokens/{token_id}/rotate")
async def _rotate(world: World) -> Call:
    return Call(f"{await _made_token(world)}/rotate")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(house: House, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> World:
    assert house.number == OWN["account"]
    return await made_world(house, lab, tmp_path_factory.mktemp("native"))


@pytest.mark.parametrize("name", BOOK.routes)
async def test_native_route_is_understood_by_signal_cli(name: str, world: World) -> None:
    reply = await BOOK.check(name, world)
    if name == "POST /api/v2/links":  # so that the codes of this test do not crowd out those of others
        (await world.house.call("DELETE", f"/api/v2/links/{reply.json()['id']}")).expect(204)


def test_no_native_call_is_left_over() -> None:
    assert not BOOK.left_over()
