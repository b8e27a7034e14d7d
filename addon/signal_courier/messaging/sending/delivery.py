"""From a message to signal-cli's calls, and back to what became of it.

A send goes to any number of recipients of any kind. signal-cli takes persons by number or identity, persons by username, and one
group in a call, so this splits, makes the calls side by side, and joins what became of them. Each call is handed to the
engine before the next request is looked at, so that messages leave in the order in which they came.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from signal_courier.engine import errors
from signal_courier.engine.answers import SendAnswer
from signal_courier.engine.commands import Commands
from signal_courier.engine.errors import EngineError, RateLimited, SendResult
from signal_courier.model.errors import InvalidValue
from signal_courier.model.messages import (
    Deletion,
    Message,
    Poll,
    PollEnd,
    Reaction,
    Receipt,
    Sendable,
    Story,
    Typing,
    Vote,
)
from signal_courier.model.recipients import GroupId, Recipient, Username

_relayed = msgspec.json.Decoder(SendAnswer).decode
SUCCESS = "SUCCESS"
IDENTITY_FAILURE = "IDENTITY_FAILURE"
_STORY = "recipient: a story goes to all contacts or to one group"
UNCERTAIN = "TIMEOUT_FAILURE"
"""The reason of those whom it may have reached all the same."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Recipients that one call can reach: persons, or usernames, or one group. Without any: the own contacts (stories)."""

    persons: tuple[str, ...] = ()
    usernames: tuple[str, ...] = ()
    group: GroupId | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The recipients as signal-cli spells them, a group by its internal id."""
        return (self.group.internal,) if self.group is not None else self.persons or self.usernames


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient that was not reached."""

    reason: str
    """Result type of signal-cli: UNREGISTERED_FAILURE, IDENTITY_FAILURE, NETWORK_FAILURE, RATE_LIMIT_FAILURE …"""
    number: str | None = None
    uuid: str | None = None
    username: str | None = None
    group: GroupId | None = None


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one call that reached somebody."""

    target: Target
    timestamp: int
    """The message's name from now on, in ms since the epoch."""
    results: Sequence[SendResult]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a send that reached somebody."""

    sent: Sequence[Sent]
    """Never empty; in the order of the recipients."""
    failures: Sequence[Failure] = ()
    """Whom it did not reach, whether their call failed or only they did."""
    tokens: Sequence[str] = ()
    """Challenge tokens of those for whom Signal's rate limit was met."""

    @property
    def timestamp(self) -> int:
        """The message's timestamp, of the first call where there were several."""
        return self.sent[0].timestamp


class Trust(Protocol):
    """Decides about new and changed safety numbers."""

    def asks(self, account: str) -> bool:
        """Whether `check` may forbid anything to this account; tells without waiting."""

    async def check(self, account: str, persons: Iterable[str]) -> None:
        """Raise `UntrustedIdentity` if the account's policy forbids to write to one of these."""

    async def accepts(self, account: str, error: errors.UntrustedIdentity) -> bool:
        """Trust those whom the error names, if the policy is to; gives whether it is worth another try."""

    async def accept_all(self, account: str, results: Iterable[SendResult]) -> bool:
        """The same for the results of a call that reached others."""


