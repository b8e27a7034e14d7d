"""`/api/v1/devices/{device_id}/message`: one message to people or groups, through the outbox."""

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.engine.answers import Group
from signal_courier.engine.errors import EngineError, JoinPending
from signal_courier.http.answers import json_answer
from signal_courier.http.call import Call, decode_again
from signal_courier.http.faces import Face
from signal_courier.http.gateway.common import SIGNAL, Platform, account_of, check_platform, trouble
from signal_courier.http.gateway.problems import Refusal
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.sending.outbox import Accepted, Terms
from signal_courier.model.attachments import Content, Upload
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.model.message_ids import parse_message_id
from signal_courier.model.messages import Message, Quote
from signal_courier.model.recipients import GroupId, Recipient, parse_group_id, parse_recipient

routes = RouteTable("Gateway", face=Face.GATEWAY)

_INVITE: Final = re.compile(r"(?:https://signal\.group/|sgnl://signal\.group/)#[A-Za-z0-9_-]{20,400}=*")
_DIGITS: Final = re.compile(r"[0-9]{5,20}")
_MOST: Final = 200
_PENDING: Final = "The group's admins have to let this device in first, as it has asked before; send again then"


class MessageToSend(msgspec.Struct, kw_only=True):
    """A message, as JSON or as a form."""

    contact: Annotated[
        str, Meta(description="Numbers (without `+` too), UUIDs, usernames or group ids, with commas.", examples=["4915100000002"])
    ] = ""
    group_url: Annotated[
        str, Meta(description="Invite links of groups, with commas; counts instead of `contact`. Joins a group that is not known yet.")
    ] = ""
    platform: Platform = ""
    text: str = ""
    reply_id: Annotated[str, Meta(description="`id` from a webhook: this is the answer to that message.")] = ""
    file: Annotated[
        Content | None, Meta(description="In a form: a file whose name has an extension. As JSON: base64, as in `/v2/send`.")
    ] = None


class MessageQueued(msgspec.Struct):
    """It is on disk, and will be sent."""

    message: str
    id: Annotated[str, Meta(description="`GET /api/v2/messages/{id}` tells what becomes of it.")]


@routes.add(
    "POST", "/api/v1/devices/{device_id}/message", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED,
    body=MessageToSend, body_example={"contact": "4915100000002", "platform": SIGNAL, "text": "Hello from API"}, form=True,
    answers=[
        Answer(200, "Queued.", MessageQueued, example={"message": "Message queued successfully", "id": "msg_1"}),
        trouble(404, "Device not found"),
        trouble(409, _PENDING),
    ],
)  # fmt: skip
async def send_gateway_message(call: Call[MessageToSend, None]) -> web.StreamResponse:
    """Queue a message.

    It is tried for 24 hours; what Signal refuses for the moment waits, as does what is for a group that has yet to let the device in.
    """
    body = call.body
    account = await account_of(call, decode_again(call.path["device_id"]))
    if not body.contact.strip() and not body.group_url.strip():
        raise InvalidValue("contact", "Missing required field: contact")
    check_platform(body.platform)
    if not body.text and body.file is None:
        raise InvalidValue("text", "Either text or file must be provided")
    if isinstance(body.file, Upload) and call.request.content_type.startswith("multipart/"):
        _check_extension(body.file)
    await _check_device(call, account)
    message = Message(text=body.text, quote=await _quote(call, account, body.reply_id))
    call.terms = call.terms or Terms()
    recipients = await _groups(call, account, body.group_url, call.terms) if body.group_url.strip() else _contacts(body.contact)
    call.check_recipients(recipients)
    if body.file is None:
        return await _queue(call, account, recipients, message)
    async with call.services.staging.open(account) as stage:
        file = await stage.add(body.file, "file")
        return await _queue(call, account, recipients, msgspec.structs.replace(message, attachments=[file]))


