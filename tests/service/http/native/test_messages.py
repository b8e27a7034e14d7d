"""`/api/v2/messages` and the small signs: everything that is sent, typed, to anybody at once."""

import base64

import pytest

from signal_courier.engine.simulator import cast
from tests.fakes.daemon import Failure
from tests.fakes.served import Service, served

ACCOUNT = cast.HOME
PICTURE = base64.b64encode(cast.PIXEL).decode()
GROUP = "group.UG1waStFZlBXbXN4aW9tTGU5TngyWEY5SE9FNDgzcDZpS2lGajY1aU13ST0="
UUID = "11111111-1111-4111-8111-111111111111"
T = 1700000000123
BOLD = {"start": 0, "length": 1, "style": "BOLD"}
SENT = {"timestamp": 1700000000123, "results": [{"recipientAddress": {"uuid": UUID, "number": "+4915100000011"}, "type": "SUCCESS"}]}


async def test_a_message_goes_to_people_and_groups_at_once(demo: Service) -> None:
    group = next(one["id"] for one in (await demo.get("/api/v2/groups?account=%2B4915100000001")).json["groups"])
    answer = await demo.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [cast.ECHO, group], "text": "Hello"})
    assert answer.status == 201, answer.body
    assert answer.json["timestamp"] > 0
    states = {(one["number"] or one["uuid"], one["group"]): one["state"] for one in answer.json["recipients"]}
    assert states[cast.ECHO, None] == "sent"
    assert any(group_id == group for _, group_id in states)


async def test_everything_that_a_message_can_hold_reaches_signal_cli(tmp_path) -> None:
    async with served(tmp_path, {"send": SENT}) as service:
        kept = (
            await service.post("/api/v2/attachments", base64.b64decode(PICTURE), **{"Content-Disposition": 'attachment; filename="a.png"'})
        ).json
        answer = await service.post(
            "/api/v2/messages",
            {
                "recipients": ["+4915100000011"], "text": "Hello @ there https://example.org", "attachments": [kept["id"], PICTURE],
                "styles": [{"start": 0, "length": 5, "style": "BOLD"}], "mentions": [{"start": 6, "length": 1, "recipient": UUID}],
                "quote": {"timestamp": T, "author": UUID, "text": "before"}, "edit": T + 2, "silent": False, "view_once": True,
                "preview": {"url": "https://example.org", "title": "Example"},
            },
        )  # fmt: skip
        assert answer.status == 201, answer.body
        (call,) = service.asked()
    assert call["message"] == "Hello @ there https://example.org"
    assert (call["textStyle"], call["mention"]) == (["0:5:BOLD"], [f"6:1:{UUID}"])
    assert (call["quoteTimestamp"], call["quoteAuthor"], call["quoteMessage"], call["editTimestamp"]) == (T, UUID, "before", T + 2)
    assert (call["previewUrl"], call["viewOnce"]) == ("https://example.org", True)
    assert call["attachment"][0].endswith("/a.png")
    assert len(call["attachment"]) == 2


async def test_who_is_not_reached_is_told_beside_those_who_are(demo: Service) -> None:
    answer = await demo.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [cast.ECHO, cast.UNREGISTERED], "text": "Hello"})
    assert answer.status == 201, answer.body
    states = {one["number"]: (one["state"], one["reason"]) for one in answer.json["recipients"]}
    assert states == {cast.ECHO: ("sent", None), cast.UNREGISTERED: ("failed", "UNREGISTERED_FAILURE")}


@pytest.mark.parametrize(
    ("number", "status", "kind"),
    [(cast.UNREGISTERED, 422, "not-on-signal"), (cast.NEWKEY, 409, "untrusted-identity"), (cast.LIMITED, 429, "rate-limited")],
)
async def test_what_a_person_must_act_on_has_a_type_of_its_own(demo: Service, number: str, status: int, kind: str) -> None:
    for _ in range(2):  # the new key shows with the second message
        answer = await demo.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [number], "text": "Hello"})
    assert (answer.status, answer.json["type"]) == (status, f"urn:signal-courier:problem:{kind}"), answer.body
    if kind == "rate-limited":
        token = answer.json["challenge_tokens"][0]
        solved = await demo.post(f"/api/v2/accounts/{ACCOUNT}/challenge", {"token": token, "captcha": "signalcaptcha://good"})
        assert solved.status == 204
        again = await demo.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [number], "text": "Hello"})
        assert again.status == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"recipients": ["!"], "text": "x"}, "recipients"),
        ({"recipients": [cast.ECHO]}, "text"),
        ({"recipients": [cast.ECHO], "text": "x", "view_once": True}, "view_once"),
        ({"recipients": [cast.ECHO], "text": "x", "attachments": ["%%%"]}, "attachments"),
        (
            {"recipients": [cast.ECHO], "text": "x", "text_mode": "styled", "styles": [{"start": 0, "length": 1, "style": "BOLD"}]},
            "text_mode",
        ),
        ({"recipients": [cast.ECHO], "text": "x", "quote": {"timestamp": T, "author": GROUP}}, "quote.author"),
        ({"recipients": [cast.ECHO], "text": "x", "preview": {"url": "https://e.org", "title": "T"}}, "preview"),
        ({"recipients": [], "text": "x"}, "recipients"),
        ({"recipients": [cast.ECHO], "text": "x", "styles": [{"start": -1, "length": 1, "style": "BOLD"}]}, "styles[0].start"),
    ],
)
async def test_a_message_that_cannot_be_names_what_is_wrong(demo: Service, body: dict, field: str | None) -> None:
    answer = await demo.post("/api/v2/messages", {"account": ACCOUNT} | body)
    assert (answer.status, answer.json.get("field")) == (400, field), answer.body


