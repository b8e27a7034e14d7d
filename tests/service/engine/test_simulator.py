"""The simulator: every command is there, answers or refuses as an engine does, and nothing gets lost in it."""

import asyncio
import base64
import json
import math
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from signal_courier.engine.base import EngineState, Json
from signal_courier.engine.errors import (
    AccountUnknown,
    CaptchaRejected,
    CaptchaRequired,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    NotFound,
    PinRequired,
    RateLimited,
    Rejected,
    Unsupported,
    UntrustedIdentity,
)
from signal_courier.engine.simulator import Simulator, methods
from signal_courier.engine.simulator.cast import (
    DEMO_GROUP,
    ECHO,
    HOME,
    INSTALLED_PACK,
    LIMITED,
    LINKED,
    NEWKEY,
    OTHER_PACK,
    PIN_LOCKED,
    PIXEL,
    POLLY,
    REGISTRATION_LIMITED,
    SECOND,
    SHADE,
    UNREGISTERED,
)

METHODS = json.loads((Path(__file__).parents[2] / "data" / "signal-cli-methods.json").read_text())["v0.14.6"]
STAMP = 1_795_000_000_000
NEW_NUMBER = "+4915100000055"
CODE = "sgnl://linkdevice?uuid=abc&pub_key=BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
CAPTCHA = "signalcaptcha://signal-hcaptcha.a.registration.b"

type Decoded = Any
"""Decoded JSON: the assertions are its types."""


class Listener:
    """A running simulator and everything that it reported."""

    def __init__(self, folder: Path, *, speed: float = math.inf) -> None:
        self.folder = folder
        self.simulator = Simulator(folder / "data", folder / "config", speed=speed)
        self.frames: list[bytes] = []

    async def call(self, method: str, /, **params: Json) -> Decoded:
        """Call as the account Home, unless another is named."""
        account: Mapping[str, Json] = {} if "multi" in METHODS[method]["scopes"] else {"account": HOME}
        return msgspec.json.decode(await self.simulator.call(method, {**account, **params}))

    async def heard(self, account: str, kind: str = "dataMessage") -> list[Decoded]:
        """What an account received of one kind, once everybody is quiet."""
        await self.simulator.settled()
        found = [json.loads(frame) for frame in self.frames]
        return [frame["envelope"] for frame in found if frame["account"] == account and kind in frame["envelope"]]


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Listener]:
    listener = Listener(tmp_path)
    await listener.simulator.start(listener.frames.append)
    yield listener
    await listener.simulator.stop()


def valid_params(folder: Path) -> dict[str, dict[str, Json]]:
    """Parameters for every method with which it succeeds on a fresh network."""
    picture = folder / "picture.png"
    picture.write_bytes(PIXEL)
    pack = folder / "pack"
    pack.mkdir()
    (pack / "manifest.json").write_text(json.dumps({"title": "T", "author": "A", "stickers": [{"file": "0.png", "emoji": "👍"}]}))
    (pack / "0.png").write_bytes(PIXEL)
    (folder / "config" / "attachments").mkdir(parents=True, exist_ok=True)
    (folder / "config" / "attachments" / "abc.txt").write_text("hello")
    target: dict[str, Json] = {"recipient": ECHO, "targetTimestamp": STAMP, "targetAuthor": ECHO}
    return {
        "addDevice": {"uri": CODE},
        "addStickerPack": {"uri": f"https://signal.art/addstickers/#pack_id={OTHER_PACK}&pack_key=00"},
        "block": {"recipient": ECHO},
        "deleteLocalAccountData": {"ignoreRegistered": True},
        "getAttachment": {"id": "abc.txt"},
        "getAvatar": {"profile": ECHO},
        "getSticker": {"packId": INSTALLED_PACK, "stickerId": 1},
        "getUserStatus": {"recipient": [ECHO, UNREGISTERED]},
        "quitGroup": {"groupId": DEMO_GROUP, "admin": SECOND},
        "register": {"account": NEW_NUMBER, "captcha": CAPTCHA},
        "remoteDelete": {"recipient": ECHO, "targetTimestamp": STAMP},
        "removeContact": {"recipient": ECHO},
        "send": {"recipient": ECHO, "message": "hello"},
        "sendAdminDelete": {"groupId": DEMO_GROUP, "targetAuthor": ECHO, "targetTimestamp": STAMP},
        "sendMessageRequestResponse": {"recipient": ECHO, "type": "accept"},
        "sendPaymentNotification": {"recipient": ECHO, "receipt": "aGVsbG8="},
        "sendPinMessage": {**target, "pinDuration": -1},
        "sendPollCreate": {"recipient": POLLY, "question": "?", "option": ["a", "b"]},
        "sendPollTerminate": {"recipient": POLLY, "pollTimestamp": STAMP},
        "sendPollVote": {"recipient": POLLY, "pollTimestamp": STAMP, "pollAuthor": POLLY, "option": [0], "voteCount": 1},
        "sendReaction": {**target, "emoji": "👍"},
        "sendReceipt": {"recipient": ECHO, "targetTimestamp": STAMP},
        "sendStory": {"attachment": str(picture), "groupId": DEMO_GROUP},
        "sendTyping": {"recipient": ECHO},
        "sendUnpinMessage": target,
        "setPin": {"pin": "1234"},
        "startCall": {"recipient": ECHO},
        "startChangeNumber": {"number": NEW_NUMBER, "captcha": CAPTCHA},
        "trust": {"recipient": NEWKEY, "trustAllKnownKeys": True},
        "unblock": {"recipient": ECHO},
        "unsubscribeCallEvents": {"subscription": 0},
        "unsubscribeReceive": {"subscription": 0},
        "updateAccount": {"username": "home"},
        "updateContact": {"recipient": ECHO, "name": "Echo"},
        "updateDevice": {"deviceId": 1, "deviceName": "x"},
        "updateGroup": {"name": "New", "member": [ECHO]},
        "updateProfile": {"givenName": "H", "avatar": str(picture)},
        "uploadStickerPack": {"path": str(pack / "manifest.json")},
    }


