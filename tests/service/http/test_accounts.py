"""`/v1/accounts`, `/v1/register`, `/v1/devices`, `/v1/profiles`, `/v1/configuration`: an account's own affairs."""

import base64
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from signal_courier import logs
from tests.fakes.daemon import Failure
from tests.fakes.served import ACCOUNT, Service, served, simulated


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path) as running:
        yield running


async def test_accounts_are_listed_and_a_failure_is_500(service: Service) -> None:
    assert (await service.get("/v1/accounts")).json == [ACCOUNT]
    service.daemon.on("listAccounts", Failure(-1, "boom"))
    answer = await service.get("/v1/accounts")
    assert (answer.status, answer.error) == (500, "Couldn't get list of accounts: boom")


async def test_settings_left_out_stay(service: Service) -> None:
    assert (await service.put(f"/v1/accounts/{ACCOUNT}/settings", {"discoverable_by_number": False, "share_number": None})).status == 201
    assert service.calls == [("updateAccount", {"discoverableByNumber": False})]


async def test_a_username_is_set_told_and_removed(service: Service) -> None:
    service.daemon.on("updateAccount", {"username": "test.42", "usernameLink": "https://signal.me/#eu/x"})
    answer = await service.post(f"/v1/accounts/{ACCOUNT}/username", {"username": "test"})
    assert (answer.status, answer.json) == (201, {"username": "test.42", "username_link": "https://signal.me/#eu/x"})
    assert (await service.delete(f"/v1/accounts/{ACCOUNT}/username")).status == 204
    assert service.calls == [("updateAccount", {"username": "test"}), ("updateAccount", {"deleteUsername": True})]


async def test_a_pin_is_set_and_removed(service: Service) -> None:
    answer = await service.post(f"/v1/accounts/{ACCOUNT}/pin", {"pin": "1234"})
    assert (answer.status, answer.body) == (201, b"")
    assert (await service.delete(f"/v1/accounts/{ACCOUNT}/pin")).status == 204
    assert service.calls == [("setPin", {"pin": "1234"}), ("removePin", {})]


@pytest.mark.parametrize("body", [{"challenge_token": "t"}, {"challenge_token": "t", "captcha": " "}])
async def test_a_challenge_needs_its_captcha(service: Service, body: object) -> None:
    answer = await service.post(f"/v1/accounts/{ACCOUNT}/rate-limit-challenge", body)
    assert (answer.status, answer.error) == (400, "Couldn't process request - captcha missing")


@pytest.mark.parametrize("number", ["abc", "+0", "+12", "+4915", "4915", "+49151000000000000", "+49abc", "..%2F", "%2B"])
async def test_nothing_but_a_phone_number_is_registered(service: Service, number: str) -> None:
    answer = await service.post(f"/v1/register/{number}")
    assert answer.status == 400
    assert "number" in answer.error
    assert service.calls == []


async def test_a_bad_escape_in_a_number_is_malformed(service: Service) -> None:
    answer = await service.post("/v1/register/%2549151%25zz")
    assert (answer.status, answer.error) == (400, "Couldn't process request - malformed number")


@pytest.mark.parametrize("captcha", ["signalcaptcha://abc", "abc"])
async def test_a_captcha_is_taken_with_and_without_its_scheme(service: Service, captcha: str) -> None:
    answer = await service.post(f"/v1/register/{ACCOUNT}", {"captcha": f" {captcha}\n"})
    assert (answer.status, answer.json) == (201, {"status": "verification_required"})
    assert service.calls == [("register", {"captcha": captcha})]


async def test_registration_words_its_own_errors(service: Service) -> None:
    answer = await service.post(f"/v1/register/{ACCOUNT}", b"[")
    assert (answer.status, answer.error) == (400, "Couldn't process request - invalid request.")
    assert answer.headers["Content-Type"].startswith("application/json")
    service.daemon.on("register", Failure(-3, "StatusCode: 400 (InvalidTransportModeException)"))
    answer = await service.post(f"/v1/register/{ACCOUNT}")
    assert (answer.status, answer.error) == (
        400,
        'Couldn\'t use SMS verification to register the specified number. Wait 60 seconds and try again with {"use_voice": true}',
    )
    service.daemon.on("verify", Failure(-32603, "null (NullPointerException)"))
    answer = await service.post(f"/v1/register/{ACCOUNT}/verify/123-456")
    assert answer.status == 400
    assert "register it first" in answer.error


@pytest.mark.parametrize("route", [f"/v1/register/{ACCOUNT}", f"/v1/register/{ACCOUNT}/verify/123456", f"/v1/unregister/{ACCOUNT}"])
async def test_a_broken_body_of_a_registration_is_worded_as_upstream_does(service: Service, route: str) -> None:
    answer = await service.post(route, b"{")
    assert (answer.status, answer.error) == (400, "Couldn't process request - invalid request.")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert service.calls == []


async def test_verification_needs_no_body(service: Service) -> None:
    answer = await service.post(f"/v1/register/{ACCOUNT}/verify/123-456")
    assert (answer.status, answer.json) == (201, {"status": "verified"})
    assert service.calls == [("verify", {"verificationCode": "123-456"})]


async def test_data_stay_when_unregistering_fails(service: Service) -> None:
    service.daemon.on("unregister", Failure(-3, "boom"))
    assert (await service.post(f"/v1/unregister/{ACCOUNT}", {"delete_local_data": True})).status == 400
    assert service.calls == [("unregister", {})]


