"""Assist over Signal: whoever may, talks to their home in a conversation for which that is turned on.

Each conversation is a chat of its own: its messages are answered one after the other, by the agent of choice, which remembers what was
said before (Home Assistant forgets a chat after five minutes of silence). Voice notes are understood with the speech recognition of the
voice assistant, and answered with its voice where that is wanted. Commands for automations (`/light on`) and answers to open questions
are left alone, and so is what came late.
"""

import asyncio
import re
import secrets
import unicodedata
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from homeassistant.const import CONF_NAME
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from ..actions.questions import async_is_answer
from ..client import CourierError
from ..client.events import EventAttachment
from ..client.messages import Terms
from ..const import (
    CONF_ALLOWED_SENDERS,
    CONF_ASSIST,
    CONF_ASSIST_AGENT,
    CONF_ASSIST_CONFIRM,
    CONF_ASSIST_ENABLED,
    CONF_ASSIST_PIPELINE,
    CONF_ASSIST_VOICE,
    CONF_CONVERSATION_ID,
    CONF_READ_RECEIPTS,
    CONF_TYPING,
    DOMAIN,
    LOGGER,
    SUBENTRY_CONVERSATION,
)
from ..coordinator import SignalCourierConfigEntry
from ..files.outgoing import MediaUploader
from ..receiving.events import CourierEvent
from ..receiving.unread import async_tell_read
from .guard import GuardedTurn, async_unguard, guarded
from .text import async_text, markdown_as_styles, pieces, spoken
from .voice import LARGEST, async_understand

if TYPE_CHECKING:
    from homeassistant.components.assist_pipeline import Pipeline

_WAITING: Final = 20
"""Messages of one conversation that wait for their answer; more are not answered."""
_PATIENCE: Final = 120.0
"""Seconds for an answer."""
_REMEMBERED: Final = 8
"""Answers that are known again when somebody sends them back."""
_TO_CONFIRM: Final = 120.0
"""Seconds in which a confirmation counts."""
_TYPING_AGAIN: Final = 10.0
"""Seconds after which typing is shown again; phones show it for fifteen."""
_SEND_TERMS: Final = Terms(queued=True, wait=10, expires_in=300)
"""An answer is tried to be sent for five minutes."""


