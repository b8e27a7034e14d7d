"""`/api/v2` with the real signal-cli: what is sent, what comes in, and what becomes of it."""

import base64
from typing import Any

import pytest

from signal_courier.http.native.problems import PREFIX
from tests.e2e.courier import House
from tests.e2e.lab.laboratory import Lab
from tests.e2e.lab.reports import Json
from tests.e2e.samples import PIXEL, PIXEL_BASE64


def _is(kind: str, /, **members: object) -> Any:
    """Whether an event is of this type, and its member of that name holds these."""

    def wanted(event: Json) -> bool:
        told = event.get(kind) or {}
        return event["type"] == kind and all(told.get(name) == value for name, value in members.items())

    return wanted


async def _sent(house: House, recipient: str, text: str, **fields: object) -> dict[str, Any]:
    reply = await house.native("POST", "/messages", {"recipients": [recipient], "text": text, **fields})
    sent: dict[str, Any] = reply.expect(201)
    return sent


async def _becomes(house: House, name: str, state: str) -> None:
    """Waits for the event that tells of a message's state, which may have come already."""
    async with house.courier.events(types="status", after="0") as events:
        await events.take(lambda event: event["status"]["message"] == name and event["status"]["state"] == state)


async def test_receipts_of_the_phone_move_a_message_to_delivered_and_read(house: House, lab: Lab) -> None:
    async with house.courier.events(types="status", account=house.number) as events:
        sent = await _sent(house, lab.ann.aci, "the washing machine is done")

        async def told(state: str) -> None:
            event = await events.take(lambda event: event["status"]["message"] == sent["id"] and event["status"]["state"] == state)
            assert event["status"]["timestamp"] == sent["timestamp"]

        await told("delivered")
        await lab.ann.receives_text("the washing machine is done")
        await lab.ann.has_read(house.aci, sent["timestamp"])
        await told("read")
    status = (await house.native("GET", f"/messages/{sent['id']}", wait="20", until="read")).expect(200)
    assert status["state"] == "read"
    (recipient,) = status["recipients"]
    assert (recipient["uuid"], recipient["state"]) == (lab.ann.aci, "read")


async def test_message_that_waits_through_an_outage_arrives_once(house: House, lab: Lab) -> None:
    await lab.levers.outage(on=True)
    try:
        queued = (await house.native("POST", "/messages", {"recipients": [lab.ann.aci], "text": "water!", "wait": 0})).expect(202)
        waiting = (await house.native("GET", f"/messages/{queued['id']}", wait="2")).expect(200)
        assert waiting["state"] in {"queued", "sending"}
    finally:
        await lab.levers.outage(on=False)
    status = (await house.native("GET", f"/messages/{queued['id']}", wait="60", until="delivered")).expect(200)
    assert status["state"] == "delivered", status
    await lab.ann.receives_text("water!")
    await _sent(house, lab.ann.aci, "only once?")
    await lab.ann.receives_text("only once?")
    again = [report for report in lab.ann.daemon.reports.take_all() if "water!" in str(report)]
    assert not again


async def test_message_of_a_key_is_sent_once(house: House, lab: Lab) -> None:
    body = {"account": house.number, "recipients": [lab.ann.aci], "text": "the door is open"}
    first, second = [await house.courier.call("POST", "/api/v2/messages", body, headers={"Idempotency-Key": "door-17"}) for _ in range(2)]
    assert first.expect(201) == second.expect(201)
    await lab.ann.receives_text("the door is open")
    await _sent(house, lab.ann.aci, "and now closed")
    await lab.ann.receives_text("and now closed")
    assert not [report for report in lab.ann.daemon.reports.take_all() if "the door is open" in str(report)]


async def test_styles_mentions_and_quotes_arrive(house: House, lab: Lab) -> None:
    asked = await lab.ann.send(house.aci, "who is there?")
    await house.receives_text("who is there?")
    quote = {"timestamp": asked, "author": lab.ann.aci, "text": "who is there?"}
    mentions = [{"start": 0, "length": 1, "recipient": lab.ben.aci}]
    await _sent(house, lab.ann.aci, "X rings", quote=quote, mentions=mentions, styles=[{"start": 2, "length": 5, "style": "BOLD"}])
    message = await lab.ann.receives_data(lambda message: "quote" in message)
    assert (message["quote"]["id"], message["quote"]["authorUuid"]) == (asked, lab.ann.aci)
    assert [mention["uuid"] for mention in message["mentions"]] == [lab.ben.aci]
    assert [(style["style"], style["start"], style["length"]) for style in message["textStyles"]] == [("BOLD", 2, 5)]