async def prepared(demo: Listener, method: str) -> dict[str, Json]:
    """Parameters of a method that first needs something to have happened."""
    match method:
        case "finishLink":
            made = await demo.call("startLink")
            return {"deviceLinkUri": made["deviceLinkUri"]}
        case "verify":
            await demo.call("register", account=NEW_NUMBER, captcha=CAPTCHA)
            return {"account": NEW_NUMBER, "verificationCode": "123-456"}
        case "finishChangeNumber":
            await demo.call("startChangeNumber", number=NEW_NUMBER, captcha=CAPTCHA)
            return {"number": NEW_NUMBER, "verificationCode": "123456"}
        case "joinGroup":
            await demo.call("updateGroup", groupId=DEMO_GROUP, link="enabled")
            groups = await demo.call("listGroups")
            return {"account": SECOND, "uri": groups[0]["groupInviteLink"]}
        case "acceptCall" | "rejectCall" | "hangupCall":
            made = await demo.call("startCall", recipient=SECOND)
            return {"account": SECOND, "callId": made["callId"]}
        case "removeDevice":
            await demo.call("addDevice", uri=CODE)
            return {"deviceId": 2}
        case "submitRateLimitChallenge":
            with pytest.raises(RateLimited) as caught:
                await demo.call("send", recipient=LIMITED, message="x")
            return {"challenge": caught.value.tokens[0], "captcha": CAPTCHA}
        case "receive":
            demo.simulator.pause()
            return {"timeout": 0}
        case _:
            return {}


def test_every_method_of_signal_cli_is_there() -> None:
    assert methods() == set(METHODS)


@pytest.mark.parametrize("method", sorted(METHODS))
async def test_every_method_answers_in_the_documented_shape(demo: Listener, method: str) -> None:
    params = valid_params(demo.folder).get(method, {}) | await prepared(demo, method)
    result = await demo.call(method, **params)
    assert_shape(result, METHODS[method]["output_shape"], method)


@pytest.mark.parametrize("method", sorted(METHODS))
async def test_missing_and_wrong_parameters_are_refused_as_an_engine_does(demo: Listener, method: str) -> None:
    declared = METHODS[method]["params"]
    accountless = "multi" in METHODS[method]["scopes"]
    account: dict[str, Json] = {} if accountless else {"account": HOME}
    wrong: dict[str, Json] = {name: {"a": 1} for name in declared}
    if any(param["required_jsonrpc"] for param in declared.values()):
        with pytest.raises(EngineError):
            await demo.simulator.call(method, account)
    if declared:
        with pytest.raises(EngineError):
            await demo.simulator.call(method, account | wrong)
    if not accountless:
        with pytest.raises(EngineError):
            await demo.simulator.call(method, {})


