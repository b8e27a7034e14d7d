"""Each account's trust in new safety numbers: kept where upstream keeps it, and acted upon."""

from pathlib import Path

import pytest
import yaml

from tests.fakes.daemon import Failure
from tests.fakes.served import ACCOUNT, Service, served, simulated

OTHER = "+4915100000009"
NEWKEY = "+4915100000013"
PERSON = "+4915100000002"
SETTINGS = f"/v1/configuration/{ACCOUNT}/settings"
FAILED = {"recipientAddress": {"uuid": "11111111-1111-4111-8111-111111111111", "number": PERSON}, "type": "IDENTITY_FAILURE"}
UNTRUSTED = Failure(-4, "Failed to send message due to untrusted identities", {"response": {"timestamp": 1, "results": [FAILED]}})


async def set_mode(service: Service, mode: str) -> None:
    assert (await service.post(SETTINGS, {"trust_mode": mode})).status == 204


@pytest.mark.parametrize("number", [f'"{ACCOUNT}"', f"'{ACCOUNT}'", ACCOUNT])
async def test_upstream_s_file_is_read(tmp_path: Path, number: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/api-config.yml").write_text(f'config:\n    {number}:\n        trust_mode: 1\n    "{OTHER}": {{trust_mode: 2}}\n')
    async with served(tmp_path) as service:
        assert (await service.get(SETTINGS)).json == {"trust_mode": "always"}
        assert (await service.get(f"/v1/configuration/{OTHER}/settings")).json == {"trust_mode": "never"}


@pytest.mark.parametrize("content", ["", "[]", "config: 5", "config: {x: {trust_mode: 7}}", "\t:", "config: {+49: []}", "\xff"])
async def test_a_file_that_makes_no_sense_is_ignored(tmp_path: Path, content: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/api-config.yml").write_text(content, encoding="latin-1")
    async with served(tmp_path, trust_new_identities="always") as service:
        assert (await service.get(SETTINGS)).json == {"trust_mode": "always"}


async def test_a_mode_survives_in_upstream_s_form(tmp_path: Path) -> None:
    async with served(tmp_path) as service:
        await set_mode(service, "never")
    assert yaml.safe_load((tmp_path / "config/api-config.yml").read_text()) == {"config": {ACCOUNT: {"trust_mode": 2}}}
    async with served(tmp_path) as service:
        assert (await service.get(SETTINGS)).json == {"trust_mode": "never"}


async def test_a_folder_that_cannot_be_written_does_not_stop_it(tmp_path: Path) -> None:
    (tmp_path / "config/api-config.yml.new").mkdir(parents=True)  # in the way; permissions do not stop root
    async with served(tmp_path) as service:
        await set_mode(service, "always")
    assert (tmp_path / "data/api-config.yml").exists()
    async with served(tmp_path) as service:
        assert (await service.get(SETTINGS)).json == {"trust_mode": "always"}


async def test_with_always_a_new_safety_number_is_trusted_and_the_message_sent_again(tmp_path: Path) -> None:
    async with served(tmp_path) as service:
        await set_mode(service, "always")
        service.daemon.on("send", UNTRUSTED)

        def trusted(_: object) -> dict[str, object]:
            service.daemon.on("send", {"timestamp": 2, "results": []})
            return {}

        service.daemon.on("trust", trusted)
        answer = await service.post("/v2/send", {"number": ACCOUNT, "recipients": [PERSON], "message": "x"})
        assert (answer.status, answer.json[0]["timestamp"]) == (201, "2")
        assert [method for method, _ in service.calls] == ["send", "trust", "send"]
        assert service.calls[1][1] == {"recipient": "11111111-1111-4111-8111-111111111111", "trustAllKnownKeys": True}


async def test_by_default_a_new_safety_number_is_an_error(tmp_path: Path) -> None:
    async with served(tmp_path, {"send": UNTRUSTED}) as service:
        answer = await service.post("/v2/send", {"number": ACCOUNT, "recipients": [PERSON], "message": "x"})
        assert (answer.status, answer.error) == (400, "Unable to complete request due to untrusted recipient keys")
        assert [method for method, _ in service.calls] == ["send"]


async def test_with_never_only_those_are_written_to_who_are_trusted(tmp_path: Path) -> None:
    async with served(tmp_path, {"listIdentities": [{"number": PERSON, "uuid": "u", "trustLevel": "TRUSTED_VERIFIED"}]}) as service:
        await set_mode(service, "never")
        message = {"number": ACCOUNT, "message": "x"}
        assert (await service.post("/v2/send", message | {"recipients": [PERSON]})).status == 201
        answer = await service.post("/v2/send", message | {"recipients": [OTHER]})
        assert (answer.status, answer.error) == (400, "Unable to complete request due to untrusted recipient keys")
        assert [method for method, _ in service.calls if method == "send"] == ["send"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", f"/api/v2/accounts/{ACCOUNT}/settings", {"trust": "always"}),
        ("POST", f"/v1/configuration/{ACCOUNT}/settings", {"trust_mode": "always"}),
    ],
)
async def test_what_waits_for_trust_goes_as_soon_as_the_policy_is_to_trust(
    tmp_path: Path, method: str, path: str, body: dict[str, str]
) -> None:
    async with simulated(tmp_path) as service:
        waiting = await service.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [NEWKEY], "text": "Hello", "wait": 5})
        assert (waiting.status, waiting.json["state"]) == (202, "parked")
        assert (await service.request(method, path, body)).status == 204
        status = await service.courier.outbox.waiting.for_end(waiting.json["id"], 30)
        assert status.recipients[0].state.is_reached
