"""The service and Home Assistant are not updated at the same time: what the other does not know yet, or no longer tells, harms nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.signal_courier.const import DOMAIN
from custom_components.signal_courier.diagnostics import async_get_config_entry_diagnostics
from tests.integration.courier import DEMO_GROUP, DEMO_GROUP_ID, ECHO, HOME, Courier, uuid_of
from tests.integration.waiting import wait_for

type Json = Any
type Change = Callable[[Json], Json]

_OF_THE_CONNECTION = ("Host", "Content-Length", "Transfer-Encoding")
LATER = {"kept_since": 1, "parts": [{"state": "new"}]}
KNOWN_FROM_THE_BEGINNING = frozenset(
    {
        "id", "type", "account", "accounts", "number", "uuid", "version", "engine", "state", "name", "position", "lag", "conversations",
        "conversation", "kind", "group", "person", "members", "member", "messages", "message", "timestamp", "time", "text", "sender",
        "recipient", "recipients", "missed", "poll", "options", "question", "target", "votes", "action", "attachments", "author", "status",
    }
)  # fmt: skip
"""The least that a service tells; everything else may have come later."""


def of_a_newer_service(told: Json) -> Json:
    """The same with members that nobody knows yet, at every place."""
    if isinstance(told, list):
        return [of_a_newer_service(one) for one in told]
    if isinstance(told, dict):
        return {**{key: of_a_newer_service(value) for key, value in told.items()}, "later": LATER}
    return told


def of_an_older_service(told: Json) -> Json:
    """The same without what may not have been told from the beginning."""
    if isinstance(told, list):
        return [of_an_older_service(one) for one in told]
    if isinstance(told, dict):
        return {key: of_an_older_service(value) for key, value in told.items() if key in KNOWN_FROM_THE_BEGINNING}
    return told


def with_what_is_unknown(told: Json) -> Json:
    """What happens has types, and words, that nobody knows yet; a typing event cannot be read at all."""
    told = of_a_newer_service(told)
    if isinstance(told, dict) and (kind := told.get("type")):
        match kind:
            case "typing":
                return {key: value for key, value in told.items() if key != "type"}
            case "receipt":
                told["type"] = "parcel"
            case "call":
                told["call"]["action"] = "beamed"
            case "poll":
                told["poll"]["action"] = "withdrawn"
            case "status":
                told["status"] |= {"state": "printed"}
            case "account":
                told["account_change"] = {"change": "aura", "state": "glowing"}
    return told


@asynccontextmanager
async def another_version(courier: Courier, change: Change) -> AsyncIterator[str]:
    """An address where the service's words are changed by `change`."""
    async with aiohttp.ClientSession() as session:

        async def serve(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await follow(request)
            headers = {name: value for name, value in request.headers.items() if name not in _OF_THE_CONNECTION}
            async with session.request(request.method, courier.url + request.path_qs, headers=headers, data=await request.read()) as told:
                body = await told.read()
                if told.content_type.endswith("json") and body:
                    body = json.dumps(change(json.loads(body))).encode()
                return web.Response(status=told.status, body=body, content_type=told.content_type)

        async def follow(request: web.Request) -> web.StreamResponse:
            here = web.WebSocketResponse()
            async with session.ws_connect(
                courier.url + request.path_qs, headers={"Authorization": request.headers["Authorization"]}
            ) as there:
                await here.prepare(request)

                async def onward() -> None:
                    async for frame in here:
                        await there.send_str(frame.data)
                    await there.close()

                sending = asyncio.get_running_loop().create_task(onward())
                async for frame in there:
                    await here.send_str(json.dumps(change(json.loads(frame.data))))
                sending.cancel()
            return here

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", serve)
        async with TestServer(application, host="127.0.0.1") as server:
            yield str(server.make_url("")).rstrip("/")


def vote(poll: int) -> Json:
    return {"pollVote": {"author": HOME, "authorUuid": uuid_of(HOME), "targetSentTimestamp": poll, "optionIndexes": [0], "voteCount": 1}}


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged with a traceback. asyncio's own are left out: it tells them of the sockets of the proxy that is ended."""
    return [one.getMessage() for one in caplog.records if one.exc_info and one.name != "asyncio"]


@pytest.mark.parametrize("change", [of_a_newer_service, of_an_older_service, with_what_is_unknown])
async def test_another_version_of_the_service_is_understood(hass: HomeAssistant, courier, config_entry, setup_integration, caplog, change):
    async with another_version(courier, change) as address:
        hass.config_entries.async_update_entry(config_entry, data={**config_entry.data, CONF_URL: address})
        told = async_capture_events(hass, f"{DOMAIN}_message")
        await setup_integration()
        assert {one.disabled_by for one in er.async_entries_for_config_entry(er.async_get(hass), config_entry.entry_id)} >= {None}
        assert len(dr.async_entries_for_config_entry(dr.async_get(hass), config_entry.entry_id)) == 3
        for entity_id in ("notify.echo_hill", "event.demo", "binary_sensor.home_connectivity", "sensor.echo_hill_last_message"):
            state = hass.states.get(entity_id)
            assert state is not None
            assert state.state != "unavailable", entity_id

        await courier.post({"typingMessage": {"action": "STARTED", "timestamp": 1}})
        await courier.post({"callMessage": {"offerMessage": {"id": 1, "type": "AUDIO_CALL", "opaque": ""}}})
        await courier.deliver("Hello")
        await courier.deliver("Everybody", group_id=DEMO_GROUP_ID)
        await wait_for(lambda: len(told) == 2, within=30)
        assert [one.data["text"] for one in told] == ["Hello", "Everybody"]
        sent = await call(hass, "send_message", conversation=[ECHO, DEMO_GROUP], message="Hi", wait_for="read", timeout=2)
        assert sent["state"]
        handle = (await call(hass, "send_message", conversation=ECHO, message="Hi"))["handle"]
        assert handle
        assert (await call(hass, "react", handle=handle, emoji="👍"))["state"]
        poll = await call(hass, "send_poll", conversation=ECHO, question="Tea?", options=["Yes", "No"])
        await courier.speak(vote(poll["timestamp"]))
        assert (await call(hass, "get_messages", conversation=ECHO))["messages"]
        assert [one["name"] for one in (await call(hass, "get_conversations", search="Polly"))["conversations"]] == ["Polly Vote"]
        assert (await call(hass, "get_conversations"))["conversations"]
        await courier.deliver("The end")
        await wait_for(lambda: told[-1].data["text"] == "The end", within=30)
        assert await async_get_config_entry_diagnostics(hass, config_entry)
        assert config_entry.runtime_data.coordinator.last_update_success
        await hass.config_entries.async_unload(config_entry.entry_id)
    assert failures(caplog) == []
    left_out = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert bool(left_out) is (change is with_what_is_unknown)


async def call(hass: HomeAssistant, action: str, /, **data: object) -> Json:
    """An action and its answer."""
    return await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)


@pytest.mark.parametrize("time", [0, 1, 253_402_300_800_000, 9_000_000_000_000_000_000])
async def test_a_message_of_an_impossible_time_is_told_like_any_other(hass: HomeAssistant, courier, setup_integration, caplog, time):
    told = async_capture_events(hass, f"{DOMAIN}_message")
    await setup_integration()
    content = {"timestamp": time, "message": "Out of time"}
    envelope = {"sourceNumber": ECHO, "sourceUuid": uuid_of(ECHO), "sourceName": "Echo Hill", "sourceDevice": 1, "timestamp": time}
    await courier.inject({"account": HOME, "envelope": envelope | {"dataMessage": content}})
    await courier.deliver("In time")
    await wait_for(lambda: told and told[-1].data["text"] == "In time")
    assert [one.data["text"] for one in told] == ["Out of time", "In time"]
    assert hass.states.get("sensor.echo_hill_last_message").state not in ("unknown", "unavailable")
    assert failures(caplog) == []
