"""Actions that wait: for the answer to a question, for a message."""

import asyncio
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Final, cast

import probatio
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, ServiceResponse, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.util.json import JsonObjectType

from ..client import CourierError, Unsupported
from ..client.messages import Terms
from ..client.models import Conversation, OutboxMessage, Sent
from ..const import DOMAIN, LOGGER
from ..happenings.filter import plain_text
from ..happenings.happening import HappeningType, payload_of
from ..happenings.matching import TextFilter
from ..happenings.polls import async_remember_poll
from ..moments import moment
from ..receiving.events import CourierEvent, async_subscribe_all
from .action import Aim, Call, action, refusal
from .answers import handle_of
from .delivery import Sending, async_send_within
from .fields import TARGETS, TEXTS, seconds
from .questions import EMOJIS, Answer, Question, numbered

_METHODS: Final = ("auto", "poll", "reactions", "reply")
_MOST_IN_POLL: Final = 10
_TIMEOUT: Final = 300.0
"""Seconds that an answer is waited for unless a time is given."""
_LONGEST: Final = 86400.0
_TO_EXPIRE: Final = 3.0
"""Seconds after which the service has surely told that a question was not sent in time."""
_ON_ITS_WAY: Final = 5.0
"""Seconds after which a poll whose script was stopped is not sent any more."""
_TIDY: Final = 30.0
"""Seconds that closing a poll may take."""


def _check_options(data: Mapping[str, Any]) -> None:
    options, default, method = data["options"], data.get("default"), data["method"]
    if len(options) == 1:
        raise refusal("options_too_few")
    if not options and method in ("poll", "reactions"):
        raise refusal("options_missing", method=method)
    if method == "reactions" and len(options) > len(EMOJIS):
        raise refusal("options_too_many", count=str(len(EMOJIS)))
    if default is not None and options and default not in options:
        raise refusal("default_unknown")


def _duration(value: object) -> float:
    return min(seconds(value), _LONGEST)


@action(
    "ask",
    {
        probatio.Required("question"): cv.string,
        probatio.Optional("options", default=list): TEXTS,
        probatio.Optional("method", default="auto"): probatio.In(_METHODS),
        probatio.Optional("multiple", default=False): cv.boolean,
        probatio.Optional("answer_from"): TARGETS,
        probatio.Optional("timeout", default=_TIMEOUT): _duration,
        probatio.Optional("reminder"): _duration,
        probatio.Optional("reminder_message"): cv.string,
        probatio.Optional("default"): plain_text,
        probatio.Optional("close", default=True): cv.boolean,
    },
    aim=Aim.ONE,
    check=_check_options,
)
async def ask(call: Call) -> ServiceResponse:
    """Ask a question and wait for the answer."""
    data, where = call.data, call.conversation
    options: list[str] = data["options"]
    method = _method(call, data["method"], options)
    allowed = await call.resolve(data.get("answer_from", []))
    question = Question(
        hass=call.hass,
        entry_id=call.entry.entry_id,
        conversation_id=where.id,
        options=options,
        typed=method == "reply",
        answerers=_names(allowed) or None,
    )
    end = call.hass.loop.time() + data["timeout"]
    with question:
        method = await _send(call, question, method)
        with _closing(call, question) if method == "poll" and data["close"] else nullcontext():
            answer = await _wait(call, question, end)
    return _told(call, question, method, answer)


def _method(call: Call, wanted: str, options: Sequence[str]) -> str:
    if wanted != "auto":
        return wanted
    features = call.entry.runtime_data.coordinator.data.engine.features or {}
    polls = features.get("polls") is not False and len(options) <= _MOST_IN_POLL
    return "poll" if options and polls else "reply"


