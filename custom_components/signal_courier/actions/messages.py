"""Messages: send, edit, delete, react, mark as read, show typing."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import probatio
from homeassistant.core import ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv

from ..client.models import Conversation
from ..const import DOMAIN
from ..files.outgoing import MediaUploader, UrlAccess
from ..receiving.unread import async_tell_read
from ..titles import utf16_length, with_title
from .action import Aim, Call, action, refusal
from .answers import sent_answer, state_of
from .delivery import GOALS, PATIENCE, async_deliver, async_send_soon
from .fields import TEXTS, TIMESTAMP, seconds
from .once import async_attempt

_MARKUP: Final = "*~|`\\"
_MEDIA: Final = probatio.All(
    cv.ensure_list, [probatio.Any(cv.string, {probatio.Required("media_content_id"): cv.string, probatio.Extra: object})]
)
_MENTION: Final = probatio.Any(
    str,
    int,
    {
        probatio.Required("recipient"): probatio.Any(str, int),
        probatio.Required("start"): cv.positive_int,
        probatio.Required("length"): cv.positive_int,
    },
)
_PREVIEW: Final = probatio.Schema(
    {
        probatio.Required("url"): probatio.Match(r"^https://"),
        probatio.Required("title"): cv.string,
        probatio.Optional("description"): cv.string,
        probatio.Optional("image"): probatio.Any(str, dict),
    }
)
_FILES: Final[Mapping[Any, Any]] = {
    probatio.Optional("attachments"): _MEDIA,
    probatio.Optional("files"): TEXTS,
    probatio.Optional("urls"): TEXTS,
    probatio.Optional("snapshots"): cv.entity_ids,
    probatio.Optional("voice_message"): cv.string,
    probatio.Optional("tts_entity"): cv.entity_id,
    probatio.Optional("tts_language"): cv.string,
    probatio.Optional("voice_note", default=False): cv.boolean,
    probatio.Optional("view_once", default=False): cv.boolean,
    probatio.Optional("verify_ssl", default=True): cv.boolean,
    probatio.Optional("authentication"): probatio.In(["basic", "bearer"]),
    probatio.Optional("username", default=""): cv.string,
    probatio.Optional("password", default=""): cv.string,
}
_CONTENT: Final = ("message", "title", "attachments", "files", "urls", "snapshots", "voice_message", "sticker")


def _check_content(data: Mapping[str, Any]) -> None:
    if not any(data.get(name) for name in _CONTENT):
        raise refusal("message_without_content")
    if "voice_message" in data and any(data.get(name) for name in ("attachments", "files", "urls", "snapshots")):
        raise refusal("voice_message_alone")


@action(
    "send_message",
    {
        probatio.Optional("message", default=""): cv.string,
        probatio.Optional("title"): cv.string,
        probatio.Optional("text_mode", default="normal"): probatio.In(["normal", "styled"]),
        probatio.Optional("reply_to"): cv.string,
        **_FILES,
        probatio.Optional("mentions"): probatio.All(cv.ensure_list, [_MENTION]),
        probatio.Optional("link_preview"): _PREVIEW,
        probatio.Optional("sticker"): probatio.Match(r"^[0-9a-fA-F]+:[0-9]+$"),
        probatio.Optional("silent", default=False): cv.boolean,
        probatio.Optional("expires_in"): seconds,
        probatio.Optional("wait_for", default="sent"): probatio.In(GOALS),
        probatio.Optional("timeout"): seconds,
    },
    aim=Aim.MANY,
    check=_check_content,
)
async def send_message(call: Call) -> ServiceResponse:
    """Send a message to one conversation or more."""
    data = call.data
    attempt = async_attempt(call.hass, call.context, data)
    options = attempt.options if attempt.options is not None else await _options(call)
    expires_in = data.get("expires_in")
    message = await async_deliver(
        call,
        options,
        goal=data["wait_for"],
        patience=data.get("timeout", PATIENCE if data["wait_for"] == "sent" else 4 * PATIENCE),  # who has to read it may be away
        expires_in=None if expires_in is None else int(expires_in),
    )
    call.wrote()
    return sent_answer(call, message)


async def _options(call: Call) -> dict[str, Any]:
    """Everything but the recipients: texts put together, files uploaded."""
    data = call.data
    text, styles, mode = _text(data["message"], data.get("title"), data["text_mode"])
    attachments, spoken = await _uploads(call)
    options: dict[str, Any] = {
        "text": text,
        "text_mode": mode,
        "styles": styles or None,
        "mentions": await _mentions(call, text, data.get("mentions", [])) or None,
        "attachments": attachments or None,
        "voice_note": True if spoken else None,
        "view_once": data["view_once"] or None,
        "sticker": data.get("sticker"),
        "silent": data["silent"] or None,
    }
    if call.handle is not None:
        options["quote"] = {"timestamp": call.handle.timestamp, "author": call.handle.author}
    if (preview := data.get("link_preview")) is not None:
        made = dict(preview)
        if (image := made.pop("image", None)) is not None:
            made["image"] = (await MediaUploader(call.hass, call.entry).async_any(image)).id
        options["preview"] = made
    return options


def _text(text: str, title: str | None, mode: str) -> tuple[str, Sequence[Mapping[str, object]], str]:
    """The text with its title in front, in bold."""
    if mode == "normal" or not title:
        return (*with_title(text, title), mode)
    plain = "".join(f"\\{one}" if one in _MARKUP else one for one in title)
    return f"**{plain}**\n{text}" if text else f"**{plain}**", (), mode


async def _uploads(call: Call) -> tuple[list[str], bool]:
    """The ids of all files, and whether they are a voice note."""
    data, uploader = call.data, MediaUploader(call.hass, call.entry)
    if (speech := data.get("voice_message")) is not None:
        spoken = await uploader.async_speech(speech, data.get("tts_entity"), data.get("tts_language"))
        return [spoken.id], True
    access = UrlAccess(
        verify_ssl=data["verify_ssl"],
        authentication=data.get("authentication"),
        username=data["username"],
        password=data["password"],
    )
    done = [await uploader.async_any(item, access) for item in data.get("attachments", [])]
    done += [await uploader.async_file(path) for path in data.get("files", [])]
    done += [await uploader.async_url(address, access) for address in data.get("urls", [])]
    done += [await uploader.async_snapshot(entity_id) for entity_id in data.get("snapshots", [])]
    return [one.id for one in done], len(done) == 1 and (done[0].voice_note or data["voice_note"])


async def _mentions(call: Call, text: str, given: Sequence[Any]) -> list[dict[str, object]]:
    """Where in the text somebody is named: `@` and the name as it was given, or as it is known."""
    found: list[dict[str, object]] = []
    for one in given:
        if isinstance(one, dict):
            (person,) = await call.resolve([one["recipient"]])
            found.append({"start": one["start"], "length": one["length"], "recipient": person.id})
            continue
        (person,) = await call.resolve([one])
        place = _place(text, str(one), person)
        if place is None:
            raise ServiceValidationError(
                translation_domain=DOMAIN, translation_key="mention_missing", translation_placeholders={"name": person.name}
            )
        start, length = place
        found.append({"start": utf16_length(text[:start]), "length": utf16_length(text[start : start + length]), "recipient": person.id})
    return found


def _place(text: str, given: str, person: Conversation) -> tuple[int, int] | None:
    for name in (given, person.name, person.name.split(" ", maxsplit=1)[0]):
        if (start := text.find(f"@{name}")) >= 0:
            return start, len(name) + 1
    return None


@action(
    "edit_message",
    {
        probatio.Required("message"): cv.string,
        probatio.Optional("title"): cv.string,
        probatio.Optional("text_mode", default="normal"): probatio.In(["normal", "styled"]),
    },
    aim=Aim.MESSAGE,
)
async def edit_message(call: Call) -> ServiceResponse:
    """Change the text of an own message."""
    text, styles, mode = _text(call.data["message"], call.data.get("title"), call.data["text_mode"])
    messages, where, timestamp = call.client.messages, call.conversation.id, call.message.timestamp
    sent = await async_send_soon(
        call, lambda terms: messages.edit(where, timestamp, text, text_mode=mode, styles=styles or None, terms=terms)
    )
    return sent_answer(call, sent)


@action("delete_message", {}, aim=Aim.MESSAGE)
async def delete_message(call: Call) -> ServiceResponse:
    """Delete an own message for everybody."""
    messages, where, timestamp = call.client.messages, call.conversation.id, call.message.timestamp
    sent = await async_send_soon(call, lambda terms: messages.delete(where, timestamp, terms=terms))
    return {"handle": str(call.message), "timestamp": timestamp, "state": state_of(sent)}


@action("react", {probatio.Required("emoji"): cv.string, probatio.Optional("remove", default=False): cv.boolean}, aim=Aim.MESSAGE)
async def react(call: Call) -> ServiceResponse:
    """Put an emoji on a message, or take it back."""
    messages, where, message = call.client.messages, call.conversation.id, call.message
    emoji, remove = call.data["emoji"], call.data["remove"]
    sent = await async_send_soon(
        call,
        lambda terms: messages.react(where, author=message.author, timestamp=message.timestamp, emoji=emoji, remove=remove, terms=terms),
    )
    return {**sent_answer(call, sent), "handle": str(message)}


@action(
    "mark_read",
    {
        probatio.Optional("handle"): cv.string,
        probatio.Optional("timestamp"): TIMESTAMP,
        probatio.Optional("receipts", default=True): cv.boolean,
    },
    aim=Aim.ONE,
)
async def mark_read(call: Call) -> ServiceResponse:
    """Mark a conversation as read, up to a message or altogether."""
    upto = call.handle.timestamp if call.handle is not None else None
    count = await call.client.conversations.mark_read(call.conversation.id, upto=upto, receipts=call.data["receipts"])
    async_tell_read(call.hass, call.entry.entry_id, call.conversation.id, upto)
    return {"read": count}


@action("set_typing", {probatio.Optional("typing", default=True): cv.boolean}, aim=Aim.MANY)
async def set_typing(call: Call) -> ServiceResponse:
    """Show in conversations that something is being typed, or no longer."""
    for one in call.conversations:
        await call.client.messages.set_typing(one.id, stop=not call.data["typing"])
    return {"conversations": [one.id for one in call.conversations]}
