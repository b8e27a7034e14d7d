"""`/api/v2/events` and its consumers: everything, in order, from where the client was."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from signal_courier.courier import Courier
from signal_courier.http.native import events as events_module
from signal_courier.messaging.receiving.watch import INTERVAL
from signal_courier.model.events import EventType
from tests.fakes.served import Reply, Service, served, simulated
from tests.fakes.sse import EventSource

ANN, BEN, ECHO = "+4915100000001", "+4915100000002", "+4915100000011"
ENVELOPES = Path(__file__).parents[2] / "data" / "envelopes"
MESSAGES = "types=message"
BEN_UUID = "22222222-2222-4222-8222-222222222222"


def frame(number: int, account: str = ANN) -> bytes:
    content = {"timestamp": 1000 + number, "message": f"message {number}", "expiresInSeconds": 0, "viewOnce": False}
    envelope = {
        "source": BEN_UUID, "sourceNumber": None, "sourceUuid": BEN_UUID, "sourceName": "Ben", "sourceDevice": 1,
        "timestamp": 1000 + number, "dataMessage": content,
    }  # fmt: skip
    return msgspec.json.encode({"envelope": envelope, "account": account})


async def inject(courier: Courier, *frames: bytes) -> None:
    for one in frames:
        courier.receiving.inbox.accept(one)
    await asyncio.wait_for(courier.receiving.inbox.committed(), 30)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with simulated(tmp_path) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def url(service: Service, query: str = "") -> str:
    return f"http://127.0.0.1:{service.courier.server.port}/api/v2/events?{query}"


def numbers(found: list[Any]) -> list[int]:
    return [int(event["message"]["text"].split()[1]) for event in found]


async def page(service: Service, query: str) -> Any:
    reply = await service.get(f"/api/v2/events?{query}")
    assert reply.status == 200, reply.body
    return reply.json


async def ack(service: Service, name: str, number: int) -> Reply:
    return await service.post(f"/api/v2/consumers/{name}/ack", {"id": number})


# --- names


async def test_names_are_learnt_when_somebody_begins_to_listen_not_when_the_first_message_comes(tmp_path: Path) -> None:
    contacts = [{"number": None, "uuid": BEN_UUID, "name": "Ben of the contacts"}]
    async with served(tmp_path, {"listContacts": contacts}, accounts=(ANN,)) as service:
        await asyncio.sleep(2 * INTERVAL)
        assert service.calls == []  # a drop-in client needs none
        async with aiohttp.ClientSession() as http, http.get(url(service, MESSAGES)):
            await service.daemon.next_call("listGroups")
            await service.courier.receiving.people.known(ANN)
            await inject(service.courier, frame(1).replace(b'"Ben"', b'""'))  # as signal-cli tells somebody whom it knows since a moment
        (event,) = (await page(service, f"wait=30&after=0&{MESSAGES}"))["events"]
        assert event["sender"]["name"] == "Ben of the contacts"


# --- a page


async def test_a_page_tells_what_happened_and_where_to_go_on(service: Service) -> None:
    await inject(service.courier, *(frame(number) for number in range(5)))
    first = await page(service, f"wait=0&after=0&{MESSAGES}&limit=3")
    assert numbers(first["events"]) == [0, 1, 2]
    assert first["position"] == first["events"][-1]["id"]
    assert first["lag"] >= 2
    rest = await page(service, f"wait=0&{MESSAGES}&after={first['position']}")
    assert numbers(rest["events"]) == [3, 4]
    assert (await page(service, f"wait=0&{MESSAGES}&after={rest['position']}"))["events"] == []


async def test_a_page_is_waited_for(service: Service) -> None:
    waiting = asyncio.create_task(page(service, f"wait=20&{MESSAGES}"))
    await asyncio.wait_for(service.courier.receiving.events.watched(), 30)
    await inject(service.courier, frame(1))
    assert numbers((await asyncio.wait_for(waiting, 30))["events"]) == [1]


async def test_an_event_carries_what_a_bot_needs(service: Service) -> None:
    await inject(service.courier, (ENVELOPES / "composed" / "attachment-image.json").read_bytes())
    (event,) = (await page(service, f"wait=0&after=0&{MESSAGES}"))["events"]
    assert event["account"] == "+4915100000002"
    assert event["sender"] == {"uuid": "11111111-1111-4111-8111-111111111111", "number": ANN, "name": "Ann", "device": 1}
    assert event["conversation"]["kind"] == "person"
    assert event["message"]["text"] == "look"
    (attachment,) = event["message"]["attachments"]
    assert attachment["type"] == "image/jpeg"
    assert attachment["size"] == 48213
    assert attachment["name"] == "photo.jpg"
    assert "raw" not in event


async def test_the_url_of_an_attachment_serves_it(service: Service) -> None:
    folder = service.courier.settings.attachments_dir
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "uhPjVY0ytp8AH9yNgKDC.jpg").write_bytes(b"\xff\xd8\xffpicture")
    await inject(service.courier, (ENVELOPES / "composed" / "attachment-image.json").read_bytes())
    (event,) = (await page(service, f"wait=0&after=0&{MESSAGES}"))["events"]
    reply = await service.get(event["message"]["attachments"][0]["url"])
    assert (reply.status, reply.body) == (200, b"\xff\xd8\xffpicture")


async def test_the_raw_envelope_comes_on_request(service: Service) -> None:
    await inject(service.courier, frame(1))
    (event,) = (await page(service, f"wait=0&after=0&raw=1&{MESSAGES}"))["events"]
    assert event["raw"] == msgspec.json.decode(frame(1))


async def test_events_are_filtered_by_account_and_conversation(service: Service) -> None:
    await inject(service.courier, frame(1, ANN), frame(2, BEN), (ENVELOPES / "real" / "group-text.json").read_bytes())
    assert numbers((await page(service, f"wait=0&after=0&{MESSAGES}&account={ANN}"))["events"]) == [1]
    assert len((await page(service, f"wait=0&after=0&{MESSAGES}&account={ANN},%2B4915100000002"))["events"]) == 3
    assert numbers((await page(service, f"wait=0&after=0&{MESSAGES}&conversation={BEN_UUID}"))["events"]) == [1, 2]
    group = (await page(service, f"wait=0&after=0&{MESSAGES}&conversation=0W5JZwUNJbYTjHA44GSBP/M39EhJbsOro8bdchaAs9M%3D"))["events"]
    assert [event["conversation"]["name"] for event in group] == ["My Group"]


async def test_what_becomes_of_sent_messages_is_found_by_those_to_whom_they_go(service: Service) -> None:
    sent = await service.post("/api/v2/messages", {"account": ANN, "recipients": [ECHO], "text": "x", "wait": 10})
    assert sent.status == 201
    for name in (ECHO, sent.json["recipients"][0]["uuid"]):
        found = (await page(service, f"wait=30&after=0&types=status&conversation={name}"))["events"]
        assert {event["status"]["message"] for event in found} == {sent.json["id"]}
    assert (await page(service, "wait=0&after=0&types=status&conversation=%2B4915100000012"))["events"] == []


@pytest.mark.parametrize(
    "query", ["types=nothing", "account=abc", "conversation=%21", "after=x", "consumer=a/b&wait=0", "consumer=%20", "wait=-1"]
)
async def test_a_wrong_filter_is_a_problem_that_names_it(service: Service, query: str) -> None:
    reply = await service.get(f"/api/v2/events?{query}" if query.startswith("wait") else f"/api/v2/events?wait=0&{query}")
    assert reply.status == 400
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json["field"] == query.partition("=")[0]


async def test_the_start_of_signal_cli_is_an_event_without_an_account(service: Service) -> None:
    found = await page(service, "wait=30&after=0&types=engine")
    assert found["events"][0]["account"] is None
    assert found["events"][0]["engine"]["state"] in {"starting", "ready"}


# --- server-sent events


async def test_events_come_as_they_happen_with_their_ids(service: Service, http: aiohttp.ClientSession) -> None:
    async with EventSource.connect(http, url(service, MESSAGES)) as source:
        await inject(service.courier, frame(1), frame(2))
        one, two = await source.take(2)
    assert (one.name, two.name) == ("message", "message")
    assert numbers([one.json, two.json]) == [1, 2]
    assert int(one.id or "") == one.json["id"] < two.json["id"]


@pytest.mark.parametrize("how", ["header", "query"])
async def test_a_client_that_comes_back_gets_what_it_missed(service: Service, http: aiohttp.ClientSession, how: str) -> None:
    async with EventSource.connect(http, url(service, MESSAGES)) as source:
        await inject(service.courier, frame(1))
        last = (await source.next()).id or ""
    await inject(service.courier, frame(2), frame(3))
    headers = {"Last-Event-ID": last} if how == "header" else {}
    query = MESSAGES if how == "header" else f"{MESSAGES}&after={last}"
    async with EventSource.connect(http, url(service, query), **headers) as source:
        assert numbers([event.json for event in await source.take(2)]) == [2, 3]


async def test_the_id_of_another_database_gets_everything_that_is_kept(service: Service, http: aiohttp.ClientSession) -> None:
    await inject(service.courier, frame(1))
    async with EventSource.connect(http, url(service, MESSAGES), **{"Last-Event-ID": "999999"}) as source:
        assert numbers([(await source.next()).json]) == [1]


async def test_a_quiet_stream_shows_signs_of_life(service: Service, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "KEEP_ALIVE", 0.02)
    async with EventSource.connect(http, url(service, MESSAGES)) as source:
        await source.signs_of_life(3)
        await inject(service.courier, frame(1))
        assert numbers([(await source.next()).json]) == [1]


async def test_the_stream_ends_when_the_service_stops(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with simulated(tmp_path) as service, EventSource.connect(http, url(service, MESSAGES)) as source:
        stop = asyncio.create_task(service.courier.stop())
        with pytest.raises(EOFError):
            await source.next(5)
        await asyncio.wait_for(stop, 30)


# --- consumers


async def test_what_was_not_acknowledged_comes_again_through_restarts(tmp_path: Path) -> None:
    async with simulated(tmp_path) as service:
        await page(service, f"wait=0&consumer=bot&{MESSAGES}")
        await inject(service.courier, *(frame(number) for number in range(4)))
        first = await page(service, f"wait=0&consumer=bot&{MESSAGES}&limit=2")
        assert numbers(first["events"]) == [0, 1]
        assert (await ack(service, "bot", first["events"][0]["id"])).status == 200
    async with simulated(tmp_path) as service:
        await inject(service.courier, frame(4))
        again = await page(service, f"wait=0&consumer=bot&{MESSAGES}")
        assert numbers(again["events"]) == [1, 2, 3, 4]
        await ack(service, "bot", again["position"])
        assert (await page(service, f"wait=0&consumer=bot&{MESSAGES}"))["events"] == []


async def test_a_consumer_that_was_made_before_gets_everything_since(service: Service) -> None:
    assert (await service.put("/api/v2/consumers/later")).status == 200
    await inject(service.courier, frame(1))
    assert numbers((await page(service, f"wait=0&consumer=later&{MESSAGES}"))["events"]) == [1]


async def test_consumers_do_not_share_their_position(service: Service) -> None:
    for name in ("one", "two"):
        await page(service, f"wait=0&consumer={name}")
    await inject(service.courier, frame(1))
    found = await page(service, f"wait=0&consumer=one&{MESSAGES}")
    await ack(service, "one", found["position"])
    assert numbers((await page(service, f"wait=0&consumer=two&{MESSAGES}"))["events"]) == [1]


async def test_the_lag_of_a_consumer_is_seen(service: Service, http: aiohttp.ClientSession) -> None:
    async with EventSource.connect(http, url(service, f"consumer=slow&{MESSAGES}")) as source:
        await inject(service.courier, *(frame(number) for number in range(3)))
        events = await source.take(3)
        (seen,) = (await service.get("/api/v2/consumers")).json["consumers"]
        assert (seen["name"], seen["lag"], seen["connections"], seen["missed"]) == ("slow", 3, 1, 0)
        await ack(service, "slow", events[1].json["id"])
        assert (await service.get("/api/v2/consumers/slow")).json["lag"] == 1


async def test_a_position_never_goes_back(service: Service) -> None:
    await page(service, "wait=0&consumer=bot")
    await inject(service.courier, frame(1), frame(2))
    head = service.courier.receiving.events.head
    assert (await ack(service, "bot", head)).json == {"position": head}
    assert (await ack(service, "bot", 1)).json == {"position": head}


async def test_what_is_to_come_cannot_be_acknowledged(service: Service) -> None:
    await page(service, "wait=0&consumer=bot")
    reply = await ack(service, "bot", service.courier.receiving.events.head + 1000)
    assert (reply.status, reply.json["field"]) == (400, "id")


async def test_a_consumer_is_forgotten(service: Service) -> None:
    await page(service, "wait=0&consumer=bot")
    assert (await service.delete("/api/v2/consumers/bot")).status == 204
    for reply in (await service.get("/api/v2/consumers/bot"), await ack(service, "bot", 0), await service.delete("/api/v2/consumers/bot")):
        assert reply.status == 404
    assert (await service.get("/api/v2/consumers")).json == {"consumers": []}


async def test_who_fell_out_of_retention_is_told_how_many_were_missed(service: Service, http: aiohttp.ClientSession) -> None:
    await page(service, "wait=0&consumer=bot&after=0")
    await inject(service.courier, *(frame(number) for number in range(3000)))
    table = service.courier.receiving._table
    while (await table.purge_beyond(10)).rows:
        pass
    gone = (await service.get("/api/v2/consumers/bot")).json["missed"]
    assert gone >= 2985
    found = await page(service, f"wait=0&consumer=bot&{MESSAGES}")
    left = numbers(found["events"])
    assert left == list(range(3000 - len(left), 3000))
    assert 7 <= len(left) <= 10, "what the service itself has to tell of its start may be among the ten"
    assert found["missed"] == 2990
    async with EventSource.connect(http, url(service, f"consumer=bot&{MESSAGES}")) as source:
        told = await source.next()
        assert (told.name, told.id, told.json["missed"]) == ("missed", None, 2990)
        assert numbers([(await source.next()).json]) == [2990]


# --- WebSocket


@asynccontextmanager
async def socket(http: aiohttp.ClientSession, service: Service, query: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with http.ws_connect(url(service, query)) as opened:
        yield opened


async def test_a_websocket_gets_events_and_acknowledges(service: Service, http: aiohttp.ClientSession) -> None:
    async with socket(http, service, f"consumer=bot&{MESSAGES}") as opened:
        await inject(service.courier, frame(1), frame(2), frame(3))
        found = [await opened.receive_json(timeout=5) for _ in range(3)]
        assert numbers(found) == [1, 2, 3]
        await opened.send_json({"ack": found[1]["id"]})
        assert await opened.receive_json(timeout=5) == {"type": "acked", "position": found[1]["id"]}
    async with socket(http, service, f"consumer=bot&{MESSAGES}") as opened:
        assert numbers([await opened.receive_json(timeout=5)]) == [3]


@pytest.mark.parametrize("order", ['{"ack": 999999999}', '{"ack": "x"}', "rubbish", "{}"])
async def test_an_order_that_cannot_be_followed_is_answered_and_nothing_ends(
    service: Service, http: aiohttp.ClientSession, order: str
) -> None:
    async with socket(http, service, f"consumer=bot&{MESSAGES}") as opened:
        await opened.send_str(order)
        assert (await opened.receive_json(timeout=5))["type"] == "error"
        await inject(service.courier, frame(1))
        assert numbers([await opened.receive_json(timeout=5)]) == [1]


async def test_only_a_named_consumer_acknowledges(service: Service, http: aiohttp.ClientSession) -> None:
    async with socket(http, service, "after=0") as opened:
        await opened.send_json({"ack": 0})
        while (told := await opened.receive_json(timeout=5))["type"] in set(EventType):
            pass
        assert told["type"] == "error"


async def test_a_filter_that_could_never_match_is_refused(service: Service) -> None:
    for name in ("shade.01", f"PNI:{BEN_UUID}"):
        reply = await service.get(f"/api/v2/events?wait=0&conversation={name}")
        assert (reply.status, reply.json["field"]) == (400, "conversation"), name
        made = await service.post("/api/v2/webhooks", {"url": "https://example.org/hook", "conversations": [name]})
        assert (made.status, made.json["type"]) == (400, "urn:signal-courier:problem:invalid-value"), name
