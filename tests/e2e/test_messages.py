"""Messages of every kind, both ways, between the service and people with phones."""

import base64
import hashlib
import os
from pathlib import Path

import pytest

from tests.e2e.courier import House
from tests.e2e.lab.laboratory import Lab
from tests.e2e.samples import PIXEL, PIXEL_BASE64, pack_of, write_sticker_pack

LARGE = 50 * 1024 * 1024


async def test_text_goes_out_and_its_timestamp_is_told(house: House, lab: Lab) -> None:
    sent = await house.send(lab.ann.aci, message="The washing machine is done.")
    assert (await lab.ann.receives_text("The washing machine is done."))["timestamp"] == sent


async def test_text_comes_in_as_signal_cli_reports_it(house: House, lab: Lab) -> None:
    sent = await lab.ann.send(house.aci, "Is it?")
    envelope = await house.receives(lambda envelope: envelope["timestamp"] == sent and "dataMessage" in envelope)
    assert envelope["sourceUuid"] == lab.ann.aci
    assert envelope["dataMessage"] == {"timestamp": sent, "message": "Is it?", "expiresInSeconds": 0, "viewOnce": False}


async def test_text_goes_to_several_at_once(house: House, lab: Lab) -> None:
    await house.send(lab.ann.aci, lab.ben.aci, message="to both")
    await lab.ann.receives_text("to both")
    await lab.ben.receives_text("to both")


async def test_long_text_arrives_whole(house: House, lab: Lab) -> None:
    text = "Zeile für Zeile 🏠 " * 300
    await house.send(lab.ann.aci, message=text)
    message = await lab.ann.receives_data(lambda message: (message.get("message") or "").startswith("Zeile"))
    (whole,) = message["attachments"]  # this release leaves long texts to an attachment
    content = await lab.ann.call("getAttachment", id=whole["id"])
    assert base64.b64decode(content["data"]).decode() == text


async def test_styled_text_arrives_with_its_styles(house: House, lab: Lab) -> None:
    await house.send(lab.ann.aci, message="**Fire** in the ~garden~ *kitchen* 🔥 ||no||", text_mode="styled")
    message = await lab.ann.receives_text("Fire in the garden kitchen 🔥 no")
    styles = {(style["style"], style["start"], style["length"]) for style in message["textStyles"]}
    assert styles == {("BOLD", 0, 4), ("STRIKETHROUGH", 12, 6), ("ITALIC", 19, 7), ("SPOILER", 30, 2)}


async def test_mention_arrives_where_it_was_put(house: House, lab: Lab) -> None:
    await house.send(lab.ann.aci, message="X, look", mentions=[{"start": 0, "length": 1, "author": lab.ben.aci}])
    message = await lab.ann.receives_text("X, look")
    (mention,) = message["mentions"]
    assert (mention["uuid"], mention["start"], mention["length"]) == (lab.ben.aci, 0, 1)


async def test_quote_arrives_with_what_it_quotes(house: House, lab: Lab) -> None:
    asked = await lab.ann.send(house.aci, "Who is at the door?")
    await house.receives_text("Who is at the door?")
    await house.send(lab.ann.aci, message="Ben", quote_timestamp=asked, quote_author=lab.ann.aci, quote_message="Who is at the door?")
    quote = (await lab.ann.receives_text("Ben"))["quote"]
    assert (quote["id"], quote["authorUuid"], quote["text"]) == (asked, lab.ann.aci, "Who is at the door?")


async def test_edit_replaces_an_earlier_text(house: House, lab: Lab) -> None:
    sent = await house.send(lab.ann.aci, message="It is 20 degrees")
    await lab.ann.receives_text("It is 20 degrees")
    await house.send(lab.ann.aci, message="It is 21 degrees", edit_timestamp=sent)
    envelope = await lab.ann.receives(lambda envelope: "editMessage" in envelope)
    assert envelope["editMessage"]["targetSentTimestamp"] == sent
    assert envelope["editMessage"]["dataMessage"]["message"] == "It is 21 degrees"


