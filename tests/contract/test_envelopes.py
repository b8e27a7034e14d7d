"""Every kind of envelope that signal-cli was seen to report is reported by the simulator with the same members in the same order."""

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from signal_courier.engine.base import Json
from signal_courier.engine.simulator import Simulator
from signal_courier.engine.simulator.cast import DEMO_GROUP, ECHO, HOME, INSTALLED_PACK, LINKED, NEWKEY, PIXEL, POLLY, SECOND
from tests.contract.shapes import differences, shape

ENVELOPES = Path(__file__).parents[1] / "data" / "envelopes"
STAMP = 1_795_000_000_000


class Stage:
    """A simulator on which somebody does something, and the last envelope that this made."""

    def __init__(self, folder: Path) -> None:
        self.simulator = Simulator(folder / "data", folder / "config", speed=math.inf)
        self.frames: list[bytes] = []
        self.picture = folder / "picture.png"
        self.picture.write_bytes(PIXEL)

    async def call(self, method: str, /, **params: Json) -> Any:
        """Home does something."""
        return json.loads(bytes(await self.simulator.call(method, {"account": HOME, **params})))

    async def to_second(self, method: str = "send", /, **params: Json) -> None:
        """Home does something to Second."""
        await self.call(method, recipient=SECOND, **params)

    async def to_group(self, method: str = "send", /, **params: Json) -> None:
        """Home does something in the group."""
        await self.call(method, groupId=DEMO_GROUP, **params)

    async def link(self) -> None:
        """Home's owner links a further account as a second device."""
        uri = (await self.call("startLink"))["deviceLinkUri"]
        await self.simulator.call("finishLink", {"deviceLinkUri": uri})


type Act = Callable[[Stage], Awaitable[Any]]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(tmp_path)
    await made.simulator.start(made.frames.append)
    yield made
    await made.simulator.stop()


async def _expiration(stage: Stage, *seconds: int) -> None:
    for expiration in seconds:
        await stage.to_second("updateContact", expiration=expiration)


async def _with_expiration(stage: Stage) -> None:
    await _expiration(stage, 3600)
    await stage.to_second(message="vanishes")


async def _own_device(stage: Stage, act: Callable[[], object]) -> None:
    await stage.link()
    await stage.simulator.settled()
    act()


async def _call(stage: Stage, *then: str) -> None:
    call_id = (await stage.call("startCall", recipient=SECOND))["callId"]
    for method in then:
        await stage.call(method, callId=call_id)


async def _answered_call(stage: Stage) -> None:
    call_id = (await stage.call("startCall", recipient=SECOND))["callId"]
    await stage.simulator.call("acceptCall", {"account": SECOND, "callId": call_id})


async def _untrusted(stage: Stage) -> None:
    stage.simulator.deliver(NEWKEY, HOME, "it is me")


_QUOTE: dict[str, Json] = {
    "message": "quoting", "quoteTimestamp": STAMP, "quoteAuthor": HOME, "quoteMessage": "hello", "quoteMention": f"0:1:{SECOND}",
    "quoteTextStyle": "0:5:BOLD",
}  # fmt: skip
_TARGET: dict[str, Json] = {"targetAuthor": SECOND, "targetTimestamp": STAMP}


def _group_change(**changes: Json) -> tuple[str, Act]:
    return SECOND, lambda stage: stage.to_group("updateGroup", **changes)