class Delivery:
    """Makes the calls. Without `trust` a changed safety number is an error until somebody trusts it."""

    def __init__(self, commands: Commands, trust: Trust | None = None) -> None:
        self._commands = commands
        self._trust = trust

    async def send(self, account: str, recipients: Sequence[Recipient], what: Sendable) -> Outcome:
        """Send to all recipients and wait for what became of it.

        Raises:
            EngineError: Nobody was reached. `RateLimited` when that was the reason for any of them, then with all their tokens.
            InvalidValue: This kind of thing cannot be sent to this kind of recipient.
        """
        targets = split(recipients)
        if self._trust is not None and self._trust.asks(account):
            await self._trust.check(account, [person for target in targets for person in target.persons])
        if len(targets) == 1:
            answer = await self._deliver(account, targets[0], what)
            sent = (_sent(targets[0], answer),)
            if all([result.type == SUCCESS for result in answer.results]):  # noqa: C419  # a list of one or two is cheaper than a generator
                return Outcome(sent=sent)
            return Outcome(sent=sent, failures=_failures(answer.results, targets[0]), tokens=_tokens(answer.results))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_settled(self._deliver(account, target, what))) for target in targets]
        return _joined(targets, [task.result() for task in tasks])

    async def relay(self, account: str, recipients: Sequence[Recipient], call: Callable[[], Awaitable[msgspec.Raw]]) -> Outcome:
        """Send by one call that somebody else has put together, whatever kinds its recipients are of. Raises as `send` does."""
        targets = split(recipients)
        if self._trust is not None and self._trust.asks(account):
            await self._trust.check(account, [person for target in targets for person in target.persons])
        try:
            raw = await call()
        except errors.UntrustedIdentity as error:
            if self._trust is None or not await self._trust.accepts(account, error):
                raise
            raw = await call()
        try:
            answer = _relayed(raw)
        except msgspec.MsgspecError:  # a method that tells nothing
            answer = SendAnswer()
        sent = [Sent(target=target, timestamp=answer.timestamp or 0, results=_share(answer, targets, target)) for target in targets]
        failures = [failure for one in sent for failure in _failures(one.results, one.target)]
        return Outcome(sent=sent, failures=failures, tokens=_tokens(answer.results))

    async def is_member(self, account: str, group: GroupId) -> bool:
        """Whether an account is in a group; asks nobody else. Raises `EngineError`."""
        return any(one.id == group.internal and one.is_member for one in await self._commands.list_groups(account))

    async def deliver(self, account: str, target: Target, what: Sendable) -> SendAnswer:
        """Make the one call of a target. Raises as `send` does."""
        if self._trust is not None and self._trust.asks(account):
            await self._trust.check(account, target.persons)
        return await self._deliver(account, target, what)

    async def _deliver(self, account: str, target: Target, what: Sendable) -> SendAnswer:
        trust = self._trust
        if trust is None:
            return await self._call(account, target, what)
        try:
            answer = await self._call(account, target, what)
        except errors.UntrustedIdentity as error:
            if not await trust.accepts(account, error):
                raise
            return await self._call(account, target, what)
        missed = [result for result in answer.results if result.type == IDENTITY_FAILURE]
        if missed and target.persons and await trust.accept_all(account, missed):
            again = await self._call(account, Target(persons=tuple(_person(result) for result in missed)), what)
            anew = {_person(result): result for result in reversed(again.results)}
            results = [anew.get(_person(result), result) if result in missed else result for result in answer.results]
            return SendAnswer(timestamp=answer.timestamp, results=results)
        return answer

    def _call(self, account: str, target: Target, what: Sendable) -> Awaitable[SendAnswer]:
        match what:
            case Message():
                return self._send_message(account, target, what)
            case Deletion():
                return self._commands.remote_delete(
                    account,
                    recipient=target.persons,
                    username=target.usernames,
                    group_id=_group(target),
                    target_timestamp=what.timestamp,
                )
            case Reaction():
                return self._commands.send_reaction(
                    account,
                    recipient=target.persons,
                    username=target.usernames,
                    group_id=_group(target),
                    emoji=what.emoji,
                    target_author=str(what.author),
                    target_timestamp=what.timestamp,
                    remove=what.remove,
                    story=what.story,
                )
            case Receipt():
                return self._commands.send_receipt(
                    account, recipient=_one_person(target, "receipts"), type=what.kind.value, target_timestamp=what.timestamps
                )
            case Typing():
                return self._commands.send_typing(account, recipient=_people(target), group_id=_group(target), stop=what.stop)
            case Poll():
                return self._commands.send_poll_create(
                    account,
                    recipient=target.persons,
                    username=target.usernames,
                    group_id=_group(target),
                    question=what.question,
                    option=what.answers,
                    no_multi=not what.several,
                )
            case Vote():
                return self._commands.send_poll_vote(
                    account,
                    recipient=target.persons,
                    username=target.usernames,
                    group_id=_group(target),
                    poll_author=str(what.author),
                    poll_timestamp=what.timestamp,
                    option=what.choices,
                    vote_count=what.count,
                )
            case PollEnd():
                return self._commands.send_poll_terminate(
                    account,
                    recipient=target.persons,
                    username=target.usernames,
                    group_id=_group(target),
                    poll_timestamp=what.timestamp,
                )
            case Story():
                if target.persons or target.usernames:
                    raise InvalidValue("recipient", _STORY)
                group = target.group.internal if target.group is not None else None
                return self._commands.send_story(account, attachment=what.attachment, group_id=group, no_replies=not what.replies)

    def _send_message(self, account: str, target: Target, message: Message) -> Awaitable[SendAnswer]:
        quote, preview = message.quote, message.preview
        return self._commands.send(
            account,
            message=message.text,
            recipient=target.persons,
            username=target.usernames,
            group_id=_group(target),
            text_style=message.styles,
            attachment=message.attachments,
            mention=[str(mention) for mention in message.mentions] if message.mentions else (),
            sticker=message.sticker,
            quote_timestamp=quote.timestamp if quote is not None else None,
            quote_author=quote.author if quote is not None else None,
            quote_message=quote.message if quote is not None else None,
            quote_mention=[str(mention) for mention in quote.mentions] if quote is not None else (),
            preview_url=preview.url if preview is not None else None,
            preview_title=preview.title if preview is not None else None,
            preview_description=preview.description if preview is not None else None,
            preview_image=preview.image if preview is not None else None,
            edit_timestamp=message.edit_timestamp,
            story_timestamp=message.story_timestamp,
            story_author=message.story_author,
            view_once=message.view_once,
            voice_note=message.voice_note,
            no_urgent=message.no_urgent,
            notify_self=message.notify_self,
        )