async def test_edit_comes_in(house: House, lab: Lab) -> None:
    sent = await lab.ann.send(house.aci, "I am comming")
    await lab.ann.send(house.aci, "I am coming", editTimestamp=sent)
    envelope = await house.receives(lambda envelope: "editMessage" in envelope)
    assert envelope["editMessage"]["targetSentTimestamp"] == sent


async def test_message_is_deleted_for_everyone(house: House, lab: Lab) -> None:
    sent = await house.send(lab.ann.aci, message="a slip")
    answer = await house.call("DELETE", "/v1/remote-delete/{n}", {"recipient": lab.ann.aci, "timestamp": sent})
    assert set(answer.expect(201)) >= {"timestamp"}
    await lab.ann.receives_data(lambda message: message.get("remoteDelete") == {"timestamp": sent})


async def test_delete_comes_in(house: House, lab: Lab) -> None:
    sent = await lab.ann.send(house.aci, "never mind")
    await lab.ann.deletes(house.aci, sent)
    await house.receives_data(lambda message: message.get("remoteDelete") == {"timestamp": sent})


async def test_reaction_is_given_and_taken_back(house: House, lab: Lab) -> None:
    sent = await lab.ann.send(house.aci, "dinner is ready")
    await house.receives_text("dinner is ready")
    reaction = {"recipient": lab.ann.aci, "reaction": "👍", "target_author": lab.ann.aci, "timestamp": sent}
    for method, taken_back in (("POST", False), ("DELETE", True)):
        (await house.call(method, "/v1/reactions/{n}", reaction)).expect(204)
        told = (await lab.ann.receives_data(lambda message: "reaction" in message))["reaction"]
        assert (told["emoji"], told["targetSentTimestamp"], told["isRemove"]) == ("👍", sent, taken_back)


async def test_reaction_comes_in(house: House, lab: Lab) -> None:
    sent = await house.send(lab.ann.aci, message="Shall I turn on the heating?")
    await lab.ann.react(house.aci, "🔥", house.aci, sent)
    reaction = (await house.receives_data(lambda message: "reaction" in message))["reaction"]
    assert (reaction["emoji"], reaction["targetAuthorUuid"], reaction["targetSentTimestamp"]) == ("🔥", house.aci, sent)


@pytest.mark.parametrize("kind", ["read", "viewed"])
async def test_receipt_reaches_the_sender(house: House, lab: Lab, kind: str) -> None:
    sent = await lab.ann.send(house.aci, f"please {kind}")
    await house.receives_text(f"please {kind}")
    receipt = {"recipient": lab.ann.aci, "receipt_type": kind, "timestamp": sent}
    (await house.call("POST", "/v1/receipts/{n}", receipt)).expect(204)
    field = "isRead" if kind == "read" else "isViewed"
    envelope = await lab.ann.receives(lambda envelope: sent in (envelope.get("receiptMessage") or {}).get("timestamps", []))
    while not envelope["receiptMessage"][field]:  # that it was delivered is told before
        envelope = await lab.ann.receives(lambda envelope: sent in (envelope.get("receiptMessage") or {}).get("timestamps", []))


async def test_receipt_comes_in(house: House, lab: Lab) -> None:
    sent = await house.send(lab.ann.aci, message="read me")
    await lab.ann.receives_text("read me")
    await lab.ann.has_read(house.aci, sent)
    envelope = await house.receives(lambda envelope: (envelope.get("receiptMessage") or {}).get("isRead") is True)
    assert envelope["receiptMessage"]["timestamps"] == [sent]


@pytest.mark.parametrize(("method", "action"), [("PUT", "STARTED"), ("DELETE", "STOPPED")])
async def test_typing_is_seen(house: House, lab: Lab, method: str, action: str) -> None:
    (await house.call(method, "/v1/typing-indicator/{n}", {"recipient": lab.ann.aci})).expect(204)
    envelope = await lab.ann.receives(lambda envelope: (envelope.get("typingMessage") or {}).get("action") == action)
    assert envelope["sourceUuid"] == house.aci


async def test_typing_comes_in(house: House, lab: Lab) -> None:
    await lab.ann.types(house.aci)
    await house.receives(lambda envelope: (envelope.get("typingMessage") or {}).get("action") == "STARTED")