def assert_shape(value: object, shape: object, where: str) -> None:
    """Compare with the notation of signal-cli-methods.json."""
    match shape:
        case dict():
            assert isinstance(value, dict), where
            assert set(value) <= set(shape), f"{where}: {set(value) - set(shape)} is not documented"
            for key, inner in shape.items():
                if key in value and value[key] is not None:
                    assert_shape(value[key], inner, f"{where}.{key}")
        case [inner]:
            assert isinstance(value, list), where
            for entry in value:
                assert_shape(entry, inner, where)
        case str() if shape.startswith(("long", "int", "integer")):
            assert isinstance(value, int), where
            assert not isinstance(value, bool), where
        case str() if shape.startswith(("bool", "true")):
            assert isinstance(value, bool), where
        case str() if "|" in shape and shape.split("|")[0].isupper():
            assert value in shape.split("|"), where
        case _:
            assert type(value) is type(shape), where


async def test_echo_confirms_reads_and_answers_with_the_same_text(demo: Listener) -> None:
    sent = await demo.call("send", recipient=ECHO, message="hello", textStyle="0:5:BOLD")
    receipts = await demo.heard(HOME, "receiptMessage")
    assert [(r["receiptMessage"]["isDelivery"], r["receiptMessage"]["isRead"]) for r in receipts] == [(True, False), (False, True)]
    assert {tuple(r["receiptMessage"]["timestamps"]) for r in receipts} == {(sent["timestamp"],)}
    [answer] = await demo.heard(HOME)
    message = answer["dataMessage"]
    assert (answer["source"], message["message"]) == (ECHO, "hello")
    assert message["textStyles"] == [{"style": "BOLD", "start": 0, "length": 5}]


async def test_a_person_who_hides_the_number_is_known_by_uuid_alone(demo: Listener) -> None:
    await demo.call("send", recipient=SHADE, message="who are you")
    [answer] = await demo.heard(HOME)
    assert (answer["source"], answer["sourceNumber"], answer["sourceUuid"]) == (SHADE, None, SHADE)
    await demo.call("send", username="shade.01", message="you again")
    assert len(await demo.heard(HOME)) == 2


async def test_polly_votes_for_the_first_option(demo: Listener) -> None:
    asked = await demo.call("sendPollCreate", groupId=DEMO_GROUP, question="Pizza?", option=["yes", "no"])
    votes = [message["dataMessage"] for message in await demo.heard(HOME)]
    assert [vote["pollVote"]["optionIndexes"] for vote in votes] == [[0]]
    assert votes[0]["pollVote"]["targetSentTimestamp"] == asked["timestamp"]


async def test_a_changed_safety_number_stops_sending_until_it_is_trusted(demo: Listener) -> None:
    with pytest.raises(UntrustedIdentity):
        await demo.call("send", recipient=NEWKEY, message="x")
    identities = await demo.call("listIdentities", number=NEWKEY)
    assert identities[0]["trustLevel"] == "UNTRUSTED"
    with pytest.raises(Rejected, match="make sure the number and the fingerprint"):
        await demo.call("trust", recipient=NEWKEY, verifiedSafetyNumber="1" * 60)
    await demo.call("trust", recipient=NEWKEY, verifiedSafetyNumber=identities[0]["safetyNumber"])
    await demo.call("send", recipient=NEWKEY, message="x")
    identities = await demo.call("listIdentities", number=NEWKEY)
    assert identities[0]["trustLevel"] == "TRUSTED_VERIFIED"


async def test_what_an_untrusted_person_wrote_arrives_after_trust(demo: Listener) -> None:
    stamp = demo.simulator.deliver(NEWKEY, HOME, "it is me")
    [first] = [json.loads(frame) for frame in demo.frames] or [None]
    assert first["exception"]["type"] == "UntrustedIdentityException"
    assert await demo.heard(HOME) == []
    await demo.call("trust", recipient=NEWKEY, trustAllKnownKeys=True)
    [message] = await demo.heard(HOME)
    assert message["timestamp"] == stamp


async def test_a_rate_limit_lasts_until_its_challenge_is_solved(demo: Listener) -> None:
    with pytest.raises(RateLimited) as caught:
        await demo.call("send", recipient=LIMITED, message="x")
    [token] = caught.value.tokens
    assert caught.value.retry_after == 86400
    with pytest.raises(CaptchaRejected):
        await demo.call("submitRateLimitChallenge", challenge="other", captcha=CAPTCHA)
    with pytest.raises(CaptchaRejected):
        await demo.call("submitRateLimitChallenge", challenge=token, captcha="fail")
    await demo.call("submitRateLimitChallenge", challenge=token, captcha=CAPTCHA)
    await demo.call("send", recipient=LIMITED, message="x")


