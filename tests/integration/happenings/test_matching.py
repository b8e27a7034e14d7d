"""Texts, handles, names: what needs no Home Assistant."""

import re

import pytest

from custom_components.signal_courier.client.events import (
    AccountChange,
    Call,
    Deletion,
    Event,
    EventAttachment,
    EventSticker,
    GroupChange,
    Mention,
    MessageContent,
    MessageRef,
    Person,
    Place,
    Poll,
    Preview,
    Quote,
    Reaction,
    Receipt,
    SharedContact,
)
from custom_components.signal_courier.happenings.filter import spelled
from custom_components.signal_courier.happenings.handles import MessageHandle
from custom_components.signal_courier.happenings.happening import HappeningType, happening_type, payload_of
from custom_components.signal_courier.happenings.matching import TextFilter

ANNA = "22222222-2222-4222-8222-222222222222"


@pytest.mark.parametrize("conversation", [ANNA, "+4915100000011", "group.aWl6QVp6=", "u:anna.01"])
def test_a_handle_is_read_as_it_was_written(conversation):
    handle = MessageHandle(1795221024321, ANNA, conversation)
    assert MessageHandle.parse(f" {handle} ") == handle


@pytest.mark.parametrize("text", ["", "4711", "signal:1:2", "signal:x:a:b", "signal::a:b", "other:1:a:b"])
def test_what_is_no_handle_is_refused(text):
    with pytest.raises(ValueError, match="names no message"):
        MessageHandle.parse(text)


@pytest.mark.parametrize(
    ("wanted", "text", "found"),
    [
        (TextFilter(), None, {}),
        (TextFilter(equals=["Lights on"]), " lights ON ", {}),
        (TextFilter(equals=["on", "off"]), "Off", {}),
        (TextFilter(equals=["on"]), "on it", None),
        (TextFilter(contains=["heat", "cold"]), "It is COLD", {}),
        (TextFilter(contains=["heat"]), "It is cold", None),
        (TextFilter(starts_with=["set "]), "Set it", {}),
        (TextFilter(starts_with=["set "]), "Reset it", None),
        (TextFilter(starts_with=["set"], contains=["to"]), "Set it", None),
        (
            TextFilter(pattern=re.compile(r"set (?P<what>\w+) to (\d+)", re.IGNORECASE)),
            "please Set heating to 21",
            {"match": "Set heating to 21", "groups": ["heating", "21"], "named_groups": {"what": "heating"}},
        ),
        (TextFilter(pattern=re.compile("^a")), "b", None),
        (TextFilter(commands=["heating"]), "/Heating on  21", {"command": "/heating", "args": ["on", "21"]}),
        (TextFilter(commands=["/heating"]), "/heating", {"command": "/heating", "args": []}),
        (TextFilter(commands=["/"]), "/anything goes", {"command": "/anything", "args": ["goes"]}),
        (TextFilter(commands=["/heating"]), "heating on", None),
        (TextFilter(commands=["/heating"]), "/heat", None),
        (TextFilter(commands=["/"]), "/", None),
        (TextFilter(commands=["/"]), None, None),
    ],
)
def test_a_text_matches(wanted, text, found):
    assert wanted.match(text) == found


def test_numbers_are_the_same_however_they_are_written():
    assert len({spelled(one) for one in ("+49 151 00000011", "4915100000011", "+4915100000011")}) == 1
    assert spelled("Anna ") == spelled("ANNA")


def test_everything_that_a_message_can_hold_is_told():
    content = MessageContent(
        timestamp=5, text="Hi", view_once=True, expires_in=60, story=False, truncated=True,
    )  # fmt: skip
    event = Event(
        id=1, type="message", account="+4915100000001", time=5000, conversation=Place(id="group.x=", kind="group"),
        sender=Person(uuid=ANNA), message=content,
    )  # fmt: skip
    told = payload_of(event, HappeningType.MESSAGE, entry_id="e", late=False, allowed=True)
    assert (told["conversation"], told["is_group"], told["sender"], told["handle"]) == ("group.x=", True, ANNA, f"signal:5:{ANNA}:group.x=")
    assert (told["view_once"], told["truncated"], told["expires_in"], told["time"]) == (True, True, 60, "1970-01-01T00:00:05.000+00:00")


