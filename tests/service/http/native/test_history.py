"""`GET /api/v2/messages`: what was said, in both directions, with what became of it; what is unread; figures."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from signal_courier.engine.simulator import cast
from tests.fakes.served import Service, served

ACCOUNT = cast.HOME
OF = "account=%2B4915100000001"
BEN, GROUP_ID = "22222222-2222-4222-8222-222222222222", base64.b64encode(bytes(range(32))).decode()
GROUP = "group." + base64.b64encode(GROUP_ID.encode()).decode()
ECHO = cast.uuid_of(cast.ECHO)
T = 1_795_000_000_000


async def put(service: Service, number: int, data: dict[str, Any], *, of: str = BEN, kind: str = "dataMessage") -> None:
    """Receive something."""
    content = {"timestamp": T + number, **data} if kind == "dataMessage" else data
    envelope = {"sourceUuid": of, "sourceName": "Ben", "sourceDevice": 1, "timestamp": T + number, kind: content}
    service.courier.engine.inject({"envelope": envelope, "account": ACCOUNT})  # type: ignore[attr-defined]  # the simulator
    await service.courier.receiving.inbox.committed()


async def page(service: Service, query: str = "") -> dict[str, Any]:
    answer = await service.get(f"/api/v2/messages?{OF}{query}")
    assert answer.status == 200, answer.body
    return answer.json


async def said(service: Service, query: str = "") -> list[dict[str, Any]]:
    return (await page(service, query))["messages"]


async def talk(service: Service, **body: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Say something to the echo and wait for it; both entries."""
    sent = await service.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [cast.ECHO], "text": "Hello"} | body)
    await service.get(f"/api/v2/messages/{sent.json['id']}?wait=30&until=read")
    async with asyncio.timeout(30):
        while len(found := await said(service, "&conversation=%2B4915100000011")) < 2:  # noqa: ASYNC110  # as people do
            await asyncio.sleep(0.01)
    return found[1], found[0]


async def test_both_directions_are_one_history_the_newest_first(demo: Service) -> None:
    there, back = await talk(demo, text="Hello **you**", text_mode="styled")
    assert (there["direction"], there["status"]["state"]) == ("sent", "read")
    assert (there["message"]["text"], there["message"]["styles"]) == ("Hello you", [{"start": 6, "length": 3, "style": "BOLD"}])
    assert there["sender"]["number"] == ACCOUNT
    assert (back["direction"], back["conversation"]["id"], back["status"]) == ("received", ECHO, None)
    assert there["conversation"]["id"] == ECHO
    assert [one["id"] for one in await said(demo, "&direction=received")] == [back["id"]]
    assert [one["id"] for one in await said(demo, f"&direction=sent&conversation={ECHO}")] == [there["id"]]
    assert await said(demo, f"&conversation={cast.SHADE}") == []


async def test_the_first_page_after_a_start_has_names_already(demo: Service) -> None:
    sent = await demo.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [cast.ECHO], "text": "Hello"})
    assert sent.status == 201
    (entry,) = (one for one in await said(demo, "&direction=sent"))
    assert (entry["conversation"]["name"], entry["sender"]["name"]) == ("Echo Hill", "Home")


async def test_what_changed_a_message_later_is_part_of_it(demo: Service) -> None:
    await put(demo, 1, {"message": "frist"})
    await put(demo, 2, {"message": "second"})
    edit = {"targetSentTimestamp": T + 1, "dataMessage": {"timestamp": T + 3, "message": "first"}}
    await put(demo, 3, edit, kind="editMessage")
    given = {"emoji": "🎉", "targetAuthorUuid": BEN, "targetSentTimestamp": T + 1, "isRemove": False}
    await put(demo, 4, {"reaction": given})
    await put(demo, 5, {"reaction": given | {"emoji": "🙈"}})
    await put(demo, 6, {"remoteDelete": {"timestamp": T + 2}})
    await put(demo, 7, {"remoteDelete": {"timestamp": T + 1}}, of=ECHO)  # somebody else's
    second, first = await said(demo, f"&conversation={BEN}")
    assert (first["message"]["text"], first["edited_at"] is not None, first["deleted_at"]) == ("first", True, None)
    assert [(one["emoji"], one["by"]["uuid"]) for one in first["reactions"]] == [("🙈", BEN)]
    assert (second["message"], second["deleted_at"] is not None) == (None, True)