async def test_one_success_is_success_and_the_results_tell_the_rest(demo: Listener) -> None:
    sent = await demo.call("send", recipient=[ECHO, UNREGISTERED, NEWKEY, LIMITED], message="x")
    assert [result["type"] for result in sent["results"]] == ["SUCCESS", "UNREGISTERED_FAILURE", "IDENTITY_FAILURE", "RATE_LIMIT_FAILURE"]


async def test_registration_wants_a_captcha_then_the_code(demo: Listener) -> None:
    with pytest.raises(CaptchaRequired):
        await demo.call("register", account=NEW_NUMBER)
    with pytest.raises(Rejected, match="Invalid captcha"):
        await demo.call("register", account=NEW_NUMBER, captcha="fail")
    with pytest.raises(Rejected, match="request SMS verification"):
        await demo.call("register", account=NEW_NUMBER, captcha=CAPTCHA, voice=True)
    await demo.call("register", account=NEW_NUMBER)
    await demo.call("register", account=NEW_NUMBER, voice=True)
    with pytest.raises(EngineError, match="401"):
        await demo.call("verify", account=NEW_NUMBER, verificationCode="000000")
    await demo.call("verify", account=NEW_NUMBER, verificationCode="123456")
    assert {"number": NEW_NUMBER} in await demo.call("listAccounts")
    await demo.call("send", account=NEW_NUMBER, recipient=ECHO, message="here I am")
    assert len(await demo.heard(NEW_NUMBER)) == 1


async def test_a_locked_number_wants_its_pin(demo: Listener) -> None:
    await demo.call("register", account=PIN_LOCKED, captcha=CAPTCHA)
    with pytest.raises(PinRequired) as caught:
        await demo.call("verify", account=PIN_LOCKED, verificationCode="123456")
    assert caught.value.hours == 168
    with pytest.raises(Rejected, match="tries remaining"):
        await demo.call("verify", account=PIN_LOCKED, verificationCode="123456", pin="0000")
    await demo.call("verify", account=PIN_LOCKED, verificationCode="123456", pin="1234")


async def test_registering_too_often_is_rate_limited(demo: Listener) -> None:
    with pytest.raises(RateLimited):
        await demo.call("register", account=REGISTRATION_LIMITED, captcha=CAPTCHA)


async def test_a_phone_scans_a_code_when_it_is_told_to(tmp_path: Path) -> None:
    demo = Listener(tmp_path, speed=0.001)  # by itself it would take more than an hour
    await demo.simulator.start(demo.frames.append)
    try:
        uri = (await demo.call("startLink"))["deviceLinkUri"]
        linking = asyncio.create_task(demo.call("finishLink", deviceLinkUri=uri, deviceName="Kitchen"))
        async with asyncio.timeout(30):
            while not demo.simulator.network.awaits_scan(uri):  # noqa: ASYNC110 # one turn of the loop, as the task needs it
                await asyncio.sleep(0)
            assert await demo.call("addDevice", uri=uri) == {}
            assert (await linking)["number"] == LINKED
        assert len(await demo.call("listDevices")) == 1, "the code was no device of this account's"
    finally:
        await demo.simulator.stop()


async def test_a_code_is_scanned_once_and_brings_a_linked_account(demo: Listener) -> None:
    uri = (await demo.call("startLink"))["deviceLinkUri"]
    assert await demo.call("finishLink", deviceLinkUri=uri, deviceName="Courier") == {"number": LINKED}
    with pytest.raises(Rejected, match="Unknown device link uri"):
        await demo.call("finishLink", deviceLinkUri=uri)
    synced = await demo.heard(LINKED, "syncMessage")
    assert synced[0]["syncMessage"] == {"type": "CONTACTS_SYNC"}
    with pytest.raises(Rejected, match="linked devices"):
        await demo.call("setPin", account=LINKED, pin="1")


