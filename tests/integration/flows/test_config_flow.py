"""Setting up by hand: what is wrong is said at its field, every error can be put right, one entry is one account."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.signal_courier.client import SignalCourierClient
from custom_components.signal_courier.const import CONF_ACCOUNT, CONF_INSTANCE
from custom_components.signal_courier.flows import connection
from custom_components.signal_courier.flows.connection import parse_url
from tests.integration.certificates import https_page
from tests.integration.conftest import Setup
from tests.integration.courier import HOME, SECOND, TOKEN, Courier, uuid_of
from tests.integration.flows.dialogs import begin, choose, connected, give


@pytest.mark.parametrize(
    ("pasted", "meant"),
    [
        ("192.168.1.5", "http://192.168.1.5:8080"),
        ("courier.lan", "http://courier.lan:8080"),
        ("courier.lan:9000/", "http://courier.lan:9000"),
        (" http://courier.lan:8080/api/v2 ", "http://courier.lan:8080"),
        ("http://courier.lan/swagger/index.html", "http://courier.lan"),
        ("https://home.example/signal/", "https://home.example/signal"),
        ("https://home.example/signal/v2/send?x=1#y", "https://home.example/signal"),
        ("HTTP://Courier.lan:8080/v1/about", "http://courier.lan:8080"),
        ("[fd00::5]:8080", "http://[fd00::5]:8080"),
        ("'http://courier.lan:8080'", "http://courier.lan:8080"),
    ],
)
def test_an_address_is_understood_as_people_paste_it(pasted: str, meant: str) -> None:
    assert parse_url(pasted) == (meant, None)


def test_a_token_in_the_address_is_taken_out_of_it() -> None:
    assert parse_url("http://courier.lan:8080/t/abc-123/v2/send") == ("http://courier.lan:8080", "abc-123")
    assert parse_url("http://courier.lan:8080/t/abc-123") == ("http://courier.lan:8080", "abc-123")


@pytest.mark.parametrize("nonsense", ["", "ftp://courier.lan", "not an address", "http://", "http://host:99999999"])
def test_what_is_no_address_is_refused(nonsense: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_url(nonsense)


async def test_an_account_of_the_service_is_set_up(hass: HomeAssistant, courier: Courier) -> None:
    result = await begin(hass)
    assert (result["type"], result["step_id"], result["errors"]) == (FlowResultType.FORM, "user", {})
    result = await give(hass, result, url=f"{courier.url}/api/v2/", token=f" {TOKEN} ", verify_ssl=True)
    assert result["menu_options"] == ["existing", "link", "register"]
    result = await choose(hass, result, "existing")
    assert result["step_id"] == "existing"
    result = await give(hass, result, account=SECOND)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert (result["title"], result["result"].unique_id) == ("Second", uuid_of(SECOND))
    kept = result["result"].data
    assert {key: kept[key] for key in ("url", "token", "verify_ssl", CONF_ACCOUNT)} == {
        "url": courier.url, "token": TOKEN, "verify_ssl": True, CONF_ACCOUNT: SECOND,
    }  # fmt: skip
    assert CONF_INSTANCE in kept
    kind, following = result["next_flow"]
    assert kind == "config_subentries_flow"
    assert hass.config_entries.subentries.async_get(following)["step_id"] == "user"
    await hass.async_block_till_done()
    assert result["result"].state is ConfigEntryState.LOADED
    await hass.config_entries.async_unload(result["result"].entry_id)


async def test_an_account_that_is_set_up_is_not_offered_again(hass: HomeAssistant, courier: Courier, setup_integration: Setup) -> None:
    await setup_integration()
    result = await choose(hass, await connected(hass, courier), "existing")
    (field,) = result["data_schema"].schema
    assert [one["value"] for one in result["data_schema"].schema[field].config["options"]] == [SECOND]


async def test_another_account_of_the_same_service_needs_no_typing(hass: HomeAssistant, courier: Courier, setup_integration: Setup) -> None:
    await setup_integration()
    result = await begin(hass)
    suggested = {str(field): (field.description or {}).get("suggested_value") for field in result["data_schema"].schema}
    assert suggested == {"url": courier.url, "token": None, "verify_ssl": True}
    wrong = await give(hass, result, url=courier.url, token="wrong", verify_ssl=True)
    assert wrong["errors"] == {"token": "invalid_auth"}
    result = await choose(hass, await give(hass, wrong, url=f"{courier.url}/", token=" ", verify_ssl=True), "existing")
    result = await give(hass, result, account=SECOND)
    assert (result["type"], result["data"]["token"]) == (FlowResultType.CREATE_ENTRY, TOKEN)
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(result["result"].entry_id)


async def test_whoever_sets_the_same_account_up_twice_only_renews_it(hass: HomeAssistant, courier: Courier) -> None:
    first, second = await connected(hass, courier), await connected(hass, courier)
    first, second = await choose(hass, first, "existing"), await choose(hass, second, "existing")
    entry = (await give(hass, first, account=HOME))["result"]
    await hass.async_block_till_done()
    result = await give(hass, second, account=HOME)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_service_on_the_same_machine_needs_no_token(hass: HomeAssistant, courier: Courier) -> None:
    await courier.renew(trust_loopback=True)
    result = await begin(hass, url=courier.url)
    assert result["step_id"] == "add_account"


async def put_right(hass: HomeAssistant, courier: Courier, result: dict) -> None:
    """Every error can be put right in the same dialog."""
    assert result["type"] is FlowResultType.FORM
    result = await give(hass, result, url=courier.url, token=TOKEN, verify_ssl=True)
    assert result["step_id"] == "add_account"


async def test_an_address_that_is_none_is_said_at_its_field(hass: HomeAssistant, courier: Courier) -> None:
    result = await begin(hass, url="not an address", token=TOKEN)
    assert result["errors"] == {"url": "invalid_url"}
    await put_right(hass, courier, result)


async def test_nobody_there_is_said_at_the_address(hass: HomeAssistant, courier: Courier, unused_tcp_port: int) -> None:
    result = await begin(hass, url=f"http://127.0.0.1:{unused_tcp_port}", token=TOKEN)
    assert result["errors"] == {"url": "cannot_connect"}
    await put_right(hass, courier, result)


async def test_a_wrong_and_a_missing_token_are_said_at_the_token(hass: HomeAssistant, courier: Courier) -> None:
    result = await begin(hass, url=courier.url, token="wrong-token-0123456789")
    assert result["errors"] == {"token": "invalid_auth"}
    result = await give(hass, result, url=courier.url, verify_ssl=True)
    assert result["errors"] == {"token": "token_needed"}
    result = await give(hass, result, url=courier.url, token="what\nis this", verify_ssl=True)
    assert result["errors"] == {"token": "invalid_auth"}
    await put_right(hass, courier, result)


async def make_token(client: SignalCourierClient, *scopes: str, accounts: list[str] | None = None) -> str:
    """A token of the service with these scopes."""
    body = {"name": "test", "scopes": list(scopes), "accounts": accounts}
    answer = await client._transport.call("POST", "/api/v2/tokens", body)
    token = answer["token"]
    assert isinstance(token, str)
    return token


async def test_a_token_that_allows_too_little_is_told_what_it_lacks(
    hass: HomeAssistant, courier: Courier, client: SignalCourierClient
) -> None:
    result = await begin(hass, url=courier.url, token=await make_token(client, "send", "receive"))
    assert result["errors"] == {"token": "missing_scopes"}
    assert result["description_placeholders"]["scopes"] == "contacts, groups, accounts"
    await put_right(hass, courier, result)


async def test_a_token_of_one_account_only_offers_that(hass: HomeAssistant, courier: Courier, client: SignalCourierClient) -> None:
    token = await make_token(client, *connection.SCOPES, accounts=[SECOND])
    result = await begin(hass, url=courier.url, token=token)
    assert result["step_id"] == "existing"
    result = await give(hass, result, account=SECOND)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    again = await begin(hass, url=courier.url, token=token)
    assert (again["type"], again["reason"]) == (FlowResultType.ABORT, "already_configured")
    await hass.config_entries.async_unload(result["result"].entry_id)


async def test_an_older_service_than_is_needed_is_named(hass: HomeAssistant, courier: Courier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MINIMUM_VERSION", "99.0.0")
    result = await begin(hass, url=courier.url, token=TOKEN)
    assert result["errors"] == {"url": "service_too_old"}
    assert result["description_placeholders"]["minimum"] == "99.0.0"
    monkeypatch.undo()
    await put_right(hass, courier, result)


# -- others than Signal Courier


@asynccontextmanager
async def answering(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A server that answers everything so."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def as_a_page(request: web.Request) -> web.Response:
    return web.Response(text="<html>a router's page</html>", content_type="text/html")


async def as_signal_cli_rest_api(request: web.Request) -> web.Response:
    if request.path == "/v1/about":
        return web.json_response({"versions": ["v1", "v2"], "build": 2, "mode": "json-rpc", "version": "0.94"})
    return web.Response(status=404, text="404 page not found", content_type="text/plain")


async def as_other_json(request: web.Request) -> web.Response:
    return web.json_response(["something", "else"])


async def as_proxy_without_service(request: web.Request) -> web.Response:
    return web.Response(status=502, text="Bad Gateway")


async def as_other_api(request: web.Request) -> web.Response:
    return web.json_response({"scopes": ["admin"]})


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (as_a_page, "not_signal_courier"),
        (as_signal_cli_rest_api, "not_signal_courier"),
        (as_other_json, "not_signal_courier"),
        (as_other_api, "not_signal_courier"),
        (as_proxy_without_service, "cannot_connect"),
    ],
)
async def test_who_is_not_signal_courier_is_recognised(
    hass: HomeAssistant, courier: Courier, answer: Callable[[web.Request], Awaitable[web.StreamResponse]], error: str
) -> None:
    async with answering(answer) as url:
        result = await begin(hass, url=url, token=TOKEN)
    assert result["errors"] == {"url": error}
    await put_right(hass, courier, result)


async def test_a_certificate_that_nobody_knows_is_said_and_can_be_let_pass(hass: HomeAssistant, courier: Courier, tmp_path: Path) -> None:
    with https_page(tmp_path) as url:
        result = await begin(hass, url=url, token=TOKEN)
        assert result["errors"] == {"url": "ssl_error"}
        result = await give(hass, result, url=url, token=TOKEN, verify_ssl=False)
        assert result["errors"] == {"url": "not_signal_courier"}
    await put_right(hass, courier, result)


async def test_an_address_that_does_not_answer_in_time_is_said_so(
    hass: HomeAssistant, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.signal_courier.client.client.SHORT_DEADLINE", 0.2)
    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: connections.append(writer), "127.0.0.1", 0)
    result = await begin(hass, url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", token=TOKEN)
    monkeypatch.undo()
    for each in connections:
        each.close()
    server.close()
    assert result["errors"] == {"url": "timeout_connect"}
    await put_right(hass, courier, result)