async def test_edit_and_deletion_go_out_and_come_in(house: House, lab: Lab) -> None:
    sent = await _sent(house, lab.ann.aci, "20 degrees")
    await _sent(house, lab.ann.aci, "21 degrees", edit=sent["timestamp"])
    edited = (await lab.ann.receives(lambda envelope: "editMessage" in envelope))["editMessage"]
    assert (edited["targetSentTimestamp"], edited["dataMessage"]["message"]) == (sent["timestamp"], "21 degrees")
    (await house.native("POST", "/deletions", {"conversation": lab.ann.aci, "timestamp": sent["timestamp"]})).expect(204)
    await lab.ann.receives_data(lambda message: "remoteDelete" in message)

    async with house.courier.events(types="edit,delete") as events:
        written = await lab.ann.send(house.aci, "I am comming")
        await lab.ann.send(house.aci, "I am coming", editTimestamp=written)
        event = await events.take(_is("edit"))
        assert (event["edit"]["target"]["timestamp"], event["message"]["text"]) == (written, "I am coming")
        await lab.ann.deletes(house.aci, written)
        event = await events.take(_is("delete"))
        assert (event["delete"]["target"]["timestamp"], event["sender"]["uuid"]) == (written, lab.ann.aci)


async def test_reactions_receipts_and_typing_go_out_and_come_in(house: House, lab: Lab) -> None:
    async with house.courier.events(types="message,reaction,receipt,typing") as events:
        written = await lab.ann.send(house.aci, "dinner is ready")
        event = await events.take(lambda event: event["type"] == "message" and event["message"]["text"] == "dinner is ready")
        assert event["conversation"]["id"] == event["sender"]["uuid"] == lab.ann.aci
        named = {"conversation": lab.ann.aci, "author": lab.ann.aci, "timestamp": written}
        for remove in (False, True):
            (await house.native("POST", "/reactions", {**named, "emoji": "👍", "remove": remove})).expect(201)
            told = (await lab.ann.receives_data(lambda message: "reaction" in message))["reaction"]
            assert (told["emoji"], told["targetSentTimestamp"], told["isRemove"]) == ("👍", written, remove)
        (await house.native("POST", "/receipts", {"author": lab.ann.aci, "timestamps": [written], "kind": "read"})).expect(204)
        await lab.ann.receives(lambda envelope: (envelope.get("receiptMessage") or {}).get("isRead") is True)
        (await house.native("POST", "/typing", {"conversation": lab.ann.aci})).expect(204)
        await lab.ann.receives(lambda envelope: (envelope.get("typingMessage") or {}).get("action") == "STARTED")

        sent = await _sent(house, lab.ann.aci, "Shall I open the window?")
        await lab.ann.react(house.aci, "🔥", house.aci, sent["timestamp"])
        event = await events.take(_is("reaction", emoji="🔥", removed=False))
        assert event["reaction"]["target"]["timestamp"] == sent["timestamp"]
        await lab.ann.has_read(house.aci, sent["timestamp"])
        event = await events.take(_is("receipt", kind="read"))
        assert [target["timestamp"] for target in event["receipt"]["targets"]] == [sent["timestamp"]]
        await lab.ann.types(house.aci)
        await events.take(_is("typing", started=True))


async def test_uploaded_file_is_sent_and_a_received_one_is_served_and_deleted(house: House, lab: Lab, tmp_path: Any) -> None:
    uploaded = (await house.courier.call("POST", "/api/v2/attachments", raw=PIXEL, query={"name": "door.png"})).expect(201)
    await _sent(house, lab.ann.aci, "at the door", attachments=[uploaded["id"]])
    (attachment,) = (await lab.ann.receives_text("at the door"))["attachments"]
    content = await lab.ann.call("getAttachment", id=attachment["id"])
    assert (attachment["contentType"], base64.b64decode(content["data"])) == ("image/png", PIXEL)

    picture = tmp_path / "cat.png"
    picture.write_bytes(PIXEL)
    async with house.courier.events(types="message") as events:
        await lab.ann.send(house.aci, "a cat", attachment=[str(picture)])
        event = await events.take(lambda event: event["message"]["text"] == "a cat")
    (told,) = event["message"]["attachments"]
    assert (told["type"], told["name"], told["size"]) == ("image/png", "cat.png", len(PIXEL))
    served = await house.courier.call("GET", told["url"])
    assert (served.status, served.body, served.content_type) == (200, PIXEL, "image/png")
    (await house.courier.call("DELETE", told["url"])).expect(204)
    assert (await house.courier.call("GET", told["url"])).status == 404