async def _send(call: Call, question: Question, method: str) -> str:
    """Send the question, while somebody waits for its answer.

    Gives the method that it was sent by: a poll becomes a list where polls cannot be sent.
    """
    messages, where, text, options, data = call.client.messages, call.conversation.id, call.data["question"], question.options, call.data
    if method == "poll":
        poll = _send_in_time(call, lambda terms: messages.send_poll(where, text, options, multiple=data["multiple"], terms=terms))
        sending = call.hass.async_create_task(poll, f"{DOMAIN} send a poll")
        try:
            sent = await asyncio.shield(sending)
        except asyncio.CancelledError:  # it may have gone out before the answer says so
            _close_when_sent(call, where, sending)
            raise
        except Unsupported:
            if data["method"] == "poll":
                raise
            question.typed, method = True, "reply"
    if method != "poll":
        marks = EMOJIS if method == "reactions" else [f"{number}." for number in range(1, len(options) + 1)]
        sent = await _send_in_time(call, lambda terms: messages.send([where], text=numbered(text, options, marks), terms=terms))
    call.wrote()
    if sent.timestamp is not None:
        if method == "poll":
            async_remember_poll(call.hass, call.entry.entry_id, sent.timestamp, text, options)
        question.async_sent(sent.timestamp)
    return method


async def _send_in_time(call: Call, send: Sending) -> Sent | OutboxMessage:
    """Send it as long as it can be answered; later nobody would listen."""
    timeout: float = call.data["timeout"]
    return await async_send_within(call, send, key=uuid.uuid4().hex, patience=timeout + _TO_EXPIRE, expires_in=max(1, int(timeout)))


async def _wait(call: Call, question: Question, end: float) -> Answer | None:
    loop, reminder = call.hass.loop, call.data.get("reminder")
    if reminder is not None and reminder < (left := end - loop.time()):
        done, _ = await asyncio.wait([question.answer], timeout=reminder)
        if not done and reminder < left:
            await _remind(call, question)
    done, _ = await asyncio.wait([question.answer], timeout=max(0.0, end - loop.time()))
    return question.answer.result() if done else None


async def _remind(call: Call, question: Question) -> None:
    """Say it once more, with the question quoted. That this fails is no reason to stop waiting."""
    text = call.data.get("reminder_message", call.data["question"])
    quote = {"timestamp": question.timestamp, "author": call.me, "text": call.data["question"]}
    try:
        sent = await call.client.messages.send([call.conversation.id], text=text, quote=quote if question.timestamp else None)
    except CourierError as error:
        LOGGER.warning("The reminder of a question could not be sent: %s", error)
    else:
        if sent.timestamp is not None:
            question.async_sent(sent.timestamp)


@contextmanager
def _closing(call: Call, question: Question) -> Iterator[None]:
    """Close the poll in the end, once.

    Where Home Assistant ends, that is at once: a call over its API, unlike a script, is only ended when nothing can be sent any more.
    """
    closed = False

    @callback
    def close(_: Event | None = None) -> None:
        nonlocal closed
        if not closed and question.timestamp is not None:
            closed = True
            _close_later(call, question.conversation_id, question.timestamp)

    listening = call.hass.bus.async_listen(EVENT_HOMEASSISTANT_STOP, close)
    try:
        yield
    finally:
        listening()
        close()


@callback
def _close_later(call: Call, conversation: str, timestamp: int) -> None:
    """Close the poll, also where the script that asked was stopped."""
    messages = call.client.messages  # the account may be unloaded meanwhile

    async def close() -> None:
        try:
            async with asyncio.timeout(_TIDY):
                await messages.close_poll(conversation, timestamp, terms=Terms(key=uuid.uuid4().hex, queued=True))
        except (CourierError, TimeoutError) as error:
            LOGGER.debug("A poll could not be closed: %s", error)

    call.hass.async_create_task(close(), f"{DOMAIN} close a poll")  # Home Assistant waits for it when it stops