async def test_what_this_service_changes_is_part_of_the_history_too(demo: Service) -> None:
    there, back = await talk(demo)
    body = {"account": ACCOUNT, "conversation": cast.ECHO}
    reacted = await demo.post("/api/v2/reactions", body | {"emoji": "👍", "author": ECHO, "timestamp": back["timestamp"]})
    edited = await demo.post(
        "/api/v2/messages", {"account": ACCOUNT, "recipients": [cast.ECHO], "text": "Hallo", "edit": there["timestamp"]}
    )
    assert (reacted.status, edited.status) == (201, 201)
    found = {one["id"]: one for one in await said(demo, f"&conversation={ECHO}")}
    assert [(one["emoji"], one["by"]["number"]) for one in found[back["id"]]["reactions"]] == [("👍", ACCOUNT)]
    assert (found[there["id"]]["message"]["text"], found[there["id"]]["edited_at"] is not None) == ("Hallo", True)
    assert (await demo.post("/api/v2/deletions", body | {"timestamp": there["timestamp"]})).status == 204
    found = {one["id"]: one for one in await said(demo, f"&conversation={ECHO}")}
    assert (found[there["id"]]["message"], found[there["id"]]["deleted_at"] is not None) == (None, True)


async def test_a_poll_has_its_votes(demo: Service) -> None:
    asked = await demo.post("/api/v2/polls", {"account": ACCOUNT, "conversation": cast.POLLY, "question": "Tea?", "options": ["Yes", "No"]})
    assert asked.status == 201
    async with asyncio.timeout(30):
        while not (poll := (await said(demo))[-1])["votes"]:  # noqa: ASYNC110  # as people do
            await asyncio.sleep(0.01)
    assert (poll["id"], poll["poll"]["question"], poll["votes"][0]["options"]) == (asked.json["id"], "Tea?", [0])
    ended = {"account": ACCOUNT, "conversation": cast.POLLY, "timestamp": asked.json["timestamp"]}
    assert (await demo.post("/api/v2/polls/end", ended)).status == 204
    assert (await said(demo))[-1]["closed"] is True


async def test_pages_follow_each_other_without_gaps_or_doubles(demo: Service) -> None:
    for number in range(25):
        await put(demo, number, {"message": f"text {number}", "groupInfo": {"groupId": GROUP_ID}})
        if number % 5 == 0:
            assert (
                await demo.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [cast.POLLY], "text": f"mine {number}"})
            ).status == 201
    everything = await said(demo)
    assert len(everything) == 30
    seen: list[str] = []
    before = ""
    while True:
        found = await page(demo, f"&limit=4{before}")
        seen += [one["id"] for one in found["messages"]]
        if found["next"] is None:
            break
        before = f"&before={found['next']}"
    assert seen == [one["id"] for one in everything]
    assert [one["time"] for one in everything] == sorted((one["time"] for one in everything), reverse=True)
    assert len(await said(demo, f"&conversation={GROUP}")) == 25
    assert [one["message"]["text"] for one in await said(demo, "&search=MINE%201")] == ["mine 15", "mine 10"]
    assert await said(demo, "&search=nowhere") == []


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "direction=up", "before=x", "conversation=!"])
async def test_a_history_that_cannot_be_is_refused(demo: Service, query: str) -> None:
    assert (await demo.get(f"/api/v2/messages?{OF}&{query}")).status == 400


async def unread(service: Service) -> dict[str, int]:
    answer = await service.get(f"/api/v2/conversations?{OF}&recent=true")
    return {one["id"]: one["unread"] for one in answer.json["conversations"]}


async def test_conversations_tell_what_is_unread_and_what_is_recent(demo: Service) -> None:
    await put(demo, 1, {"message": "one"}, of=ECHO)
    await put(demo, 2, {"message": "two"}, of=ECHO)
    await put(demo, 3, {"message": "hi"}, of=cast.SHADE)
    assert await unread(demo) == {cast.SHADE: 1, ECHO: 2}
    read = await demo.post(f"/api/v2/conversations/{ECHO}/read?{OF}", {"upto": T + 1})
    assert (read.status, read.json) == (200, {"read": 1})
    assert (await unread(demo))[ECHO] == 1
    assert (await demo.post(f"/api/v2/conversations/%2B4915100000011/read?{OF}", {"receipts": False})).json == {"read": 1}
    assert (await demo.post(f"/api/v2/conversations/{ECHO}/read?{OF}")).json == {"read": 0}
    assert await unread(demo) == {cast.SHADE: 1, ECHO: 0}
    elsewhere = {"readMessages": [{"sender": cast.SHADE, "senderUuid": cast.SHADE, "timestamp": T + 3}]}
    await put(demo, 4, elsewhere, of=cast.uuid_of(ACCOUNT), kind="syncMessage")
    async with asyncio.timeout(30):
        while (await unread(demo))[cast.SHADE]:  # noqa: ASYNC110  # as people do
            await asyncio.sleep(0.01)
    assert (await demo.get(f"/api/v2/conversations/{ECHO}?{OF}")).json["last_message_at"] > 0