async def test_the_small_signs_reach_signal_cli(tmp_path) -> None:
    answers = dict.fromkeys(
        ["sendReaction", "sendReceipt", "sendTyping", "remoteDelete", "sendPollCreate", "sendPollVote", "sendPollTerminate"], SENT
    )
    async with served(tmp_path, answers) as service:
        for path, body in (
            ("reactions", {"conversation": GROUP, "emoji": "👍", "author": UUID, "timestamp": T}),
            ("receipts", {"author": UUID, "timestamps": [T, T + 1], "kind": "viewed"}),
            ("typing", {"conversation": UUID}),
            ("deletions", {"conversation": UUID, "timestamp": T}),
            ("polls", {"conversation": UUID, "question": "Tea?", "options": ["Yes", "No"]}),
            ("polls/votes", {"conversation": UUID, "author": UUID, "timestamp": T, "options": [1]}),
            ("polls/votes", {"conversation": UUID, "author": UUID, "timestamp": T, "options": []}),
            ("polls/end", {"conversation": UUID, "timestamp": T}),
        ):
            answer = await service.post(f"/api/v2/{path}", body)
            assert answer.status in (201, 204), (path, answer.body)
        calls = [(method, params) for method, params in service.calls if method != "listIdentities"]
    by_method = dict(calls)
    assert by_method["sendReaction"]["targetTimestamp"] == T
    assert by_method["sendReceipt"] == {"recipient": UUID, "targetTimestamp": [T, T + 1], "type": "viewed"}
    assert by_method["sendPollCreate"]["noMulti"] is True
    assert [params["voteCount"] for method, params in calls if method == "sendPollVote"] == [1, 2]


async def test_a_message_that_is_not_waited_for_is_on_disk_sent_and_told_of(demo: Service) -> None:
    body = {"account": ACCOUNT, "recipients": [cast.ECHO], "text": "Alarm", "wait": 0}
    accepted = await demo.post("/api/v2/messages", body, **{"Idempotency-Key": "alarm-1"})
    assert accepted.status == 202, accepted.body
    identifier = accepted.json["id"]
    assert accepted.headers["Location"] == f"/api/v2/messages/{identifier}"
    again = await demo.post("/api/v2/messages", body, **{"Idempotency-Key": "alarm-1"})
    assert again.json["id"] == identifier
    other = await demo.post("/api/v2/messages", body | {"text": "Other"}, **{"Idempotency-Key": "alarm-1"})
    assert (other.status, other.json["type"]) == (422, "urn:signal-courier:problem:idempotency-conflict")
    status = await demo.courier.outbox.waiting.for_end(identifier, 30)
    assert status.state in ("sent", "delivered", "read")
    told = (await demo.get(f"/api/v2/messages/{identifier}")).json
    assert (told["id"], told["content"]["text"], told["recipients"][0]["number"]) == (identifier, "Alarm", cast.ECHO)
    for conversation in (cast.ECHO.replace("+", "%2B"), cast.uuid_of(cast.ECHO)):
        listed = (await demo.get(f"/api/v2/outbox?account=%2B4915100000001&conversation={conversation}")).json["messages"]
        assert [one["id"] for one in listed] == [identifier]


async def test_a_message_that_waits_can_be_taken_back(tmp_path) -> None:
    limited = Failure(
        -5, "Rate limit", {"response": {"results": [{"type": "RATE_LIMIT_FAILURE", "token": "t", "retryAfterSeconds": 3600}]}}
    )
    async with served(tmp_path, {"send": limited}) as service:
        accepted = await service.post("/api/v2/messages", {"recipients": ["+4915100000011"], "text": "x", "wait": 1})
        assert accepted.status == 202
        path = f"/api/v2/messages/{accepted.json['id']}"
        parked = (await service.get(path)).json
        assert (parked["state"], parked["recipients"][0]["reason"], parked["recipients"][0]["tokens"]) == ("parked", "rate_limit", ["t"])
        assert (await service.get("/api/v2/status")).json["queues"]["sending"] == {"+4915100000001": {"parked": 1}}
        assert (await service.delete(path)).json["state"] == "cancelled"
        assert (await service.get("/api/v2/outbox?open=true")).json["messages"] == []
        for method, gone in (("DELETE", "msg_999"), ("GET", "nonsense")):
            assert (await service.request(method, f"/api/v2/messages/{gone}")).status == 404


@pytest.mark.parametrize(("member", "value"), [("wait", -1), ("wait", 601), ("expires_in", -1), ("expires_in", 31 * 86400)])
async def test_terms_that_cannot_be_are_told_by_their_field(demo: Service, member: str, value: int) -> None:
    answer = await demo.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [cast.ECHO], "text": "x", member: value})
    assert (answer.status, answer.json["field"]) == (400, member)
