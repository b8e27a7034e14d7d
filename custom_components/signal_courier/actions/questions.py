"""Questions that wait for an answer: as a poll, by reactions, or as a numbered list that is answered with a number or the words.

A vote and a reaction name the message that they are about, and so does a reply that quotes it: they answer that question, and no other. A
plain message names nothing: it goes to the question that was asked last in its conversation, of those that it can be an answer to. So
several questions can be open in one conversation at the same time.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..client.events import Event, MessageRef, Person
from ..const import DOMAIN
from ..receiving.events import CourierEvent, async_subscribe_all

EMOJIS: Final = ("1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣", "6️⃣", "7️⃣", "8️⃣", "9️⃣", "🔟")
"""What an option is answered with where reactions answer."""
_TYPES: Final = ("message", "reaction", "poll", "sent")
_DESK: HassKey[list[Question]] = HassKey(f"{DOMAIN}_questions")
_SUBSCRIPTION: HassKey[CALLBACK_TYPE] = HassKey(f"{DOMAIN}_questions_subscription")
_TAKEN: HassKey[deque[tuple[str, int]]] = HassKey(f"{DOMAIN}_answers")
_MOST_EARLY: Final = 100
_SELECTOR: Final = "\N{VARIATION SELECTOR-16}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What somebody answered."""

    indexes: tuple[int, ...]
    """Of the options; none where the question has none."""
    text: str
    """The chosen option (several with commas), or what was written."""
    who: Person
    time: int
    """ms since the epoch, as the sender's phone says."""
    timestamp: int
    """Names the answer itself, if it is a message."""


@dataclass(slots=True, kw_only=True, eq=False)
class Question:
    """A question that is open.

    with Question(hass, …) as question:     # from here on answers are heard
        question.timestamp = …              # once it was sent
        answer = await question.answer      # a future: put a deadline around it
    """

    hass: HomeAssistant
    entry_id: str
    conversation_id: str
    options: Sequence[str]
    """None: any text is an answer."""
    typed: bool
    """Whether a plain message, one that quotes nothing, can be the answer."""
    answerers: frozenset[str] | None = None
    """UUIDs and numbers of those who may answer; everybody in the conversation unless given."""
    emojis: Sequence[str] = EMOJIS
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    timestamps: set[int] = field(default_factory=set)
    """Of the question's message, and of its reminder."""
    early: list[CourierEvent] = field(default_factory=list)
    """What came before the service had told the timestamp."""

    @property
    def timestamp(self) -> int | None:
        """The name of the question's message, once it was sent."""
        return min(self.timestamps, default=None)

    @callback
    def async_sent(self, timestamp: int) -> None:
        """The question (or its reminder) was sent as the message of this timestamp."""
        self.timestamps.add(timestamp)
        early, self.early = self.early, []
        for event in early:
            plain = _target(event) is None  # it may have answered another question, or have been written before this one
            if plain and (event.time < timestamp or async_is_answer(self.hass, event)):
                continue
            if self.take(event):
                return

    def __enter__(self) -> Self:
        desk = self.hass.data.setdefault(_DESK, [])
        if not desk:
            self.hass.data[_SUBSCRIPTION] = async_subscribe_all(self.hass, lambda event: _hand_out(desk, event), types=_TYPES)
        desk.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        desk = self.hass.data[_DESK]
        desk.remove(self)
        self.answer.cancel()
        if not desk:
            self.hass.data.pop(_SUBSCRIPTION)()

    def take(self, event: CourierEvent) -> bool:
        """Whether the event is the answer, or may be once the timestamp is known."""
        if self.answer.done() or event.entry_id != self.entry_id or not self._is_here(event) or not self._may_answer(event):
            return False
        target = _target(event)
        if not self.timestamps and (target is not None or self.typed):
            if len(self.early) < _MOST_EARLY:
                self.early.append(event)
            return False  # perhaps it is another's
        if target is not None and target.timestamp not in self.timestamps:
            return False
        found = self._read(event, plain=target is None)
        if found is None:
            return False
        indexes, text = found
        timestamp = event.message.timestamp if event.message is not None else event.time
        self.answer.set_result(Answer(indexes=indexes, text=text, who=event.sender or Person(), time=event.time, timestamp=timestamp))
        self.hass.data.setdefault(_TAKEN, deque(maxlen=64)).append((event.entry_id, event.id))
        return True

    def _is_here(self, event: Event) -> bool:
        place = event.conversation
        return place is not None and self.conversation_id in (place.id, place.number)

    def _may_answer(self, event: Event) -> bool:
        if self.answerers is None:
            return True
        sender = event.sender
        return sender is not None and not self.answerers.isdisjoint({sender.uuid, sender.number} - {None})

    def _read(self, event: CourierEvent, *, plain: bool) -> tuple[tuple[int, ...], str] | None:
        if event.poll is not None:
            votes = tuple(vote for vote in event.poll.votes if 0 <= vote < len(self.options))
            return self._chosen(votes) if event.poll.action == "voted" and votes else None
        if event.reaction is not None:
            wanted = event.reaction.emoji.replace(_SELECTOR, "")
            emojis = [one.replace(_SELECTOR, "") for one in self.emojis[: len(self.options)]]
            return self._chosen((emojis.index(wanted),)) if wanted in emojis and not event.reaction.removed else None
        text = (event.message.text or "").strip() if event.message is not None else ""
        if not text or (plain and (event.late or not self.typed)):
            return None
        if not self.options:
            return None if plain and _is_own_remark(event) else ((), text)
        index = _option_in(text, self.options)
        return self._chosen((index,)) if index is not None else None

    def _chosen(self, indexes: tuple[int, ...]) -> tuple[tuple[int, ...], str]:
        return indexes, ", ".join(self.options[one] for one in indexes)


def _is_own_remark(event: Event) -> bool:
    """Whether the account's owner has written to somebody else on the phone."""
    return event.type == "sent" and event.conversation is not None and event.conversation.kind != "self"


def numbered(question: str, options: Sequence[str], marks: Sequence[str]) -> str:
    """The text of a question whose options are listed."""
    return "\n".join([question, *(f"{mark} {option}" for mark, option in zip(marks, options, strict=False))])


@callback
def async_is_answer(hass: HomeAssistant, event: CourierEvent) -> bool:
    """Whether an event has answered a question. It is known once all subscribers have run."""
    return (event.entry_id, event.id) in hass.data.get(_TAKEN, ())


@callback
def _hand_out(desk: Sequence[Question], event: CourierEvent) -> None:
    """Give an event to the question that was asked last, of those that it answers."""
    for question in reversed(desk):
        if question.take(event):
            return


def _target(event: Event) -> MessageRef | None:
    """The message that an event is about."""
    if event.poll is not None:
        return event.poll.target
    if event.reaction is not None:
        return event.reaction.target
    quote = event.message.quote if event.message is not None else None
    return MessageRef(timestamp=quote.timestamp, author=quote.author) if quote is not None else None


def _option_in(text: str, options: Sequence[str]) -> int | None:
    """Which option a text chooses: by its number, or its words."""
    folded = text.casefold().strip(" .)!\n")
    words = [one.casefold().strip(" .)!\n") for one in options]
    if folded in words:
        return words.index(folded)
    if folded.isascii() and folded.isdigit() and 1 <= int(folded) <= len(options):
        return int(folded) - 1
    return None