async def test_an_account_is_told_in_figures_and_the_service_has_an_id_that_stays(demo: Service) -> None:
    before = (await demo.get("/api/v2/status")).json
    await talk(demo)
    assert (await demo.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [cast.UNREGISTERED], "text": "x"})).status == 422
    async with asyncio.timeout(30):
        while True:
            status = (await demo.get("/api/v2/status")).json
            figures = next(one["figures"] for one in status["accounts"] if one["number"] == ACCOUNT)
            if figures["failed_today"]:
                break
            await asyncio.sleep(0.05)
    assert (figures["sent_today"], figures["failed_today"], figures["queued"]) == (1, 1, 0)
    assert figures["last_received_at"] > 0
    assert status["id"] == before["id"] == demo.courier.figures.instance
    assert len(status["id"]) == 32


async def test_the_settings_of_an_account_can_be_seen(demo: Service) -> None:
    path = f"/api/v2/accounts/{ACCOUNT}/settings"
    assert (await demo.patch(path, {"read_receipts": False, "share_number": False})).status == 204
    found = (await demo.get(path)).json
    assert (found["read_receipts"], found["share_number"], found["typing_indicators"]) == (False, False, True)
    assert (await demo.get("/api/v2/accounts/%2B4915199999999/settings")).status == 404


async def test_a_quote_says_what_the_message_said_as_far_as_it_is_known(demo: Service) -> None:
    there, back = await talk(demo, text="Who is there?")
    for author, one in ((ECHO, back), (ACCOUNT, there)):
        body = {"account": ACCOUNT, "recipients": [cast.ECHO], "text": "this", "quote": {"timestamp": one["timestamp"], "author": author}}
        sent = await demo.post("/api/v2/messages", body)
        assert sent.status == 201, sent.body
        noted = (await demo.get(f"/api/v2/messages/{sent.json['id']}")).json
        assert noted["content"]["quote"]["message"] == "Who is there?"
    body["quote"] = {"timestamp": T, "author": ECHO}
    sent = await demo.post("/api/v2/messages", body)
    assert "message" not in (await demo.get(f"/api/v2/messages/{sent.json['id']}")).json["content"]["quote"]


@pytest.mark.parametrize("wish", [{"Idempotency-Key": "once"}, {"Prefer": "respond-async"}, {}])
async def test_every_author_is_told_that_it_was_read_whatever_the_request_wishes(tmp_path: Path, wish: dict[str, str]) -> None:
    authors = (BEN, ECHO, cast.SHADE, BEN)
    path = f"/api/v2/conversations/{GROUP}/read?{OF}"
    async with served(tmp_path, {"sendReceipt": {"timestamp": T, "results": []}}, accounts=(ACCOUNT,)) as service:
        for number, of in enumerate(authors, start=1):
            said = {"timestamp": T + number, "message": "Hello", "groupInfo": {"groupId": GROUP_ID, "type": "DELIVER"}}
            service.daemon.notify({"sourceUuid": of, "sourceDevice": 1, "timestamp": T + number, "dataMessage": said}, ACCOUNT)
        async with asyncio.timeout(30):
            while len((await service.get(f"/api/v2/messages?{OF}")).json["messages"]) < len(authors):  # noqa: ASYNC110  # as people do
                await asyncio.sleep(0.01)
        first, second = [await service.post(path, {}, **wish) for _ in range(2)]
        assert (first.status, first.json) == (200, {"read": 4})
        assert (second.status, second.json) == (200, {"read": 4 if "Idempotency-Key" in wish else 0})
        for _ in range(3):
            await service.daemon.next_call("sendReceipt")
        told = sorted((asked["recipient"], asked["targetTimestamp"]) for asked in service.asked("sendReceipt"))
        assert told == sorted([(BEN, [T + 4, T + 1]), (ECHO, [T + 2]), (cast.SHADE, [T + 3])])
