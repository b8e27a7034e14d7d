"""`/api/v2/conversations`, `groups`, `identities`, `stickers`: people and groups, typed."""

import base64

import pytest

from signal_courier.engine.simulator import cast
from tests.fakes.served import Service

ACCOUNT = cast.HOME
PICTURE = base64.b64encode(cast.PIXEL).decode()
AS = f"account={ACCOUNT.replace('+', '%2B')}"


async def listed(demo: Service, query: str = "") -> list[dict]:
    answer = await demo.get(f"/api/v2/conversations?{AS}{query}")
    assert answer.status == 200, answer.body
    return answer.json["conversations"]


async def test_people_and_groups_are_under_one_roof(demo: Service) -> None:
    everything = await listed(demo)
    assert {one["kind"] for one in everything} == {"person", "group"}
    for one in everything:
        assert one["name"]
        shown = (await demo.get(f"/api/v2/conversations/{one['id']}?{AS}")).json
        assert shown == one
    names = [one["name"].casefold() for one in everything]
    assert names == sorted(names)


async def test_they_are_found_by_name_without_case_and_accents(demo: Service) -> None:
    person = next(one for one in await listed(demo) if one["kind"] == "person")
    assert (await demo.patch(f"/api/v2/conversations/{person['id']}?{AS}", {"given_name": "Zoë", "note": "hers"})).status == 204
    assert [one["id"] for one in await listed(demo, "&search=ZOE")] == [person["id"]]
    assert (await listed(demo, "&search=ZOE"))[0]["person"]["note"] == "hers"
    assert await listed(demo, "&search=nobody-is-called-so") == []
    assert all(one["kind"] == "group" for one in await listed(demo, "&kind=group"))


async def test_a_change_is_seen_at_once(demo: Service) -> None:
    person = next(one for one in await listed(demo) if one["kind"] == "person")
    path = f"/api/v2/conversations/{person['id']}?{AS}"
    for change, member in (({"blocked": True}, "blocked"), ({"expires_in": 3600}, "expires_in")):
        assert (await demo.patch(path, change)).status == 204
        assert (await demo.get(path)).json[member] == change[member]
    assert (await demo.patch(path, {"blocked": False})).status == 204
    assert (await demo.delete(f"/api/v2/conversations/{person['id']}?{AS}&hide=true")).status == 204
    assert person["id"] not in [one["id"] for one in await listed(demo)]
    assert person["id"] in [one["id"] for one in await listed(demo, "&all=true")]


async def test_who_is_unknown_is_a_problem(demo: Service) -> None:
    for path in ("99999999-9999-4999-8999-999999999999", "+4915199999999"):
        answer = await demo.get(f"/api/v2/conversations/{path}?{AS}")
        assert (answer.status, answer.json["type"]) == (404, "urn:signal-courier:problem:not-found")
    answer = await demo.get(f"/api/v2/conversations/!?{AS}")
    assert (answer.status, answer.json["field"]) == (400, "conversation")
    answer = await demo.get("/api/v2/conversations")
    assert (answer.status, answer.json["field"]) == (400, "account")


async def test_a_group_lives(demo: Service) -> None:
    made = await demo.post(
        "/api/v2/groups",
        {"account": ACCOUNT, "name": "Garden", "members": [cast.ECHO], "description": "Plants", "avatar": PICTURE, "link": "enabled"},
    )
    assert made.status == 201, made.body
    group = made.json
    assert (group["kind"], group["name"], group["group"]["description"]) == ("group", "Garden", "Plants")
    assert group["group"]["invite_link"].startswith("https://signal.group/#")
    path = f"/api/v2/groups/{group['id']}?{AS}"
    changed = await demo.patch(path, {"name": "Yard", "expires_in": 60, "send_messages": "only-admins"})
    assert changed.status == 200, changed.body
    assert (changed.json["name"], changed.json["expires_in"], changed.json["group"]["send_messages"]) == ("Yard", 60, "only-admins")
    assert (await demo.get(path)).json == changed.json
    avatar = await demo.get(f"{group['avatar']}?{AS}")
    assert (avatar.status, avatar.headers["Content-Type"], avatar.headers["X-Content-Type-Options"]) == (200, "image/png", "nosniff")
    joined = await demo.post("/api/v2/groups/join", {"account": cast.SECOND, "link": group["group"]["invite_link"]})
    assert (joined.status, joined.json["id"]) == (200, group["id"])
    assert (await demo.delete(f"/api/v2/groups/{group['id']}?{AS}&forget=true&admin={cast.SECOND.replace('+', '%2B')}")).status == 204
    assert group["id"] not in [one["id"] for one in (await demo.get(f"/api/v2/groups?{AS}")).json["groups"]]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "groups", {"account": ACCOUNT}, 400, "name"),
        ("POST", "groups", {"account": ACCOUNT, "name": "x", "members": ["!"]}, 400, "members"),
        ("PATCH", f"groups/+4915100000011?{AS}", {}, 400, "group"),
        ("PATCH", f"groups/nonsense?{AS}", {}, 400, "group"),
        ("POST", "groups/join", {"account": ACCOUNT, "link": "https://example.org"}, 400, "link"),
        ("DELETE", f"conversations/{cast.DEMO_GROUP.replace('/', '_').replace('+', '-')}?{AS}", None, 400, "conversation"),
    ],
)
async def test_what_cannot_be_is_told_by_its_field(
    demo: Service, method: str, path: str, body: object, status: int, field: str | None
) -> None:
    answer = await demo.request(method, f"/api/v2/{path}", body)
    assert (answer.status, answer.json.get("field")) == (status, field), answer.body


async def test_safety_numbers_are_listed_and_trusted(demo: Service) -> None:
    await demo.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [cast.ECHO], "text": "Hello"})
    listed_ = (await demo.get(f"/api/v2/identities?{AS}")).json["identities"]
    assert all(one["trust"] in ("untrusted", "trusted", "verified") for one in listed_)
    number = next(one["safety_number"] for one in listed_ if one["number"] == cast.ECHO)
    path = f"/api/v2/identities/{cast.ECHO}/trust?{AS}"
    assert (await demo.put(path, {"safety_number": number})).status == 204
    only = (await demo.get(f"/api/v2/identities?{AS}&recipient={cast.ECHO.replace('+', '%2B')}")).json["identities"]
    assert [one["trust"] for one in only] == ["verified"]
    assert (await demo.put(path, {})).json["field"] == "safety_number"


async def test_stickers_are_listed_with_their_pictures(demo: Service) -> None:
    packs = (await demo.get(f"/api/v2/stickers?{AS}")).json["packs"]
    pack = next(one for one in packs if one["stickers"])
    picture = await demo.get(f"{pack['stickers'][0]['url']}?{AS}")
    assert (picture.status, picture.headers["X-Content-Type-Options"]) == (200, "nosniff")
    assert (await demo.get(f"/api/v2/stickers/{pack['id']}/999?{AS}")).status == 404
    assert (await demo.post("/api/v2/stickers", {"account": ACCOUNT, "link": "https://example.org"})).status == 400


async def test_numbers_are_looked_up(demo: Service) -> None:
    answer = await demo.post("/api/v2/lookups", {"account": ACCOUNT, "recipients": [cast.ECHO, cast.UNREGISTERED]})
    assert {one["recipient"]: one["registered"] for one in answer.json["people"]} == {cast.ECHO: True, cast.UNREGISTERED: False}
