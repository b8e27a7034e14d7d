"""`/v1/groups`: every form of an id, every change, and what upstream got wrong."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from tests.fakes.daemon import Failure
from tests.fakes.served import ACCOUNT, Service, served

INTERNAL = "Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj65iMwI="
SLASHED = "/" * 21 + "+" * 21 + "8="
EXTERNAL = "group." + base64.b64encode(INTERNAL.encode()).decode()
PERSON = "+4915100000002"
HIDDEN = "22222222-2222-4222-8222-222222222222"
LINK = "https://signal.group/#CjQKIAECAwQF"
GROUP: dict[str, Any] = {
    "id": INTERNAL,
    "name": "Family",
    "description": None,
    "isMember": True,
    "isBlocked": False,
    "messageExpirationTime": 60,
    "members": [{"number": PERSON, "uuid": "1", "isAdmin": True, "label": "Boss", "labelEmoji": "👑"}, {"number": None, "uuid": HIDDEN}],
    "pendingMembers": [],
    "requestingMembers": [{"number": None, "uuid": HIDDEN}],
    "admins": [{"number": PERSON, "uuid": "1"}],
    "banned": [],
    "permissionAddMember": "EVERY_MEMBER",
    "permissionEditDetails": "ONLY_ADMINS",
    "permissionSendMessage": "EVERY_MEMBER",
    "groupInviteLink": LINK,
}
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGMAAQAAAAUAAQ0KLbQAAAAASUVORK5CYII=")


ANSWERS = {"listGroups": [GROUP, GROUP | {"id": SLASHED, "name": "Slashed"}], "updateGroup": {"groupId": INTERNAL, "timestamp": 1}}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, ANSWERS) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with served(tmp_path_factory.mktemp("kept"), ANSWERS) as running:
        yield running


def path(group: str = EXTERNAL, rest: str = "") -> str:
    return f"/v1/groups/{ACCOUNT}/{group}{rest}"


def is_gone(file: str) -> bool:
    return not Path(file).exists()


async def test_a_group_tells_who_may_edit_it_and_when_messages_vanish(service: Service) -> None:
    group = (await service.get(f"/v1/groups/{ACCOUNT}")).json[0]
    assert group["id"] == EXTERNAL
    assert group["members"] == [PERSON, HIDDEN]
    assert group["pending_requests"] == [HIDDEN]
    assert group["permissions"] == {"add_members": "every-member", "edit_group": "only-admins", "send_messages": "every-member"}
    assert group["message_expiration_timer"] == 60
    assert group["description"] == ""


async def test_expanded_people_have_number_uuid_and_label(service: Service) -> None:
    group = (await service.get(path(rest="?expand=true"))).json
    assert group["members"] == [
        {"number": PERSON, "uuid": "1", "label": "Boss", "label_emoji": "👑"},
        {"number": "", "uuid": HIDDEN},
    ]
    assert group["admins"] == [{"number": PERSON, "uuid": "1"}]


@pytest.mark.parametrize(
    "spelled",
    [
        EXTERNAL,
        EXTERNAL.removeprefix("group."),
        quote(EXTERNAL, safe=""),
        INTERNAL,
        quote(INTERNAL, safe=""),
        quote(quote(INTERNAL, safe=""), safe=""),
        INTERNAL.replace("+", "-").replace("/", "_"),
    ],
)
async def test_an_id_is_taken_in_every_form(shared: Service, spelled: str) -> None:
    assert (await shared.get(path(spelled))).json["name"] == "Family"
    assert (await shared.put(path(spelled), {"name": "x"})).status == 204
    assert (await shared.post(path(spelled, "/members"), {"members": [PERSON]})).status == 204
    assert [params["groupId"] for method, params in shared.calls if method == "updateGroup"] == [INTERNAL, INTERNAL]


@pytest.mark.parametrize("spelled", [SLASHED, quote(SLASHED, safe=""), SLASHED.replace("/", "_")])
async def test_slashes_in_a_raw_id_do_not_split_it(service: Service, spelled: str) -> None:
    assert (await service.get(path(spelled))).json["name"] == "Slashed"
    assert (await service.post(path(spelled, "/block"))).status == 204
    assert service.calls[-1] == ("block", {"groupId": [SLASHED]})


@pytest.mark.parametrize("rest", ["", "/members", "/admins", "/banned"])
async def test_an_unknown_group_is_404_with_one_text(service: Service, rest: str) -> None:
    unknown = "group." + base64.b64encode(base64.b64encode(bytes(32))).decode()
    answer = await service.get(path(unknown)) if not rest else await service.post(
        path(unknown, rest), {"admins": [PERSON], "members": [PERSON]}
    )  # fmt: skip
    assert (answer.status, answer.error) == (404, f"No group with that group id ({unknown}) found")
    assert "updateGroup" not in dict(service.calls)


async def test_create_passes_everything_on(service: Service) -> None:
    answer = await service.post(
        f"/v1/groups/{ACCOUNT}",
        {
            "name": "Family", "members": [PERSON, "test.42"], "admins": [PERSON], "description": "All",
            "group_link": "enabled-with-approval",
            "permissions": {"add_members": "only-admins", "edit_group": "every-member", "send_messages": "only-admins"},
            "message_expiration_timer": 0, "base64_avatar": base64.b64encode(PNG).decode(),
        },
    )  # fmt: skip
    assert (answer.status, answer.json) == (201, {"id": EXTERNAL, "group_id": EXTERNAL})
    ((method, params),) = service.calls
    avatar = params.pop("avatar")
    assert (method, params) == (
        "updateGroup",
        {
            "name": "Family", "member": [PERSON, "u:test.42"], "admin": [PERSON], "description": "All", "link": "enabled-with-approval",
            "setPermissionAddMember": "only-admins", "setPermissionEditDetails": "every-member",
            "setPermissionSendMessages": "only-admins", "expiration": 0,
        },
    )  # fmt: skip
    assert avatar.endswith(".png")
    assert is_gone(avatar), "the picture outlived the request"


@pytest.mark.parametrize(
    "body, text",
    [
        (
            {"permissions": {"add_members": "x"}},
            "Invalid add members permission provided - only 'every-member' and 'only-admins' allowed!",
        ),
        ({"permissions": {"edit_group": "x"}}, "Invalid edit group permissions provided - only 'every-member' and 'only-admins' allowed!"),
        (
            {"permissions": {"send_messages": "x"}},
            "Invalid send messages permissions provided - only 'every-member' and 'only-admins' allowed!",
        ),
        ({"group_link": "x"}, "Invalid group link provided - only 'enabled', 'enabled-with-approval' and 'disabled' allowed!"),
        ({"base64_avatar": "%"}, "Couldn't decode base64 encoded avatar: illegal base64 data at input byte 0"),
    ],
)
async def test_wrong_values_are_refused_before_signal_cli_hears_of_them(shared: Service, body: dict[str, Any], text: str) -> None:
    for answer in (await shared.post(f"/v1/groups/{ACCOUNT}", body), await shared.put(path(), body)):
        assert (answer.status, answer.error) == (400, text)
    assert shared.calls == []


async def test_a_timer_can_be_switched_off_and_a_description_cleared(service: Service) -> None:
    assert (await service.put(path(), {"expiration_time": 0, "description": ""})).status == 204
    assert service.calls == [("updateGroup", {"groupId": INTERNAL, "expiration": 0, "description": ""})]


async def test_a_failed_change_is_told(service: Service) -> None:
    service.daemon.on("updateGroup", Failure(-1, "You are not an admin"))
    answer = await service.put(path(), {"name": "x"})
    assert (answer.status, answer.error) == (400, "You are not an admin")


async def test_patch_adds_and_tells_the_group(service: Service) -> None:
    answer = await service.patch(path(INTERNAL), {"group_link": "unchanged", "add_members": [PERSON], "add_admins": [HIDDEN]})
    assert (answer.status, answer.json["id"]) == (200, EXTERNAL)
    assert service.calls[0] == ("updateGroup", {"groupId": INTERNAL, "member": [PERSON], "admin": [HIDDEN]})


async def test_delete_leaves_and_forgets_and_answers_by_dialect(service: Service) -> None:
    for prefix, status in (("", 200), ("/d/0.100", 200), ("/d/morph027", 204)):
        answer = await service.delete(prefix + path())
        assert (answer.status, answer.body) == (status, b"")
    assert service.calls == [("quitGroup", {"groupId": INTERNAL, "delete": True})] * 3


async def test_the_last_admin_names_others_when_leaving(service: Service) -> None:
    assert (await service.post(path(rest="/quit"), {"admins": [PERSON]})).status == 204
    assert service.calls == [("quitGroup", {"groupId": INTERNAL, "admin": [PERSON]})]


@pytest.mark.parametrize("method, rest", [("POST", "/join"), ("POST", "/quit"), ("POST", "/block"), ("DELETE", "")])
@pytest.mark.parametrize("body", [b"hello", b"a=b&c=d", b'""', b"null", b"[]", b"\xff"])
async def test_where_upstream_reads_no_body_anything_may_come(shared: Service, method: str, rest: str, body: bytes) -> None:
    assert (await shared.request(method, path(rest=rest), body)).status == (204 if rest else 200)
    assert len(shared.calls) == 1


async def test_a_group_is_joined_by_link_in_path_or_body(service: Service) -> None:
    assert (await service.post(path(quote(LINK, safe=""), "/join"))).status == 204
    assert (await service.post(path(LINK.replace("#", "%23"), "/join"))).status == 204
    assert (await service.post(path(rest="/join"), {"group_link": LINK})).status == 204
    assert (await service.post(f"/v1/groups/{ACCOUNT}/join", {"group_link": LINK})).status == 204
    assert service.calls == [("joinGroup", {"uri": LINK})] * 4
    answer = await service.post(f"/v1/groups/{ACCOUNT}/join", {"group_link": "https://example.org/"})
    assert answer.status == 400
    assert "group_link" in answer.error


@pytest.mark.parametrize(
    "method, rest, body, called",
    [
        ("POST", "/unblock", None, ("unblock", {"groupId": [INTERNAL]})),
        ("POST", "/reset-link", None, ("updateGroup", {"groupId": INTERNAL, "resetLink": True})),
        ("POST", "/banned", {"members": [PERSON]}, ("updateGroup", {"groupId": INTERNAL, "ban": [PERSON]})),
        ("DELETE", "/banned", {"members": [PERSON]}, ("updateGroup", {"groupId": INTERNAL, "unban": [PERSON]})),
        ("PUT", "/member-label", {"label": "House", "emoji": "🏠"},
         ("updateGroup", {"groupId": INTERNAL, "memberLabel": "House", "memberLabelEmoji": "🏠"})),
        ("DELETE", "/admins", {"admins": ["test.42"]}, ("updateGroup", {"groupId": INTERNAL, "removeAdmin": ["u:test.42"]})),
    ],
)  # fmt: skip
async def test_what_upstream_lacks(shared: Service, method: str, rest: str, body: object, called: tuple[str, object]) -> None:
    assert (await shared.request(method, path(rest=rest), body)).status == 204
    assert shared.calls[-1] == called


async def test_a_message_is_pinned_for_ever_unless_told_otherwise(service: Service) -> None:
    message = {"target_author": PERSON, "timestamp": 1700000000123}
    assert (await service.post(path(rest="/pin-message"), message | {"duration": 60})).status == 201
    assert (await service.post(path(rest="/pin-message"), message)).status == 201
    assert (await service.delete(path(rest="/pin-message"), message)).status == 201
    target = {"groupId": [INTERNAL], "targetAuthor": PERSON, "targetTimestamp": 1700000000123}
    assert service.calls == [
        ("sendPinMessage", target | {"pinDuration": 60}),
        ("sendPinMessage", target | {"pinDuration": -1}),
        ("sendUnpinMessage", target),
    ]


async def test_a_picture_comes_with_its_type_or_404(service: Service) -> None:
    service.daemon.on("getAvatar", {"data": base64.b64encode(PNG).decode()})
    answer = await service.get(path(rest="/avatar"))
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "image/png", PNG)
    service.daemon.on("getAvatar", Failure(-1, "Could not find avatar"))
    answer = await service.get(path(rest="/avatar"))
    assert (answer.status, answer.error) == (404, "No avatar found.")
    service.daemon.on("getAvatar", {"data": "abc"})
    answer = await service.get(path(rest="/avatar"))
    assert answer.status == 400
    assert answer.error.startswith("Couldn't decode base64 encoded avatar")


async def test_an_old_signal_cli_is_named_where_it_lacks_something(tmp_path: Path) -> None:
    async with served(tmp_path, {"version": {"version": "0.13.19"}}) as service:
        answer = await service.put(path(rest="/member-label"), {"label": "House"})
        assert answer.status == 501
        assert "0.14.1" in answer.error
        assert service.calls == []
