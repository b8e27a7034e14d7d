"""What a caller is told who comes back, or waited in vain: the answer of then, made from what the outbox knows now."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from signal_courier.engine.errors import (
    NO_ACCOUNT,
    AccountUnknown,
    Address,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    NetworkTrouble,
    RateLimited,
    Rejected,
    SendResult,
    UntrustedIdentity,
)
from signal_courier.messaging.sending.delivery import IDENTITY_FAILURE, SUCCESS, Failure, Outcome, Sent
from signal_courier.messaging.sending.message import (
    ENGINE,
    EVERYBODY,
    NETWORK,
    Entry,
    parts_of,
    target_of,
)
from signal_courier.model.outbox import (
    RATE_LIMIT,
    UNTRUSTED,
    DeliveryState,
    MessageStatus,
    RecipientStatus,
)
from signal_courier.model.recipients import Aci, GroupId, Number, Username, parse_recipient


class OutcomeUnknown(EngineTimeout):
    """It is not known, and will not be, whether this message was sent."""


def outcome_of(status: MessageStatus) -> Outcome:
    """What a caller who waited is told, made from what is known afterwards. Raises `EngineError`."""
    sent: list[Sent] = []
    failures: list[Failure] = []
    reached: dict[int, list[Entry]] = {}
    missed: dict[bool, set[str]] = {False: set(), True: set()}
    """Persons, and usernames, who were asked for together with others."""
    for one in status.recipients:
        recipient = parse_recipient(one.recipient) if one.recipient != EVERYBODY else None
        if one.group is None and one.state.is_reached:
            entry = Entry(0, recipient, one.recipient, one.state, one.changed_at)
            reached.setdefault(one.timestamp or 0, []).append(entry)
        elif not one.state.is_reached:
            failures.append(_failure(one))
            if one.group is None:
                missed[isinstance(recipient, Username)].add(one.recipient)
    for timestamp, entries in reached.items():
        for part in parts_of(entries):
            names = {entry.name for entry in part}
            if not isinstance(part[0].recipient, GroupId):
                names |= missed.pop(isinstance(part[0].recipient, Username), set())
            sent.append(Sent(target=target_of(part), timestamp=timestamp, results=_results_of(status, names)))
    if sent:
        tokens = tuple(token for one in status.recipients for token in one.tokens)
        return Outcome(sent=sent, failures=failures, tokens=tokens)
    if status.state is DeliveryState.UNKNOWN:
        raise OutcomeUnknown("It is not known whether the message was sent: signal-cli or this service ended in that moment")
    raise _refusal(status, failures)


def _results_of(status: MessageStatus, names: Collection[str]) -> list[SendResult]:
    """What signal-cli has answered for these recipients; of a group for its members, as far as it told."""
    results: list[SendResult] = []
    for one in status.recipients:
        recipient = parse_recipient(one.recipient) if one.recipient != EVERYBODY else None
        if (one.group or one.recipient) not in names or recipient is None or isinstance(recipient, GroupId):
            continue
        address = Address(
            number=one.number or (recipient.e164 if isinstance(recipient, Number) else None),
            uuid=one.uuid or (recipient.uuid if isinstance(recipient, Aci) else None),
            username=recipient.name if isinstance(recipient, Username) else None,
        )
        kind = SUCCESS if one.state.is_reached else one.reason or one.state.value.upper()
        results.append(SendResult(type=kind, recipient_address=address))
    return results


_REFUSALS: Final[Mapping[str, tuple[type[EngineError], str, str]]] = {
    RATE_LIMIT: (RateLimited, "Failed to send message due to rate limiting", "RATE_LIMIT_FAILURE"),
    UNTRUSTED: (UntrustedIdentity, "Failed to send message due to untrusted identities", IDENTITY_FAILURE),
    NETWORK: (NetworkTrouble, "Signal could not be reached", "NETWORK_FAILURE"),
    ENGINE: (EngineUnavailable, "signal-cli was not there", "NETWORK_FAILURE"),
    "UNREGISTERED_FAILURE": (Rejected, "Failed to send message", "UNREGISTERED_FAILURE"),
}
"""Why nobody was reached → what a caller who was there is told: the error, its text, the recipient's result. What can be mended first."""


_CODES: Final[Mapping[type[EngineError], int]] = {RateLimited: -5, UntrustedIdentity: -4, NetworkTrouble: -1, Rejected: -1}
"""As signal-cli numbers them."""


def _refusal(status: MessageStatus, failures: Sequence[Failure]) -> EngineError:
    """The error that the caller would have got, had the message not waited in the meantime."""
    reason = next((one for one in _REFUSALS if any(failure.reason == one for failure in failures)), None)
    if reason is None:
        text = next((failure.reason for failure in failures), "Failed to send message")
        return AccountUnknown(text) if text == NO_ACCOUNT else Rejected(text)
    kind, text, _ = _REFUSALS[reason]
    results = [
        SendResult(
            type=_REFUSALS[failure.reason][2] if failure.reason in _REFUSALS else failure.reason,
            recipient_address=Address(number=failure.number, uuid=failure.uuid, username=failure.username),
        )
        for failure in failures
    ]
    error = kind(text, code=_CODES.get(kind), response=msgspec.Raw(msgspec.json.encode({"results": results})))
    if isinstance(error, RateLimited):
        error.tokens = tuple(dict.fromkeys(token for one in status.recipients for token in one.tokens))
    return error


def _failure(one: RecipientStatus) -> Failure:
    recipient = parse_recipient(one.recipient) if one.recipient != EVERYBODY else None
    reason = one.reason or one.state.value.upper()
    match recipient:
        case GroupId():
            return Failure(reason=reason, group=recipient)
        case Username():
            return Failure(reason=reason, username=recipient.name)
        case Number():
            return Failure(reason=reason, number=recipient.e164, uuid=one.uuid)
        case _:
            return Failure(reason=reason, number=one.number, uuid=one.uuid or one.recipient)