ACTS: dict[str, tuple[str, Act]] = {
    "attachment": (SECOND, lambda stage: stage.to_second(message="with file", attachment=str(stage.picture))),
    "attachment-view-once": (SECOND, lambda stage: stage.to_second(attachment=str(stage.picture), viewOnce=True)),
    "attachment-without-name": (SECOND, lambda stage: stage.to_second(attachment="data:audio/aac;base64,AAAA")),
    "edit": (SECOND, lambda stage: stage.to_second(message="edited", editTimestamp=STAMP)),
    "end-session": (SECOND, lambda stage: stage.to_second(endSession=True)),
    "exception-untrusted-identity": (HOME, _untrusted),
    "expiration-off": (SECOND, lambda stage: _expiration(stage, 60, 0)),
    "expiration-update": (SECOND, lambda stage: _expiration(stage, 3600)),
    "group-mention": (SECOND, lambda stage: stage.to_group(message="X hi", mention=f"0:1:{SECOND}")),
    "group-reaction": (SECOND, lambda stage: stage.to_group("sendReaction", emoji="🎉", **_TARGET)),
    "group-text": (SECOND, lambda stage: stage.to_group(message="hello group")),
    "group-text-second-member": (HOME, lambda stage: stage.to_group(account=SECOND, message="from B")),
    "group-typing": (SECOND, lambda stage: stage.to_group("sendTyping")),
    "group-update-admin": _group_change(admin=SECOND),
    "group-update-created": (SECOND, lambda stage: stage.call("updateGroup", name="New", member=SECOND)),
    "group-update-link-1": _group_change(link="enabled"),
    "group-update-link-2": _group_change(resetLink=True),
    "group-update-link-approval": _group_change(link="enabled-with-approval"),
    "group-update-quit": (HOME, lambda stage: stage.call("quitGroup", account=SECOND, groupId=DEMO_GROUP)),
    "group-update-renamed": _group_change(name="Renamed"),
    "group-update-settings-1": _group_change(description="About"),
    "group-update-settings-2": _group_change(expiration=3600),
    "group-update-settings-3": _group_change(setPermissionAddMember="only-admins"),
    "group-update-settings-4": _group_change(setPermissionEditDetails="only-admins"),
    "mention": (SECOND, lambda stage: stage.to_second(message="hi X there", mention=f"3:1:{SECOND}")),
    "payment": (SECOND, lambda stage: stage.to_second("sendPaymentNotification", receipt="aGVsbG8=", note="thanks")),
    "preview": (SECOND, lambda stage: stage.to_second(message="see https://example.com", previewUrl="https://example.com")),
    "quote": (SECOND, lambda stage: stage.to_second(quoteAttachment="image/png:test.png", **_QUOTE)),
    "reaction": (SECOND, lambda stage: stage.to_second("sendReaction", emoji="👍", **_TARGET)),
    "reaction-remove": (SECOND, lambda stage: stage.to_second("sendReaction", emoji="👍", remove=True, **_TARGET)),
    "receipt-read": (SECOND, lambda stage: stage.to_second("sendReceipt", targetTimestamp=STAMP, type="read")),
    "receipt-server": (HOME, lambda stage: stage.to_second(message="delivered?")),
    "receipt-viewed": (SECOND, lambda stage: stage.to_second("sendReceipt", targetTimestamp=STAMP, type="viewed")),
    "remote-delete": (SECOND, lambda stage: stage.to_second("remoteDelete", targetTimestamp=STAMP)),
    "sticker": (SECOND, lambda stage: stage.to_second(sticker=f"{INSTALLED_PACK}:1")),
    "story-reply": (SECOND, lambda stage: stage.to_second(message="nice", storyTimestamp=STAMP, storyAuthor=SECOND)),
    "sync-answer-4-empty": (LINKED, lambda stage: stage.link()),
    "sync-note-to-self": (LINKED, lambda s: _own_device(s, lambda: s.simulator.deliver_sent(LINKED, "note", recipient=LINKED))),
    "sync-read": (LINKED, lambda stage: _own_device(stage, lambda: stage.simulator.deliver_read(LINKED, POLLY, STAMP))),
    "sync-sent-text": (LINKED, lambda s: _own_device(s, lambda: s.simulator.deliver_sent(LINKED, "hello", recipient=POLLY))),
    "text": (SECOND, lambda stage: stage.to_second(message="hello from A")),
    "text-styles": (SECOND, lambda stage: stage.to_second(message="bold", textStyle="0:4:BOLD")),
    "text-with-expiration": (SECOND, _with_expiration),
    "typing-started": (SECOND, lambda stage: stage.to_second("sendTyping")),
    "typing-stopped": (SECOND, lambda stage: stage.to_second("sendTyping", stop=True)),
    # written from 0.14's classes
    "admin-delete": (SECOND, lambda stage: stage.to_group("sendAdminDelete", **_TARGET)),
    "call-answer": (HOME, _answered_call),
    "call-hangup": (SECOND, lambda stage: _call(stage, "hangupCall")),
    "call-offer": (SECOND, _call),
    "pin-message": (SECOND, lambda stage: stage.to_group("sendPinMessage", pinDuration=86400, **_TARGET)),
    "poll-create": (SECOND, lambda stage: stage.to_group("sendPollCreate", question="Pizza?", option=["yes", "no"])),
    "poll-terminate": (SECOND, lambda stage: stage.to_group("sendPollTerminate", pollTimestamp=STAMP)),
    "poll-vote": (SECOND, lambda s: s.to_group("sendPollVote", pollTimestamp=STAMP, pollAuthor=SECOND, option=[0], voteCount=1)),
    "preview-with-image": (
        SECOND, lambda stage: stage.to_second(message="https://a.example", previewUrl="https://a.example", previewImage=str(stage.picture)),
    ),
    "quote-with-thumbnail": (
        SECOND,
        lambda stage: stage.to_second(
            message="re", quoteTimestamp=STAMP, quoteAuthor=SECOND, quoteMessage="orig", quoteAttachment=f"image/png:p.png:{stage.picture}"
        ),
    ),
    "story-file": (SECOND, lambda stage: stage.call("sendStory", attachment=str(stage.picture))),
    "sync-sent-group": (HOME, lambda s: _own_device(s, lambda: s.simulator.deliver_sent(HOME, "to group", group_id=DEMO_GROUP))),
    "typing-group": (SECOND, lambda stage: stage.to_group("sendTyping")),
    "unpin-message": (SECOND, lambda stage: stage.to_group("sendUnpinMessage", **_TARGET)),
}  # fmt: skip
"""By file: who hears it, and what makes it."""

