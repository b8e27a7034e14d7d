"""What everything that is sent through the native API shares: one call of the outbox, one form of answer."""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from aiohttp import web

from signal_courier.engine.base import AccountState
from signal_courier.engine.errors import AccountUnknown, AccountUnlinked, EngineError, SendResult
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.native.common import (
    ACCOUNT,
    INVALID,
    PERSON,
    PERSON_UUID,
    REFUSED,
    TIMESTAMP,
    Account,
    ConversationId,
    account_of,
    trouble,
)
from signal_courier.http.native.problems import ProblemFound, problem_of
from signal_courier.http.once import MessageAccepted
from signal_courier.http.routing import Answer
from signal_courier.messaging.sending.delivery import SUCCESS, Outcome
from signal_courier.messaging.sending.outbox import LONGEST, Terms
from signal_courier.model.errors import InvalidValue
from signal_courier.model.integers import Int64
from signal_courier.model.messages import Sendable
from signal_courier.model.outbox import DeliveryState
from signal_courier.model.recipients import Recipient, parse_recipient

LONGEST_WAIT: Final = 600
_PATIENCE: Final = 30
"""Seconds to wait where only `expires_in` is given."""


class Waiting(msgspec.Struct, kw_only=True):
    """What every body says that sends something: whether to wait, and for how long to try."""

    wait: Annotated[
        Int64 | None,
        msgspec.Meta(description="Seconds to wait; 0 = answer as soon as it is on disk. Without: it is tried once, now."),
    ] = None
    expires_in: Annotated[
        Int64 | None,
        msgspec.Meta(description="Seconds for which it is tried; with `wait` a day unless given, alone as with `wait: 30`. 0 = once."),
    ] = None


class InConversation(Waiting, kw_only=True):
    """What those bodies say besides that name one conversation."""

    conversation: ConversationId
    account: Account = None


def terms_of[B, Q](call: Call[B, Q]) -> Terms:
    """How it is to be sent: as the headers wish, or the body's `wait` in their place. Raises `InvalidValue`."""
    terms = call.terms = call.terms or Terms()
    body = call.body
    if not isinstance(body, Waiting):
        return terms
    if body.expires_in is not None:
        if not 0 <= body.expires_in <= LONGEST:
            raise InvalidValue("expires_in", f"expires_in: must be between 0 and {LONGEST} seconds")
        terms.expires_in = body.expires_in
        if body.wait is None and body.expires_in > 0 and not terms.respond_async:
            terms.respond_async, terms.wait = True, float(_PATIENCE)
    if body.wait is not None:
        if not 0 <= body.wait <= LONGEST_WAIT:
            raise InvalidValue("wait", f"wait: between 0 and {LONGEST_WAIT} seconds")
        terms.respond_async, terms.wait = True, float(body.wait)
    return terms


class SentTo(msgspec.Struct, kw_only=True):
    """What became of it for one recipient; the members of a group follow each for themselves."""

    recipient: Annotated[str, msgspec.Meta(description="UUID or number; `group.…` for a group that as a whole was not reached.")]
    state: DeliveryState
    uuid: str | None = None
    number: str | None = None
    group: Annotated[str | None, msgspec.Meta(description="The group through which it reaches this person.")] = None
    reason: Annotated[str | None, msgspec.Meta(description="Why not: a result of signal-cli, like UNREGISTERED_FAILURE.")] = None


class SentEntry(msgspec.Struct, kw_only=True):
    """Something that was sent."""

    id: Annotated[str | None, msgspec.Meta(description="For `GET /api/v2/messages/{message}`; null for what is not kept, like a receipt.")]
    account: str
    timestamp: Annotated[int, msgspec.Meta(description="Its name from now on, for quotes, edits, reactions and deletion.")]
    recipients: list[SentTo]
    challenge_tokens: Annotated[
        Sequence[str], msgspec.Meta(description="Where some were not reached for Signal's limit: for `…/accounts/{number}/challenge`.")
    ] = ()


