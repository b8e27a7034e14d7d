"""`/v1/contacts`, `/v1/identities`, `/v1/search`: the people whom an account knows."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.daemon import Failure
from tests.fakes.served import ACCOUNT, Service, served

PERSON, UUID = "+4915100000002", "11111111-1111-4111-8111-111111111111"
CONTACT = {
    "number": PERSON, "uuid": UUID, "username": None, "name": "Anna", "isBlocked": True, "isHidden": False, "messageExpirationTime": 3600,
    "profile": {"lastUpdateTimestamp": 1, "givenName": "Anna", "familyName": "Example",
                "about": "Hi", "aboutEmoji": "👋", "hasAvatar": True},
}  # fmt: skip


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, {"listContacts": [CONTACT]}) as running:
        yield running


async def test_a_contact_has_its_real_values(service: Service) -> None:
    (contact,) = (await service.get(f"/v1/contacts/{ACCOUNT}")).json
    assert contact["blocked"] is True
    assert contact["message_expiration"] == "3600"
    assert contact["profile_name"] == "Anna Example"
    assert contact["username"] == ""
    assert contact["profile"]["about_emoji"] == "👋"


@pytest.mark.parametrize("named", [UUID, UUID.replace("-", ""), PERSON, "%2B4915100000002"])
async def test_a_contact_is_found_by_uuid_or_number(service: Service, named: str) -> None:
    assert (await service.get(f"/v1/contacts/{ACCOUNT}/{named}?all_recipients=true")).json["name"] == "Anna"
    assert service.calls[-1][1]["allRecipients"] is True


async def test_nobody_is_404(service: Service) -> None:
    other = "22222222-2222-4222-8222-222222222222"
    answer = await service.get(f"/v1/contacts/{ACCOUNT}/{other}")
    assert (answer.status, answer.error) == (404, f"No user with that id ({other}) found")


async def test_a_name_can_be_cleared_and_a_timer_switched_off(service: Service) -> None:
    assert (await service.put(f"/v1/contacts/{ACCOUNT}", {"recipient": PERSON, "name": "", "expiration_in_seconds": 0})).status == 204
    assert service.calls == [("updateContact", {"recipient": PERSON, "name": "", "expiration": 0})]


async def test_contacts_are_blocked_unblocked_and_removed(service: Service) -> None:
    assert (await service.post(f"/v1/contacts/{ACCOUNT}/{UUID}/block")).status == 204
    assert (await service.post(f"/v1/contacts/{ACCOUNT}/anna.42/unblock")).status == 204
    assert (await service.delete(f"/v1/contacts/{ACCOUNT}/{PERSON}?forget=true")).status == 204
    assert (await service.delete(f"/v1/contacts/{ACCOUNT}/{PERSON}?forget=true&hide=true")).status == 400
    assert service.calls == [
        ("block", {"recipient": [UUID]}),
        ("unblock", {"recipient": ["u:anna.42"]}),
        ("removeContact", {"recipient": PERSON, "forget": True}),
    ]


async def test_the_contacts_go_to_the_other_devices(service: Service) -> None:
    assert (await service.post(f"/v1/contacts/{ACCOUNT}/sync")).status == 204
    assert service.calls == [("sendContacts", {})]


async def test_a_picture_or_400_as_upstream_has_it(service: Service) -> None:
    service.daemon.on("getAvatar", {"data": base64.b64encode(b"\xff\xd8\xff\xe0").decode()})
    answer = await service.get(f"/v1/contacts/{ACCOUNT}/{UUID}/avatar")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    service.daemon.on("getAvatar", Failure(-1, "Could not find avatar"))
    answer = await service.get(f"/v1/contacts/{ACCOUNT}/{UUID}/avatar")
    assert (answer.status, answer.error) == (400, "No avatar found.")


async def test_a_group_is_no_contact(service: Service) -> None:
    answer = await service.put(f"/v1/contacts/{ACCOUNT}", {"recipient": "Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj65iMwI="})
    assert answer.status == 400
    assert "recipient" in answer.error


async def test_failing_identities_are_500_as_upstream_has_it(service: Service) -> None:
    service.daemon.on("listIdentities", Failure(-1, "boom"))
    answer = await service.get(f"/v1/identities/{ACCOUNT}")
    assert (answer.status, answer.error) == (500, "boom")


@pytest.mark.parametrize(
    "body, text",
    [
        ({"trust_all_known_keys": False}, "please either provide a safety number (preferred & more secure)"),
        ({"verified_safety_number": "1", "trust_all_known_keys": True}, "do not set both parameters at once!"),
        ({"verified_safety_number": ""}, "please provide a valid safety number"),
    ],
)
async def test_trust_wants_exactly_one_reason(service: Service, body: object, text: str) -> None:
    answer = await service.put(f"/v1/identities/{ACCOUNT}/trust/{PERSON}", body)
    assert answer.status == 400
    assert text in answer.error
    assert service.calls == []


async def test_a_safety_number_is_verified(service: Service) -> None:
    assert (await service.put(f"/v1/identities/{ACCOUNT}/trust/%2B4915100000002", {"verified_safety_number": "12345"})).status == 204
    assert service.calls == [("trust", {"recipient": PERSON, "verifiedSafetyNumber": "12345"})]


@pytest.mark.parametrize(
    "query", ["numbers=%2B491511&numbers=%2B491512", "numbers=%2B491511,%2B491512", "numbers=+491511&numbers=+491512",
              "numbers=+491511,+491512"]
)  # fmt: skip
async def test_numbers_may_be_repeated_or_listed_and_lose_no_plus(service: Service, query: str) -> None:
    service.daemon.on(
        "getUserStatus", lambda params: [{"recipient": one, "number": one, "isRegistered": False} for one in params["recipient"]]
    )
    answer = await service.get(f"/v1/search/{ACCOUNT}?{query}")
    assert answer.json == [{"number": "+491511", "registered": False}, {"number": "+491512", "registered": False}]


async def test_usernames_are_searched_as_such(service: Service) -> None:
    service.daemon.on("getUserStatus", [{"recipient": "anna.42", "username": "anna.42", "isRegistered": True}])
    assert (await service.get(f"/v1/search/{ACCOUNT}?numbers=anna.42")).json == [{"number": "anna.42", "registered": True}]
    assert service.calls == [("getUserStatus", {"username": ["anna.42"]})]


async def test_one_who_can_be_nobody_spoils_no_search(service: Service) -> None:
    service.daemon.on("getUserStatus", lambda params: [{"recipient": one, "isRegistered": True} for one in params["recipient"]])
    answer = await service.get(f"/v1/search/{ACCOUNT}?numbers=%2B491511,--help&numbers=nobody")
    assert answer.json == [
        {"number": "+491511", "registered": True}, {"number": "--help", "registered": False}, {"number": "nobody", "registered": False},
    ]  # fmt: skip
    assert service.calls == [("getUserStatus", {"recipient": ["+491511"]})]


async def test_a_number_as_dialled_at_home_is_left_to_signal_cli(service: Service) -> None:
    service.daemon.on("getUserStatus", [{"recipient": "0151 1", "number": "+491511", "isRegistered": True}])
    assert (await service.get(f"/v1/search/{ACCOUNT}?numbers=0151%201")).json == [{"number": "+491511", "registered": True}]
    assert service.calls == [("getUserStatus", {"recipient": ["0151 1"]})]


@pytest.mark.parametrize("query", ["", "?numbers=", "?numbers=,", "?numbers=--help"])
async def test_a_search_for_nothing_is_400(service: Service, query: str) -> None:
    assert (await service.get(f"/v1/search/{ACCOUNT}{query}")).status == 400
    assert service.calls == []


@pytest.mark.parametrize(
    "settings, query, asked_as",
    [
        ({}, "", "+4915100000001"),
        ({}, "&number=%2B4915100000002", "+4915100000002"),
        ({}, "&number=+4915100000002", "+4915100000002"),
        ({"default_account": "+4915100000002"}, "", "+4915100000002"),
    ],
)
async def test_a_search_without_account_asks_as_a_loaded_one(tmp_path: Path, settings: dict[str, Any], query: str, asked_as: str) -> None:
    async with served(tmp_path, accounts=("+4915100000001", "+4915100000002"), **settings) as service:
        assert (await service.get(f"/v1/search?numbers=%2B491511{query}")).status == 200
        assert (await service.daemon.next_call("getUserStatus")).params["account"] == asked_as


@pytest.mark.parametrize("broken", ["%FF", "%ED%A0%80", "%25FF"])
async def test_what_is_no_utf_8_is_refused_and_not_a_failure(service: Service, broken: str) -> None:
    assert (await service.get(f"/v1/contacts/{ACCOUNT}/{broken}")).status == 400
    assert (await service.get(f"/v1/groups/{ACCOUNT}/{broken}")).status == 404
    assert (await service.get(f"/v1/search/{ACCOUNT}?numbers={broken}")).status == 400
    assert service.calls == []