async def test_group_lives_through_the_native_api(house: House, lab: Lab) -> None:
    new = {"name": "Native", "members": [lab.ann.aci], "description": "all of us", "avatar": PIXEL_BASE64, "edit_details": "only-admins"}
    group = (await house.native("POST", "/groups", new)).expect(201)
    assert (group["name"], group["kind"]) == ("Native", "group")
    async with house.courier.events(types="message,group", conversation=group["id"]) as events:
        await _sent(house, group["id"], "hello all")
        internal = (await lab.ann.receives_text("hello all"))["groupInfo"]["groupId"]
        await lab.ann.send(groupId=internal, message="hello house")
        event = await events.take(_is("message"))
        assert (event["conversation"]["id"], event["conversation"]["kind"], event["message"]["text"]) == (
            group["id"],
            "group",
            "hello house",
        )
    changes = {"name": "Natives", "add": [lab.ben.aci], "promote": [lab.ann.aci], "link": "enabled"}
    changed = (await house.native("PATCH", f"/groups/{group['id']}", changes)).expect(200)
    assert changed["name"] == "Natives"
    await _sent(house, group["id"], "welcome Ben")
    await lab.ben.receives_text("welcome Ben")
    (await house.native("DELETE", f"/groups/{group['id']}", forget="true")).expect(204)
    known = (await house.native("GET", "/groups")).expect(200)["groups"]
    assert group["id"] not in [one["id"] for one in known]


async def test_polls_are_refused_by_this_release_in_words_of_its_own(house: House, lab: Lab) -> None:
    reply = await house.native("POST", "/polls", {"conversation": lab.ann.aci, "question": "Tea?", "options": ["Yes", "No"]})
    assert (reply.expect(501)["type"], reply.content_type) == (f"{PREFIX}unsupported", "application/problem+json")


async def test_rate_limit_parks_a_queued_message_until_its_challenge_is_solved(house: House, lab: Lab) -> None:
    token = await lab.levers.demand_proof(house.number)
    refused = (await house.native("POST", "/messages", {"recipients": [lab.ann.aci], "text": "at once or never"})).expect(429)
    assert (refused["type"], refused["challenge_tokens"]) == (f"{PREFIX}rate-limited", [token])
    queued = (await house.native("POST", "/messages", {"recipients": [lab.ann.aci], "text": "it can wait", "wait": 0})).expect(202)
    await _becomes(house, queued["id"], "parked")
    solved = {"token": token, "captcha": "signalcaptcha://solved"}
    (await house.call("POST", "/api/v2/accounts/{n}/challenge", solved)).expect(204)
    await lab.ann.receives_text("it can wait")
    status = (await house.native("GET", f"/messages/{queued['id']}", wait="20", until="delivered")).expect(200)
    assert status["state"] in {"delivered", "read"}


async def test_new_safety_number_parks_a_queued_message_until_it_is_trusted(house: House, lab: Lab) -> None:
    await lab.cleo.gets_a_new_phone()
    refused = (await house.native("POST", "/messages", {"recipients": [lab.cleo.aci], "text": "is it you?"})).expect(409)
    assert (refused["type"], refused["recipients"]) == (f"{PREFIX}untrusted-identity", [lab.cleo.aci])
    queued = (await house.native("POST", "/messages", {"recipients": [lab.cleo.aci], "text": "it is you", "wait": 0})).expect(202)
    await _becomes(house, queued["id"], "parked")
    identities = (await house.native("GET", "/identities", recipient=lab.cleo.aci)).expect(200)["identities"]
    (new,) = [one for one in identities if one["trust"] == "untrusted"]
    trusted = {"safety_number": new["safety_number"]}
    (await house.native("PUT", f"/identities/{lab.cleo.aci}/trust", trusted)).expect(204)
    await lab.cleo.receives_text("it is you")


@pytest.mark.parametrize("direction", ["in", "out"])
async def test_history_holds_both_directions(house: House, lab: Lab, direction: str) -> None:
    text = f"remember this, {direction}"
    if direction == "in":
        await lab.ben.send(house.aci, text)
        await house.receives_text(text)
    else:
        await _sent(house, lab.ben.aci, text)
    found = (await house.native("GET", "/messages", conversation=lab.ben.aci, limit="1")).expect(200)["messages"]
    assert text in str(found)