def test_a_call_is_told_and_what_is_unknown_is_not():
    event = Event(id=1, type="call", call=Call(action="offered", media="audio"))
    assert happening_type(event) is HappeningType.CALL
    told = payload_of(event, HappeningType.CALL, entry_id="e", late=False, allowed=True)
    assert (told["action"], told["media"]) == ("offered", "audio")
    assert happening_type(Event(id=1, type="engine")) is None
    assert happening_type(Event(id=1, type="poll", poll=Poll(action="novel"))) is None
    assert happening_type(Event(id=1, type="poll")) is None


def test_what_stands_beside_a_text_is_told():
    ben = Person(uuid=ANNA, name="Ben")
    content = MessageContent(
        timestamp=5,
        attachments=(EventAttachment(id="a.jpg", type="image/jpeg", size=3), EventAttachment(type="image/png")),
        quote=Quote(timestamp=4, author=ben, text="What?"),
        sticker=EventSticker(pack_id="ab", sticker_id=3),
        mentions=(Mention(start=0, length=1, uuid=ANNA, name="Ben"),),
        previews=(Preview(url="https://a.example", title="A"),),
        contacts=(SharedContact(name="Carl", phones=("+4915100000017",)),),
    )
    event = Event(id=1, type="message", conversation=Place(id=ANNA, name="Ben"), sender=ben, message=content)
    told = payload_of(event, HappeningType.MESSAGE, entry_id="e", late=False, allowed=True)
    assert told["quote"] == {"timestamp": 4, "handle": f"signal:4:{ANNA}:{ANNA}", "author": "Ben", "author_id": ANNA, "text": "What?"}
    media = {"media_content_id": "media-source://signal_courier/e/file/a.jpg", "media_content_type": "image/jpeg"}
    picture = {"id": "a.jpg", "type": "image/jpeg", "size": 3, **media}
    assert told["attachments"] == [picture, {"type": "image/png"}]
    assert (told["sticker"], told["mentions"]) == ("ab:3", [{"id": ANNA, "name": "Ben"}])
    assert told["links"] == [{"url": "https://a.example", "title": "A"}]
    assert told["contacts"] == [{"name": "Carl", "phones": ["+4915100000017"], "emails": []}]


def test_what_concerns_messages_groups_and_accounts_is_told():
    target = MessageRef(timestamp=4, author=Person(number="+4915100000011"))
    here = Place(id=ANNA)

    def told(kind: HappeningType, **members: object) -> dict[str, object]:
        event = Event(id=1, type="x", conversation=here, sender=Person(uuid=ANNA), **members)  # type: ignore[arg-type]  # any of them
        return payload_of(event, kind, entry_id="e", late=True, allowed=False)

    handle = f"signal:4:+4915100000011:{ANNA}"
    assert told(HappeningType.DELETE, delete=Deletion(target=target, by_admin=True))["by_admin"] is True
    assert told(HappeningType.REACTION, reaction=Reaction(emoji="👍", target=target))["target"] == handle
    assert told(HappeningType.RECEIPT, receipt=Receipt(kind="read", targets=(target,)))["timestamps"] == [4]
    assert told(HappeningType.GROUP, group=GroupChange(change="timer"))["change"] == "timer"
    assert told(HappeningType.SENT, receipt=Receipt(kind="read"))["action"] == "receipt"
    assert told(HappeningType.SENT)["action"] == "other"
    account = told(HappeningType.ACCOUNT, account_change=AccountChange(change="state", state="unlinked"))
    assert (account["change"], account["state"], account["late"], account["allowed"]) == ("state", "unlinked", True, False)
    vote = Poll(action="voted", votes=(0, 7), options=("Yes", "No"), target=MessageRef(timestamp=4))
    assert told(HappeningType.POLL_VOTE, poll=vote)["chosen"] == ["Yes"]
    assert "target" not in told(HappeningType.POLL_VOTE, poll=vote)  # whose poll it was is unknown
