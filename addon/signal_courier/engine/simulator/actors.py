"""What people do with a message that reaches them: confirm it, read it, echo it, vote."""

from collections.abc import Callable
from dataclasses import dataclass

from signal_courier.engine.base import Json
from signal_courier.engine.simulator import envelopes
from signal_courier.engine.simulator.network import Network
from signal_courier.engine.simulator.state import Account, Group, Part, Person

_DELIVERED = 0.1
_READ = 0.3
_ANSWERED = 0.6
"""Seconds after the message."""


@dataclass(frozen=True)
class Sent:
    """What of a message people can answer to."""

    text: str | None = None
    parts: Callable[[], dict[str, Json]] | None = None
    """Makes styles, mentions and attachments anew for the echo."""
    poll: bool = False
    echoes: bool = False
    """Whether it is a message to be echoed; a reaction or a deletion is not."""


def react(network: Network, person: Person, account: Account, group: Group | None, timestamp: int, sent: Sent) -> None:
    """Plan what `person` does with the message of `account`."""
    network.after(_DELIVERED, lambda: _confirm(network, person, account, timestamp, "delivery"))
    if person.part in {Part.OWNER, Part.QUIET}:
        return
    network.after(_READ, lambda: _confirm(network, person, account, timestamp, "read"))
    if person.part is Part.ECHO and sent.echoes:
        network.after(_ANSWERED, lambda: _echo(network, person, account, group, sent))
    elif person.part is Part.POLLS and sent.poll:
        network.after(_ANSWERED, lambda: _vote(network, person, account, group, timestamp))


def speak(network: Network, person: Person, account: Account, group: Group | None, text: str | None, parts: dict[str, Json]) -> int:
    """Let a person write to an account, or to the group that both are in; gives the timestamp of the message."""
    timestamp = network.now()
    readers = [account]
    if group is not None:
        readers = [network.world.accounts[uuid] for uuid in group.members if uuid in network.world.accounts and uuid != person.uuid]
    for reader in readers:
        expires = group.expiration if group is not None else network.contact(reader, person).expiration
        message = envelopes.data_message(timestamp, text, group, parts, expires=expires)
        network.post(person, reader, timestamp, {"dataMessage": message})
    return timestamp


def copy(network: Network, account: Account, person: Person | None, group: Group | None, text: str) -> int:
    """Report to an account what its phone has sent, and let the people get it; gives the timestamp."""
    timestamp = network.now()
    owner = network.owner(account)
    sent: dict[str, Json] = {
        "destination": person.address if person is not None else None,
        "destinationNumber": person.number if person is not None else None,
        "destinationUuid": person.uuid if person is not None else None,
        **envelopes.data_message(timestamp, text, group, {}),
    }
    network.post(owner, account, timestamp, {"syncMessage": {"sentMessage": sent}}, device=1)
    readers = [person] if person is not None else [network.person(uuid) for uuid in group.members] if group is not None else []
    for reader in readers:
        receiver = network.world.accounts.get(reader.uuid)
        if reader.uuid == account.uuid:
            continue
        if receiver is not None:
            network.post(owner, receiver, timestamp, {"dataMessage": envelopes.data_message(timestamp, text, group, {})})
        react(network, reader, account, group, timestamp, Sent(text=text, echoes=True))
    return timestamp


def read_elsewhere(network: Network, account: Account, author: Person, timestamp: int) -> None:
    """Report to an account that its phone has shown a message."""
    read: dict[str, Json] = {**envelopes.author("sender", author), "timestamp": timestamp}
    network.post(network.owner(account), account, network.now(), {"syncMessage": {"readMessages": [read]}})


def _confirm(network: Network, person: Person, account: Account, timestamp: int, kind: str) -> None:
    when = network.now()
    network.post(person, account, when, envelopes.receipt(when, kind, [timestamp]))


def _echo(network: Network, person: Person, account: Account, group: Group | None, sent: Sent) -> None:
    speak(network, person, account, group, sent.text, sent.parts() if sent.parts is not None else {})


def _vote(network: Network, person: Person, account: Account, group: Group | None, poll: int) -> None:
    owner = network.owner(account)
    vote: dict[str, Json] = {**envelopes.author("author", owner), "targetSentTimestamp": poll, "optionIndexes": [0], "voteCount": 1}
    speak(network, person, account, group, None, {"pollVote": vote})