def split(recipients: Sequence[Recipient]) -> list[Target]:
    """Sort recipients into as few calls as signal-cli needs; who is named twice is reached once. No recipients: one empty target."""
    if len(recipients) == 1:
        return [_target_of(recipients[0])]
    persons: dict[str, None] = {}
    usernames: dict[str, None] = {}
    groups: dict[str, GroupId] = {}
    kinds: dict[str, None] = {}
    for recipient in recipients:
        if isinstance(recipient, GroupId):
            groups[recipient.internal] = recipient
            kinds[recipient.internal] = None
        elif isinstance(recipient, Username):
            usernames[recipient.name] = None
            kinds["usernames"] = None
        else:
            persons[str(recipient)] = None
            kinds["persons"] = None
    if not kinds:
        return [Target()]
    return [
        Target(persons=tuple(persons))
        if kind == "persons"
        else Target(usernames=tuple(usernames))
        if kind == "usernames"
        else Target(group=groups[kind])
        for kind in kinds
    ]


def check_possible(recipients: Sequence[Recipient], what: Sendable) -> None:
    """Raise `InvalidValue` where this kind of thing cannot be sent to this kind of recipient."""
    if isinstance(what, Receipt | Story):
        for target in split(recipients):
            if isinstance(what, Receipt):
                _one_person(target, "receipts")
            elif target.persons or target.usernames:
                raise InvalidValue("recipient", _STORY)


def _target_of(recipient: Recipient) -> Target:
    if isinstance(recipient, GroupId):
        return Target(group=recipient)
    if isinstance(recipient, Username):
        return Target(usernames=(recipient.name,))
    return Target(persons=(str(recipient),))


def _group(target: Target) -> tuple[str, ...]:
    return (target.group.internal,) if target.group is not None else ()


def _people(target: Target) -> tuple[str, ...]:
    """Persons for methods that take usernames as recipients only."""
    return target.persons or tuple(f"u:{name}" for name in target.usernames)