async def test_sent_files_are_received_as_files(demo: Listener) -> None:
    picture = demo.folder / "note.png"
    picture.write_bytes(PIXEL)
    data_uri = f"data:text/plain;filename=a.txt;base64,{base64.b64encode(b'hello').decode()}"
    await demo.call("send", recipient=SECOND, attachment=[str(picture), data_uri])
    [message] = await demo.heard(SECOND)
    first, second = message["dataMessage"]["attachments"]
    assert (first["contentType"], first["filename"], first["size"]) == ("image/png", "note.png", len(PIXEL))
    assert (demo.folder / "config" / "attachments" / first["id"]).read_bytes() == PIXEL
    assert await demo.call("getAttachment", id=second["id"]) == {"data": base64.b64encode(b"hello").decode()}
    with pytest.raises(EngineError, match=r"AttachmentInvalidException"):
        await demo.call("send", recipient=SECOND, attachment=str(demo.folder / "missing.png"))
    with pytest.raises(NotFound):
        await demo.call("getAttachment", id="../../data/state.json")


async def test_blocked_people_and_groups_are_not_heard(demo: Listener) -> None:
    await demo.call("block", recipient=ECHO, groupId=DEMO_GROUP)
    demo.simulator.deliver(ECHO, HOME, "hello")
    demo.simulator.deliver(POLLY, HOME, "hello group", group_id=DEMO_GROUP)
    assert await demo.heard(HOME) == []
    await demo.call("unblock", recipient=ECHO, groupId=DEMO_GROUP)
    demo.simulator.deliver(ECHO, HOME, "hello")
    assert len(await demo.heard(HOME)) == 1


async def test_a_change_of_a_group_is_told_to_its_members_step_by_step(demo: Listener) -> None:
    await demo.call("updateGroup", groupId=DEMO_GROUP, name="Renamed", expiration=3600, setPermissionAddMember="only-admins")
    told = [message["dataMessage"]["groupInfo"] for message in await demo.heard(SECOND)]
    assert [info["revision"] for info in told] == [1, 2, 3]
    assert {info["type"] for info in told} == {"UPDATE"}
    with pytest.raises(EngineError, match="Authorization failed"):
        await demo.call("updateGroup", account=SECOND, groupId=DEMO_GROUP, removeMember=ECHO)
    with pytest.raises(Rejected, match="last admin"):
        await demo.call("quitGroup", groupId=DEMO_GROUP)
    await demo.call("quitGroup", groupId=DEMO_GROUP, admin=SECOND)
    with pytest.raises(Rejected, match="not a member"):
        await demo.call("send", groupId=DEMO_GROUP, message="x")


async def test_joining_by_link_waits_for_approval_where_it_is_wanted(demo: Listener) -> None:
    made = await demo.call("updateGroup", name="Club", link="enabled-with-approval")
    group_id = made["groupId"]
    [group] = await demo.call("listGroups", groupId=group_id)
    joined = await demo.call("joinGroup", account=SECOND, uri=group["groupInviteLink"])
    assert joined["onlyRequested"] is True
    await demo.call("updateGroup", groupId=group_id, member=SECOND)
    [group] = await demo.call("listGroups", groupId=group_id)
    assert SECOND in [member["number"] for member in group["members"]]
    assert group["requestingMembers"] == []


async def test_what_comes_while_paused_waits_in_order_even_over_a_restart(demo: Listener) -> None:
    await demo.simulator.settled()
    demo.simulator.pause()
    for number in range(100):
        demo.simulator.deliver(ECHO, HOME, str(number))
    await demo.simulator.stop()
    assert demo.frames == []
    again = Listener(demo.folder)
    await again.simulator.start(again.frames.append)
    texts = [message["dataMessage"]["message"] for message in await again.heard(HOME)]
    await again.simulator.stop()
    assert texts == [str(number) for number in range(100)]
    await demo.simulator.start(demo.frames.append)


async def test_receive_takes_what_waits_while_nothing_is_subscribed(demo: Listener) -> None:
    await demo.simulator.settled()
    with pytest.raises(Rejected, match="already being received"):
        await demo.call("receive")
    demo.simulator.pause()
    for number in range(3):
        demo.simulator.deliver(ECHO, HOME, str(number))
    demo.simulator.deliver(ECHO, SECOND, "other")
    taken = await demo.call("receive", maxMessages=2)
    assert [frame["envelope"]["dataMessage"]["message"] for frame in taken] == ["0", "1"]
    demo.simulator.resume()
    assert [m["dataMessage"]["message"] for m in await demo.heard(HOME)] == ["2"]


async def test_the_world_survives_a_restart(demo: Listener) -> None:
    await demo.call("updateContact", recipient=ECHO, name="Mountain", note="far away")
    before = await demo.call("listContacts")
    await demo.simulator.stop()
    assert demo.simulator.status.state is EngineState.STOPPED
    with pytest.raises(EngineUnavailable):
        await demo.call("version")
    await demo.simulator.start(demo.frames.append)
    assert await demo.call("listContacts") == before


