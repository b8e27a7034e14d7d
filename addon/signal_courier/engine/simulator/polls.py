"""Polls: asked, voted in, closed."""

import msgspec

from signal_courier.engine.base import Json
from signal_courier.engine.simulator import envelopes
from signal_courier.engine.simulator.actors import Sent
from signal_courier.engine.simulator.delivery import Targets, audience, may_speak, send
from signal_courier.engine.simulator.dispatch import Integer, Long, single
from signal_courier.engine.simulator.messages import data_content, send_part
from signal_courier.engine.simulator.network import Network
from signal_courier.engine.simulator.refusals import user_error
from signal_courier.engine.simulator.state import Account

_MOST_OPTIONS = 10
_LONGEST_OPTION = 100
"""Characters."""


class Create(Targets, rename="camel", kw_only=True):
    """Parameters of `sendPollCreate`."""

    question: str
    no_multi: bool = False
    option: list[str]


class Vote(Targets, rename="camel", kw_only=True):
    """Parameters of `sendPollVote`; options count from 0."""

    poll_timestamp: Long
    poll_author: str
    option: list[Integer] = msgspec.field(default_factory=list)
    vote_count: Integer


class Terminate(Targets, rename="camel", kw_only=True):
    """Parameters of `sendPollTerminate`."""

    poll_timestamp: Long


@single("sendPollCreate", Create)
def create(network: Network, account: Account, params: Create) -> Json:
    """Ask."""
    to = audience(network, account, params)
    if len(params.option) < 2:
        raise user_error("Poll needs at least two options")
    if len(params.option) > _MOST_OPTIONS:
        raise user_error(f"Poll cannot have more than {_MOST_OPTIONS} options")
    for option in params.option:
        if not option:
            raise user_error("Poll options must not be empty")
        if len(option) > _LONGEST_OPTION:
            raise user_error(f'Poll option "{option}" exceeds the maximum length of {_LONGEST_OPTION} characters')
    for group in to.groups:
        may_speak(account, group)
    poll: dict[str, Json] = {"question": params.question, "allowMultiple": not params.no_multi, "options": params.option}
    return send(network, account, to, data_content(None, lambda: {"pollCreate": poll}), reaction=Sent(poll=True))


@single("sendPollVote", Vote)
def vote(network: Network, account: Account, params: Vote) -> Json:
    """Vote."""
    to = audience(network, account, params)
    part: dict[str, Json] = {
        **envelopes.author("author", network.known(account, params.poll_author)),
        "targetSentTimestamp": params.poll_timestamp,
        "optionIndexes": params.option,
        "voteCount": params.vote_count,
    }
    return send_part(network, account, to, "pollVote", part)


@single("sendPollTerminate", Terminate)
def terminate(network: Network, account: Account, params: Terminate) -> Json:
    """Close the poll."""
    to = audience(network, account, params)
    return send_part(network, account, to, "pollTerminate", {"targetSentTimestamp": params.poll_timestamp})