async def test_devices_have_both_spellings_of_their_times(service: Service) -> None:
    service.daemon.on("listDevices", [{"id": 2, "name": None, "createdTimestamp": 5, "lastSeenTimestamp": 6}])
    assert (await service.get(f"/v1/devices/{ACCOUNT}")).json == [
        {"id": 2, "name": "", "creation_timestamp": 5, "last_seen_timestamp": 6, "created": 5, "last_seen": 6}
    ]


async def test_a_device_is_added_and_removed(service: Service) -> None:
    uri = "sgnl://linkdevice?uuid=a&pub_key=b"
    assert (await service.post(f"/v1/devices/{ACCOUNT}", {"uri": uri})).status == 204
    assert (await service.delete(f"/v1/devices/{ACCOUNT}/3")).status == 204
    assert (await service.delete(f"/v1/devices/{ACCOUNT}/-3")).error == "deviceId must be numeric"
    assert service.calls == [("addDevice", {"uri": uri}), ("removeDevice", {"deviceId": 3})]


async def test_a_profile_keeps_its_picture_unless_told_otherwise(service: Service) -> None:
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    profile = f"/v1/profiles/{ACCOUNT}"
    assert (await service.put(profile, {"name": "Me", "family_name": "Too", "about": "", "about_emoji": "🏠"})).status == 204
    assert (await service.put(profile, {"name": "Me", "base64_avatar": None})).status == 204
    assert (await service.put(profile, {"name": "Me", "base64_avatar": ""})).status == 204
    assert (await service.put(profile, {"name": "Me", "base64_avatar": picture})).status == 204
    first, second, third, fourth = [params for _, params in service.calls]
    assert first == {"givenName": "Me", "familyName": "Too", "about": "", "aboutEmoji": "🏠"}
    assert second == {"givenName": "Me"}
    assert third == {"givenName": "Me", "removeAvatar": True}
    assert fourth["avatar"].endswith(".png")


async def test_a_failed_profile_change_is_told(service: Service) -> None:
    service.daemon.on("updateProfile", Failure(-3, "No connection!"))
    answer = await service.put(f"/v1/profiles/{ACCOUNT}", {"name": "Me"})
    assert (answer.status, answer.error) == (400, "No connection!")


async def test_sticker_packs_are_listed_and_added(service: Service) -> None:
    service.daemon.on("listStickerPacks", [{"packId": "aa", "url": None, "installed": True, "title": None, "author": "A", "stickers": []}])
    packs = f"/v1/sticker-packs/{ACCOUNT}"
    assert (await service.get(packs)).json == [{"pack_id": "aa", "url": "", "installed": True, "title": "", "author": "A"}]
    assert (await service.post(packs, {"pack_id": "aa", "pack_key": "bb"})).status == 201
    assert service.calls[-1] == ("addStickerPack", {"uri": ["https://signal.art/addstickers/#pack_id=aa&pack_key=bb"]})
    assert (await service.post(packs, {"pack_id": "aa", "pack_key": "b&c=d"})).status == 400
    assert (await service.post(packs, {"pack_key": "bb"})).error == "Couldn't process request - pack_id missing"


@pytest.fixture
def level_restored() -> Iterator[None]:
    before = logging.getLogger("signal_courier").level
    root = logging.getLogger().level
    yield
    logging.getLogger("signal_courier").setLevel(before)
    logging.getLogger().setLevel(root)


@pytest.mark.usefixtures("level_restored")
async def test_the_log_level_is_set_in_either_spelling(service: Service) -> None:
    answer = await service.post("/v1/configuration", {"logging": {"level": "WARNING"}})
    assert (answer.status, answer.json) == (200, {"logging": {"level": "WARNING"}})
    assert (await service.get("/v1/configuration")).json == {"logging": {"Level": "warn"}}
    assert (await service.post("/v1/configuration", {"logging": {"Level": "debug"}})).status == 204
    assert logs.current_level() == "debug"
    assert (await service.post("/v1/configuration", {"Logging": {"LEVEL": "error"}})).status == 204
    assert (await service.get("/v1/configuration")).json == {"logging": {"Level": ""}}
    answer = await service.post("/v1/configuration", {"logging": {"Level": "loud"}})
    assert (answer.status, answer.error) == (400, "Couldn't set log level - invalid log level")


@pytest.mark.usefixtures("level_restored")
async def test_a_configuration_without_a_level_changes_nothing_as_upstream_has_it(service: Service) -> None:
    await service.post("/v1/configuration", {"logging": {"Level": "debug"}})
    empty: tuple[object, ...] = ({}, None, {"logging": {}}, {"logging": None}, {"logging": {"Level": ""}}, {"logging": {"Level": None}})
    for body in empty:
        answer = await service.request("POST", "/v1/configuration", b"null" if body is None else body)
        assert (answer.status, answer.body) == (204, b"")
    assert logs.current_level() == "debug"


async def test_registering_in_the_simulator_ends_in_an_account(tmp_path: Path) -> None:
    number = "+4915100000077"
    async with simulated(tmp_path) as service:
        refused = await service.post(f"/v1/register/{number}")
        assert refused.status == 400
        assert "aptcha" in refused.error
        answer = await service.post(f"/v1/register/{number}", {"captcha": "signalcaptcha://anything"})
        assert answer.json == {"status": "verification_required"}
        assert (await service.post(f"/v1/register/{number}/verify/654321")).status == 400
        assert (await service.post(f"/v1/register/{number}/verify/123456")).json == {"status": "verified"}
        assert number in (await service.get("/v1/accounts")).json