@callback
def async_setup_assist(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
    """Answer in the conversations for which Assist is turned on, until the entry is unloaded."""
    chats: dict[str, AssistChat] = {}
    for subentry in entry.subentries.values():
        settings = subentry.data.get(CONF_ASSIST) or {}
        if subentry.subentry_type == SUBENTRY_CONVERSATION and settings.get(CONF_ASSIST_ENABLED):
            chats[subentry.data[CONF_CONVERSATION_ID]] = AssistChat(hass, entry, settings, subentry.data.get(CONF_NAME, subentry.title))
    if not chats:
        return

    @callback
    def came(event: CourierEvent) -> None:
        place = event.conversation
        if place is not None and (chat := chats.get(place.id) or chats.get(place.number or "")) is not None:
            chat.async_take(event)

    entry.async_on_unload(entry.runtime_data.events.async_subscribe(came, types=("message", "sent")))
    entry.async_on_unload(lambda: async_unguard(hass))


@dataclass(slots=True)
class _Pending:
    """What waits for a confirmation."""

    turn: GuardedTurn
    code: str
    who: str | None
    until: float
    """In the event loop's time."""


class AssistChat:
    """One conversation with Assist."""

    def __init__(self, hass: HomeAssistant, entry: SignalCourierConfigEntry, settings: Mapping[str, Any], name: str) -> None:
        self._hass = hass
        self._entry = entry
        self._data = entry.runtime_data
        self._settings = settings
        self._name = name
        self._senders = frozenset(settings.get(CONF_ALLOWED_SENDERS) or ())
        self._waiting: list[CourierEvent] = []
        self._task: asyncio.Task[None] | None = None
        self._memory: str | None = None
        """Home Assistant's id of the chat so far."""
        self._pending: _Pending | None = None
        self._said: deque[str] = deque(maxlen=_REMEMBERED)

    @callback
    def async_take(self, event: CourierEvent) -> None:
        """Answer a message, after those before it."""
        if not self._is_for_us(event):
            return
        if len(self._waiting) >= _WAITING:
            LOGGER.warning("Assist has more than %s messages to answer in %s; one is left out", _WAITING, self._name)
            return
        self._waiting.append(event)
        if self._task is None or self._task.done():
            self._task = self._entry.async_create_background_task(
                self._hass, self._work(), f"{DOMAIN} Assist in {self._name}", eager_start=False
            )

    def _is_for_us(self, event: CourierEvent) -> bool:
        message, sender = event.message, event.sender
        if message is None or message.story or event.late or not event.allowed:
            return False
        if event.type == "sent" and (event.conversation is None or event.conversation.kind != "self"):
            return False
        if self._senders and (sender is None or self._senders.isdisjoint({sender.uuid, sender.number})):
            return False
        text = (message.text or "").strip()
        if text and text in self._said:
            return False  # somebody who sends everything back: two who do that never end
        return not text.startswith("/") and (bool(text) or _voice_note(event) is not None)

    async def _work(self) -> None:
        while self._waiting:
            event = self._waiting.pop(0)
            if async_is_answer(self._hass, event):
                continue
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._answer(event)
            except (CourierError, HomeAssistantError, TimeoutError) as error:
                LOGGER.warning("Assist could not answer in %s: %s", self._name, error or "it took too long")

    async def _answer(self, event: CourierEvent) -> None:
        assert event.message is not None
        assert event.conversation is not None
        place = event.conversation.id
        await self._mark_read(place, event.message.timestamp)
        pipeline = self._pipeline()
        note = _voice_note(event)
        async with self._typing(place):
            try:
                heard = event.message.text or await self._listen(pipeline, note)
            except HomeAssistantError as error:
                LOGGER.debug("A voice note was not understood: %s", error)
                key = error.translation_key or ""
                answer = await self._say(key if key.startswith("assist_") else "assist_not_understood", pipeline)
            else:
                answer = await self._reply(heard.strip(), event, pipeline)
            speech = await self._speak(answer, pipeline) if note is not None and answer else None
        if answer:
            await self._send(place, answer, event, speech)

    # -- what is said

    async def _listen(self, pipeline: Pipeline | None, note: EventAttachment | None) -> str:
        if note is None or note.id is None or (note.size or 0) > LARGEST:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="assist_not_understood")
        return await async_understand(self._hass, pipeline, await self._data.client.attachments.download(note.id))

    async def _reply(self, text: str, event: CourierEvent, pipeline: Pipeline | None) -> str:
        """What is to be answered."""
        if not text:
            return await self._say("assist_not_understood", pipeline)
        who = event.sender.address if event.sender is not None else None
        pending, self._pending = self._pending, None
        if (code := await self._code_in(text, pipeline)) is not None:
            return await self._confirmed(pending, code, who, pipeline)
        if "conversation" not in self._hass.config.components:
            return await self._say("assist_no_agent", pipeline)
        context = Context()
        if not self._settings.get(CONF_ASSIST_CONFIRM, True):
            return await self._converse(text, event, pipeline, context, None)
        with guarded(self._hass, context) as turn:
            answer = await self._converse(text, event, pipeline, context, turn)
        if not turn.held:
            return answer
        code = f"{secrets.randbelow(9000) + 1000}"
        self._pending = _Pending(turn, code, who, self._hass.loop.time() + _TO_CONFIRM)
        return await self._say(
            "assist_confirm", pipeline, names=turn.names, word=await self._say("assist_yes", pipeline), code=code,
            minutes=str(int(_TO_CONFIRM / 60)),
        )  # fmt: skip

    async def _code_in(self, text: str, pipeline: Pipeline | None) -> str | None:
        """The code of `YES 4711`, also as it is heard and written down; `None` for everything else."""
        words = re.findall(r"\w+", _without_accents(text))
        known = {"yes", _without_accents(await self._say("assist_yes", pipeline))}
        code = "".join(words[1:])
        return code if words and words[0] in known and code.isascii() and code.isdigit() else None

    async def _confirmed(self, pending: _Pending | None, code: str, who: str | None, pipeline: Pipeline | None) -> str:
        if pending is None or pending.code != code or pending.who != who or self._hass.loop.time() > pending.until:
            return await self._say("assist_not_confirmed", pipeline)
        names = pending.turn.names
        try:
            await pending.turn.async_release()
        except HomeAssistantError as error:
            LOGGER.warning("What was confirmed in %s failed: %s", self._name, error)
            return await self._say("assist_failed", pipeline, names=names)
        return await self._say("assist_done", pipeline, names=names)

    async def _converse(self, text: str, event: CourierEvent, pipeline: Pipeline | None, context: Context, turn: GuardedTurn | None) -> str:
        from .agent import AgentChoice, async_ask_agent  # noqa: PLC0415  # only where agents are set up

        who = (event.sender.name if event.sender is not None else None) or "somebody"
        choice = AgentChoice(
            agent=self._settings.get(CONF_ASSIST_AGENT) or (pipeline.conversation_engine if pipeline is not None else None),
            local_first=pipeline is not None and pipeline.prefer_local_intents,
            language=self._language(pipeline),
            prompt=f"{who} writes to you on the messenger Signal. Answer briefly, in plain text or simple Markdown.",
        )
        try:
            answer = await async_ask_agent(self._hass, text, choice, self._memory, context, turn)
        except ValueError:
            LOGGER.warning("The conversation agent %s of %s is not there", choice.agent, self._name)
            return await self._say("assist_no_agent", pipeline)
        except Exception:  # noqa: BLE001  # whoever made the agent; the next question must not suffer
            LOGGER.exception("The conversation agent %s failed in %s", choice.agent, self._name)
            return await self._say("assist_error", pipeline)
        self._memory = answer.memory
        return answer.text

    def _pipeline(self) -> Pipeline | None:
        """The voice assistant; `None` where there is none."""
        if "assist_pipeline" not in self._hass.config.components:
            return None
        from homeassistant.components.assist_pipeline.error import PipelineNotFound  # noqa: PLC0415  # only where it is set up
        from homeassistant.components.assist_pipeline.pipeline import async_get_pipeline  # noqa: PLC0415  # the same

        chosen = self._settings.get(CONF_ASSIST_PIPELINE)
        try:
            return async_get_pipeline(self._hass, None if chosen in (None, "preferred") else chosen)
        except PipelineNotFound:
            LOGGER.warning("The voice assistant of %s is not there; the preferred one answers", self._name)
            return async_get_pipeline(self._hass)

    def _language(self, pipeline: Pipeline | None) -> str:
        language = pipeline.conversation_language if pipeline is not None else "*"
        return self._hass.config.language if language == "*" else language

    async def _say(self, key: str, pipeline: Pipeline | None, **placeholders: str) -> str:
        return await async_text(self._hass, self._language(pipeline), key, **placeholders)

    # -- what is done on Signal

    async def _mark_read(self, place: str, timestamp: int) -> None:
        """Read it; whether the writer is told is the option's."""
        if self._entry.options.get(CONF_READ_RECEIPTS, False):
            return  # all messages are
        try:
            await self._data.client.conversations.mark_read(place, upto=timestamp, receipts=False)
        except CourierError as error:
            LOGGER.debug("A conversation could not be marked as read: %s", error)
        else:
            async_tell_read(self._hass, self._entry.entry_id, place, timestamp)

    @asynccontextmanager
    async def _typing(self, place: str) -> AsyncIterator[None]:
        """Show that an answer is being made, where the option says so."""
        if not self._entry.options.get(CONF_TYPING, False):
            yield
            return
        answered = asyncio.Event()
        typing = self._entry.async_create_background_task(self._hass, self._type(place, answered), f"{DOMAIN} typing in {self._name}")
        try:
            yield
        finally:
            answered.set()  # what is on its way is not cut off: the beginning comes before the end
            await asyncio.wait([typing])

    async def _type(self, place: str, answered: asyncio.Event) -> None:
        while not answered.is_set():
            await self._show_typing(place, stop=False)
            with suppress(TimeoutError):
                await asyncio.wait_for(answered.wait(), _TYPING_AGAIN)
        await self._show_typing(place, stop=True)

    async def _show_typing(self, place: str, *, stop: bool) -> None:
        try:
            await self._data.client.messages.set_typing(place, stop=stop)
        except CourierError as error:
            LOGGER.debug("Typing could not be shown: %s", error)

    async def _speak(self, answer: str, pipeline: Pipeline | None) -> str | None:
        """The answer as a voice note; `None` where it is not wanted or does not succeed."""
        if not self._settings.get(CONF_ASSIST_VOICE) or pipeline is None or pipeline.tts_engine is None:
            return None
        try:
            made = await MediaUploader(self._hass, self._entry).async_speech(spoken(answer), pipeline.tts_engine, pipeline.tts_language)
        except (HomeAssistantError, CourierError) as error:
            LOGGER.warning("The answer could not be spoken: %s", error)
            return None
        return made.id

    async def _send(self, place: str, answer: str, event: CourierEvent, speech: str | None) -> None:
        messages = self._data.client.messages
        asked, who = event.message, event.sender.address if event.sender is not None else None
        in_group = event.conversation is not None and event.conversation.kind == "group"
        quote = {"timestamp": asked.timestamp, "author": who} if in_group and asked is not None and who else None
        if speech is not None:
            await messages.send([place], attachments=[speech], voice_note=True, quote=quote, terms=_SEND_TERMS)
            return
        text = markdown_as_styles(answer)
        mode = "styled" if text != answer or "**" in text or "`" in text else "normal"
        for piece in pieces(text):
            self._said.append(piece)
            await messages.send([place], text=piece, text_mode=mode, quote=quote, terms=_SEND_TERMS)
            quote = None


def _voice_note(event: CourierEvent) -> EventAttachment | None:
    """What was spoken, if the message is that: signal-cli does not always tell, so a sound without a text counts too."""
    message = event.message
    if message is None:
        return None
    sounds = [one for one in message.attachments if (one.type or "").startswith("audio/")]
    if not message.text and len(sounds) == len(message.attachments) == 1:
        return sounds[0]
    return next((one for one in sounds if one.voice_note), None)


def _without_accents(text: str) -> str:
    """Small letters without their accents, however these were typed: `SÍ` and `si` are the same word."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(letter))
