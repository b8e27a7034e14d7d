"""Reactions, receipts, typing, remote deletes, polls, stories and calls: said to signal-cli as it reads them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.daemon import Failure
from tests.fakes.served import Service, served

ANN, BEN = "+4915100000001", "+4915100000002"
GROUP = "Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj65iMwI="
GROUP_ID = "group.UG1waStFZlBXbXN4aW9tTGU5TngyWEY5SE9FNDgzcDZpS2lGajY1aU13ST0="
UUID = "11111111-1111-4111-8111-111111111111"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGMAAQAAAAUAAQ0KLbQAAAAASUVORK5CYII="


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path) as running:
        yield running


ROUTES = [
    ("DELETE", "/v1/remote-delete", {"timestamp": 7}, "remoteDelete"),
    ("PUT", "/v1/typing-indicator", {}, "sendTyping"),
    ("DELETE", "/v1/typing-indicator", {}, "sendTyping"),
    ("POST", "/v1/reactions", {"reaction": "👍", "target_author": BEN, "timestamp": 7}, "sendReaction"),
    ("DELETE", "/v1/reactions", {"target_author": BEN, "timestamp": 7}, "sendReaction"),
    ("POST", "/v1/polls", {"question": "?", "answers": ["a", "b"]}, "sendPollCreate"),
    ("DELETE", "/v1/polls", {"poll_timestamp": "7"}, "sendPollTerminate"),
]


@pytest.mark.parametrize("method,path,body,command", ROUTES)
@pytest.mark.parametrize("recipient,key,value", [(BEN, "recipient", [BEN]), (GROUP_ID, "groupId", [GROUP]), (GROUP, "groupId", [GROUP])])
async def test_person_or_group_in_any_form_is_reached(
    shared: Service, method: str, path: str, body: dict[str, object], command: str, recipient: str, key: str, value: object
) -> None:
    reply = await shared.request(method, f"{path}/{ANN}", {"recipient": recipient, **body})
    assert reply.status in (201, 204), reply.body
    (params,) = shared.asked(command)
    assert params[key] == value
    assert params["account"] == ANN


@pytest.mark.parametrize("method,path,body,command", ROUTES)
async def test_person_is_reached_by_username(shared: Service, method: str, path: str, body: dict[str, object], command: str) -> None:
    await shared.request(method, f"{path}/{ANN}", {"recipient": "name.01", **body})
    (params,) = shared.asked(command)
    assert params.get("username") == ["name.01"] or params.get("recipient") == ["u:name.01"]


@pytest.mark.parametrize("method,path,body,command", ROUTES)
@pytest.mark.parametrize("recipient", ["group.x!!", "group.!!!!!!!!!!!!"])
async def test_a_broken_group_is_refused_in_upstreams_words(
    shared: Service, method: str, path: str, body: dict[str, object], command: str, recipient: str
) -> None:
    reply = await shared.request(method, f"{path}/{ANN}", {"recipient": recipient, **body})
    wording = "Invalid group id" if command in ("sendTyping", "sendReaction") else f"Invalid identifier {recipient}"
    assert (reply.status, reply.error) == (400, wording)
    assert shared.asked(command) == []


@pytest.mark.parametrize("method,path,body,command", ROUTES)
async def test_missing_target_is_refused_by_name(shared: Service, method: str, path: str, body: dict[str, object], command: str) -> None:
    reply = await shared.request(method, f"{path}/{ANN}", body)
    assert (reply.status, reply.error) == (400, "Couldn't process request - recipient missing")
    assert shared.asked(command) == []


@pytest.mark.parametrize("method,path,body,command", ROUTES)
@pytest.mark.parametrize("refusal,status", [(Failure(-1, "no"), 400), (Failure(-4, "no"), 400), (Failure(-5, "slow down"), 400)])
async def test_refusal_of_signal_cli_is_told(
    shared: Service, method: str, path: str, body: dict[str, object], command: str, refusal: Failure, status: int
) -> None:
    shared.daemon.on(command, refusal)
    assert (await shared.request(method, f"{path}/{ANN}", {"recipient": BEN, **body})).status == status


@pytest.mark.parametrize("method,path,body,command", ROUTES)
@pytest.mark.parametrize("number", ["%2B4915100000001", "%252B4915100000001"])
async def test_number_in_the_path_may_be_encoded_once_or_twice(
    shared: Service, method: str, path: str, body: dict[str, object], command: str, number: str
) -> None:
    await shared.request(method, f"{path}/{number}", {"recipient": BEN, **body})
    assert shared.asked(command)[0]["account"] == ANN


@pytest.mark.parametrize("missing", ["reaction", "target_author", "timestamp"])
async def test_reaction_names_what_is_missing(shared: Service, missing: str) -> None:
    body = {"recipient": BEN, "reaction": "👍", "target_author": BEN, "timestamp": 7}
    del body[missing]
    reply = await shared.post(f"/v1/reactions/{ANN}", body)
    assert (reply.status, reply.error) == (400, f"Couldn't process request - {missing} missing")


async def test_reaction_to_a_group_takes_the_spellings_of_other_clients(service: Service) -> None:
    body = {"recipient": BEN, "groupid": GROUP, "reaction": "👍", "target_author": UUID, "timestamp": 7, "remove": True}
    assert (await service.post(f"/v1/reactions/{ANN}", body)).status == 204
    assert service.asked("sendReaction") == [
        {"account": ANN, "groupId": [GROUP], "emoji": "👍", "remove": True, "targetAuthor": UUID, "targetTimestamp": 7}
    ]


async def test_reaction_is_taken_back_without_naming_it(service: Service) -> None:
    await service.delete(f"/v1/reactions/{ANN}", {"recipient": BEN, "target_author": BEN, "timestamp": 7})
    (params,) = service.asked("sendReaction")
    assert (params["emoji"], params["remove"]) == ("👍", True)


async def test_reaction_answers_a_number_in_the_dialect_that_has_it(service: Service) -> None:
    body = {"recipient": BEN, "reaction": "👍", "target_author": BEN, "timestamp": 7}
    reply = await service.post(f"/d/morph027/v1/reactions/{ANN}", body)
    assert (reply.status, reply.json) == (200, {"timestamp": 1700000000123})


@pytest.mark.parametrize("kind", ["read", "viewed"])
async def test_receipt_says_what_it_should(service: Service, kind: str) -> None:
    assert (await service.post(f"/v1/receipts/{ANN}", {"recipient": BEN, "receipt_type": kind, "timestamp": 7})).status == 204
    assert service.asked("sendReceipt") == [{"account": ANN, "recipient": BEN, "targetTimestamp": [7], "type": kind}]


@pytest.mark.parametrize("recipient", [GROUP_ID, None, "", "--x"])
async def test_receipt_goes_to_a_person(shared: Service, recipient: str | None) -> None:
    reply = await shared.post(f"/v1/receipts/{ANN}", {"recipient": recipient, "receipt_type": "read", "timestamp": 7})
    assert reply.status == 400
    assert "recipient" in reply.error


async def test_changed_vote_counts_higher_than_the_one_before_even_after_a_restart(tmp_path: Path) -> None:
    body = {"recipient": GROUP_ID, "poll_author": BEN, "poll_timestamp": "1700000000123"}
    numbers = []
    for choices in ([1, 3], [2], [1, 3]):
        async with served(tmp_path) as service:
            assert (await service.post(f"/v1/polls/{ANN}/vote", {**body, "selected_answers": choices})).status == 204
            numbers += [(call["voteCount"], call["option"]) for call in service.asked("sendPollVote")]
    assert numbers == [(1, [0, 2]), (2, [1]), (3, [0, 2])]


async def test_repeated_vote_and_another_poll_keep_their_numbers(service: Service) -> None:
    body = {"recipient": BEN, "poll_author": BEN, "poll_timestamp": "1700000000123", "selected_answers": [1]}
    service.daemon.on("sendPollVote", Failure(-1, "no"))
    assert (await service.post(f"/v1/polls/{ANN}/vote", body)).status == 400
    service.daemon.on("sendPollVote", {"timestamp": 1, "results": []})
    assert (await service.post(f"/v1/polls/{ANN}/vote", body)).status == 204
    assert (await service.post(f"/v1/polls/{ANN}/vote", {**body, "poll_timestamp": 1700000000999})).status == 204
    assert [call["voteCount"] for call in service.asked("sendPollVote")] == [1, 1, 1]


@pytest.mark.parametrize("change,error", [
    ({"poll_timestamp": "x"}, "Couldn't process request - invalid timestamp"),
    ({"poll_timestamp": None}, "Couldn't process request - poll_timestamp missing"),
    ({"poll_author": None}, "Couldn't process request - poll_author missing"),
    ({"selected_answers": []}, "Couldn't process request - selected_answers missing"),
    ({"selected_answers": [0]}, "Invalid index in selected_answers specified, index needs to be >= 1!"),
])  # fmt: skip
async def test_broken_vote_is_refused_in_upstreams_words(shared: Service, change: dict[str, object], error: str) -> None:
    body: dict[str, object] = {"recipient": BEN, "poll_author": BEN, "poll_timestamp": "7", "selected_answers": [1]}
    reply = await shared.post(f"/v1/polls/{ANN}/vote", body | change)
    assert (reply.status, reply.error) == (400, error)


async def test_story_is_told_to_everybody_or_to_a_group(service: Service) -> None:
    assert (await service.post(f"/v1/stories/{ANN}", {"base64_attachment": PNG})).json == {"timestamp": "1700000000123"}
    assert (
        await service.post(f"/v1/stories/{ANN}", {"base64_attachment": PNG, "group_id": GROUP_ID, "allow_replies": False})
    ).status == 201
    first, second = service.asked("sendStory")
    assert first.keys() == {"account", "attachment"}
    assert (second["groupId"], second["noReplies"]) == (GROUP, True)
    assert service.spooled() == []


async def test_call_has_a_life(service: Service) -> None:
    ringing = {"callId": 2**63 + 1, "state": "RINGING"}
    service.daemon.on("startCall", ringing)
    service.daemon.on("acceptCall", ringing)
    service.daemon.on("listCalls", [{**ringing, "number": BEN, "isOutgoing": True}])
    started = await service.post(f"/v1/calls/{ANN}", {"recipient": BEN})
    assert (started.status, started.json["id"]) == (201, str(2**63 + 1))
    assert (await service.get(f"/v1/calls/{ANN}")).json[0]["number"] == BEN
    assert (await service.post(f"/v1/calls/{ANN}/{2**63 + 1}/accept")).status == 200
    assert (await service.post(f"/v1/calls/{ANN}/5/reject")).status == 204
    assert (await service.delete(f"/v1/calls/{ANN}/{2**63 + 1}")).status == 204
    assert service.asked("hangupCall") == [{"account": ANN, "callId": 2**63 + 1}]
    assert (await service.delete(f"/v1/calls/{ANN}/x")).status == 400


async def test_stories_and_calls_need_a_newer_signal_cli_and_say_which(tmp_path: Path) -> None:
    async with served(tmp_path, {"version": {"version": "0.13.19"}}) as service:
        story = await service.post(f"/v1/stories/{ANN}", {"base64_attachment": PNG})
        call = await service.post(f"/v1/calls/{ANN}", {"recipient": BEN})
        poll = await service.post(f"/v1/polls/{ANN}", {"recipient": BEN, "question": "?", "answers": ["a", "b"]})
        assert [(reply.status, needed in reply.error) for reply, needed in [(story, "0.14.6"), (call, "0.14.2"), (poll, "0.13.22")]] == [
            (501, True), (501, True), (501, True),
        ]  # fmt: skip
