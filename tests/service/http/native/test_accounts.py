"""`/api/v2/accounts`, `status` and `health`: how everything is, and what somebody should do about it."""

import os
import time
from pathlib import Path

import msgspec
import pytest

from signal_courier.engine.base import EngineState
from signal_courier.engine.simulator.cast import uuid_of
from tests.fakes.served import Service, served

ACCOUNT, OTHER = "+4915100000001", "+4915100000002"
PREFIX = "urn:signal-courier:problem:"


def kinds(account: dict) -> list[str]:
    return [problem["type"].removeprefix(PREFIX) for problem in account["problems"]]


async def test_the_status_tells_engine_accounts_and_queues(demo: Service) -> None:
    status = (await demo.get("/api/v2/status")).json
    assert status["engine"]["state"] == "ready"
    assert status["engine"]["features"]["polls"] is True
    assert {account["number"]: account["state"] for account in status["accounts"]} == {ACCOUNT: "ready", OTHER: "ready"}
    assert status["queues"]["receiving"] == 0


async def test_health_says_ready_or_why_not(tmp_path: Path) -> None:
    async with served(tmp_path, {}) as service:
        ready = await service.get("/api/v2/health")
        assert (ready.status, ready.json) == (200, {"status": "ready"})
        await service.courier.engine.stop()
        assert service.courier.engine.status.state is EngineState.STOPPED
        stopped = await service.get("/api/v2/health")
        assert (stopped.status, stopped.json["type"]) == (503, PREFIX + "not-ready")
        assert "stopped" in stopped.json["detail"]
        assert (await service.get("/v1/health")).status == 204


async def test_without_an_account_it_is_not_ready(tmp_path: Path) -> None:
    async with served(tmp_path, {}, accounts=()) as service:
        answer = await service.get("/api/v2/health")
        assert (answer.status, answer.json["detail"]) == (503, "there is no account: link or register one")


async def test_an_account_without_a_profile_name_has_a_problem_until_it_gets_one(tmp_path: Path) -> None:
    nameless = [{"number": ACCOUNT, "uuid": "11111111-1111-4111-8111-111111111111", "profile": {"givenName": None}}]
    async with served(tmp_path, {"listContacts": nameless, "updateProfile": {}}) as service:
        account = (await service.get(f"/api/v2/accounts/{ACCOUNT}")).json
        assert kinds(account) == ["profile-name-missing"]
        service.daemon.on("listContacts", [{"number": ACCOUNT, "profile": {"givenName": "Home"}}])
        assert (await service.patch(f"/api/v2/accounts/{ACCOUNT}/profile", {"given_name": "Home"})).status == 204
        account = (await service.get(f"/api/v2/accounts/{ACCOUNT}")).json
        assert (account["name"], account["problems"]) == ("Home", [])


async def test_a_linked_device_that_was_idle_for_weeks_is_about_to_expire(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "data"
    folder.mkdir(parents=True)
    (folder / "accounts.json").write_bytes(msgspec.json.encode({"version": 2, "accounts": [{"path": "1", "number": ACCOUNT}]}))
    (folder / "1").write_bytes(msgspec.json.encode({"registered": True, "deviceId": 2}))
    long_ago = time.time() - 25 * 86400
    os.utime(folder / "1", (long_ago, long_ago))
    async with served(tmp_path, {}, accounts=()) as service:
        account = (await service.get(f"/api/v2/accounts/{ACCOUNT}")).json
        assert (account["state"], account["linked"]) == ("offline", True)
        assert kinds(account) == ["account-offline", "device-expiring"]
        assert "in 4 days" in account["problems"][1]["detail"] or "in 5 days" in account["problems"][1]["detail"]


async def test_an_account_is_told_with_its_aci(demo: Service, tmp_path: Path) -> None:
    """Of what is loaded from what signal-cli knows, else from its files: whoever keeps an account knows it again under a new number."""
    accounts = {account["number"]: account["uuid"] for account in (await demo.get("/api/v2/status")).json["accounts"]}
    assert accounts == {ACCOUNT: uuid_of(ACCOUNT), OTHER: uuid_of(OTHER)}
    folder = tmp_path / "elsewhere" / "config" / "data"
    folder.mkdir(parents=True)
    kept = {"path": "1", "number": ACCOUNT, "uuid": "11111111-1111-4111-8111-111111111111"}
    (folder / "accounts.json").write_bytes(msgspec.json.encode({"version": 2, "accounts": [kept]}))
    (folder / "1").write_bytes(msgspec.json.encode({"registered": True, "deviceId": 2}))
    async with served(tmp_path / "elsewhere", {}, accounts=()) as service:
        assert (await service.get(f"/api/v2/accounts/{ACCOUNT}")).json["uuid"] == kept["uuid"]


async def test_an_unknown_account_is_a_problem(demo: Service) -> None:
    for answer in (
        await demo.get("/api/v2/accounts/+4915100000077"),
        await demo.put("/api/v2/accounts/+4915100000077/pin", {"pin": "1234"}),
        await demo.post("/api/v2/accounts/+4915100000077/unlink"),
    ):
        assert (answer.status, answer.json["type"]) == (404, PREFIX + "account-unknown")
    assert (await demo.get("/api/v2/accounts/nobody")).json["field"] == "number"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PATCH", "profile", {"given_name": "House", "about": "Hi", "about_emoji": "🏠"}, 204),
        ("PATCH", "settings", {"share_number": False, "trust": "always", "read_receipts": True}, 204),
        ("PUT", "username", {"username": "house.42"}, 200),
        ("DELETE", "username", None, 204),
        ("PUT", "pin", {"pin": "1234"}, 204),
        ("DELETE", "pin", None, 204),
        ("GET", "devices", None, 200),
        ("POST", "devices", {"uri": "sgnl://linkdevice?uuid=abc&pub_key=BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, 204),
        ("PATCH", "devices/1", {"name": "Phone"}, 204),
        ("PATCH", "devices/x", {"name": "Phone"}, 404),
        ("DELETE", "devices/9", None, 422),
        ("POST", "sync", None, 204),
        ("POST", "challenge", {"token": "x", "captcha": "bad"}, 422),
        ("PUT", "pin", {"pin": "1"}, 400),
        ("PATCH", "profile", {"given_name": ""}, 400),
    ],
)
async def test_everything_about_an_account_can_be_changed(demo: Service, method: str, path: str, body: object, status: int) -> None:
    answer = await demo.request(method, f"/api/v2/accounts/{ACCOUNT}/{path}", body)
    assert answer.status == status, answer.body
    if status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"


async def test_the_trust_of_an_account_is_shown_as_it_was_set(demo: Service) -> None:
    assert (await demo.patch(f"/api/v2/accounts/{ACCOUNT}/settings", {"trust": "never"})).status == 204
    assert (await demo.get(f"/api/v2/accounts/{ACCOUNT}")).json["trust"] == "never"


async def test_an_account_can_be_given_up(demo: Service) -> None:
    assert (await demo.post(f"/api/v2/accounts/{OTHER}/unlink")).status in (204, 409)
    assert (await demo.post(f"/api/v2/accounts/{ACCOUNT}/unregister", {"delete_local_data": False})).status == 204
    refused = await demo.delete("/api/v2/accounts/+4915100000050")
    assert refused.status == 204


async def test_metrics_are_for_prometheus(demo: Service) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    answer = await demo.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    ready = {sample.labels["state"]: sample.value for sample in families["courier_engine_state"].samples}
    assert ready["ready"] == 1
    assert {"courier_inbox_pending", "courier_accounts", "process_resident_memory_bytes"} <= families.keys()
