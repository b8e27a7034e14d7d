"""The answers on which clients disagree. What each of them reads is told at `Dialect`."""

from collections.abc import Iterable, Mapping

import msgspec
from aiohttp import web

from signal_courier.engine.errors import SendResult
from signal_courier.http.answers import empty, json_answer
from signal_courier.messaging.sending.delivery import SUCCESS, Failure, Outcome, Sent, Target
from signal_courier.model.dialects import Dialect


class FailedRecipient(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A recipient that the message did not reach."""

    number: str | None = None
    uuid: str | None = None
    username: str | None = None
    group_id: str | None = None
    reason: str
    """signal-cli's result type, like `UNREGISTERED_FAILURE`, `IDENTITY_FAILURE` or `NETWORK_FAILURE`."""


class SendErrors(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What did not succeed of a message that reached somebody."""

    recipients: list[FailedRecipient]
    challenge_tokens: tuple[str, ...] = ()
    """For `/v1/accounts/{number}/rate-limit-challenge`, when Signal's rate limit was met."""


class RecipientResult(msgspec.Struct, rename="camel"):
    """What became of the message for one recipient."""

    recipient_number: str
    """Number, else UUID, username or group id."""
    success: bool


class SentMessage(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A message that reached somebody."""

    timestamp: str
    """Milliseconds since the epoch: the message's name when it is edited, deleted, reacted to."""
    errors: SendErrors | None = None
    results: list[RecipientResult] = []


class Recipients(msgspec.Struct):
    """Whom one call was made for."""

    recipients: list[str]


class SentObject(SentMessage, omit_defaults=True, kw_only=True):
    """The same as one object, whatever the number of calls it took."""

    timestamps: dict[str, Recipients]
    """Recipients by timestamp, as python-signal-cli-rest-api tells them."""


class Timestamp(msgspec.Struct):
    """The timestamp of what was sent, as text."""

    timestamp: str


class TimestampNumber(msgspec.Struct):
    """The timestamp of what was sent, as python-signal-cli-rest-api gives it."""

    timestamp: int


SEND_EXAMPLE: list[Mapping[str, object]] = [
    {"timestamp": "1700000000123", "results": [{"recipientNumber": "+4915100000002", "success": True}]},
]
SENT_OBJECT_EXAMPLE: Mapping[str, object] = {
    **SEND_EXAMPLE[0],
    "timestamps": {"1700000000123": {"recipients": ["+4915100000002"]}},
}


def sent_answer(outcome: Outcome, dialect: Dialect) -> web.Response:
    """The answer to `/v2/send`: a list with an item a call, or one object with what both older kinds of clients read."""
    if dialect is Dialect.V0_101:
        first, *others = outcome.sent
        items = [SentMessage(timestamp=str(first.timestamp), errors=_errors(outcome), results=_results(first))]
        items += [SentMessage(timestamp=str(sent.timestamp), results=_results(sent)) for sent in others]
        return json_answer(items, 201)
    return sent_object(outcome)


def sent_object(outcome: Outcome) -> web.Response:
    """One object, as `/v1/send` answers in every dialect and `/v2/send` did up to 0.100."""
    content = SentObject(
        timestamp=str(outcome.timestamp),
        errors=_errors(outcome),
        results=[result for sent in outcome.sent for result in _results(sent)],
        timestamps=_timestamps(outcome.sent),
    )
    return json_answer(content, 201)


def timestamp_answer(outcome: Outcome) -> web.Response:
    """`{"timestamp"}`, the answer of polls and remote deletes."""
    return json_answer(Timestamp(str(outcome.timestamp)), 201)


def reaction_answer(outcome: Outcome, dialect: Dialect) -> web.Response:
    """204, or the timestamp as a number for python-signal-cli-rest-api's clients."""
    if dialect is Dialect.MORPH027:
        return json_answer(TimestampNumber(outcome.timestamp))
    return empty()


def deleted_group_answer(dialect: Dialect) -> web.Response:
    """200 without a body, where python-signal-cli-rest-api has 204."""
    return empty(204 if dialect is Dialect.MORPH027 else 200)


def _errors(outcome: Outcome) -> SendErrors | None:
    if not outcome.failures:
        return None
    return SendErrors(recipients=[_failed(failure) for failure in outcome.failures], challenge_tokens=tuple(outcome.tokens))


def _failed(failure: Failure) -> FailedRecipient:
    return FailedRecipient(
        number=failure.number,
        uuid=failure.uuid,
        username=failure.username,
        group_id=failure.group.external if failure.group is not None else None,
        reason=failure.reason,
    )


def _results(sent: Sent) -> list[RecipientResult]:
    if not sent.results:
        return [RecipientResult(name, success=True) for name in _names(sent.target)]
    return [RecipientResult(_name(result, sent.target), result.type == SUCCESS) for result in sent.results]


def _name(result: SendResult, target: Target) -> str:
    address = result.recipient_address
    name = address.number or address.uuid or address.username if address is not None else None
    return name or (result.group_id or next(iter(_names(target)), ""))


def _names(target: Target) -> tuple[str, ...]:
    return (target.group.external,) if target.group is not None else target.names


def _timestamps(sent: Iterable[Sent]) -> dict[str, Recipients]:
    by_time: dict[str, Recipients] = {}
    for one in sent:
        by_time.setdefault(str(one.timestamp), Recipients([])).recipients.extend(one.target.names)
    return by_time