async def test_small_attachment_keeps_its_name_and_bytes(house: House, lab: Lab) -> None:
    picture = f"data:image/png;filename=door.png;base64,{PIXEL_BASE64}"
    await house.send(lab.ann.aci, message="at the door", base64_attachments=[picture])
    (attachment,) = (await lab.ann.receives_text("at the door"))["attachments"]
    assert (attachment["filename"], attachment["contentType"], attachment["size"]) == ("door.png", "image/png", len(PIXEL))
    content = await lab.ann.call("getAttachment", id=attachment["id"])
    assert base64.b64decode(content["data"]) == PIXEL


async def test_attachment_comes_in_and_is_served_and_deleted(house: House, lab: Lab, tmp_path: Path) -> None:
    picture = tmp_path / "cat.png"
    picture.write_bytes(PIXEL)
    await lab.ann.send(house.aci, "a cat", attachment=[str(picture)])
    (attachment,) = (await house.receives_text("a cat"))["attachments"]
    served = await house.call("GET", f"/v1/attachments/{attachment['id']}")
    assert (served.status, served.body, served.content_type) == (200, PIXEL, "image/png")
    assert attachment["id"] in (await house.call("GET", "/v1/attachments")).expect(200)
    (await house.call("DELETE", f"/v1/attachments/{attachment['id']}")).expect(204)
    assert (await house.call("GET", f"/v1/attachments/{attachment['id']}")).status == 404


async def test_attachment_of_50_mib_goes_out_and_comes_in_byte_for_byte(house: House, lab: Lab, tmp_path: Path) -> None:
    film = os.urandom(LARGE)
    digest = hashlib.sha256(film).hexdigest()
    await house.send(lab.ann.aci, message="a film", base64_attachments=[base64.b64encode(film).decode()])
    (attachment,) = (await lab.ann.receives_text("a film", within=60))["attachments"]
    received = lab.folder / "people" / "attachments" / attachment["id"]
    assert hashlib.sha256(received.read_bytes()).hexdigest() == digest

    (tmp_path / "film.mp4").write_bytes(film)
    await lab.ann.send(house.aci, "your film", attachment=[str(tmp_path / "film.mp4")])
    (attachment,) = (await house.receives_text("your film", within=60))["attachments"]
    served = await house.call("GET", f"/v1/attachments/{attachment['id']}")
    assert hashlib.sha256(served.body).hexdigest() == digest


async def test_sticker_of_an_installed_pack_goes_out(house: House, lab: Lab, tmp_path: Path) -> None:
    pack, key = pack_of(await lab.ann.uploads_stickers(write_sticker_pack(tmp_path)))
    (await house.call("POST", "/v1/sticker-packs/{n}", {"pack_id": pack, "pack_key": key})).expect(201)
    packs = (await house.call("GET", "/v1/sticker-packs/{n}")).expect(200)
    assert pack in [known["pack_id"] for known in packs]
    await house.send(lab.ann.aci, message="", sticker=f"{pack}:0")
    await lab.ann.receives_data(lambda message: (message.get("sticker") or {}).get("packId") == pack)


async def test_link_preview_arrives(house: House, lab: Lab) -> None:
    preview = {"url": "https://signal.org", "title": "Signal", "description": "Speak freely", "base64_thumbnail": PIXEL_BASE64}
    await house.send(lab.ann.aci, message="see https://signal.org", link_preview=preview)
    (told,) = (await lab.ann.receives_text("see https://signal.org"))["previews"]
    assert (told["url"], told["title"], told["description"]) == ("https://signal.org", "Signal", "Speak freely")


async def test_view_once_picture_is_marked(house: House, lab: Lab) -> None:
    await house.send(lab.ann.aci, message="", base64_attachments=[PIXEL_BASE64], view_once=True)
    await lab.ann.receives_data(lambda message: message.get("viewOnce") is True)


async def test_plain_get_gives_what_came_while_nobody_listened(lab: Lab, house: House) -> None:
    async with house.courier.stream(house.number):  # both sockets get a copy
        await lab.ben.send(house.aci, "for everyone who listens")
        await house.receives_text("for everyone who listens")
    assert (await house.call("GET", "/v1/receive/{n}", query={"timeout": "0"})).expect(200) == []
