"""What a call of signal-cli's own methods sends, and to whom: so that it goes the way of everything that is sent.

The call itself stays as it was put together. One that cannot be understood is signal-cli's to refuse.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from signal_courier.messaging.sending.delivery import Outcome
from signal_courier.model.errors import InvalidValue
from signal_courier.model.integers import int64
from signal_courier.model.messages import (
    Deletion,
    LinkPreview,
    Mention,
    Message,
    Poll,
    PollEnd,
    Quote,
    Reaction,
    Receipt,
    ReceiptKind,
    Sendable,
    Story,
    Typing,
    Vote,
)
from signal_courier.model.recipients import Recipient, Username, parse_number, parse_recipient

_encode = msgspec.json.Encoder().encode


class Sending(NamedTuple):
    """Something that is sent."""

    account: str
    recipients: list[Recipient]
    what: Sendable
    is_whole: bool
    """Whether this is all that the call says, so that it can be put together again from it."""


class _Given:
    """Parameters, however they are spelled: signal-cli takes `groupId`, `group-id` and `groupIds`, one value or a list."""

    def __init__(self, params: Mapping[str, object]) -> None:
        self._asked = {"account"}
        self._values = {key.replace("-", "").replace("_", "").lower(): value for key, value in params.items() if value is not None}

    @property
    def is_used_up(self) -> bool:
        """Whether there is nothing in them that nobody has asked for."""
        return self._values.keys() <= self._asked

    def one(self, name: str) -> object:
        self._asked.add(name)
        return self._values.get(name)

    def text(self, name: str) -> str | None:
        value = self.one(name)
        return None if value is None else str(value)

    def number(self, name: str) -> int | None:
        value = self.one(name)
        return None if value is None else int64(str(value))

    def flag(self, name: str) -> bool:
        return self.one(name) is True

    def all(self, name: str) -> list[str]:
        """The values of a list, under the name of one or of several."""
        found: list[str] = []
        for key in (name, f"{name}s"):
            value = self.one(key)
            if value is not None:
                found += [str(one) for one in value] if isinstance(value, list) else [str(value)]
        return found

    def needed(self, name: str) -> int:
        value = self.number(name)
        if value is None:
            raise InvalidValue(name, name)
        return value

    def person(self, name: str) -> Recipient:
        return parse_recipient(self.text(name) or "", field=name)


def sending_of(method: str, params: Mapping[str, object]) -> Sending | None:
    """What a call sends; `None` for what sends nothing, or cannot be understood."""
    make = _METHODS.get(method)
    if make is None:
        return None
    given = _Given(params)
    try:
        account = parse_number(given.text("account") or "").e164
        recipients = _recipients(given, account)
        what = make(given)
        if not recipients and not isinstance(what, Story):
            return None
        return Sending(account, recipients, what, given.is_used_up)
    except (ValueError, InvalidValue):
        return None


def answer_of(outcome: Outcome) -> msgspec.Raw:
    """As signal-cli answers, made from what is known of a message that was sent before."""
    results = [result for sent in outcome.sent for result in sent.results]
    return msgspec.Raw(_encode({"timestamp": outcome.timestamp, "results": results}))


def _recipients(given: _Given, account: str) -> list[Recipient]:
    found: list[Recipient] = [parse_recipient(name) for name in (*given.all("recipient"), *given.all("groupid"))]
    found += [Username(name.removeprefix("u:")) for name in given.all("username")]
    if given.flag("notetoself"):
        found.append(parse_number(account))
    return found


def _message(given: _Given) -> Message:
    quoted, preview = given.number("quotetimestamp"), given.text("previewurl")
    return Message(
        text=given.text("message") or "",
        styles=given.all("textstyle"),
        attachments=given.all("attachment"),
        mentions=_mentions(given.all("mention")),
        quote=Quote(timestamp=quoted, author=given.text("quoteauthor"), message=given.text("quotemessage")) if quoted is not None else None,
        preview=LinkPreview(url=preview, title=given.text("previewtitle") or "", description=given.text("previewdescription") or "")
        if preview is not None
        else None,
        sticker=given.text("sticker"),
        edit_timestamp=given.number("edittimestamp"),
        view_once=given.flag("viewonce"),
        voice_note=given.flag("voicenote"),
        no_urgent=given.flag("nourgent"),
        notify_self=given.flag("notifyself"),
        story_timestamp=given.number("storytimestamp"),
        story_author=given.text("storyauthor"),
    )


def _mentions(given: Sequence[str]) -> list[Mention]:
    found = []
    for text in given:
        start, length, author = text.split(":", 2)
        found.append(Mention(int64(start), int64(length), author))
    return found


_METHODS: Final[Mapping[str, Callable[[_Given], Sendable]]] = {
    "send": _message,
    "sendReaction": lambda given: Reaction(
        emoji=given.text("emoji") or "",
        author=given.person("targetauthor"),
        timestamp=given.needed("targettimestamp"),
        remove=given.flag("remove"),
        story=given.flag("story"),
    ),
    "remoteDelete": lambda given: Deletion(timestamp=given.needed("targettimestamp")),
    "sendReceipt": lambda given: Receipt(
        kind=ReceiptKind(given.text("type") or "read"),
        timestamps=[int64(one) for one in given.all("targettimestamp")],
    ),
    "sendTyping": lambda given: Typing(stop=given.flag("stop")),
    "sendPollCreate": lambda given: Poll(
        question=given.text("question") or "", answers=given.all("option"), several=not given.flag("nomulti")
    ),
    "sendPollVote": lambda given: Vote(
        author=given.person("pollauthor"),
        timestamp=given.needed("polltimestamp"),
        choices=[int64(one) for one in given.all("option")],
        count=given.number("votecount") or 1,
    ),
    "sendPollTerminate": lambda given: PollEnd(timestamp=given.needed("polltimestamp")),
    "sendStory": lambda given: Story(attachment=given.text("attachment") or "", replies=not given.flag("noreplies")),
}