@callback
def _close_when_sent(call: Call, conversation: str, sending: asyncio.Task[Sent | OutboxMessage]) -> None:
    """The script was stopped while its poll was sent: nobody waits for an answer."""

    async def close() -> None:
        try:
            async with asyncio.timeout(_ON_ITS_WAY):
                sent = await sending
        except (CourierError, HomeAssistantError, TimeoutError) as error:
            LOGGER.debug("A poll that nobody waits for was not sent: %s", error)
        else:
            if sent.timestamp is not None and call.data["close"]:
                _close_later(call, conversation, sent.timestamp)

    call.hass.async_create_task(close(), f"{DOMAIN} close a poll that is on its way")


def _told(call: Call, question: Question, method: str, answer: Answer | None) -> JsonObjectType:
    default: str | None = call.data.get("default")
    told: JsonObjectType = {
        "answered": answer is not None,
        "answer": default,
        "index": question.options.index(default) if default in question.options else None,
        "answers": [default] if default is not None else [],
        "indexes": [question.options.index(default)] if default in question.options else [],
        "who": None,
        "who_id": None,
        "when": None,
        "method": method,
        "conversation_id": call.conversation.id,
        "handle": handle_of(call, call.conversation.id, question.timestamp),
    }
    if answer is not None:
        chosen = [question.options[one] for one in answer.indexes] or [answer.text]
        told |= {
            "answer": answer.text,
            "index": answer.indexes[0] if answer.indexes else None,
            "answers": list(chosen),
            "indexes": list(answer.indexes),
            "who": answer.who.name or answer.who.number or answer.who.uuid,
            "who_id": answer.who.address,
            "when": moment(answer.time).isoformat(),
        }
    return told


@action(
    "wait_for_message",
    {
        probatio.Optional("sender"): TARGETS,
        probatio.Optional("equals", default=list): TEXTS,
        probatio.Optional("contains", default=list): TEXTS,
        probatio.Optional("starts_with", default=list): TEXTS,
        probatio.Optional("matches"): cv.is_regex,
        probatio.Optional("command", default=list): TEXTS,
        probatio.Optional("has_attachment"): cv.boolean,
        probatio.Optional("include_unknown_senders", default=False): cv.boolean,
        probatio.Optional("timeout", default=_TIMEOUT): _duration,
    },
    aim=Aim.ANY,
)
async def wait_for_message(call: Call) -> ServiceResponse:
    """Wait for the next message that fits. The answer has what a trigger has, and `received`."""
    data = call.data
    wanted = TextFilter(
        equals=data["equals"],
        contains=data["contains"],
        starts_with=data["starts_with"],
        pattern=data.get("matches"),
        commands=data["command"],
    )
    places = _names(call.conversations)
    senders = _names(await call.resolve(data.get("sender", [])))
    future: asyncio.Future[JsonObjectType] = call.hass.loop.create_future()

    @callback
    def told(event: CourierEvent) -> None:
        message, place, sender = event.message, event.conversation, event.sender
        if event.entry_id != call.entry.entry_id or message is None or event.late or future.done():
            return
        here = not places or (place is not None and not places.isdisjoint({place.id, place.number}))
        theirs = not senders or (sender is not None and not senders.isdisjoint({sender.uuid, sender.number}))
        trusted = event.allowed or data["include_unknown_senders"]
        fitting = data.get("has_attachment") in (None, bool(message.attachments))
        if here and theirs and trusted and fitting and (found := wanted.match(message.text)) is not None:
            payload = payload_of(event, HappeningType.MESSAGE, entry_id=event.entry_id, late=event.late, allowed=event.allowed)
            future.set_result(cast("JsonObjectType", {"received": True, **payload, **found}))

    unsubscribe = async_subscribe_all(call.hass, told, types=("message",))
    try:
        async with asyncio.timeout(data["timeout"]):
            return await future
    except TimeoutError:
        return {"received": False}
    finally:
        unsubscribe()


def _names(conversations: Iterable[Conversation]) -> frozenset[str]:
    """Whatever they are called in events."""
    return frozenset(name for one in conversations for name in (one.id, one.number) if name is not None)
