"""What the client makes of answers that are odd, of programs that are no Signal Courier, and of the rarer calls."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from custom_components.signal_courier.actions.once import async_attempt, async_ended
from custom_components.signal_courier.client import (
    AccountUnknown,
    CourierError,
    Forbidden,
    InvalidAnswer,
    Problem,
    SignalCourierClient,
    Unauthorized,
    Unreachable,
)
from custom_components.signal_courier.client.decoding import decode
from custom_components.signal_courier.client.events import Event, Place
from custom_components.signal_courier.client.models import Conversation, Queues, Sent, Status
from custom_components.signal_courier.conversations import ConversationDirectory
from custom_components.signal_courier.errors import home_assistant_error
from custom_components.signal_courier.happenings.polls import async_asked_poll, async_remember_poll
from custom_components.signal_courier.receiving.events import EventHub
from tests.integration.courier import DEMO_GROUP, ECHO, HOME, POLLY, SECOND, uuid_of
from tests.integration.waiting import wait_for

type Answers = dict[str, web.StreamResponse | list[str | bytes]]


@pytest.fixture
async def somebody_else(hass: HomeAssistant, answers: Answers) -> AsyncIterator[SignalCourierClient]:
    """A client at the address of a program that gives `answers` by path; a list is what its WebSocket says before it closes."""

    async def answer(request: web.Request) -> web.StreamResponse:
        found = answers[request.path]
        if isinstance(found, web.StreamResponse):
            return found
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for said in found:
            await (socket.send_str(said) if isinstance(said, str) else socket.send_bytes(said))
        await socket.close()
        return socket

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application, host="127.0.0.1") as server, ClientSession() as session:
        yield SignalCourierClient(session, str(server.make_url("")), token="a-token", account=HOME)


@pytest.mark.parametrize(
    "answers",
    [
        {"/api/v2/status": web.Response(text="<html>A router</html>", content_type="text/html")},
        {"/api/v2/status": web.json_response([])},
        {"/api/v2/status": web.json_response({"started": 1})},
        {"/api/v2/status": web.Response()},
    ],
)
async def test_another_program_at_the_address_is_seen(somebody_else):
    with pytest.raises(InvalidAnswer):
        await somebody_else.status()


@pytest.mark.parametrize("answers", [{"/api/v2/accounts": web.json_response({"accounts": None})}])
async def test_a_list_that_is_missing_is_no_empty_list(somebody_else):
    with pytest.raises(InvalidAnswer, match="accounts is missing"):
        await somebody_else.accounts.all()


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"/api/v2/status": web.Response(status=502, text="<html>bad gateway</html>")}, Problem),
        ({"/api/v2/status": web.Response(status=401)}, Unauthorized),
        ({"/api/v2/status": web.Response(status=403)}, Forbidden),
        ({"/api/v2/status": web.Response(status=302, headers={"Location": "/login"})}, Problem),
    ],
)
async def test_a_refusal_without_a_reason_is_told_by_its_status(somebody_else, kind):
    with pytest.raises(kind) as refused:
        await somebody_else.status()
    assert refused.value.kind == ""
    assert home_assistant_error(refused.value).translation_key == "unknown"


@pytest.mark.parametrize(
    ("answers", "raised", "told"),
    [
        ({"/api/v2/events": ["no JSON"]}, InvalidAnswer, []),
        ({"/api/v2/events": ["[]"]}, InvalidAnswer, []),
        ({"/api/v2/events": ['{"id": 1}', '{"id": "2", "type": "call"}', '{"id": 3, "type": "call"}']}, Unreachable, [3]),
        ({"/api/v2/events": ['{"id": 1, "type": "new"}', '{"acknowledged": 1}']}, Unreachable, [1]),
        ({"/api/v2/events": ['{"type": "missed", "missed": 4}', '{"id": 9, "type": "call"}', '{"type": "missed"}']}, Unreachable, [9]),
        ({"/api/v2/events": [b"bytes"]}, Unreachable, []),
        ({"/api/v2/events": web.Response(status=401)}, Unauthorized, []),
        ({"/api/v2/events": web.Response(status=200)}, Unreachable, []),
        ({"/api/v2/events": web.Response(status=500)}, Unreachable, []),
    ],
)
async def test_a_stream_that_is_none_ends_with_an_error_of_ours(somebody_else, raised, told):
    found: list[int] = []
    missed = 0

    async def follow() -> None:
        nonlocal missed
        async with somebody_else.events.follow("somebody") as stream:
            async for event in stream:
                found.append(event.id)
                missed = stream.missed

    with pytest.raises(raised):
        await follow()
    assert found == told
    assert missed == (4 if told == [9] else 0)


@pytest.mark.parametrize("answers", [{"/api/v2/events": []}])
async def test_what_has_ended_takes_no_acknowledgement(somebody_else):
    async with somebody_else.events.follow("somebody") as stream:
        with pytest.raises(Unreachable):
            async for _ in stream:
                pass
        await stream._socket.close()
        with pytest.raises(Unreachable):
            await stream.acknowledge(1)


@dataclass(frozen=True, kw_only=True)
class Inner:
    """For `decode`."""

    needed: int


@dataclass(frozen=True, kw_only=True)
class Odd:
    """For `decode`."""

    needed: int
    text: str = "text"
    ratio: float = 0.5
    inner: Inner | None = None
    many: tuple[int, ...] = ()
    table: dict[str, object] | None = None


def test_what_is_of_another_kind_counts_as_missing():
    assert decode(Odd, {"needed": 1, "new": "member"}) == Odd(needed=1)
    assert decode(Odd, {"needed": 1, "text": 2, "ratio": True, "inner": {"text": "x"}, "many": "x", "table": []}) == Odd(needed=1)
    assert decode(Odd, {"needed": 1, "ratio": 2, "inner": {"needed": 2}, "many": [1, "x", None, 3], "table": {"a": 1}}) == Odd(
        needed=1, ratio=2.0, inner=Inner(needed=2), many=(1, 3), table={"a": 1}
    )
    wrong: object
    for wrong in (None, [], "x", {}, {"needed": "1"}, {"needed": True}, {"needed": None}):
        with pytest.raises(ValueError, match="Odd"):
            decode(Odd, wrong)


def test_queues_are_counted_where_they_are_told():
    queues = Queues(sending={HOME: {"queued": 3, "parked": "x"}, SECOND: 4})
    assert [queues.count(HOME, "queued"), queues.count(HOME, "parked"), queues.count(SECOND, "queued"), Queues().count(HOME, "queued")] == [
        3, 0, 0, 0,
    ]  # fmt: skip
    assert Status(version="1").account(HOME) is None


async def test_a_client_without_an_account_has_to_be_told_one(hass: HomeAssistant, courier, client):
    nobody = SignalCourierClient(async_get_clientsession(hass), courier.url + "/", token=client._transport._headers["Authorization"][7:])
    assert nobody.account is None
    assert client.account == HOME
    assert client.url("/api/v2/x") == f"{courier.url}/api/v2/x"
    with pytest.raises(ValueError, match="account"):
        await nobody.accounts.get()
    assert (await nobody.accounts.get(SECOND)).number == SECOND
    with pytest.raises(AccountUnknown):
        await client.accounts.get("+4915100000099")


async def test_what_is_rarely_asked_for_works_too(client, courier):
    await client.accounts.set_settings(trust="always", device_name="Home")
    assert (await client.accounts.get()).trust == "always"
    assert await client.conversations.avatar(ECHO)
    with pytest.raises(Problem, match="not registered"):
        await client.conversations.avatar("+4915100000099")
    await client.conversations.change(ECHO, given_name="Bob")
    (sent,) = await courier.deliver("Hello", sender=ECHO)
    await courier.settled()
    found, position = await client.messages.received(conversation=uuid_of(ECHO), types=("message",))
    assert [event.message.timestamp for event in found] == [sent]
    assert position
    assert await client.messages.received(after=position) == ([], position)
    await client.conversations.answer_request(ECHO, accept=True)
    assert await client.conversations.mark_read(ECHO) == 1
    await client.conversations.remove(POLLY, hide=True)
    with pytest.raises(Problem):
        await client.stickers.install("https://signal.art/addstickers/#nonsense")
    message = await client.messages.send([ECHO], text="Hello")
    assert (await client.messages.cancel(message.id)).id == message.id
    with pytest.raises(Problem, match="Everybody has been reached"):
        await client.messages.retry(message.id)
    with pytest.raises(Problem):
        await client.groups.join("https://signal.group/#nonsense")
    await client.accounts.delete_local_data(SECOND, ignore_registered=True)
    await client.accounts.unlink()
    with pytest.raises(AccountUnknown):
        await client.accounts.get()


async def test_the_picture_of_a_link_is_had_both_ways(client, courier):
    await courier.renew(speed=0.01)
    client._transport.base = courier.url
    link = await client.links.start("Home")
    assert (await client.links.svg(link.id)).startswith("<?xml") or "<svg" in await client.links.svg(link.id)
    assert (await client.links.png(link.id)).startswith(b"\x89PNG")
    assert (await client.links.get(link.id)).state == "waiting"
    await client.links.end(link.id)
    with pytest.raises(Problem):
        await client.links.get(link.id)


@pytest.mark.parametrize(
    "answers",
    [
        {
            "/api/v2/consumers/somebody": web.json_response({"name": "somebody", "position": 0, "head": 9}),
            "/api/v2/events": ['{"type": "missed", "missed": 4}', '{"id": 9, "type": "call"}'],
        }
    ],
)
async def test_what_was_removed_before_it_could_be_told_is_said(hass: HomeAssistant, somebody_else, caplog):
    changes: list[str] = []
    hub = EventHub(
        hass, somebody_else, "an-entry", "somebody", late_after=300, is_allowed=lambda event: True,
        on_connected=lambda: changes.append("connected"), on_lost=lambda error: changes.append("lost"),
    )  # fmt: skip
    begun = hub.async_start()
    await wait_for(lambda: "lost" in changes)
    await hub.async_stop()
    begun()
    assert hub.position == 9
    assert "4 events were removed at the service" in caplog.text


def test_an_error_that_is_none_of_the_known_is_told_in_its_own_words():
    error = home_assistant_error(CourierError("odd"))
    assert (error.translation_key, error.translation_placeholders) == ("unknown", {"error": "odd"})
    assert Sent().is_waiting


def test_what_is_remembered_has_an_end(hass: HomeAssistant):
    for number in range(1000):
        async_remember_poll(hass, "an-entry", number, "Tea?", ["Yes", "No"])
        attempt = async_attempt(hass, Context(), {"number": number})
    assert async_asked_poll(hass, "an-entry", 0) is None
    assert async_asked_poll(hass, "an-entry", 999) is not None
    async_ended(hass, attempt)


# -- whom a user means


async def test_only_the_last_hundred_strangers_are_remembered(hass: HomeAssistant, client):
    directory = ConversationDirectory(hass, client)
    for number in range(150):
        directory.async_notice(Event(id=number, type="message", conversation=Place(id=f"person-{number}")))
    assert [one.id for one in directory.recent()] == [f"person-{number}" for number in range(149, 49, -1)]
    directory.async_shutdown()


async def test_a_target_is_understood_however_it_is_written(hass: HomeAssistant, client, courier):
    directory = ConversationDirectory(hass, client)
    await directory.async_refresh()
    echo = uuid_of(ECHO)
    for target in (echo, echo.upper(), ECHO, ECHO[1:], int(ECHO), "+49 151 000-00011", "Echo Hill", "  écho   HILL "):
        assert directory.resolve(target).id == echo, target
    assert directory.resolve(DEMO_GROUP).name == "Demo"
    assert directory.resolve("group.dW5rbm93bg==").is_group
    assert directory.resolve("00000000-0000-4000-8000-000000000000").id == "00000000-0000-4000-8000-000000000000"
    assert directory.resolve("+4915100000077").number == "+4915100000077"
    directory.async_shutdown()


async def test_a_name_of_two_is_refused_with_both(hass: HomeAssistant, client):
    await client.conversations.change(ECHO, name="Twin")
    await client.conversations.change(POLLY, name="Twin")
    directory = ConversationDirectory(hass, client)
    changes: list[bool] = []
    forget = directory.async_add_listener(lambda: changes.append(True))
    await directory.async_refresh()
    await directory.async_refresh()
    forget()
    assert changes == [True]
    for resolve in (directory.async_resolve("twin"), directory.async_resolve("TWIN ")):
        with pytest.raises(ServiceValidationError) as refused:
            await resolve
        assert refused.value.translation_key == "conversation_ambiguous"
        assert ECHO in (refused.value.translation_placeholders or {})["choices"]
    with pytest.raises(ServiceValidationError) as unknown:
        await directory.async_resolve("Nobody at all")
    assert unknown.value.translation_key == "conversation_unknown"
    directory.async_shutdown()


async def test_who_is_no_contact_is_found_by_the_service(hass: HomeAssistant, client, courier):
    directory = ConversationDirectory(hass, client)
    found = {one.name: one for one in await client.conversations.all(everybody=True)}
    strangers = set(found) - {one.name for one in await client.conversations.all()}
    for name in strangers:
        assert (await directory.async_resolve(name)).id == found[name].id
    await courier.stop()
    with pytest.raises(HomeAssistantError) as lost:
        await directory.async_resolve("Nobody at all")
    assert lost.value.translation_key == "cannot_connect"
    await directory._async_refresh_quietly()
    directory.async_shutdown()


def test_conversations_are_equal_by_what_they_are():
    assert Conversation(id="x", name="X") == Conversation(id="x", name="X")
    assert json.dumps({"id": Conversation(id="x").id})