async def _queue(call: Call[MessageToSend, None], account: str, recipients: list[Recipient], message: Message) -> web.StreamResponse:
    assert call.terms is not None
    terms = call.terms
    terms.respond_async = True
    try:
        await call.send(account, recipients, message)
        identifier = terms.message or ""
    except Accepted as accepted:
        identifier = accepted.id
    return json_answer(MessageQueued("Message queued successfully", identifier))


async def _check_device(call: Call[MessageToSend, None], account: str) -> None:
    """Raises `MissingThing` where it is certain that there is no such account: what is queued for it would come to nothing, unseen."""
    services = call.services
    if account in services.engine.status.accounts:
        return
    try:
        there = await services.accounts.loaded()
    except EngineError:
        return
    if account not in there:
        raise MissingThing("device_id", "Device not found")


def _contacts(listed: str) -> list[Recipient]:
    return list(dict.fromkeys(_contact(text) for text in _split(listed, "contact")))


def _contact(text: str) -> Recipient:
    return parse_recipient("+" + text if _DIGITS.fullmatch(text) else text, field="contact")


async def _groups(call: Call[MessageToSend, None], account: str, listed: str, terms: Terms) -> list[Recipient]:
    """The groups that links lead to; others are joined. The terms note those whose admins have to allow that first."""
    links = _split(listed, "group_url")
    for link in links:
        if not _INVITE.fullmatch(link):
            raise InvalidValue("group_url", f"group_url: '{link[:100]}' is no invite link like https://signal.group/#…")
    all_groups = await call.services.commands.list_groups(account)
    known = {_secret(group.group_invite_link): group for group in all_groups if group.group_invite_link}
    groups: list[Recipient] = []
    awaited: list[Recipient] = []
    for link in dict.fromkeys(links):
        group = known.get(_secret(link))
        if group is not None and group.is_member:
            groups.append(parse_group_id(group.id, field="group_url"))
            continue
        if group is not None and group.requesting_members:
            groups.append(parse_group_id(group.id, field="group_url"))
            awaited.append(groups[-1])
            continue
        call.check_everybody()
        joined, pending = await _join(call, account, link, all_groups)
        groups.append(joined)
        awaited += [joined] if pending else []
    terms.awaited = awaited
    return groups


async def _join(call: Call[MessageToSend, None], account: str, link: str, known: Sequence[Group]) -> tuple[GroupId, bool]:
    """Join a group, and whether its admins have to allow that first. Raises `Refusal` where it was asked before and is not known."""
    try:
        joined = await call.services.commands.join_group(account, uri=link)
    except JoinPending as error:
        # Signal does not say which group it is: the one of those asked for, where there is only one.
        asked = [group.id for group in known if not group.is_member and group.requesting_members]
        if len(asked) != 1:
            raise Refusal(_PENDING, 409) from error
        return parse_group_id(asked[0], field="group_url"), True
    call.services.conversations.forget(account)
    if joined.group_id is None:
        raise Refusal(_PENDING, 409)
    return parse_group_id(joined.group_id, field="group_url"), joined.only_requested


def _secret(link: str) -> str:
    """The part of an invite link by which links are the same."""
    return link.partition("#")[2].rstrip("=")


def _split(listed: str, field: str) -> list[str]:
    found = [text.strip() for text in listed.split(",") if text.strip()]
    if not found:
        raise InvalidValue(field, f"Missing required field: {field}")
    if len(found) > _MOST:
        raise InvalidValue(field, f"{field}: {_MOST} at most")
    return found


async def _quote(call: Call[MessageToSend, None], account: str, reply_id: str) -> Quote | None:
    if not reply_id.strip():
        return None
    author, timestamp = parse_message_id(reply_id, field="reply_id")
    text = await call.services.history.text_of(account, str(author), timestamp)
    return Quote(timestamp=timestamp, author=str(author), message=text)


def _check_extension(file: Upload) -> None:
    if not PurePath(file.metadata.name).suffix:
        raise InvalidValue("file", "Uploaded file must have a file extension")