async def test_answers_that_were_on_their_way_at_the_stop_are_not_lost(tmp_path: Path) -> None:
    slow = Listener(tmp_path, speed=0.001)
    await slow.simulator.start(slow.frames.append)
    await slow.call("send", recipient=ECHO, message="hello")
    await slow.simulator.stop()
    again = Listener(tmp_path)
    await again.simulator.start(again.frames.append)
    assert len(await again.heard(HOME)) == 1
    assert len(await again.heard(HOME, "receiptMessage")) == 2
    await again.simulator.stop()


async def test_a_call_that_waits_ends_at_its_deadline_and_at_the_stop(tmp_path: Path) -> None:
    slow = Listener(tmp_path, speed=0.001)
    await slow.simulator.start(slow.frames.append)
    uri = (await slow.call("startLink"))["deviceLinkUri"]
    with pytest.raises(EngineTimeout):
        await slow.simulator.call("finishLink", {"deviceLinkUri": uri}, timeout=0.01)
    uri = (await slow.call("startLink"))["deviceLinkUri"]
    network = slow.simulator.network
    network.after(0, network.end)
    with pytest.raises(EngineUnavailable):
        await slow.call("finishLink", deviceLinkUri=uri)
    await slow.simulator.stop()


async def test_a_state_that_cannot_be_read_is_kept_aside(tmp_path: Path) -> None:
    state = tmp_path / "data" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text("{broken")
    fresh = Listener(tmp_path)
    await fresh.simulator.start(fresh.frames.append)
    assert fresh.simulator.status.state is EngineState.READY
    await fresh.simulator.stop()
    assert state.with_suffix(".unreadable").read_text() == "{broken"


async def test_spellings_of_signal_cli_are_understood(demo: Listener) -> None:
    spellings: list[dict[str, Json]] = [{"recipient": ECHO}, {"recipients": [ECHO]}, {"recipient": [ECHO]}]
    for params in spellings:
        await demo.call("sendTyping", **params)
    await demo.call("sendTyping", **{"group-id": DEMO_GROUP})
    with pytest.raises(EngineError) as unknown:
        await demo.call("register", account=NEW_NUMBER, colour="red")
    assert unknown.value.code == -32600
    with pytest.raises(EngineError) as small:
        await demo.call("remoteDelete", recipient=ECHO, targetTimestamp=5)
    assert small.value.code == -32603
    with pytest.raises(Unsupported):
        await demo.simulator.call("frobnicate", {})
    with pytest.raises(AccountUnknown):
        await demo.call("send", account="+4915100000077", recipient=ECHO, message="x")


async def test_a_call_between_own_accounts_rings_and_ends(demo: Listener) -> None:
    made = await demo.call("startCall", recipient=SECOND)
    call_id = made["callId"]
    await demo.call("acceptCall", account=SECOND, callId=call_id)
    await demo.call("hangupCall", callId=call_id)
    kinds = [next(iter(message["callMessage"])) for message in await demo.heard(SECOND, "callMessage")]
    assert kinds == ["offerMessage", "hangupMessage"]
    assert await demo.call("listCalls") == []


async def test_an_envelope_that_was_cut_off_by_a_crash_spoils_no_other(demo: Listener) -> None:
    demo.simulator.pause()
    demo.simulator.deliver(ECHO, HOME, "whole")
    await demo.simulator.stop()
    with (demo.folder / "data" / "waiting.jsonl").open("ab") as file:
        file.write(b'{"envelope":{"source":"+49')
    await demo.simulator.start(demo.frames.append)
    demo.simulator.deliver(ECHO, HOME, "later")
    demo.simulator.resume()
    assert [message["dataMessage"]["message"] for message in await demo.heard(HOME)] == ["whole", "later"]


async def test_ten_thousand_injected_envelopes_arrive_in_order(demo: Listener) -> None:
    await demo.simulator.settled()
    demo.simulator.pause()
    frames = [b'{"envelope":{"timestamp":%d},\n"account":"%s"}' % (number, HOME.encode()) for number in range(10_000)]
    for frame in frames[:5_000]:
        demo.simulator.inject(frame)
    demo.simulator.resume()
    await demo.simulator.settled()
    for frame in frames[5_000:]:
        demo.simulator.inject(frame)
    assert [json.loads(frame)["envelope"]["timestamp"] for frame in demo.frames] == list(range(10_000))
