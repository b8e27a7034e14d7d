"""Groups from their creation to leaving them, through the service and on people's phones."""

from typing import Any

from tests.e2e.courier import House
from tests.e2e.lab.laboratory import Lab
from tests.e2e.samples import PIXEL, PIXEL_BASE64


async def _create(house: House, name: str, *members: str, **fields: object) -> str:
    answer = (await house.call("POST", "/v1/groups/{n}", {"name": name, "members": list(members), **fields})).expect(201)
    assert answer["id"].startswith("group.")
    return str(answer["id"])


async def _group(house: House, group: str) -> dict[str, Any]:
    found: dict[str, Any] = (await house.call("GET", f"/v1/groups/{{n}}/{group}")).expect(200)
    return found


async def test_group_is_created_used_changed_and_left(house: House, lab: Lab) -> None:
    group = await _create(house, "Home", lab.ann.aci, description="all of us", permissions={"edit_group": "only-admins"})
    internal = (await _group(house, group))["internal_id"]

    await house.send(group, message="hello all")
    assert (await lab.ann.receives_text("hello all"))["groupInfo"]["groupId"] == internal
    await lab.ann.send(groupId=internal, message="hello house")
    assert (await house.receives_text("hello house"))["groupInfo"]["groupId"] == internal

    changes = {"name": "Our home", "description": "and the garden", "base64_avatar": PIXEL_BASE64, "expiration_time": 3600}
    (await house.call("PUT", f"/v1/groups/{{n}}/{group}", changes)).expect(204)
    changed = await _group(house, group)
    assert (changed["name"], changed["description"]) == ("Our home", "and the garden")
    avatar = await house.call("GET", f"/v1/groups/{{n}}/{group}/avatar")
    assert (avatar.status, avatar.body) == (200, PIXEL)

    (await house.call("POST", f"/v1/groups/{{n}}/{group}/members", {"members": [lab.ben.aci]})).expect(204)
    await house.send(group, message="welcome Ben")
    await lab.ben.receives_text("welcome Ben")
    (await house.call("POST", f"/v1/groups/{{n}}/{group}/admins", {"admins": [lab.ann.aci]})).expect(204)
    (await house.call("DELETE", f"/v1/groups/{{n}}/{group}/admins", {"admins": [lab.ann.aci]})).expect(204)
    (await house.call("DELETE", f"/v1/groups/{{n}}/{group}/members", {"members": [lab.ben.aci]})).expect(204)

    (await house.call("POST", f"/v1/groups/{{n}}/{group}/admins", {"admins": [lab.ann.aci]})).expect(204)
    (await house.call("POST", f"/v1/groups/{{n}}/{group}/quit")).expect(204)
    refused = await house.call("POST", "/v2/send", {"number": house.number, "recipients": [group], "message": "still there?"})
    assert refused.status == 400
    assert "not a member" in refused.json()["error"]


async def test_group_is_joined_by_its_link(house: House, lab: Lab) -> None:
    created = await lab.ann.call("updateGroup", name="Street", member=[lab.ben.aci], link="enabled")
    (link,) = [group["groupInviteLink"] for group in await lab.ann.call("listGroups") if group["id"] == created["groupId"]]
    answer = await house.call("POST", "/v1/groups/{n}/group/join", {"group_link": link})
    assert answer.status in {200, 201, 204}, answer
    groups = (await house.call("GET", "/v1/groups/{n}")).expect(200)
    (joined,) = [group["id"] for group in groups if group["internal_id"] == created["groupId"]]
    await house.send(joined, message="I am the new neighbour")
    for member in (lab.ann, lab.ben):
        assert (await member.receives_text("I am the new neighbour"))["groupInfo"]["groupId"] == created["groupId"]


async def test_group_is_left_and_its_data_deleted(house: House, lab: Lab) -> None:
    group = await _create(house, "Short-lived", lab.ann.aci)
    (await house.call("POST", f"/v1/groups/{{n}}/{group}/admins", {"admins": [lab.ann.aci]})).expect(204)
    assert (await house.call("DELETE", f"/v1/groups/{{n}}/{group}")).status == 200
    assert group not in [known["id"] for known in (await house.call("GET", "/v1/groups/{n}")).expect(200)]