def _one_person(target: Target, what: str) -> str:
    people = _people(target)
    if len(people) != 1:
        raise InvalidValue("recipient", f"recipient: {what} go to one person")
    return people[0]


def _person(result: SendResult) -> str:
    address = result.recipient_address
    return (address.uuid or address.number or "") if address is not None else ""


async def _settled(call: Awaitable[SendAnswer]) -> SendAnswer | EngineError:
    try:
        return await call
    except EngineError as error:
        return error


def _share(answer: SendAnswer, targets: Sequence[Target], target: Target) -> list[SendResult]:
    """The results of one target among those of a call for several."""
    if len(targets) == 1:
        return answer.results
    group = target.group.internal if target.group is not None else None
    return [result for result in answer.results if result.group_id == group]


def _sent(target: Target, answer: SendAnswer) -> Sent:
    return Sent(target=target, timestamp=answer.timestamp or 0, results=answer.results)


def _joined(targets: Sequence[Target], answers: Sequence[SendAnswer | EngineError]) -> Outcome:
    sent: list[Sent] = []
    failed: list[EngineError] = []
    failures: list[Failure] = []
    tokens: dict[str, None] = {}
    for target, answer in zip(targets, answers, strict=True):
        if isinstance(answer, EngineError):
            failed.append(answer)
            failures += _failures_of(answer, target)
            tokens |= dict.fromkeys(answer.tokens if isinstance(answer, RateLimited) else ())
        else:
            sent.append(_sent(target, answer))
            failures += _failures(sent[-1].results, target)
            tokens |= dict.fromkeys(_tokens(sent[-1].results))
    if not sent:
        raise _worst(failed, tuple(tokens))
    return Outcome(sent=sent, failures=failures, tokens=tuple(tokens))


def _worst(failed: Sequence[EngineError], tokens: tuple[str, ...]) -> EngineError:
    """The one error to tell when every call failed: the one that the caller can do something about."""
    kinds = (RateLimited, errors.UntrustedIdentity, EngineError)
    worst = next(error for kind in kinds for error in failed if isinstance(error, kind))
    if isinstance(worst, RateLimited):
        worst.tokens = tokens
    worst.uncertain = any(error.uncertain for error in failed)
    return worst


def _failures(results: Sequence[SendResult], target: Target) -> list[Failure]:
    failures = []
    for result in results:
        if result.type != SUCCESS:
            address = result.recipient_address
            failures.append(
                Failure(
                    reason=result.type,
                    number=address.number if address is not None else None,
                    uuid=address.uuid if address is not None else None,
                    username=address.username if address is not None else None,
                    group=target.group,
                )
            )
    return failures


def _tokens(results: Sequence[SendResult]) -> tuple[str, ...]:
    return tuple(result.token for result in results if result.token)


_REASONS: Sequence[tuple[type[EngineError], str]] = (
    (errors.UntrustedIdentity, IDENTITY_FAILURE),
    (errors.RateLimited, "RATE_LIMIT_FAILURE"),
    (errors.NetworkTrouble, "NETWORK_FAILURE"),
    (errors.EngineUnavailable, "NETWORK_FAILURE"),
)


class _Response(msgspec.Struct):
    results: list[SendResult] = []


def _failures_of(error: EngineError, target: Target) -> list[Failure]:
    """Whom a call that failed as a whole did not reach."""
    if error.response is not None:
        try:
            told = _failures(msgspec.json.decode(error.response, type=_Response).results, target)
        except msgspec.MsgspecError:
            told = []
        if told:
            return told
    reason = UNCERTAIN if error.uncertain else next((reason for kind, reason in _REASONS if isinstance(error, kind)), "FAILURE")
    if target.group is not None:
        return [Failure(reason=reason, group=target.group)]
    if target.usernames:
        return [Failure(reason=reason, username=name) for name in target.usernames]
    return [Failure(reason=reason, number=name) if name.startswith("+") else Failure(reason=reason, uuid=name) for name in target.persons]
