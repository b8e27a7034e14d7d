"""One message to people and groups: who gets it, what each of them does with it, and the results that the sender is told."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from signal_courier.engine.base import Json
from signal_courier.engine.simulator import actors
from signal_courier.engine.simulator.network import Network
from signal_courier.engine.simulator.refusals import RATE_LIMIT, UNTRUSTED_KEY, USER_ERROR, Refusal, user_error
from signal_courier.engine.simulator.state import Account, Group, Part, Person, Trust

TRAVEL = 0.02
"""Seconds that a message needs to another device."""
_RETRY_AFTER = 86400
"""Seconds until a rate limit ends by itself."""


@dataclass(frozen=True)
class Occasion:
    """The circumstances of one message to one receiver."""

    timestamp: int
    """ms since the epoch."""
    group: Group | None
    expires: int
    """Seconds after which the chat's messages vanish, 0 = never."""


type Content = Callable[[Occasion], dict[str, Json]]
"""Makes the content of an envelope for one receiver; files are stored for each anew."""


class Targets(msgspec.Struct, rename="camel", kw_only=True):
    """The parameters that say to whom, shared by all sending methods."""

    recipient: list[str] = []
    group_id: list[str] = []
    username: list[str] = []
    note_to_self: bool = False
    notify_self: bool = False


@dataclass
class Audience:
    """To whom a message goes."""

    people: list[Person] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)


def audience(network: Network, account: Account, targets: Targets) -> Audience:
    """Resolve the targets.

    Raises:
        Refusal: a target is invalid, a group is unknown or not ours, or there is no target at all.
    """
    found = Audience()
    if targets.note_to_self:
        found.people.append(network.owner(account))
    found.people.extend(network.recipient(account, text) for text in targets.recipient)
    found.people.extend(network.by_username(text) for text in targets.username)
    found.groups.extend(own_group(network, account, group_id) for group_id in dict.fromkeys(targets.group_id))
    if not found.people and not found.groups:
        raise user_error("No recipients given")
    return found


def own_group(network: Network, account: Account, group_id: str) -> Group:
    """A group that the account is a member of.

    Raises:
        Refusal: it is unknown, or others' alone.
    """
    group = network.group(group_id)
    if account.uuid not in group.members:
        raise user_error(f"User is not a member in group: {group.name} ({group.id})")
    return group


def may_speak(account: Account, group: Group) -> None:
    """Check that the group lets the account send messages.

    Raises:
        Refusal: only administrators may.
    """
    if group.permission_send_message == "ONLY_ADMINS" and not group.members[account.uuid].admin:
        raise user_error(f"User is not allowed to send message to group: {group.name} ({group.id})")


def send(network: Network, account: Account, to: Audience, content: Content, *, reaction: actors.Sent | None = None) -> dict[str, Json]:
    """Send one message; gives `{"timestamp", "results"}`.

    `reaction` says what people can answer to; without it they only confirm nothing (typing, receipts).

    Raises:
        Refusal: it reached nobody (as signal-cli tells it: untrusted, rate limited, or other).
    """
    timestamp = network.now()
    people = {person.uuid or person.number or person.username: person for person in to.people}
    results = [deliver(network, account, person, None, timestamp, content, reaction) for person in people.values()]
    for group in to.groups:
        results.extend(to_group(network, account, group, timestamp, content, reaction))
    answer: dict[str, Json] = {"timestamp": timestamp, "results": results}
    kinds = {str(result["type"]) for result in results}
    if not kinds or "SUCCESS" in kinds:
        return answer
    if kinds == {"IDENTITY_FAILURE"}:
        raise Refusal(UNTRUSTED_KEY, "Failed to send message due to untrusted identities", answer)
    if kinds == {"RATE_LIMIT_FAILURE"}:
        raise Refusal(RATE_LIMIT, "Failed to send message due to rate limiting", answer)
    raise Refusal(USER_ERROR, "Failed to send message", answer)


def to_group(
    network: Network, account: Account, group: Group, timestamp: int, content: Content, reaction: actors.Sent | None = None,
    also: Iterable[str] = ()
) -> list[dict[str, Json]]:  # fmt: skip
    """Send to every other member, and to the uuids in `also`; gives the results."""
    uuids = [uuid for uuid in dict.fromkeys((*group.members, *also)) if uuid != account.uuid]
    return [deliver(network, account, network.person(uuid), group, timestamp, content, reaction) for uuid in uuids]


def deliver(
    network: Network, account: Account, person: Person, group: Group | None, timestamp: int, content: Content, reaction: actors.Sent | None
) -> dict[str, Json]:
    """Bring a message to one person; gives the entry of `results`."""
    result: dict[str, Json] = {
        "recipientAddress": {"uuid": person.uuid or None, "number": person.number, "username": None if person.uuid else person.username}
    }
    if group is not None:
        result["groupId"] = group.id
    failure = _failure(network, account, person)
    if failure is not None:
        return result | dict(failure)
    sender = network.owner(account)
    receiver = network.world.accounts.get(person.uuid)
    if person.uuid == account.uuid:
        pass  # a note to self goes to the other devices, none of which is ours
    elif receiver is not None:
        expires = group.expiration if group is not None else network.contact(account, person).expiration
        made = content(Occasion(timestamp, group, expires))
        network.after(TRAVEL, lambda: network.post(sender, receiver, timestamp, made, device=account.device_id))
    if reaction is not None and person.uuid != account.uuid:
        actors.react(network, person, account, group, timestamp, reaction)
    return result | {"type": "SUCCESS"}


def _failure(network: Network, account: Account, person: Person) -> Mapping[str, Json] | None:
    if not person.registered:
        return {"type": "UNREGISTERED_FAILURE"}
    if person.uuid == account.uuid:
        return None
    if network.identity(account, person).trust is Trust.UNTRUSTED:
        return {"type": "IDENTITY_FAILURE"}
    if account.limited:
        return {"type": "RATE_LIMIT_FAILURE", "retryAfterSeconds": _RETRY_AFTER}
    if person.part is Part.LIMITED and not account.challenge_solved:
        token = f"simulated-challenge-{len(account.challenges) + 1}"
        if not account.challenges:
            account.challenges.append(token)
            network.changed()
        return {"type": "RATE_LIMIT_FAILURE", "token": account.challenges[0], "retryAfterSeconds": _RETRY_AFTER}
    return None
