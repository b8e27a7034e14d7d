"""The lab does what Signal does, as far as the real signal-cli can tell."""

import asyncio
import base64
from pathlib import Path

import pytest

from tests.e2e.lab.daemon import CallFailed
from tests.e2e.lab.laboratory import Lab, running_accounts, running_lab
from tests.e2e.lab.overlay import Prepared
from tests.e2e.samples import PIXEL, pack_of, write_sticker_pack


async def test_text_arrives_and_is_answered_with_a_reaction(lab: Lab) -> None:
    sent = await lab.ann.send(lab.ben.aci, "hello")
    assert (await lab.ben.receives_text("hello"))["timestamp"] == sent
    await lab.ben.react(lab.ann.aci, "👍", lab.ann.aci, sent)
    message = await lab.ann.receives_data(lambda message: "reaction" in message)
    assert (message["reaction"]["emoji"], message["reaction"]["targetSentTimestamp"]) == ("👍", sent)


async def test_attachment_arrives_byte_for_byte(lab: Lab, tmp_path: Path) -> None:
    picture = tmp_path / "pixel.png"
    picture.write_bytes(PIXEL)
    await lab.ann.send(lab.ben.aci, "a picture", attachment=[str(picture)])
    (attachment,) = (await lab.ben.receives_text("a picture"))["attachments"]
    content = await lab.ben.call("getAttachment", id=attachment["id"])
    assert base64.b64decode(content["data"]) == PIXEL


async def test_group_is_created_joined_and_used(lab: Lab) -> None:
    group = await lab.ann.creates_group("Neighbours", [lab.ben.aci, lab.cleo.aci])
    await lab.ann.send(groupId=group, message="to all of you")
    for member in (lab.ben, lab.cleo):
        assert (await member.receives_text("to all of you"))["groupInfo"]["groupId"] == group


async def test_sticker_of_an_uploaded_pack_arrives(lab: Lab, tmp_path: Path) -> None:
    pack, _key = pack_of(await lab.ann.uploads_stickers(write_sticker_pack(tmp_path)))
    await lab.ann.send(lab.ben.aci, sticker=f"{pack}:0")
    message = await lab.ben.receives_data(lambda message: "sticker" in message)
    assert message["sticker"] == {"packId": pack, "stickerId": 0}


async def test_number_is_registered_with_a_captcha_and_a_code(lab: Lab) -> None:
    async with running_accounts(lab, "newcomers", []) as (daemon, _home):
        with pytest.raises(CallFailed, match="Captcha required"):
            await daemon.call("register", account="+4915100000209")
        with pytest.raises(CallFailed):
            await daemon.call("register", account="+4915100000209", captcha="bad")
        await daemon.call("register", account="+4915100000209", captcha="solved")
        with pytest.raises(CallFailed, match="Verify error"):
            await daemon.call("verify", account="+4915100000209", verificationCode="000000")
        await daemon.call("verify", account="+4915100000209", verificationCode="123456")
        assert [entry["number"] for entry in await daemon.call("listAccounts")] == ["+4915100000209"]


async def test_device_is_linked_by_scanning_gets_copies_and_is_unlinked(lab: Lab) -> None:
    async with running_accounts(lab, "tablets", []) as (daemon, _home):
        link = (await daemon.call("startLink"))["deviceLinkUri"]
        async with asyncio.TaskGroup() as both:
            linked = both.create_task(daemon.call("finishLink", deviceLinkUri=link, deviceName="Tablet"))
            both.create_task(lab.cleo.scans(link))
        assert linked.result() == {"number": lab.cleo.number}
        await daemon.call("subscribeReceive")
        await lab.cleo.send(lab.ann.aci, "from the phone")
        copy = await daemon.reports.take(lambda report: "sentMessage" in (report["envelope"].get("syncMessage") or {}))
        assert copy["envelope"]["syncMessage"]["sentMessage"]["message"] == "from the phone"
        await lab.levers.unlink(lab.cleo.number, 2)
        assert (await lab.levers.account(lab.cleo.number)).devices == [1]


async def test_rate_limit_is_lifted_by_a_challenge(lab: Lab) -> None:
    token = await lab.levers.demand_proof(lab.ann.number)
    with pytest.raises(CallFailed) as refused:
        await lab.ann.send(lab.ben.aci, "too fast")
    assert refused.value.code == -5
    assert refused.value.data is not None
    assert refused.value.data["response"]["results"][0]["token"] == token
    await lab.ann.call("submitRateLimitChallenge", challenge=token, captcha="solved")
    await lab.ann.send(lab.ben.aci, "proven")
    await lab.ben.receives_text("proven")


async def test_new_phone_changes_the_safety_number(lab: Lab) -> None:
    await lab.ann.send(lab.cleo.aci, "who are you")
    await lab.cleo.receives_text("who are you")
    await lab.cleo.gets_a_new_phone()
    with pytest.raises(CallFailed) as refused:
        await lab.ann.send(lab.cleo.aci, "still you?")
    assert refused.value.code == -4
    await lab.ann.call("trust", recipient=lab.cleo.aci, trustAllKnownKeys=True)
    await lab.ann.send(lab.cleo.aci, "now I know you")
    await lab.cleo.receives_text("now I know you")


async def test_nothing_is_lost_in_an_outage(lab: Lab) -> None:
    await lab.levers.outage(on=True)
    with pytest.raises(CallFailed):
        await lab.ann.send(lab.ben.aci, "into the void")
    await lab.levers.outage(on=False)
    await lab.ann.send(lab.ben.aci, "we are back")
    await lab.ben.receives_text("we are back", within=60)


async def test_message_waits_until_its_device_has_acknowledged_it(lab: Lab) -> None:
    number = "+4915100000601"
    async with running_accounts(lab, "sleeper", [number]) as (sleeper, _home):
        aci = (await lab.levers.account(number)).aci
        await sleeper.call("unsubscribeReceive", subscription=0)
        await lab.ann.send(aci, "good morning")
        assert (await lab.levers.account(number)).waiting
        await sleeper.call("subscribeReceive")
        await sleeper.reports.take(lambda report: (report["envelope"].get("dataMessage") or {}).get("message") == "good morning")


async def test_flood_arrives_complete_and_in_order(lab: Lab) -> None:
    timestamps = list(range(1_700_000_000_000, 1_700_000_000_500))
    await lab.levers.flood(lab.ben.number, lab.ann.number, timestamps)
    got = [
        (await lab.ben.receives(lambda envelope: envelope.get("timestamp") == wanted))["timestamp"]  # noqa: B023 awaited at once
        for wanted in timestamps
    ]
    assert got == timestamps


async def test_two_labs_stand_side_by_side(lab: Lab, prepared: Prepared) -> None:
    async with running_lab(prepared, with_people=False) as other:
        assert other.launcher != lab.launcher
        await other.levers.outage(on=True)
        await lab.ann.send(lab.ben.aci, "here all is well")
        await lab.ben.receives_text("here all is well")
