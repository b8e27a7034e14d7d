"""`/api/v1/credentials` and `/api/v1/tokens`: who may ask the gateway for what."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signal_courier.access.scopes import Scope
from tests.fakes.gateway import Client, Gateway, gateway

FUTURE, PAST = "2099-12-31T23:59:59Z", "2020-01-01T00:00:00Z"


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, monkeypatch) as running:
        yield running


# --- credentials ---------------------------------------------------------------------------------------------------------


async def test_a_credential_is_made_listed_changed_and_deleted(house: Gateway) -> None:
    made = await house.admin.ask("POST", "credentials", {"client_id": "my-app", "description": "Production API client"})
    assert (made.status, made.headers["Cache-Control"]) == (201, "no-store")
    credential = made.json["credential"]
    assert made.json["message"] == "Credential created successfully"
    assert {name: credential[name] for name in ("client_id", "role", "scopes", "description", "active")} == {
        "client_id": "my-app", "role": "user", "scopes": ["tokens:write:create", "devices:*", "webhooks:*"],
        "description": "Production API client", "active": True,
    }  # fmt: skip
    assert credential["created_at"].endswith("Z")
    assert abs(dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(credential["created_at"])) < dt.timedelta(minutes=1)
    listed = (await house.admin.ask("GET", "credentials")).json
    assert [(entry["client_id"], entry["role"], entry["scopes"]) for entry in listed] == [
        ("admin", "super_admin", ["*"]), ("my-app", "user", credential["scopes"]),
    ]  # fmt: skip
    changed = await house.admin.ask("PUT", "credentials/my-app", {"description": "Other", "scopes": ["tokens:read:*"]})
    assert (changed.status, changed.json["message"]) == (200, "Credential updated successfully")
    assert (changed.json["credential"]["description"], changed.json["credential"]["scopes"]) == ("Other", ["tokens:read:*"])
    assert "client_secret" not in changed.json
    assert (await house.admin.ask("DELETE", "credentials/my-app")).json == {"message": "Credential deleted successfully"}
    assert await house.admin.told("DELETE", "credentials/my-app") == (404, "Credential not found")
    assert await house.admin.told("PUT", "credentials/my-app", {}) == (404, "Credential not found")


async def test_what_is_wrong_with_a_credential_is_told_in_the_contracts_words(house: Gateway) -> None:
    await house.credential("taken")
    for body, expected in (
        ({}, (400, "missing required field: client_id")),
        ({"client_id": "taken"}, (409, "Credential with client_id 'taken' already exists")),
        ({"client_id": "admin"}, (409, "Credential with client_id 'admin' already exists")),
    ):
        assert await house.admin.told("POST", "credentials", body) == expected
    refused: list[tuple[str, object, str]] = [
        ("PUT", {"active": False}, "Cannot deactivate super admin credentials"),
        ("PUT", {"regenerate_secret": True}, "Cannot regenerate secret for super admin credentials"),
        ("DELETE", None, "Cannot delete super admin credentials"),
    ]
    for method, wanted, text in refused:
        assert await house.admin.told(method, "credentials/admin", wanted) == (403, text)
    assert (await house.admin.told("POST", "credentials", b"[1]"))[0] == 400
    assert (await house.admin.told("PUT", "credentials/taken", {"scopes": ["send everything"]}))[0] == 400


async def test_a_secret_is_of_no_use_to_whoever_has_it_wrong_under_another_name_or_elsewhere(house: Gateway) -> None:
    made = (await house.admin.ask("POST", "credentials", {"client_id": "my-app"})).json
    secret = made["client_secret"]
    assert len(secret) >= 43
    assert (await house.basic("my-app", secret).ask("POST", "tokens", {})).status == 201
    assert await house.nobody.told("POST", "tokens", {}) == (401, "missing authorization header")
    assert await house.basic("my-app", "wrong").told("POST", "tokens", {}) == (401, "invalid credentials")
    assert await house.basic("other", secret).told("POST", "tokens", {}) == (401, "invalid credentials")
    assert await Client(house.service, "Digest abc").told("GET", "devices") == (401, "unsupported authorization scheme")
    for path in ("devices", "webhooks"):
        assert await house.bearer(secret).told("GET", path) == (403, "insufficient permissions")
    for path in ("/v1/accounts", "/api/v2/tokens", "/api/v2/events", "/v1/receive/+4915100000001"):
        answer = await house.service.get(path, Authorization=f"Bearer {secret}")
        assert answer.status == 403, path


async def test_a_deactivated_credential_is_refused_with_its_tokens_everywhere_until_it_is_active_again(house: Gateway) -> None:
    credential = await house.credential()
    token = await house.token(credential)
    assert (await token.ask("GET", "devices")).status == 200
    assert (await house.admin.ask("PUT", "credentials/my-app", {"active": False})).json["credential"]["active"] is False
    assert await credential.told("POST", "tokens", {}) == (401, "invalid credentials")
    assert await token.told("GET", "devices") == (403, "insufficient permissions")
    assert (await house.service.get("/v1/accounts", Authorization=token.authorization or "")).status == 403
    await house.admin.ask("PUT", "credentials/my-app", {"active": True})
    assert (await credential.ask("POST", "tokens", {})).status == 201
    assert (await token.ask("GET", "devices")).status == 200


async def test_scopes_of_a_credential_hold_for_its_tokens_too(house: Gateway) -> None:
    credential = await house.credential(scopes=["tokens:write:create", "webhooks:*"])
    token = await house.token(credential)
    assert await token.told("GET", "devices") == (403, "insufficient permissions")
    assert (await token.ask("GET", "webhooks")).status == 200
    await house.admin.ask("PUT", "credentials/my-app", {"scopes": ["devices:*"]})
    assert (await token.ask("GET", "devices")).status == 200
    assert await token.told("GET", "webhooks") == (403, "insufficient permissions")
    assert await credential.told("POST", "tokens", {}) == (403, "insufficient permissions")


async def test_every_scope_opens_its_routes_and_no_other(house: Gateway) -> None:
    routes = {
        "credentials:read:*": ("GET", "credentials", None), "credentials:write:*": ("POST", "credentials", {}),
        "tokens:read:*": ("GET", "tokens", None), "tokens:write:create": ("POST", "tokens", {"expires_at": "never"}),
        "tokens:write:delete": ("DELETE", "tokens/9999", None),
    }  # fmt: skip
    credential = await house.credential(scopes=[])
    for granted in (*routes, "tokens:*", "*", "devices:*", "credentials:write:create"):
        await house.admin.ask("PUT", "credentials/my-app", {"scopes": [granted]})
        for wanted, (method, path, body) in routes.items():
            allowed = granted in (wanted, "*") or (granted == "tokens:*" and wanted.startswith("tokens:"))
            answer = await credential.ask(method, path, body)
            assert (answer.status != 403) is allowed, (granted, wanted, answer.json)


async def test_nobody_gives_or_takes_more_than_they_have(house: Gateway) -> None:
    credential = await house.credential("small", ["credentials:write:*", "tokens:read:*"])
    await house.credential("big", ["*"])
    made = await credential.ask("POST", "credentials", {"client_id": "smaller"})
    assert (made.status, made.json["credential"]["scopes"]) == (201, [])
    assert (await credential.ask("PUT", "credentials/smaller", {"scopes": ["tokens:read:*"]})).status == 200
    for path, body in (
        ("smaller", {"scopes": ["*"]}), ("smaller", {"scopes": ["devices:*"]}), ("small", {"scopes": ["tokens:*"]}),
        ("big", {"regenerate_secret": True}), ("big", {"active": False}), ("admin", {"description": "mine"}),
    ):  # fmt: skip
        assert await credential.told("PUT", f"credentials/{path}", body) == (403, "insufficient permissions"), path
    assert await credential.told("DELETE", "credentials/big") == (403, "insufficient permissions")


async def test_a_new_secret_ends_the_old_one(house: Gateway) -> None:
    old = await house.credential()
    answer = (await house.admin.ask("PUT", "credentials/my-app", {"regenerate_secret": True})).json
    assert await old.told("POST", "tokens", {}) == (401, "invalid credentials")
    assert (await house.basic("my-app", answer["client_secret"]).ask("POST", "tokens", {})).status == 201


async def test_wrong_credentials_are_slowed_down(house: Gateway) -> None:
    found = [(await house.basic("my-app", f"guess{number}").told("GET", "credentials"))[0] for number in range(12)]
    assert found[:10] == [401] * 10
    assert found[-1] == 429


# --- tokens --------------------------------------------------------------------------------------------------------------


async def test_the_first_token_of_the_super_admin_is_for_the_accounts_of_this_service_and_others_have_none(house: Gateway) -> None:
    assert await house.admin.told("POST", "tokens", {"use_host": True}) == (
        400, "No admin identity found. Create first token with use_host=false",
    )  # fmt: skip
    user = await house.credential()
    early, first = await house.token(user), await house.token()
    sharing, own, late = await house.token(use_host=True), await house.token(), await house.token(user)
    assert first.authorization is not None
    assert first.authorization.startswith("Bearer mt_")
    for token in (first, sharing):
        assert len((await token.ask("GET", "devices")).json) == 2
    message = {"contact": "4915100000011", "platform": "signal", "text": "x"}
    for token in (early, own, late):
        assert (await token.ask("GET", "devices")).json == []
        assert await token.told("POST", "devices/4915100000001/message", message) == (403, "insufficient permissions")
    assert await user.told("POST", "tokens", {"use_host": True}) == (403, "Only super_admin can use use_host=true")
    listed = (await house.admin.ask("GET", "tokens")).json
    assert [entry["is_admin"] for entry in listed] == [True, False, False]
    assert listed[0]["matrix_username"] == listed[1]["matrix_username"] != listed[2]["matrix_username"]
    assert len({entry["matrix_device_id"] for entry in listed}) == 3


async def test_a_credential_sees_and_deletes_its_own_tokens_only_and_no_hash(house: Gateway) -> None:
    one, two = await house.credential("one", ["tokens:*"]), await house.credential("two", ["tokens:*"])
    await house.token(one)
    token = await house.token(two, expires_at=FUTURE)
    mine, theirs = (await one.ask("GET", "tokens")).json, (await two.ask("GET", "tokens")).json
    assert (len(mine), len(theirs), (await house.admin.ask("GET", "tokens")).json) == (1, 1, [])
    assert (mine[0]["token_hash"], mine[0]["expires_at"], theirs[0]["expires_at"]) == (None, None, FUTURE)
    assert await one.told("DELETE", f"tokens/{theirs[0]['id']}") == (404, "Token not found")
    assert (await two.ask("DELETE", f"tokens/{theirs[0]['id']}")).json == {"message": "Token deleted successfully"}
    assert await two.told("DELETE", f"tokens/{theirs[0]['id']}") == (404, "Token not found")
    assert await two.told("DELETE", "tokens/x") == (404, "Token not found")
    assert await token.told("GET", "devices") == (403, "invalid or expired token")


async def test_wishes_that_cannot_be_are_told_in_the_contracts_words(house: Gateway) -> None:
    for wish, text in (
        ({"expires_at": "tomorrow"}, "Invalid expires_at format. Must be RFC3339 (e.g., 2026-12-31T23:59:59Z)"),
        ({"expires_at": "2099-12-31"}, "Invalid expires_at format. Must be RFC3339 (e.g., 2026-12-31T23:59:59Z)"),
        ({"expires_at": PAST}, "expires_at must be in the future"),
    ):
        assert await house.admin.told("POST", "tokens", wish) == (400, text)
    status, text = await house.admin.told("POST", "tokens", b"[]")
    assert status == 400
    assert text.startswith("Invalid request body. Must be a JSON object.")
    assert (await house.admin.ask("POST", "tokens")).status == 201


async def test_a_deleted_credential_ends_its_tokens(house: Gateway) -> None:
    credential = await house.credential()
    token = await house.token(credential)
    await house.admin.ask("DELETE", "credentials/my-app")
    assert await token.told("GET", "devices") == (403, "invalid or expired token")
    assert await credential.told("POST", "tokens", {}) == (401, "invalid credentials")


async def test_credentials_and_tokens_outlive_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(tmp_path, monkeypatch) as house:
        credential = await house.credential(scopes=["tokens:*", "devices:*"])
        token = await house.token(credential)
        admin = house.admin.authorization
    async with gateway(tmp_path, monkeypatch) as house:
        credential, token = Client(house.service, credential.authorization), Client(house.service, token.authorization)
        assert len((await credential.ask("GET", "tokens")).json) == 1
        assert (await token.ask("GET", "devices")).json == []
        assert (await Client(house.service, admin).ask("GET", "credentials")).status == 200


async def test_native_tokens_use_the_gateway_as_far_as_they_may(house: Gateway) -> None:
    sending = await house.native(Scope.SEND, accounts=["+4915100000002"])
    assert (await sending.ask("GET", "devices")).json == [{"platform": "signal", "device_id": "4915100000002"}]
    assert await sending.told("POST", "devices", {"platform": "signal"}) == (403, "insufficient permissions")
    linking = await house.native(Scope.ACCOUNTS, accounts=["+4915100000002"])
    assert await linking.told("POST", "devices", {"platform": "signal"}) == (403, "insufficient permissions")
    for scope in (Scope.GATEWAY, Scope.SEND):
        assert await (await house.native(scope)).told("GET", "credentials") == (403, "insufficient permissions")
    assert await house.bearer("mt_" + "A" * 43).told("GET", "devices") == (403, "invalid or expired token")
    assert await house.bearer("nonsense").told("GET", "devices") == (401, "invalid token format")


async def test_what_is_not_there_is_told_in_the_same_form(house: Gateway) -> None:
    assert (await house.admin.told("GET", "devices/nowhere"))[0] == 404
    answer = await house.admin.ask("PATCH", "credentials")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")
