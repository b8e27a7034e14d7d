"""Sending through a whole Signal network: what a person meets on the way, and how they get on."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.served import Service, simulated

HOME, SECOND, ECHO = "+4915100000001", "+4915100000002", "+4915100000011"
NEWKEY, UNREGISTERED, LIMITED = "+4915100000013", "+4915100000014", "+4915100000015"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with simulated(tmp_path) as running:
        yield running


def to(*recipients: str, **more: object) -> dict[str, object]:
    return {"number": HOME, "recipients": list(recipients), "message": "Hello", **more}


async def received(service: Service, account: str, kind: str) -> dict[str, Any]:
    """The first envelope of a kind that reaches an account."""
    async with asyncio.timeout(30):
        while True:
            for item in json.loads((await service.get(f"/v1/receive/{account}?timeout=1")).body):
                if kind in item["envelope"]:
                    found: dict[str, Any] = item["envelope"][kind]
                    return found


async def test_rate_limit_ends_with_a_solved_challenge(service: Service) -> None:
    refused = await service.post("/v2/send", to(LIMITED))
    assert refused.status == 429
    (token,) = refused.json["challenge_tokens"]
    solved = await service.post(
        f"/v1/accounts/{HOME}/rate-limit-challenge", {"challenge_token": token, "captcha": "signalcaptcha://signal-hcaptcha.x.y.z"}
    )
    assert solved.status == 204
    assert (await service.post("/v2/send", to(LIMITED))).status == 201


async def test_new_safety_number_is_trusted_and_then_reached(service: Service) -> None:
    refused = await service.post("/v2/send", to(NEWKEY))
    assert (refused.status, refused.error) == (400, "Unable to complete request due to untrusted recipient keys")
    assert (await service.request("PUT", f"/v1/identities/{HOME}/trust/{NEWKEY}", {"trust_all_known_keys": True})).status == 204
    assert (await service.post("/v2/send", to(NEWKEY))).status == 201


async def test_who_is_not_on_signal_is_named_beside_those_who_are(service: Service) -> None:
    group = (await service.get(f"/v1/groups/{HOME}")).json[0]["id"]
    reply = await service.post("/v2/send", to(ECHO, UNREGISTERED, group))
    assert reply.status == 201
    assert len(reply.json) == 2
    assert [failed["number"] for failed in reply.json[0]["errors"]["recipients"]] == [UNREGISTERED]


async def test_message_with_a_file_arrives_is_edited_and_taken_back(service: Service) -> None:
    data = bytes(range(256)) * 1000
    encoded = base64.b64encode(data).decode()
    files = [f"data:application/x-test;filename=a b.bin;base64,{encoded}"]
    sent = await service.post("/v2/send", to(SECOND, message="**Hi** there", text_mode="styled", base64_attachments=files))
    timestamp = int(sent.json[0]["timestamp"])
    message = await received(service, SECOND, "dataMessage")
    assert (message["message"], message["timestamp"]) == ("Hi there", timestamp)
    assert message["textStyles"] == [{"style": "BOLD", "start": 0, "length": 2}]
    assert message["attachments"][0]["filename"] == "a b.bin"
    assert (await service.get(f"/v1/attachments/{message['attachments'][0]['id']}")).body == data
    assert service.spooled() == []
    edited = await service.post("/v2/send", to(SECOND, message="New", edit_timestamp=timestamp))
    assert edited.status == 201
    assert (await received(service, SECOND, "editMessage"))["targetSentTimestamp"] == timestamp
    assert (await service.delete(f"/v1/remote-delete/{HOME}", {"recipient": SECOND, "timestamp": timestamp})).status == 201
    assert (await received(service, SECOND, "dataMessage"))["remoteDelete"] == {"timestamp": timestamp}
