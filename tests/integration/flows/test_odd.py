"""The dialogs before a service that fails in ways in which ours cannot be made to fail: a stand-in that answers as it is told."""

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.signal_courier.client import SignalCourierClient
from custom_components.signal_courier.flows import link
from tests.integration.courier import HOME, TOKEN, Courier
from tests.integration.flows.dialogs import Result, begin, choose, give, is_open, progressed, refreshed
from tests.integration.flows.test_config_flow import answering
from tests.integration.flows.test_register import NUMBER, asked_for_code

PREFIX = "urn:signal-courier:problem:"
SCOPES = ["send", "receive", "contacts", "groups", "accounts"]
LINK = {"id": "abc", "state": "waiting", "uri": "sgnl://linkdevice?x", "version": 1, "device_name": "x"}
WELL: dict[tuple[str, str], Any] = {
    ("GET", "/api/v2/tokens/self"): {"name": "x", "kind": "token", "scopes": SCOPES},
    ("GET", "/api/v2/status"): {"version": "0.1.0", "accounts": []},
    ("GET", "/api/v2/accounts"): {"accounts": []},
    ("POST", "/api/v2/links"): LINK,
    ("GET", "/api/v2/links/abc"): LINK,
    ("GET", "/api/v2/links/abc/qr.png"): "picture",
    ("DELETE", "/api/v2/links/abc"): {},
}


def refused(kind: str, status: int) -> web.Response:
    """A problem as the service tells it."""
    return web.json_response({"type": PREFIX + kind, "title": kind, "status": status, "detail": f"{kind}!"}, status=status)


@asynccontextmanager
async def standing_in() -> AsyncIterator[tuple[str, dict[tuple[str, str], Any]]]:
    """A service that answers from a table, which a test may change: JSON, a text, or the kind and status of a problem."""
    table = copy.deepcopy(WELL)
    end = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        found = table.get((request.method, request.path), ("not-found", 404))
        if "wait" in request.query and found == LINK:
            found = None
        if found is None:
            await end.wait()
            return web.Response(status=503)
        if isinstance(found, tuple):
            return refused(*found)
        return web.Response(text=found) if isinstance(found, str) else web.json_response(found)

    async with answering(answer) as url:
        try:
            yield url, table
        finally:
            end.set()


@pytest.mark.parametrize(
    ("path", "kind", "status", "error"),
    [
        ("/api/v2/status", "forbidden", 403, {"token": "missing_scopes"}),
        ("/api/v2/status", "wrong-host", 421, {"url": "wrong_host"}),
        ("/api/v2/tokens/self", "throttled", 429, {"base": "throttled"}),
        ("/api/v2/status", "internal", 500, {"base": "problem"}),
    ],
)
async def test_what_the_service_says_is_said(hass: HomeAssistant, path: str, kind: str, status: int, error: dict[str, str]) -> None:
    async with standing_in() as (url, table):
        table["GET", path] = (kind, status)
        result = await begin(hass, url=url, token=TOKEN)
        assert result["errors"] == error
        table["GET", path] = WELL["GET", path]
        result = await give(hass, result, url=url, token=TOKEN, verify_ssl=True)
        assert result["step_id"] == "add_account"


async def test_accounts_that_cannot_be_listed_end_the_dialog(hass: HomeAssistant) -> None:
    async with standing_in() as (url, table):
        table["GET", "/api/v2/accounts"] = ("internal", 500)
        result = await begin(hass, url=url, token=TOKEN)
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "account_failed")
        assert result["description_placeholders"]["error"] == "internal!"


async def test_a_picture_that_cannot_be_had_is_told(hass: HomeAssistant) -> None:
    async with standing_in() as (url, table):
        table["GET", "/api/v2/links/abc/qr.png"] = ("internal", 500)
        result = await progressed(hass, await choose(hass, await begin(hass, url=url, token=TOKEN), "link"))
        assert (result["step_id"], result["description_placeholders"]) == ("link_failed", {"reason": "internal!"})


async def test_a_link_that_cannot_be_ended_ends_by_itself(hass: HomeAssistant) -> None:
    async with standing_in() as (url, table):
        table["DELETE", "/api/v2/links/abc"] = ("internal", 500)
        result = await choose(hass, await begin(hass, url=url, token=TOKEN), "link")
        await shown(hass, result)
        hass.config_entries.flow.async_abort(result["flow_id"])
        await hass.async_block_till_done()
        assert not is_open(hass, result["flow_id"])


async def test_a_link_that_fails_without_a_reason_is_told(hass: HomeAssistant) -> None:
    async with standing_in() as (url, table):
        table["POST", "/api/v2/links"] = {**LINK, "state": "failed"}
        result = await progressed(hass, await choose(hass, await begin(hass, url=url, token=TOKEN), "link"))
        assert (result["step_id"], result["description_placeholders"]) == ("link_failed", {"reason": "failed"})


@pytest.mark.parametrize("accounts", [[], [{"number": HOME, "state": "offline"}]])
async def test_an_account_that_does_not_come_is_not_waited_for_without_end(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, accounts: list[dict[str, str]]
) -> None:
    monkeypatch.setattr(link, "_SYNC_SECONDS", 0.05)
    monkeypatch.setattr(link, "_SYNC_PAUSE", 0.01)
    async with standing_in() as (url, table):
        result = await begin(hass, url=url, token=TOKEN)
        table["POST", "/api/v2/links"] = {**LINK, "state": "linked", "account": HOME}
        table["GET", "/api/v2/accounts"] = {"accounts": accounts}
        result = await progressed(hass, await choose(hass, result, "link"))
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "account_failed")


async def test_what_signal_refuses_is_said_in_its_words(hass: HomeAssistant, courier: Courier, client: SignalCourierClient) -> None:
    result = await asked_for_code(hass, courier)
    await courier.signal_cli("deleteLocalAccountData", account=NUMBER, ignoreRegistered=True)
    result = await give(hass, result, code="123456", call=False)
    assert (result["step_id"], result["errors"]) == ("code", {"base": "problem"})
    assert "register it first" in result["description_placeholders"]["error"]


async def shown(hass: HomeAssistant, result: Result) -> None:
    """Wait until a code is shown."""
    async with asyncio.timeout(10):
        while (await refreshed(hass, result))["progress_action"] != "link_scan":  # noqa: ASYNC110
            await asyncio.sleep(0.005)