EXAMPLE = {
    "id": "msg_42", "account": ACCOUNT, "timestamp": TIMESTAMP, "challenge_tokens": [],
    "recipients": [
        {"recipient": PERSON_UUID, "state": "sent", "uuid": PERSON_UUID, "number": PERSON, "group": None, "reason": None}
    ],
}  # fmt: skip
QUEUED = Answer(
    202, "On disk, where not waiting was asked for: it will be sent, and `GET /api/v2/messages/{message}` tells.", MessageAccepted,
    example={"id": "msg_42"},
)  # fmt: skip
ANSWERS = (
    Answer(201, "Sent; to some at least.", SentEntry, example=EXAMPLE),
    QUEUED,
    INVALID,
    trouble("untrusted-identity", "Failed to send message due to untrusted identities", account=ACCOUNT, recipients=[PERSON_UUID]),
    trouble("not-on-signal", "Failed to send message", account=ACCOUNT, recipients=[PERSON]),
    trouble("rate-limited", "Rate limit", account=ACCOUNT, challenge_tokens=["2f5d8a7e-…"], retry_after=3600),
    trouble("signal-unreachable", "Connection refused", account=ACCOUNT, retry_after=30),
)
QUIET_ANSWERS = (Answer(204, "Sent."), QUEUED, INVALID, REFUSED)


def recipients_of(texts: Sequence[str]) -> list[Recipient]:
    """Whom a body names. Raises `InvalidValue`."""
    if not texts:
        raise InvalidValue("recipients", "recipients: name at least one")
    return [parse_recipient(text, field="recipients") for text in texts]


async def send[B, Q](call: Call[B, Q], account: str, recipients: Sequence[Recipient], what: Sendable) -> SentEntry:
    """Send something, and tell what became of it.

    Raises as `Call.send`; where nobody was reached `ProblemFound`, with the message's id.
    """
    terms = terms_of(call)
    try:
        outcome = await call.send(account, recipients, what)
    except EngineError as error:
        if isinstance(error, AccountUnknown) and call.services.engine.status.accounts.get(account) is AccountState.UNLINKED:
            error = AccountUnlinked(error.message)
        raise ProblemFound(msgspec.structs.replace(problem_of(error, account), message=terms.message)) from error
    return SentEntry(
        id=terms.message, account=account, timestamp=outcome.timestamp, recipients=_sent_to(outcome), challenge_tokens=outcome.tokens
    )


async def send_and_tell[B, Q](call: Call[B, Q], account: str, recipients: Sequence[Recipient], what: Sendable) -> web.Response:
    """The same, as the answer."""
    return json_answer(await send(call, account, recipients, what), 201)


async def send_quietly[B: InConversation, Q](call: Call[B, Q], what: Sendable) -> web.Response:
    """Send it to the conversation that the body names, and answer that it is done. Raises as `send`."""
    conversation = parse_recipient(call.body.conversation, field="conversation")
    await send(call, await account_of(call, call.body.account), [conversation], what)
    return empty()


def _sent_to(outcome: Outcome) -> list[SentTo]:
    entries: list[SentTo] = []
    told: set[str] = set()
    for sent in outcome.sent:
        group = sent.target.group.external if sent.target.group is not None else None
        for result in sent.results:
            entry = _of_result(result, group)
            if entry is not None:
                entries.append(entry)
                told.add(entry.recipient)
        if not sent.results:  # a note to self, or a group of nobody else
            entries += [SentTo(recipient=name, state=DeliveryState.SENT) for name in ((group,) if group else sent.target.names)]
    for failure in outcome.failures:
        group = failure.group.external if failure.group is not None else None
        name = failure.uuid or failure.number or failure.username or group or ""
        if name not in told:
            entries.append(
                SentTo(
                    recipient=name, state=DeliveryState.FAILED, uuid=failure.uuid, number=failure.number, group=group, reason=failure.reason
                )
            )
    return entries


def _of_result(result: SendResult, group: str | None) -> SentTo | None:
    address = result.recipient_address
    name = (address.uuid or address.number or address.username) if address is not None else None
    if address is None or name is None:
        return None
    reached = result.type == SUCCESS
    return SentTo(
        recipient=name,
        state=DeliveryState.SENT if reached else DeliveryState.FAILED,
        uuid=address.uuid,
        number=address.number,
        group=group,
        reason=None if reached else result.type,
    )