SAME_AS = {
    "attachment-image": "attachment",
    "group-update-approved": "group-update-admin",
    "group-update-demoted": "group-update-admin",
    "group-update-joined": "group-update-admin",
    "group-update-unadmin": "group-update-admin",
    "sync-answer-3-empty": "sync-answer-4-empty",
    "sync-empty": "sync-answer-4-empty",
    "text-after-end-session": "text",
    "text-second-account": "text",
}
"""Files that differ from another in nothing but values."""

INJECTED = {
    "call-busy": "nobody here is on another call",
    "call-event-params": "a notification of its own, no envelope",
    "call-ice": "there is no media",
    "exception-invalid-version": "nobody sends rubbish",
    "exception-only": "nobody sends rubbish",
    "long-text": "0.13.19 cut it; 0.14 gives the whole text in message",
    "notification-auto": "a wrapper of the wire",
    "notification-call-event": "a wrapper of the wire",
    "notification-subscribed": "a wrapper of the wire",
    "shared-contact": "signal-cli cannot send it",
    "story-text": "signal-cli cannot send it",
    "sync-answer-1-contacts": "compared beside sync-answer-4",
    "sync-answer-2-blocked": "compared beside sync-answer-4",
    "sync-block-1": "own settings on another device",
    "sync-block-2": "own settings on another device",
    "sync-config": "own settings on another device",
    "sync-contacts": "own settings on another device",
    "sync-groups": "own settings on another device",
    "sync-message-request": "own settings on another device",
    "sync-sent-attachment": "the phone of the simulator writes text only",
    "sync-sent-delete": "the phone of the simulator writes text only",
    "sync-sent-edit": "the phone of the simulator writes text only",
    "sync-sent-reaction": "the phone of the simulator writes text only",
    "sync-sent-story": "the phone of the simulator writes text only",
    "sync-unblock-1": "own settings on another device",
    "sync-unblock-2": "own settings on another device",
}
"""Files whose kind does not come about by itself; `Simulator.inject` reports them."""


def recorded(name: str) -> Any:
    """One file."""
    [path] = [folder / f"{name}.json" for folder in (ENVELOPES / "real", ENVELOPES / "composed") if (folder / f"{name}.json").exists()][:1]
    return json.loads(path.read_text())


def test_every_recorded_envelope_is_accounted_for() -> None:
    names = {path.stem for folder in ("real", "composed") for path in (ENVELOPES / folder).glob("*.json")}
    assert names == {*ACTS, *SAME_AS, *INJECTED}


@pytest.mark.parametrize("name", sorted({*ACTS, *SAME_AS}))
async def test_envelope_has_the_recorded_shape(stage: Stage, name: str) -> None:
    hearer, act = ACTS[SAME_AS.get(name, name)]
    await act(stage)
    await stage.simulator.settled()
    heard = [frame for frame in map(json.loads, stage.frames) if frame["account"] == hearer]
    wanted = shape(recorded(name))
    kind = list(wanted["envelope"])[-1]
    candidates = [shape(frame) for frame in heard if kind in frame["envelope"]]
    assert candidates, f"no {kind} among {[list(frame['envelope'])[-1] for frame in heard]}"
    captured = (ENVELOPES / "real" / f"{name}.json").exists()  # the others were written by hand: their order proves nothing
    assert min((list(differences(wanted, candidate, ordered=captured)) for candidate in candidates), key=len) == []


async def test_a_new_linked_device_gets_what_a_phone_sends_it(stage: Stage) -> None:
    await stage.link()
    await stage.simulator.settled()
    heard = [shape(frame) for frame in map(json.loads, stage.frames) if frame["account"] == LINKED]
    names = ("sync-answer-1-contacts", "sync-answer-2-blocked", "sync-answer-3-empty", "sync-answer-4-empty")
    assert [list(differences(shape(recorded(name)), frame)) for name, frame in zip(names, heard, strict=True)] == [[], [], [], []]


@pytest.mark.parametrize("name", sorted(path.stem for path in (ENVELOPES / "real").glob("*.json")))
async def test_injected_bytes_are_reported_unchanged(stage: Stage, name: str) -> None:
    await stage.simulator.settled()
    raw = (ENVELOPES / "real" / f"{name}.json").read_bytes()
    stage.simulator.inject(raw)
    assert stage.frames[-1] == raw


async def test_echo_answers_in_the_shape_of_a_text(stage: Stage) -> None:
    await stage.call("send", recipient=ECHO, message="hello")
    await stage.simulator.settled()
    texts = [frame for frame in map(json.loads, stage.frames) if "dataMessage" in frame["envelope"]]
    assert list(differences(shape(recorded("text")), shape(texts[-1]))) == []
