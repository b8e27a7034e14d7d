"""Texts, handles, names: what needs no Home Assistant."""

import re

import pytest

from custom_components.signal_courier.client.events import Call, Event, MessageContent, Person, Place, Poll
from custom_components.signal_courier.handles import MessageHandle
from custom_components.signal_courier.happening_filter import spelled
from custom_components.signal_courier.happenings import HappeningType, happening_type, payload_of
from custom_components.signal_courier.matching import TextFilter

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
